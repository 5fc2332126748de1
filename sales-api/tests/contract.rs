//! The API from outside: the production binary as a process, over HTTP, on the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test looks into the queue itself")]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures::future::join_all;
use hyper_util::rt::TokioIo;
use reqwest::{Method, Response, StatusCode};
use sales::aws::sale_queue::from_sqs;
use sales::event::Event;
use sales::message::{self, Message};
use sales_testbed::process::Program;
use sales_testbed::resources::RegionResources;
use sales_testbed::testing::{Fault, Running, Stage, client, eventually};
use serde_json::{Value, json};

const ORDER: &str = r#"{"product":"O Pequeno Principe", "amount": 14.00}"#;
const UNKNOWN: &str = "/sales/0192f5c0-7c1d-7a3e-8f11-0123456789ab";

async fn api(stage: &Stage, region: &RegionResources) -> Running {
    stage.start(env!("CARGO_BIN_EXE_sales-api"), region.api_environment(), &[]).await.expect("the API serves")
}

/// As sent by `curl -d`.
async fn post(api: &Running, body: impl Into<reqwest::Body>, key: Option<&str>) -> Response {
    let form = "application/x-www-form-urlencoded";
    let request = client().post(format!("{}/sales", api.url)).header("content-type", form).body(body);
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    request.send().await.expect("an answer")
}

async fn send(api: &Running, method: &str, path: &str) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    client().request(method, format!("{}{path}", api.url)).send().await.expect("an answer")
}

async fn accepted(api: &Running, body: &str) -> String {
    let answer = post(api, body.to_owned(), None).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let sale: Value = answer.json().await.unwrap();
    let id = sale["id"].as_str().unwrap().to_owned();
    assert_eq!(location, format!("/sales/{id}"));
    id
}

async fn readiness_with(api: &Running, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let readiness: Value = send(api, "GET", "/readiness").await.json().await.ok()?;
        holds(&readiness).then_some(readiness)
    })
    .await
}

/// RFC 9457, with `error` besides `detail`, and no internals.
async fn assert_problem(answer: Response, status: u16, case: &str) {
    assert_eq!(answer.status().as_u16(), status, "{case}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{case}");
    let text = answer.text().await.unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["status"], status, "{case}");
    assert!(document["detail"].is_string() && document["detail"] == document["error"], "{case}: {text}");
    assert!(document["title"].is_string() && document["type"].is_string(), "{case}: {text}");
    let lower = text.to_lowercase();
    assert!(!["arn:", "dynamo", "injected", "amazon"].iter().any(|word| lower.contains(word)), "{case}: {text}");
}

#[tokio::test]
async fn the_commands_of_the_guide_work_in_an_active_and_in_a_passive_region() {
    let stage = Stage::set("guide").await.unwrap();
    let here = api(&stage, stage.active()).await;
    let there = api(&stage, stage.passive()).await;
    for (accepting, other) in [(&here, &there), (&there, &here)] {
        let id = accepted(accepting, ORDER).await;
        for region in [accepting, other] {
            let sale: Value = send(region, "GET", &format!("/sales/{id}")).await.json().await.unwrap();
            assert_eq!((&sale["product"], &sale["amount"]), (&json!("O Pequeno Principe"), &json!(14)));
            assert_eq!((&sale["id"], &sale["processed"]), (&json!(id), &json!(false)));
        }
        assert_eq!(send(accepting, "HEAD", &format!("/sales/{id}")).await.status(), StatusCode::OK);
        for region in [accepting, other, accepting] {
            let answer = send(region, "DELETE", &format!("/sales/{id}")).await;
            assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        }
        for region in [accepting, other] {
            assert_problem(send(region, "GET", &format!("/sales/{id}")).await, 404, "cancelled").await;
        }
    }
}

#[tokio::test]
async fn what_clients_send_is_kept_to_the_digit_or_refused_with_a_reason() {
    let stage = Stage::set("input").await.unwrap();
    let api = api(&stage, stage.active()).await;
    for (sent, kept) in [
        ("12345678901234.5678", "12345678901234.5678"),
        ("0.1", "0.1"),
        ("14.00", "14"),
        ("1e2", "100"),
        ("1e19", "10000000000000000000"),
        ("99999999999999999999.99999999", "99999999999999999999.99999999"),
        ("0.1e-17", "0.000000000000000001"),
        ("1.000000000000000000000000000000", "1"),
    ] {
        let id = accepted(&api, &format!(r#"{{"product":"Livro","amount":{sent}}}"#)).await;
        let text = send(&api, "GET", &format!("/sales/{id}")).await.text().await.unwrap();
        assert!(text.contains(&format!("\"amount\":{kept},")), "{sent}: {text}");
    }
    for (body, status) in [
        ("", 400),
        ("no json", 400),
        ("null", 400),
        (r#"["Livro", 14]"#, 400),
        (r#"{"amount":14}"#, 400),
        (r#"{"product":"Livro"}"#, 400),
        (r#"{"product":"","amount":14}"#, 400),
        (r#"{"product":"Livro","amount":"14"}"#, 400),
        (r#"{"product":"Livro","amount":0}"#, 400),
        (r#"{"product":"Livro","amount":-0.01}"#, 400),
        (r#"{"product":"Livro","amount":1e400}"#, 400),
        (r#"{"product":"Livro","amount":1e999999999}"#, 400),
        (r#"{"product":"Livro","amount":1e28}"#, 400),
        (r#"{"product":"Livro","amount":1e20}"#, 400),
        (r#"{"product":"Livro","amount":1e-19}"#, 400),
        (r#"{"product":"Livro","amount":99999999999999999999.999999999}"#, 400),
        (&format!(r#"{{"product":"{}","amount":1}}"#, "a".repeat(1025)), 400),
        (&" ".repeat(64 * 1024 + 1), 413),
        (&"x".repeat(5_000_000), 413),
    ] {
        assert_problem(post(&api, body.to_owned(), None).await, status, &body[..body.len().min(60)]).await;
    }
    assert_problem(post(&api, &b"{\"product\":\"\xff\",\"amount\":1}"[..], None).await, 400, "not UTF-8").await;
    for content_type in ["application/json", "text/plain", "no type at all"] {
        let request = client().post(format!("{}/sales", api.url)).header("content-type", content_type).body(ORDER);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::CREATED, "{content_type}");
    }
}

#[tokio::test]
async fn the_same_key_is_the_same_sale_in_every_region() {
    let stage = Stage::set("key").await.unwrap();
    let here = api(&stage, stage.active()).await;
    let there = api(&stage, stage.passive()).await;
    let first = post(&here, ORDER, Some("order-1")).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let sale: Value = first.json().await.unwrap();
    for (region, body) in [(&here, ORDER), (&there, r#"{"amount":14,"product":"O Pequeno Principe"}"#)] {
        let again = post(region, body, Some("order-1")).await;
        assert_eq!(again.status(), StatusCode::OK);
        assert_eq!(again.headers()["location"], format!("/sales/{}", sale["id"].as_str().unwrap()));
        assert_eq!(again.json::<Value>().await.unwrap(), sale);
    }
    for region in [&here, &there] {
        let other = r#"{"product":"O Pequeno Principe","amount":15}"#;
        assert_problem(post(region, other, Some("order-1")).await, 422, "another order").await;
    }
    assert_eq!(post(&here, ORDER, Some(&"k".repeat(255))).await.status(), StatusCode::CREATED);
    for key in ["", "with space", &"k".repeat(256)] {
        assert_problem(post(&here, ORDER, Some(key)).await, 400, key).await;
    }
}

#[tokio::test]
async fn a_key_whose_first_answer_was_lost_still_gives_one_sale() {
    let stage = Stage::set("lost").await.unwrap();
    let api = api(&stage, stage.active()).await;
    stage.proxy.fail("PutItem", Fault::LostAnswer);
    assert_problem(post(&api, ORDER, Some("order-1")).await, 503, "the outcome is unknown").await;
    stage.proxy.heal();
    assert_eq!(post(&api, ORDER, Some("order-1")).await.status(), StatusCode::OK);
    assert_eq!(stage.active().pending_count().await.unwrap(), 1);
}

#[tokio::test]
async fn the_version_names_the_image_that_the_task_was_started_from() {
    let stage = Stage::set("version").await.unwrap();
    let image = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let variables = stage.active().api_environment();
    let api = stage.start(env!("CARGO_BIN_EXE_sales-api"), variables, &[("IMAGE", &image)]).await.unwrap();
    let version: Value = send(&api, "GET", "/version").await.json().await.unwrap();
    assert_eq!(version["image"], image.as_str(), "{version}");
}

#[tokio::test]
async fn paths_and_methods_that_nobody_answers_are_told_so() {
    let stage = Stage::set("routes").await.unwrap();
    let api = api(&stage, stage.active()).await;
    let sale = format!("/sales/{}", accepted(&api, ORDER).await);
    for (method, path, allow) in [
        ("GET", "/sales", "POST"),
        ("OPTIONS", "/sales", "POST"),
        ("FOO", "/sales", "POST"),
        ("PUT", sale.as_str(), "GET, HEAD, DELETE"),
        ("POST", sale.as_str(), "GET, HEAD, DELETE"),
        ("POST", "/healthcheck", "GET, HEAD"),
        ("DELETE", "/metrics", "GET, HEAD"),
        ("POST", "/active", "GET, HEAD"),
        ("PUT", "/openapi.json", "GET, HEAD"),
        ("PUT", "/docs", "GET, HEAD"),
    ] {
        let answer = send(&api, method, path).await;
        assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
        assert_problem(answer, 405, path).await;
    }
    send(&api, "DELETE", &sale).await;
    let cancellation = format!("{sale}%23cancelled");
    for path in ["/", "/sales/", "/nothing", "/sales/42", UNKNOWN, &cancellation] {
        assert_problem(send(&api, "GET", path).await, 404, path).await;
    }
    assert_problem(send(&api, "DELETE", UNKNOWN).await, 404, "unknown").await;
}

#[tokio::test]
async fn those_who_run_the_service_learn_what_they_need_and_clients_cannot_grow_the_metrics() {
    let stage = Stage::set("operations").await.unwrap();
    let mut api = api(&stage, stage.active()).await;
    assert_eq!(send(&api, "GET", "/healthcheck").await.json::<Value>().await.unwrap(), json!({"status": 200}));
    assert_eq!(send(&api, "GET", "/liveness").await.status(), StatusCode::OK);
    let version: Value = send(&api, "GET", "/version").await.json().await.unwrap();
    let commit = option_env!("SALES_COMMIT").unwrap_or("unknown");
    assert_eq!(version, json!({"name": "sales-api", "version": env!("CARGO_PKG_VERSION"), "commit": commit}));
    let readiness = readiness_with(&api, "the state is known", |readiness| readiness["state"] == "ACTIVE").await;
    assert_eq!((&readiness["region"], &readiness["status"]), (&json!("sa-east-1"), &json!(200)));

    let description: Value = send(&api, "GET", "/openapi.json").await.json().await.unwrap();
    for (path, method) in [("/sales", "post"), ("/sales/{id}", "get"), ("/sales/{id}", "delete"), ("/metrics", "get")] {
        assert!(description["paths"][path][method].is_object(), "{method} {path}");
    }
    assert_eq!(description, serde_json::from_str::<Value>(&kept_description()).unwrap(), "served as it is kept");
    let page = send(&api, "GET", "/docs").await.text().await.unwrap();
    assert!(page.contains("\"docs/swagger-ui-bundle.js\"") && !page.contains("://"), "{page}");
    assert_eq!(send(&api, "GET", "/docs/swagger-ui-bundle.js").await.status(), StatusCode::OK);

    let ask = async |number: usize| {
        let request = client().get(format!("{}/{number}", api.url)).header("host", format!("{number}.example"));
        request.send().await.unwrap();
        send(&api, &format!("M{number}"), &format!("/sales/{number}")).await;
    };
    ask(0).await;
    let before = send(&api, "GET", "/metrics").await.text().await.unwrap().lines().count();
    for number in 1..50 {
        ask(number).await;
    }
    let after = send(&api, "GET", "/metrics").await.text().await.unwrap();
    // Only the request for the metrics themselves is new.
    assert!(after.lines().count() <= before + 20, "{after}");
    assert!(after.contains("http_requests_total") && after.ends_with("# EOF\n"));

    // The first line may be logged before the state is known.
    let known = async || api.vital_signs().filter(|signs| signs["state"] != "UNKNOWN");
    let signs = eventually("vital signs in the log", known).await;
    assert_eq!((&signs["level"], &signs["state"]), (&json!("INFO"), &json!("ACTIVE")));
    assert!(signs["state_age_seconds"].is_u64() && signs.get("pending").is_none(), "{signs}");
}

#[tokio::test]
async fn dns_learns_at_once_and_without_ssm_whether_the_region_is_active() {
    let stage = Stage::set("active").await.unwrap();
    let here = api(&stage, stage.active()).await;
    let there = api(&stage, stage.passive()).await;
    readiness_with(&here, "the state is known", |readiness| readiness["state"] == "ACTIVE").await;
    readiness_with(&there, "the state is known", |readiness| readiness["state"] == "PASSIVE").await;
    let told = async |api: &Running| {
        let answer = send(api, "GET", "/active").await;
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(told(&here).await, (200, json!({"status": 200, "region": "sa-east-1", "state": "ACTIVE"})));
    assert_eq!(told(&there).await, (503, json!({"status": 503, "region": "us-east-1", "state": "PASSIVE"})));
    assert_eq!(send(&there, "HEAD", "/active").await.status(), StatusCode::SERVICE_UNAVAILABLE);

    // A call that hangs forever: a handler that waited for it would not respond.
    stage.proxy.fail("GetParameter", Fault::Delay(Duration::from_secs(1_000)));
    let unknown = api(&stage, stage.active()).await;
    assert_eq!(told(&unknown).await, (503, json!({"status": 503, "region": "sa-east-1", "state": "UNKNOWN"})));
    assert_eq!(send(&unknown, "GET", "/readiness").await.status(), StatusCode::OK, "the second choice of DNS");
    assert_eq!(told(&here).await.0, 200, "the last known state stays");

    let metrics = send(&there, "GET", "/metrics").await.text().await.unwrap();
    let counted =
        |line: &str| ["route=\"/active\"", "status=\"503\"", "method=\"GET\""].iter().all(|label| line.contains(label));
    let counts: Vec<_> =
        metrics.lines().filter(|line| line.starts_with("http_requests_total") && counted(line)).collect();
    assert!(matches!(counts.as_slice(), [count] if count.ends_with(" 1")), "{metrics}");
}

/// The description that the API Gateway in front of the API is built from.
const KEPT_DESCRIPTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../infra/deployment/openapi.json");

fn kept_description() -> String {
    std::fs::read_to_string(KEPT_DESCRIPTION).unwrap_or_default()
}

#[test]
fn the_description_that_the_infrastructure_reads_is_that_of_the_code() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_sales-api")).arg("--openapi").output().unwrap();
    assert!(output.status.success(), "--openapi needs no variables");
    let is_the_code_s = String::from_utf8(output.stdout).unwrap() == kept_description();
    assert!(is_the_code_s, "run: cargo run --bin sales-api -- --openapi > infra/deployment/openapi.json");
}

#[tokio::test]
async fn a_table_that_fails_or_hangs_is_503_and_said_once() {
    let stage = Stage::set("table").await.unwrap();
    let mut api = api(&stage, stage.active()).await;
    let sale = format!("/sales/{}", accepted(&api, ORDER).await);
    for operation in ["PutItem", "BatchGetItem", "GetItem"] {
        stage.proxy.fail(operation, Fault::Status(500));
    }
    for _ in 0..3 {
        let answer = post(&api, ORDER, None).await;
        assert_eq!(answer.headers()["retry-after"], "1");
        assert_problem(answer, 503, "POST").await;
        assert_problem(post(&api, ORDER, Some("order-1")).await, 503, "POST with a key").await;
        assert_problem(send(&api, "GET", &sale).await, 503, "GET").await;
        assert_problem(send(&api, "DELETE", &sale).await, 503, "DELETE").await;
    }
    assert_eq!(send(&api, "GET", "/readiness").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(send(&api, "GET", "/healthcheck").await.status(), StatusCode::OK);
    stage.proxy.heal();
    // Without a deadline in the service, the test would time out first.
    stage.proxy.fail("*", Fault::Delay(Duration::from_secs(300)));
    assert_problem(post(&api, ORDER, None).await, 503, "POST to a hanging table").await;
    stage.proxy.heal();
    accepted(&api, ORDER).await;
    let log = api.log();
    let complaints = log.lines().filter(|line| line.contains("\"sales-table\"") && line.contains("WARN"));
    assert_eq!(complaints.count(), 1, "{log}");
}

#[tokio::test]
async fn a_topic_and_a_switch_that_fail_stop_nobody() {
    let stage = Stage::set("topic").await.unwrap();
    stage.proxy.fail("GetParameter", Fault::Status(500));
    stage.proxy.fail("Publish", Fault::Status(500));
    let mut api = api(&stage, stage.active()).await;
    for _ in 0..3 {
        accepted(&api, ORDER).await;
    }
    assert_eq!(stage.active().pending_count().await.unwrap(), 3);
    let known = |readiness: &Value| {
        let dependencies = &readiness["dependencies"];
        dependencies["topic"] == "unavailable" && dependencies["site-state"] == "unavailable"
    };
    let readiness = readiness_with(&api, "both failures are known", known).await;
    assert_eq!((&readiness["status"], &readiness["state"]), (&json!(200), &json!("UNKNOWN")));
    let names = ["\"topic\"", "\"site-state\""];
    let said = async || Some(api.log()).filter(|log| names.iter().all(|name| log.contains(name)));
    let log = eventually("both failures are in the log", said).await;
    for name in names {
        assert_eq!(log.lines().filter(|line| line.contains(name)).count(), 1, "{log}");
    }
}

#[tokio::test]
async fn what_was_accepted_is_announced_with_its_trace_before_the_process_ends() {
    let stage = Stage::set("announce").await.unwrap();
    let mut api = api(&stage, stage.active()).await;
    readiness_with(&api, "the site is active", |readiness| readiness["state"] == "ACTIVE").await;
    stage.proxy.fail("Publish", Fault::Delay(Duration::from_millis(500)));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let client = client();
    let order = async || {
        let request = client.post(format!("{}/sales", api.url)).body(ORDER);
        let request = request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
        request.send().await.unwrap().status()
    };
    assert_eq!(order().await, StatusCode::CREATED);
    assert_eq!(join_all((0..11).map(|_| order())).await, [StatusCode::CREATED; 11]);
    api.process.terminate().unwrap();
    assert_eq!(api.process.wait().await, 0);
    let log = api.log();
    let lines = log.lines().filter(|line| line.contains(trace) && line.contains("sale accepted"));
    assert_eq!(lines.count(), 12, "{log}");

    // The first goes alone; what gathers meanwhile goes together.
    for region in [stage.active(), stage.passive()] {
        let messages = announced(&stage, region).await;
        assert!((2..12).contains(&messages.len()), "{} messages", messages.len());
        let lone = &messages[0].attributes;
        let text = |name: &str| lone[name].text().unwrap();
        assert_eq!((text("ce-specversion"), text("ce-type")), ("1.0", "sale.registered"));
        assert_eq!((text("ce-source"), text("home")), ("sa-east-1", "sa-east-1"));
        assert_eq!(serde_json::from_str::<Value>(&messages[0].body).unwrap()["id"], text("ce-id"));
        let content_type = Some("application/cloudevents-batch+json");
        assert_eq!(messages[1].attributes["content-type"].text(), content_type);

        let unpacked = messages.iter().map(|message| message::unpack(&message.body, &message.attributes));
        let events: Vec<Event> = unpacked.flat_map(|unpacked| unpacked.events).collect();
        assert_eq!(events.iter().map(|event| event.fact.id()).collect::<HashSet<_>>().len(), 12);
        for event in events {
            assert_eq!(event.home.unwrap().as_str(), "sa-east-1");
            let own = event.trace.unwrap().to_string();
            assert!(own.contains(trace) && !own.contains("00f067aa0ba902b7"), "{own}");
        }
    }
}

/// All messages of a region's queue, those of one event first.
async fn announced(stage: &Stage, region: &RegionResources) -> Vec<Message> {
    let sqs = aws_sdk_sqs::Client::new(&stage.sdk(region));
    let mut messages = Vec::new();
    loop {
        let request = sqs.receive_message().queue_url(&region.queue_url).message_attribute_names("All");
        let received = request.max_number_of_messages(10).send().await.unwrap().messages.unwrap_or_default();
        if received.is_empty() {
            break;
        }
        messages.extend(received.into_iter().map(|message| Message {
            body: message.body.unwrap(),
            attributes: from_sqs(message.message_attributes.unwrap()),
        }));
    }
    messages.sort_by_key(|message| !message.attributes.contains_key("ce-id"));
    messages
}

#[tokio::test]
async fn the_program_tells_whether_its_service_on_this_machine_is_alive() {
    let stage = Stage::set("alive").await.unwrap();
    let mut api = api(&stage, stage.active()).await;
    let port = api.url.rsplit_once(':').unwrap().1.to_owned();
    let ask = |port: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sales-api"));
        let output = command.arg("--healthcheck").env_clear().env("PORT", port).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(ask(&port), (Some(0), String::new()));
    assert_eq!(api.process.stop().await, 0);
    let (code, said) = ask(&port);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with(&format!("error: 127.0.0.1:{port} is not alive: ")), "{said}");
    assert_eq!(ask("http").0, Some(64));
}

/// Posts an order over HTTPS, on a new connection.
async fn post_by_tls(address: SocketAddr) -> StatusCode {
    let stream = sales_service::http::tls::connect_on_this_machine(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::post("/sales").header("host", "localhost").header("content-length", ORDER.len());
    sender.send_request(request.body(ORDER.to_owned()).unwrap()).await.expect("an answer").status()
}

#[tokio::test]
async fn with_tls_the_api_speaks_nothing_else_and_finishes_what_it_has_begun() {
    let stage = Stage::set("tls").await.unwrap();
    let [port] = sales_testbed::tcp_ports::free().unwrap();
    let program = env!("CARGO_BIN_EXE_sales-api");
    let port_text = port.to_string();
    let place = [("AWS_ENDPOINT_URL", stage.proxy.endpoint()), ("PORT", &port_text), ("TLS", "self-signed")];
    let service = Program::new(program).environment(stage.active().api_environment()).environment(place);
    let mut process = service.grace(Duration::from_secs(25)).start().unwrap();
    let healthcheck = |tls: &[(&str, &str)]| {
        let mut command = std::process::Command::new(program);
        let output = command.arg("--healthcheck").env_clear().env("PORT", &port_text).envs(tls.to_vec()).output();
        output.unwrap().status.code()
    };
    let alive = async || (healthcheck(&[("TLS", "self-signed")]) == Some(0)).then_some(());
    eventually("the API serves by TLS", alive).await;
    assert_eq!(healthcheck(&[]), Some(1), "not over plain HTTP");

    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(post_by_tls(address).await, StatusCode::CREATED);
    assert!(client().get(format!("http://{address}/healthcheck")).send().await.is_err(), "not over plain HTTP");

    stage.proxy.fail("PutItem", Fault::Delay(Duration::from_millis(500)));
    let before = stage.proxy.calls("PutItem");
    let in_flight = tokio::spawn(post_by_tls(address));
    eventually("its write is in flight", async || (stage.proxy.calls("PutItem") > before).then_some(())).await;
    process.terminate().unwrap();
    assert_eq!(in_flight.await.unwrap(), StatusCode::CREATED);
    assert_eq!(process.wait().await, 0);
    assert_eq!(stage.active().pending_count().await.unwrap(), 2);
}

#[tokio::test]
async fn a_wrong_variable_ends_the_process_with_one_line_that_names_it() {
    let stage = Stage::set("variables").await.unwrap();
    let program = env!("CARGO_BIN_EXE_sales-api");
    for (variable, value) in [
        ("AWS_REGION", ""),
        ("AWS_REGION", "moon"),
        ("SNS_SALES_PROCESSING_TOPIC", ""),
        ("SNS_SALES_PROCESSING_TOPIC", "sales"),
        ("SSM_PARAMETER_STORE_STATE", ""),
        ("DYNAMO_SALES_TABLE", "a b"),
        ("PORT", "http"),
        ("TLS", "on"),
        ("PORT", "70000"),
        ("AWS_ENDPOINT_URL", "localhost"),
        ("RUST_LOG", "sales=loud"),
        ("LOG_FORMAT", "xml"),
        ("IMAGE", "registry/sales-api:v1"),
    ] {
        let mut command = std::process::Command::new(program);
        let output = command.envs(stage.active().api_environment()).env(variable, value).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(64), 1), "{variable}={value}: {error}");
        assert!(error.starts_with(&format!("error: {variable} ")) && output.stdout.is_empty(), "{error}");
    }
    let arguments =
        [("--help", 0, "SNS_SALES_PROCESSING_TOPIC"), ("--version", 0, "sales-api 0."), ("--unknown", 64, "")];
    for (argument, code, expected) in arguments {
        let output = std::process::Command::new(program).arg(argument).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{argument}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(expected), "{argument}");
    }
}
