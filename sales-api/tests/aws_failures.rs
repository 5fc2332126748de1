//! The API against an AWS that rejects calls, loses responses, or has no credentials: the production binary behind a
//! proxy, on the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test looks into the queue itself")]

use std::time::Duration;

use reqwest::{Response, StatusCode};
use sales_testbed::testing::{ContainerCredentials, CredentialsEndpoint, Fault, Running, Stage, client, eventually};
use serde_json::Value;

const ORDER: &str = r#"{"product":"Livro","amount":14.5}"#;

/// Later than the end of any test.
const FAR: &str = "2099-01-01T00:00:00Z";

async fn api(stage: &Stage) -> Running {
    let environment = stage.active().api_environment();
    stage.start(env!("CARGO_BIN_EXE_sales-api"), environment, &[]).await.expect("the API serves")
}

async fn post(api: &Running, key: Option<&str>) -> Response {
    let request = client().post(format!("{}/sales", api.url)).body(ORDER);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    request.send().await.expect("an answer")
}

async fn readiness(api: &Running) -> Value {
    client().get(format!("{}/readiness", api.url)).send().await.unwrap().json().await.unwrap()
}

async fn becomes(api: &Running, dependency: &str, condition: &str) -> Value {
    eventually(&format!("{dependency} is {condition}"), async || {
        let readiness = readiness(api).await;
        (readiness["dependencies"][dependency] == condition).then_some(readiness)
    })
    .await
}

/// Lines of the log at a level, about a dependency.
fn said(api: &mut Running, level: &str, dependency: &str) -> Vec<String> {
    let log = api.log();
    let lines = log.lines().filter(|line| line.contains(&format!("\"{level}\"")));
    lines.filter(|line| line.contains(&format!("\"{dependency}\""))).map(str::to_owned).collect()
}

/// Warnings in the log, besides that sign-in is off.
fn warnings(api: &mut Running) -> Vec<String> {
    let log = api.log();
    let warnings = log.lines().filter(|line| line.contains("\"WARN\"") && !line.contains("sign-in is off"));
    warnings.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_table_that_refuses_everything_is_not_ready_and_said_once_with_the_code() {
    a_table_that_refuses_everything_with("InvalidSignatureException", "denied").await;
}

#[tokio::test]
async fn a_table_that_refuses_everything_with_an_unknown_code_is_not_ready_either() {
    a_table_that_refuses_everything_with("SomethingNewException", "unrecognized").await;
}

async fn a_table_that_refuses_everything_with(code: &'static str, condition: &str) {
    let stage = Stage::set(&format!("refuses-{condition}")).await.unwrap();
    // From the start: no call has succeeded yet.
    stage.proxy.fail("DynamoDB", Fault::Refusal(400, code));
    let mut api = api(&stage).await;
    for number in 0..3 {
        assert_eq!(post(&api, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        let key = format!("{code}-{number}");
        assert_eq!(post(&api, Some(&key)).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(becomes(&api, "sales-table", condition).await["status"], 503, "{code}");
    let warnings = said(&mut api, "WARN", "sales-table");
    assert!(warnings.len() == 1 && warnings[0].contains(code), "{code}: {warnings:?}");
    assert!(!api.log().contains("dependency recovered"), "{}", api.log());

    stage.proxy.heal();
    let answered = async || (post(&api, None).await.status() == StatusCode::CREATED).then_some(());
    eventually("sales are accepted again", answered).await;
    let working = async || {
        post(&api, Some("working")).await;
        (readiness(&api).await["status"] == 200).then_some(())
    };
    eventually("the API is ready again", working).await;
    let recovered = async || {
        let said = said(&mut api, "INFO", "sales-table");
        Some(said.iter().filter(|line| line.contains("recovered")).count()).filter(|count| *count > 0)
    };
    assert_eq!(eventually("the recovery is in the log", recovered).await, 1);
}

#[tokio::test]
async fn credentials_that_come_slowly_come_once_and_are_used() {
    let stage = Stage::set("slow-credentials").await.unwrap();
    let endpoint = CredentialsEndpoint::start(ContainerCredentials::After(Duration::from_secs(6), FAR)).await.unwrap();
    let environment = endpoint.instead_of_keys(stage.active().api_environment());
    let mut api = stage.start(env!("CARGO_BIN_EXE_sales-api"), environment, &[]).await.unwrap();
    let accepted = async || (post(&api, None).await.status() == StatusCode::CREATED).then_some(());
    eventually("sales are accepted", accepted).await;
    for number in 0..5 {
        assert_eq!(post(&api, Some(&format!("slow-{number}"))).await.status(), StatusCode::CREATED);
    }
    becomes(&api, "credentials", "ok").await;
    assert_eq!(endpoint.asked(), 1, "one load serves all");
    let ready = async || (readiness(&api).await["status"] == 200).then_some(());
    eventually("the API is ready", ready).await;
    assert_eq!(warnings(&mut api).len(), 1, "{:?}", warnings(&mut api));
}

#[tokio::test]
async fn without_credentials_the_api_says_so_once_and_goes_on_once_there_are_some() {
    let stage = Stage::set("no-credentials").await.unwrap();
    let endpoint = CredentialsEndpoint::start(ContainerCredentials::Refused).await.unwrap();
    let environment = endpoint.instead_of_keys(stage.active().api_environment());
    let mut api = stage.start(env!("CARGO_BIN_EXE_sales-api"), environment, &[]).await.unwrap();
    assert_eq!(becomes(&api, "credentials", "denied").await["status"], 503);
    for _ in 0..10 {
        assert_eq!(post(&api, None).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(warnings(&mut api).len(), 1, "{:?}", warnings(&mut api));
    endpoint.answer(ContainerCredentials::After(Duration::ZERO, FAR));
    let accepted = async || (post(&api, None).await.status() == StatusCode::CREATED).then_some(());
    eventually("sales are accepted", accepted).await;
    becomes(&api, "credentials", "ok").await;
}

#[tokio::test]
async fn the_own_write_that_was_repeated_is_a_new_sale_and_announced() {
    let stage = Stage::set("own-write").await.unwrap();
    let api = api(&stage).await;
    let queues = aws_sdk_sqs::Client::new(&stage.sdk(stage.active()));
    for (number, fault) in [Fault::CutAnswer, Fault::LostAnswer].into_iter().enumerate() {
        let key = format!("own-{number}");
        stage.proxy.fail_once("PutItem", fault);
        let answer = post(&api, Some(&key)).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{fault:?}");
        let sale: Value = answer.json().await.unwrap();
        let announced = async || {
            let request = queues.receive_message().queue_url(&stage.active().queue_url).visibility_timeout(0);
            let messages = request.send().await.unwrap().messages.unwrap_or_default();
            let told = |body: &str| body.contains(sale["id"].as_str().unwrap());
            messages.iter().any(|message| message.body().is_some_and(told)).then_some(())
        };
        eventually("the sale is announced", announced).await;
        assert_eq!(post(&api, Some(&key)).await.status(), StatusCode::OK, "it is there by now");

        // The same for its cancellation.
        stage.proxy.fail_once("PutItem", fault);
        let url = format!("{}/sales/{}", api.url, sale["id"].as_str().unwrap());
        assert_eq!(client().delete(url).send().await.unwrap().status(), StatusCode::NO_CONTENT);
    }
    let metrics = client().get(format!("{}/metrics", api.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.lines().any(|line| line == "sales_accepted_total 2"), "{metrics}");
    assert!(metrics.lines().any(|line| line == "sales_repeated_total 2"), "{metrics}");
}

#[tokio::test]
async fn a_state_that_is_none_is_named_each_time_it_changes() {
    let stage = Stage::set("wrong-state").await.unwrap();
    let mut api = api(&stage).await;
    let parameters = aws_sdk_ssm::Client::new(&stage.sdk(stage.active()));
    for value in ["active", "PASIVE"] {
        let parameter = parameters.put_parameter().name(&stage.active().state_parameter).overwrite(true);
        parameter.value(value).send().await.unwrap();
        let named = async || {
            let warnings = said(&mut api, "WARN", "site-state");
            warnings.iter().any(|line| line.contains(value)).then_some(warnings)
        };
        eventually(&format!("{value} is named"), named).await;
    }
    assert_eq!(said(&mut api, "WARN", "site-state").len(), 2, "once each");
}
