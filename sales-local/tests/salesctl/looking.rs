//! `status` and `pending list`, also of regions that are gone.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use serde_json::Value;

use crate::console::{Console, owe};

fn region<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["regions"].as_array().unwrap().iter().find(|region| region["region"] == name).unwrap()
}

#[tokio::test]
async fn status_tells_all_that_can_be_known_and_why_the_rest_is_not() {
    let console = Console::open("status").await;
    let ended = console.run("status --output json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let status = ended.json();
    for (name, state, dial) in [("sa-east-1", "ACTIVE", 100.0), ("us-east-1", "PASSIVE", 0.0)] {
        let region = region(&status, name);
        assert_eq!(region["state"]["value"], state, "{region}");
        assert!(region["state"]["since"].as_i64().unwrap() > 1_600_000_000, "{region}");
        assert_eq!(region["traffic"]["dial_percent"], dial, "{region}");
        assert_eq!(region["queue"]["waiting"], 0, "{region}");
        assert_eq!(region["dead_letters"]["in_flight"], 0, "{region}");
        assert_eq!(region["pending"]["items"], 0, "{region}");
        assert_eq!(region["api"]["error"], format!("regions.{name}.api_url is not set"), "{region}");
    }

    let nobody = "http://127.0.0.1:1";
    let lost = console
        .run(&format!(
            "status -o json --set regions.sa-east-1.endpoint_url={nobody} --set regions.sa-east-1.api_url={nobody}"
        ))
        .await;
    assert_eq!(lost.code, Some(0), "{lost:?}");
    let status = lost.json();
    for figure in ["state", "queue", "dead_letters", "pending", "api"] {
        let error = region(&status, "sa-east-1")[figure]["error"].as_str().unwrap();
        assert!(error.contains("refused"), "{figure}: {error}");
    }
    assert_eq!(region(&status, "us-east-1")["state"]["value"], "PASSIVE");
    let first = &status["findings"][0];
    assert!(first["finding"].as_str().unwrap().starts_with("no region is known to be ACTIVE"), "{first}");

    let nothing =
        format!("--set regions.sa-east-1.endpoint_url={nobody} --set regions.us-east-1.endpoint_url={nobody}");
    assert_eq!(console.run(&format!("status {nothing}")).await.code, Some(2));
}

#[tokio::test]
async fn the_age_of_a_queue_is_the_newest_figure_of_cloudwatch() {
    let console = Console::open("ages").await;
    let active = console.stage.active();
    let sdk = console.stage.sdk(active);
    let sqs = aws_sdk_sqs::Client::new(&sdk);
    sqs.send_message().queue_url(&active.queue_url).message_body("{}").send().await.unwrap();
    let name = active.queue_url.rsplit('/').next().unwrap();
    let figure = |minutes: u64, seconds: f64| {
        let queue = Dimension::builder().name("QueueName").value(name).build();
        let measured = SystemTime::now() - Duration::from_secs(60 * minutes);
        let datum = MetricDatum::builder().metric_name("ApproximateAgeOfOldestMessage").dimensions(queue);
        datum.timestamp(measured.into()).value(seconds).build()
    };
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&sdk);
    let figures = cloudwatch.put_metric_data().namespace("AWS/SQS");
    // In no order of time, and the newest is neither the least nor the most.
    let figures = figures.metric_data(figure(5, 500.0)).metric_data(figure(1, 9.0)).metric_data(figure(3, 7.0));
    figures.send().await.unwrap();
    let ended = console.run("status -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let status = ended.json();
    let queue = &region(&status, &active.name)["queue"];
    assert_eq!((&queue["waiting"], &queue["oldest_age_seconds"]), (&1.into(), &9.into()), "{ended:?}");
}

#[tokio::test]
async fn a_table_has_no_colours_where_there_is_no_terminal() {
    let console = Console::open("colours").await;
    let ended = console.run("status").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains('\x1b'), "{ended:?}");
    let lines: Vec<Vec<&str>> = ended.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..3], ["REGION", "STATE", "SINCE"]);
    assert_eq!(lines[1][..2], ["sa-east-1", "ACTIVE"]);
}

#[tokio::test]
async fn what_is_pending_is_listed_with_its_reason() {
    let console = Console::open("pending").await;
    owe(&console.stage, "0192f5c0-7c1d-7a3e-8f11-0123456789ab", 1_764_547_200).await;
    owe(&console.stage, "0192f5c0-7c1d-7a3e-8f11-0123456789ac", 1_764_547_100).await;
    let ended = console.run("pending list --limit 1 -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let listed = ended.json();
    for region in listed.as_array().unwrap() {
        assert_eq!(region["total"], 2, "both regions' tables know of it: {listed}");
        assert_eq!(region["items"].as_array().unwrap().len(), 1, "{listed}");
        let oldest = &region["items"][0];
        assert_eq!(oldest["id"], "0192f5c0-7c1d-7a3e-8f11-0123456789ac", "{listed}");
        assert!(oldest["reason"].as_str().unwrap().contains("worker of sa-east-1"), "{listed}");
    }
}

#[tokio::test]
async fn a_configuration_that_is_missing_or_wrong_is_named() {
    let console = Console::open("configuration").await;
    for (words, part) in [
        ("status --config nowhere.toml", "nowhere.toml cannot be read"),
        ("status --set regions.sa-east-1.bucket=x", "unknown field `bucket`"),
        ("status --region mars-east-1", "it must be one of sa-east-1, us-east-1"),
        ("status --set url", "--set takes KEY=VALUE"),
    ] {
        let ended = console.run(words).await;
        assert_eq!(ended.code, Some(64), "{words}: {ended:?}");
        assert!(ended.err.contains(part), "{words}: {ended:?}");
        assert_eq!(ended.out, "", "{words}");
    }
}
