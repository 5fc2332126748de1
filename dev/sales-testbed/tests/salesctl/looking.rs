//! `status` and `pending list`, also with lost regions.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use crate::console::{Console, owe};

/// Output of `pending list`, in the form of `status`.
fn listed_regions(listed: &Value) -> Value {
    serde_json::json!({ "regions": listed })
}

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
    // Not in order of time, and the newest is neither the smallest nor the largest.
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
        ("status --config nowhere.toml", "cannot read nowhere.toml"),
        ("status --set regions.sa-east-1.bucket=x", "unknown field `bucket`"),
        ("status --region mars-east-1", "expected one of sa-east-1, us-east-1"),
        ("status --set url", "expected KEY=VALUE"),
    ] {
        let ended = console.run(words).await;
        assert_eq!(ended.code, Some(64), "{words}: {ended:?}");
        assert!(ended.err.contains(part), "{words}: {ended:?}");
        assert_eq!(ended.out, "", "{words}");
    }
}

/// Puts an item with these attributes into a shard of the pending index.
async fn owe_item(console: &Console, id: &str, timestamp: &str, attributes: &[(&str, AttributeValue)]) {
    let region = console.stage.active();
    let tables = aws_sdk_dynamodb::Client::new(&console.stage.sdk(region));
    let put = tables.put_item().table_name(&region.sales_table).item("id", AttributeValue::S(id.to_owned()));
    let put = put.item("pending", AttributeValue::S("3".to_owned()));
    let mut put = put.item("timestamp", AttributeValue::N(timestamp.to_owned()));
    for (name, value) in attributes {
        put = put.item(*name, value.clone());
    }
    put.send().await.unwrap();
}

#[tokio::test]
async fn pending_items_that_cannot_be_read_are_told_with_their_ids_and_why() {
    let console = Console::open("unreadable").await;
    let product = ("product", AttributeValue::S("Livro".to_owned()));
    let without_amount = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
    let in_milliseconds = "0192f5c0-7c1d-7a3e-8f11-0123456789ac";
    owe_item(&console, "order \u{1b}[7m7", "1764547200", &[]).await;
    owe_item(&console, without_amount, "1764547200", std::slice::from_ref(&product)).await;
    let amount = ("amount", AttributeValue::N("14".to_owned()));
    owe_item(&console, in_milliseconds, "1764547200000", &[product, amount]).await;

    let ended = console.run("pending list -o json").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let listed = ended.json();
    let region = region(&listed_regions(&listed), "sa-east-1").clone();
    assert_eq!((&region["total"], &region["unreadable"]), (&3.into(), &3.into()), "{region}");
    let item = |id: &str| region["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap().clone();
    for (id, accepted_at, why) in [
        ("order \u{1b}[7m7", Value::from(1_764_547_200), "its id is neither that of a sale nor of a cancellation"),
        (without_amount, Value::from(1_764_547_200), "no amount"),
        (in_milliseconds, Value::Null, "invalid timestamp"),
    ] {
        let item = item(id);
        assert_eq!((&item["kind"], &item["accepted_at"]), (&"unreadable".into(), &accepted_at), "{item}");
        assert!(item["reason"].as_str().unwrap().contains(why), "{item}");
    }
    let table = console.run("pending list --region sa-east-1").await;
    assert!(table.out.starts_with("sa-east-1: 3 items pending, 3 unreadable\n"), "{table:?}");
    assert!(!table.out.contains('\u{1b}'), "{table:?}");
    let of_no_age = table.out.lines().find(|line| line.contains(in_milliseconds)).unwrap();
    assert!(of_no_age.contains(" ? "), "{of_no_age}");

    let status = console.run("status -o json").await.json();
    let pending = &self::region(&status, "sa-east-1")["pending"];
    assert_eq!((&pending["items"], &pending["unreadable"]), (&3.into(), &3.into()), "{status}");
    assert!(status["findings"].to_string().contains("sa-east-1: 3 pending items cannot be read"), "{status}");
}

#[tokio::test]
async fn the_age_of_what_does_not_say_since_when_it_is_pending_is_not_known() {
    let console = Console::open("ageless").await;
    owe_item(&console, "0192f5c0-7c1d-7a3e-8f11-0123456789ab", "-5", &[]).await;
    let status = console.run("status --region sa-east-1").await;
    let row: Vec<&str> = status.out.lines().nth(1).unwrap().split_whitespace().collect();
    // REGION STATE SINCE API WORKER TASKS QUEUE AGE DEAD-LETTERS AGE PENDING AGE DNS DIAL
    assert_eq!(row[10..12], ["1", "?"], "{status:?}");
    assert!(status.out.contains("none of them has a readable timestamp"), "{status:?}");
}

#[tokio::test]
async fn what_is_overdue_is_so_for_all_commands_by_the_grace_of_the_configuration() {
    let console = Console::open("overdue").await;
    let id = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
    let ago = |seconds: i64| time::OffsetDateTime::now_utc().unix_timestamp() - seconds;
    owe(&console.stage, id, ago(300)).await;
    let said = async |words: &str| console.run(words).await.out;
    for (grace, is_overdue) in [("30", true), ("600", false)] {
        let set = format!("--set pending_grace_seconds={grace}");
        let listed = said(&format!("pending list --region sa-east-1 {set}")).await;
        assert_eq!(listed.contains("overdue"), is_overdue, "{listed}");
        let traced = said(&format!("sale trace {id} {set}")).await;
        assert_eq!(traced.contains("overdue"), is_overdue, "{traced}");
        let status = said(&format!("status {set}")).await;
        assert_eq!(status.contains("! sa-east-1: 1 item is pending"), is_overdue, "{status}");
    }
}

#[tokio::test]
async fn what_cannot_be_written_is_an_error_and_a_reader_who_has_gone_is_none() {
    let console = Console::open("full").await;
    for words in ["status", "--help", "completions bash", "pending list -o json"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = console.command(words);
        let output = command.stdout(full).spawn().unwrap().wait_with_output().await.unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{words}: {error}");
        assert!(
            error.starts_with("error: standard output cannot be written: No space left on device"),
            "{words}: {error}"
        );
        assert_eq!(error.lines().count(), 1, "{words}: {error}");

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = console.command(words).stdout(writer).spawn().unwrap().wait_with_output().await.unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{words}");
        assert_eq!(output.status.code(), Some(141), "{words}");
    }
}
