//! The worker from its ports: the production binary as a process, fed through the queue, on the emulator.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test plays the API, and looks into the queues itself")]

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use reqwest::StatusCode;
use sales_testbed::resources::{JournalLine, RegionResources, RegionState};
use sales_testbed::testing::{Fault, Running, Stage, client, eventually};
use serde_json::{Value, json};

/// A sale as the API announces it, with a number of the test's own.
struct Announced {
    id: String,
    timestamp: u64,
}

impl Announced {
    /// Accepted now.
    fn new(number: u64) -> Self {
        #[expect(clippy::disallowed_methods, reason = "the worker under test has the machine's clock, too")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        Self { id: format!("0192f5c0-7c1d-7a3e-8f11-{number:012x}"), timestamp: now.as_secs() }
    }

    /// Accepted a moment before midnight, long ago.
    fn of_2025(number: u64) -> Self {
        Self { timestamp: 1_764_547_199, ..Self::new(number) }
    }

    fn body(&self) -> String {
        let Self { id, timestamp } = self;
        format!(r#"{{"id":"{id}","product":"Livro","amount":14.5,"sale_processed":false,"timestamp":{timestamp}}}"#)
    }

    /// As a line of the journal, where the region that accepted it is known.
    fn line(&self) -> String {
        format!(r#"{},"region":"sa-east-1"}}"#, self.body().trim_end_matches('}'))
    }

    /// As a part of a message with several facts.
    fn part(&self, kind: &str, home: &str) -> String {
        let (id, data) = (&self.id, self.body());
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"sa-east-1","type":"{kind}","home":"{home}","data":{data}}}"#
        )
    }
}

async fn worker(stage: &Stage, region: &RegionResources, extra: &[(&str, &str)]) -> Running {
    stage
        .start(env!("CARGO_BIN_EXE_sales-worker"), region.worker_environment(), extra)
        .await
        .expect("the worker serves")
}

/// Puts the item as the API does.
async fn insert(stage: &Stage, sale: &Announced) {
    let shard = u64::from_str_radix(&sale.id[35..], 16).unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let item = HashMap::from([
        ("id".to_owned(), text(&sale.id)),
        ("product".to_owned(), text("Livro")),
        ("amount".to_owned(), AttributeValue::N("14.5".into())),
        ("timestamp".to_owned(), AttributeValue::N(sale.timestamp.to_string())),
        ("sale_processed".to_owned(), AttributeValue::Bool(false)),
        ("region".to_owned(), text("sa-east-1")),
        ("pending".to_owned(), text(&shard.to_string())),
    ]);
    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(stage.active()));
    tables.put_item().table_name(&stage.active().sales_table).set_item(Some(item)).send().await.unwrap();
}

async fn item(stage: &Stage, id: &str) -> Option<HashMap<String, AttributeValue>> {
    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(stage.active()));
    let request = tables.get_item().table_name(&stage.active().sales_table).consistent_read(true);
    request.key("id", AttributeValue::S(id.to_owned())).send().await.unwrap().item
}

async fn enqueue(stage: &Stage, region: &RegionResources, body: &str, attributes: &[(&str, &str)]) {
    let queues = aws_sdk_sqs::Client::new(&stage.sdk(region));
    let message = queues.send_message().queue_url(&region.queue_url).message_body(body);
    let message = attributes.iter().fold(message, |message, (name, value)| {
        let value = MessageAttributeValue::builder().data_type("String").string_value(*value).build().unwrap();
        message.message_attributes(*name, value)
    });
    message.send().await.unwrap();
}

async fn dead_letter(stage: &Stage, region: &RegionResources) -> Message {
    let queues = aws_sdk_sqs::Client::new(&stage.sdk(region));
    let letter = eventually("a dead letter", async || {
        let request = queues.receive_message().queue_url(&region.dead_letter_queue_url);
        request.message_attribute_names("All").send().await.unwrap().messages.unwrap_or_default().pop()
    })
    .await;
    let receipt = letter.receipt_handle.as_deref().unwrap();
    let request = queues.delete_message().queue_url(&region.dead_letter_queue_url).receipt_handle(receipt);
    request.send().await.unwrap();
    letter
}

/// Waits for this many facts in the journal; returns its lines, sorted by their facts.
async fn lake_has(region: &RegionResources, facts: usize) -> Vec<JournalLine> {
    eventually("the facts are in the lake", async || {
        let journal = region.journal().await.unwrap();
        let found: BTreeSet<&str> = journal.iter().map(|line| line.id.as_str()).collect();
        (found.len() >= facts).then_some(journal)
    })
    .await
}

/// The distinct lines of the journal: one that is repeated says the same.
fn distinct(journal: &[JournalLine]) -> Vec<&str> {
    let lines: BTreeSet<&str> = journal.iter().map(|line| line.line.as_str()).collect();
    lines.into_iter().collect()
}

async fn queue_is_empty(region: &RegionResources) {
    eventually("the queue is empty", async || (region.queued_count().await.unwrap() == 0).then_some(())).await;
}

async fn counts(worker: &Running, metric: &str) -> bool {
    let metrics = client().get(format!("{}/metrics", worker.url)).send().await.unwrap().text().await.unwrap();
    metrics.lines().any(|line| line.starts_with(metric) && !line.ends_with(" 0"))
}

async fn counted(worker: &Running, metric: &str) {
    eventually(metric, async || counts(worker, metric).await.then_some(())).await;
}

async fn readiness_with(worker: &Running, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let url = format!("{}/readiness", worker.url);
        let readiness: Value = client().get(url).send().await.ok()?.json().await.ok()?;
        holds(&readiness).then_some(readiness)
    })
    .await
}

#[tokio::test]
async fn a_sale_ends_as_a_line_of_its_hour_with_a_mark_that_names_the_object_and_nothing_pending() {
    let stage = Stage::set("process").await.unwrap();
    let region = stage.active();
    let sale = Announced::of_2025(1);
    insert(&stage, &sale).await;
    // A sweep would not log a trace id.
    let mut worker = worker(&stage, region, &[("SWEEP_INTERVAL_SECONDS", "3600")]).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    let attributes = [
        ("ce-type", "sale.registered"),
        ("ce-source", "sa-east-1"),
        ("home", "sa-east-1"),
        ("traceparent", traceparent.as_str()),
    ];
    enqueue(&stage, region, &sale.body(), &attributes).await;
    lake_has(region, 1).await;
    queue_is_empty(region).await;
    for _ in 0..3 {
        enqueue(&stage, region, &sale.body(), &attributes).await;
    }
    counted(&worker, "sales_messages_total{outcome=\"duplicate\"} 3").await;
    queue_is_empty(region).await;
    let journal = region.journal().await.unwrap();
    let [line] = journal.as_slice() else { panic!("one line: {journal:?}") };
    assert_eq!(line.line, sale.line());
    let folder = "journal/dt=2025-11-30/hour=23/sa-east-1-";
    assert!(line.object.starts_with(folder) && line.object.ends_with(".ndjson"), "{line:?}");
    assert_eq!(region.pending_count().await.unwrap(), 0);
    let item = item(&stage, &sale.id).await.unwrap();
    assert_eq!(item["sale_processed"], AttributeValue::Bool(true));
    assert!(item.contains_key("processed_at") && !item.contains_key("pending"));

    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(stage.passive()));
    let mark = tables.get_item().table_name(&region.idempotency_table).key("id", AttributeValue::S(sale.id.clone()));
    let mark = mark.send().await.unwrap().item.expect("the mark has replicated");
    assert_eq!(mark["object"], AttributeValue::S(line.object.clone()));
    let expires_at: u64 = mark["expires_at"].as_n().unwrap().parse().unwrap();
    let month = 30 * 24 * 60 * 60;
    assert!(expires_at.abs_diff(Announced::new(0).timestamp + month) < 600, "{expires_at}");
    let log = worker.log();
    let lines = log.lines().filter(|line| line.contains(&sale.id) && line.contains(trace));
    assert_eq!(lines.count(), 1, "one line a sale: {log}");
}

#[tokio::test]
async fn a_message_of_another_tool_is_a_sale_in_a_canonical_line_whose_item_is_filled_in() {
    let stage = Stage::set("foreign").await.unwrap();
    let region = stage.active();
    let _worker = worker(&stage, region, &[]).await;
    let sale = Announced::of_2025(2);
    let foreign =
        format!(r#"{{ "timestamp":{}, "amount": 14.50, "product":"Livro", "id":"{}" }}"#, sale.timestamp, sale.id);
    enqueue(&stage, region, &foreign, &[]).await;
    assert_eq!(distinct(&lake_has(region, 1).await), [sale.body()]);
    queue_is_empty(region).await;
    let item = item(&stage, &sale.id).await.unwrap();
    assert_eq!(
        (&item["product"], &item["amount"]),
        (&AttributeValue::S("Livro".into()), &AttributeValue::N("14.5".into()))
    );
}

#[tokio::test]
async fn a_cancellation_lies_with_its_sale_or_where_its_own_time_says_if_its_event_is_of_an_earlier_version() {
    let stage = Stage::set("cancel").await.unwrap();
    let region = stage.active();
    let _worker = worker(&stage, region, &[]).await;
    let cancelled_at = Announced::of_2025(0).timestamp + 3_600;
    let [earlier, today] = [3, 4].map(|number| {
        let id = Announced::new(number).id;
        format!(r##"{{"id":"{id}#cancelled","sale_id":"{id}","timestamp":{cancelled_at}}}"##)
    });
    let today = today.replace('}', &format!(r#","sale_timestamp":{}}}"#, Announced::of_2025(0).timestamp));
    for body in [&earlier, &today] {
        enqueue(&stage, region, body, &[("ce-type", "sale.cancelled")]).await;
    }
    let journal = lake_has(region, 2).await;
    assert_eq!(distinct(&journal), [&earlier, &today]);
    for line in journal {
        let folder =
            if line.line == today { "journal/dt=2025-11-30/hour=23/" } else { "journal/dt=2025-12-01/hour=00/" };
        assert!(line.object.starts_with(folder), "{line:?}");
    }
}

#[tokio::test]
async fn who_is_not_to_process_a_sale_leaves_no_object_and_keeps_what_its_table_does_not_hold() {
    let stage = Stage::set("standby").await.unwrap();
    let (active, passive) = (stage.active(), stage.passive());
    let here = worker(&stage, active, &[]).await;
    let there = worker(&stage, passive, &[]).await;
    let (held, absent) = (Announced::new(4), Announced::new(5));
    insert(&stage, &held).await;
    // The ACTIVE region does not process either: their home is the other region. The PASSIVE one processes nothing.
    for region in [active, passive] {
        for sale in [&held, &absent] {
            enqueue(&stage, region, &sale.body(), &[("home", "us-east-1")]).await;
        }
    }
    for worker in [&here, &there] {
        counted(worker, "sales_messages_total{outcome=\"stood-by\"}").await;
        counted(worker, "sales_messages_total{outcome=\"not-replicated\"}").await;
    }
    for region in [active, passive] {
        assert_eq!(region.lake_keys().await.unwrap(), [""; 0]);
        eventually("only the absent one stays", async || (region.queued_count().await.unwrap() == 1).then_some(()))
            .await;
    }
    assert_eq!(active.pending_count().await.unwrap(), 1);
    // Once its item has replicated, its message is acknowledged, too.
    insert(&stage, &absent).await;
    for region in [active, passive] {
        queue_is_empty(region).await;
    }
}

#[tokio::test]
async fn what_cannot_be_understood_is_a_dead_letter_at_once_and_holds_up_nobody() {
    let stage = Stage::set("poison").await.unwrap();
    let (active, passive) = (stage.active(), stage.passive());
    let (here, there) = (worker(&stage, active, &[]).await, worker(&stage, passive, &[]).await);
    let invalid_id = r#"{"id":"42","product":"a","amount":1,"timestamp":1}"#;
    for (region, worker, reason, body, kind) in [
        (active, &here, "malformed", "not json", "sale.registered"),
        (active, &here, "unknown-type", "{}", "sale.refunded"),
        (passive, &there, "invalid-id", invalid_id, "sale.registered"),
    ] {
        enqueue(&stage, region, body, &[("ce-type", kind), ("kept", "as it was")]).await;
        let letter = dead_letter(&stage, region).await;
        assert_eq!(letter.body.as_deref(), Some(body));
        let attributes = letter.message_attributes.unwrap();
        let text = |name: &str| attributes[name].string_value.as_deref();
        assert_eq!((text("dead-letter-reason"), text("kept")), (Some(reason), Some("as it was")));
        counted(worker, &format!("sales_dead_letters_total{{reason=\"{reason}\"}}")).await;
        queue_is_empty(region).await;
    }
    enqueue(&stage, active, "poison", &[]).await;
    enqueue(&stage, active, &Announced::new(6).body(), &[]).await;
    lake_has(active, 1).await;
}

#[tokio::test]
async fn each_part_of_a_message_has_an_outcome_of_its_own() {
    let stage = Stage::set("parts").await.unwrap();
    let region = stage.active();
    let mut worker = worker(&stage, region, &[("SWEEP_INTERVAL_SECONDS", "3600")]).await;
    let sales: Vec<Announced> = (20..320).map(Announced::new).collect();
    for sale in &sales[..3] {
        insert(&stage, sale).await;
    }
    let mut parts: Vec<String> = sales.iter().map(|sale| sale.part("sale.registered", "sa-east-1")).collect();
    // One that the other region processes, and that this region's table holds.
    parts[2] = sales[2].part("sale.registered", "us-east-1");
    parts.insert(1, "42".into());
    parts.push(Announced::new(999).part("sale.refunded", "sa-east-1"));
    parts.push("{}".into());
    let batch = format!("[{}]", parts.join(", "));
    enqueue(&stage, region, &batch, &[("content-type", "application/cloudevents-batch+json")]).await;

    let letters = [dead_letter(&stage, region).await, dead_letter(&stage, region).await];
    let mut letters = letters.map(|letter| {
        let attributes = letter.message_attributes.unwrap();
        let text = |name: &str| attributes[name].string_value.clone().unwrap();
        (text("dead-letter-reason"), text("content-type"), letter.body.unwrap())
    });
    letters.sort();
    let expected = [("malformed", "[42,{}]".to_owned()), ("unknown-type", format!("[{}]", parts[301]))];
    let expected = expected.map(|(reason, body)| (reason.into(), "application/cloudevents-batch+json".into(), body));
    assert_eq!(letters, expected);
    queue_is_empty(region).await;
    let journal = lake_has(region, 299).await;
    assert_eq!(distinct(&journal).len(), 299);
    assert!(!journal.iter().any(|line| line.id == sales[2].id), "the other region processes it");
    assert!(region.lake_keys().await.unwrap().len() < 30, "they lie together in few objects");
    assert_eq!(region.pending_count().await.unwrap(), 1);
    // The log is written behind the work. On a busy machine, some are marked in time and settled by a second delivery,
    // which is not logged.
    let logged = eventually("sales are logged", async || {
        let log = worker.log();
        let lines = log.lines().filter(|line| line.contains("sale in the lake"));
        let logged: Vec<String> = lines
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["sale.id"].as_str().unwrap().to_owned())
            .collect();
        (!logged.is_empty()).then_some(logged)
    })
    .await;
    assert_eq!(logged.iter().collect::<BTreeSet<_>>().len(), logged.len(), "at most one line a sale");
}

#[tokio::test]
async fn a_message_of_which_one_fact_fails_comes_back_without_doing_the_others_again() {
    let stage = Stage::set("partial").await.unwrap();
    let region = stage.active();
    let _worker = worker(&stage, region, &[("SWEEP_INTERVAL_SECONDS", "3600")]).await;
    let (done, absent) = (Announced::new(400), Announced::new(401));
    insert(&stage, &done).await;
    // The table does not hold the second one yet, which another region processes.
    let batch =
        format!("[{},{},7]", done.part("sale.registered", "sa-east-1"), absent.part("sale.registered", "us-east-1"));
    enqueue(&stage, region, &batch, &[("content-type", "application/cloudevents-batch+json")]).await;
    lake_has(region, 1).await;
    assert_eq!(region.dead_letter_count().await.unwrap(), 0, "the message comes back, and the part with it");
    insert(&stage, &absent).await;
    queue_is_empty(region).await;
    assert_eq!(dead_letter(&stage, region).await.body.as_deref(), Some("[7]"));
    assert_eq!(region.journal().await.unwrap().len(), 1);
    assert_eq!(region.pending_count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_pending_sale_without_a_message_is_reconciled_after_its_grace() {
    let stage = Stage::set("sweep").await.unwrap();
    let region = stage.active();
    let sale = Announced::of_2025(7);
    insert(&stage, &sale).await;
    let worker = worker(&stage, region, &[("SWEEP_INTERVAL_SECONDS", "1")]).await;
    assert_eq!(distinct(&lake_has(region, 1).await), [sale.line()]);
    eventually("nothing is pending", async || (region.pending_count().await.unwrap() == 0).then_some(())).await;
    counted(&worker, "sales_reconciled_total").await;
}

#[tokio::test]
async fn a_region_that_becomes_active_sweeps_at_once_and_a_passive_one_never() {
    let stage = Stage::set("switch").await.unwrap();
    let region = stage.passive();
    let worker = worker(&stage, region, &[("PENDING_GRACE_SECONDS", "3600"), ("SWEEP_INTERVAL_SECONDS", "1")]).await;
    readiness_with(&worker, "the site is passive", |readiness| readiness["state"] == "PASSIVE").await;
    let (old, young) =
        (Announced::of_2025(8), Announced { timestamp: Announced::new(9).timestamp - 60, ..Announced::new(9) });
    insert(&stage, &old).await;
    insert(&stage, &young).await;
    assert_eq!(region.lake_keys().await.unwrap(), [""; 0]);
    region.set_state(RegionState::Active).await.unwrap();
    lake_has(region, 2).await;
}

#[tokio::test]
async fn a_sale_that_never_replicates_is_adopted_after_its_grace_and_swept_after_a_switch() {
    let stage = Stage::set("adopt").await.unwrap();
    let region = stage.passive();
    let worker = worker(&stage, region, &[("PENDING_GRACE_SECONDS", "4")]).await;
    let (sale, cancelled) = (Announced::of_2025(30), Announced::of_2025(31));
    let cancellation =
        format!(r##"{{"id":"{0}#cancelled","sale_id":"{0}","timestamp":{1}}}"##, cancelled.id, cancelled.timestamp);
    enqueue(&stage, region, &sale.body(), &[("home", "sa-east-1"), ("ce-source", "sa-east-1")]).await;
    enqueue(&stage, region, &cancellation, &[("ce-type", "sale.cancelled"), ("home", "sa-east-1")]).await;
    counted(&worker, "sales_messages_total{outcome=\"not-replicated\"}").await;
    counted(&worker, "sales_adopted_total").await;
    queue_is_empty(region).await;
    assert_eq!((region.pending_count().await.unwrap(), region.lake_keys().await.unwrap().len()), (2, 0));
    let adopted = item(&stage, &sale.id).await.unwrap();
    assert_eq!(adopted["sale_processed"], AttributeValue::Bool(false));
    assert_eq!(adopted["region"], AttributeValue::S("sa-east-1".into()));
    region.set_state(RegionState::Active).await.unwrap();
    assert_eq!(distinct(&lake_has(region, 2).await), [sale.line(), cancellation]);
}

#[tokio::test]
async fn the_backlog_is_shown_in_a_region_that_stands_by() {
    let stage = Stage::set("backlog").await.unwrap();
    let region = stage.passive();
    for number in 40..43 {
        insert(&stage, &Announced::of_2025(number)).await;
    }
    let mut worker = worker(&stage, region, &[]).await;
    counted(&worker, "sales_pending{region=\"us-east-1\"} 3").await;
    let age = "sales_pending_oldest_age_seconds{region=\"us-east-1\"}";
    counted(&worker, age).await;
    assert!(!counts(&worker, "sales_sweeps_total").await, "a passive region sweeps nothing");

    // The first line may be logged before the state and the backlog are known.
    let known =
        async || worker.vital_signs().filter(|signs| !signs["pending"].is_null() && signs["state"] != "UNKNOWN");
    let signs = eventually("vital signs in the log", known).await;
    assert_eq!((&signs["level"], &signs["state"], &signs["pending"]), (&json!("INFO"), &json!("PASSIVE"), &json!(3)));
    assert!(signs["pending_oldest_age_seconds"].is_u64() && signs["state_age_seconds"].is_u64(), "{signs}");
}

/// The tasks that hold shards of a region now.
async fn holders(stage: &Stage, region: &RegionResources) -> HashMap<String, usize> {
    let tables = aws_sdk_dynamodb::Client::new(&stage.sdk(region));
    let items = tables.scan().table_name(&region.idempotency_table).send().await.unwrap().items.unwrap_or_default();
    let mut holders = HashMap::new();
    for item in items {
        if item["id"].as_s().unwrap().starts_with(&format!("lease#{}#", region.name)) {
            *holders.entry(item["holder"].as_s().unwrap().clone()).or_default() += 1;
        }
    }
    holders
}

#[tokio::test]
async fn two_tasks_share_the_sweep_and_one_takes_over_what_a_killed_one_held() {
    let stage = Stage::set("lease").await.unwrap();
    let region = stage.active();
    let quick = [("PENDING_GRACE_SECONDS", "1"), ("SWEEP_INTERVAL_SECONDS", "1")];
    let mut first = worker(&stage, region, &quick).await;
    eventually("the first task holds all shards", async || {
        (holders(&stage, region).await.values().sum::<usize>() == 16).then_some(())
    })
    .await;
    let mut second = worker(&stage, region, &quick).await;
    eventually("both hold some", async || (holders(&stage, region).await.len() == 2).then_some(())).await;
    first.process.kill().await.unwrap();
    for number in 50..66 {
        insert(&stage, &Announced::of_2025(number)).await;
    }
    lake_has(region, 16).await;
    eventually("nothing is pending", async || (region.pending_count().await.unwrap() == 0).then_some(())).await;
    second.process.terminate().unwrap();
    assert_eq!(second.process.wait().await, 0);
    let left: usize = holders(&stage, region).await.into_values().sum();
    assert!(left < 16, "a task that stops gives back what it holds");
}

#[tokio::test]
async fn a_lake_that_refuses_delays_a_sale_and_is_said_once() {
    let stage = Stage::set("refuse").await.unwrap();
    let region = stage.active();
    let mut worker = worker(&stage, region, &[]).await;
    stage.proxy.fail("PutObject", Fault::Status(503));
    let sales: Vec<Announced> = (10..20).map(Announced::new).collect();
    for sale in &sales {
        insert(&stage, sale).await;
        enqueue(&stage, region, &sale.body(), &[("home", "sa-east-1")]).await;
    }
    counted(&worker, "sales_messages_total{outcome=\"failed\"}").await;
    let readiness =
        readiness_with(&worker, "the lake's failure is known", |readiness| readiness["status"] == 503).await;
    assert_eq!(readiness["dependencies"]["lake"], "unavailable");
    assert_eq!(item(&stage, &sales[0].id).await.unwrap()["sale_processed"], AttributeValue::Bool(false));
    stage.proxy.heal();
    let journal = lake_has(region, sales.len()).await;
    assert_eq!(distinct(&journal).len(), sales.len());
    queue_is_empty(region).await;
    assert_eq!(region.pending_count().await.unwrap(), 0);
    let log = worker.log();
    assert_eq!(log.lines().filter(|line| line.contains("\"lake\"") && line.contains("WARN")).count(), 1, "{log}");
}

#[tokio::test]
async fn work_in_flight_is_finished_and_nothing_new_is_taken_after_the_signal() {
    let stage = Stage::set("stop").await.unwrap();
    let region = stage.active();
    let mut worker = worker(&stage, region, &[]).await;
    let (first, second) = (Announced::new(21), Announced::new(22));
    for sale in [&first, &second] {
        insert(&stage, sale).await;
    }
    stage.proxy.fail("PutObject", Fault::Delay(Duration::from_secs(3)));
    enqueue(&stage, region, &first.body(), &[("home", "sa-east-1")]).await;
    eventually("the object is on its way", async || (stage.proxy.calls("PutObject") > 0).then_some(())).await;
    worker.process.terminate().unwrap();
    eventually("the signal is noticed", async || worker.log().contains("SIGTERM").then_some(())).await;
    // A receive in flight is awaited, and its messages are handled; no other one starts.
    let received = async || (stage.proxy.done("ReceiveMessage") == stage.proxy.calls("ReceiveMessage")).then_some(());
    eventually("no receive is under way", received).await;
    enqueue(&stage, region, &second.body(), &[("home", "sa-east-1")]).await;
    assert_eq!(worker.process.wait().await, 0);
    assert_eq!(region.facts_in_lake().await.unwrap(), [first.id].into());
    assert_eq!(region.queued_count().await.unwrap(), 1);
    assert_eq!(region.pending_count().await.unwrap(), 1);
}

#[tokio::test]
async fn messages_stay_hidden_for_as_long_as_their_work_takes() {
    let stage = Stage::set("slow").await.unwrap();
    let region = stage.active();
    let worker = worker(&stage, region, &[]).await;
    stage.proxy.fail("PutObject", Fault::Delay(Duration::from_secs(300)));
    let sale = Announced::new(23);
    insert(&stage, &sale).await;
    enqueue(&stage, region, &sale.body(), &[("home", "sa-east-1")]).await;
    let extended = async || (stage.proxy.calls("ChangeMessageVisibilityBatch") > 0).then_some(());
    eventually("the message is hidden for longer while the lake hangs", extended).await;
    assert!(!counts(&worker, "sales_messages_total").await, "its work is not over");
    stage.proxy.heal();
    lake_has(region, 1).await;
}

#[tokio::test]
async fn missing_resources_show_in_readiness_and_are_said_once() {
    let stage = Stage::set("missing").await.unwrap();
    let mut environment = stage.active().worker_environment();
    for (name, value) in &mut environment {
        match name.as_str() {
            "SQS_SALES_QUEUE" | "DYNAMO_SALES_TABLE" | "DYNAMO_SALES_IDEMPOTENCY_TABLE" => value.push_str("-nowhere"),
            "S3_SALES_BUCKET" => *value = "bucket-nowhere".into(),
            _ => {}
        }
    }
    let mut worker = stage.start(env!("CARGO_BIN_EXE_sales-worker"), environment, &[]).await.unwrap();
    let names = ["queue", "sales-table", "idempotency-table", "lake"];
    let all = |readiness: &Value| names.iter().all(|name| readiness["dependencies"][name] == "missing");
    let readiness = readiness_with(&worker, "all is missing", all).await;
    assert_eq!(readiness["status"], 503);
    assert_eq!(client().get(format!("{}/healthcheck", worker.url)).send().await.unwrap().status(), StatusCode::OK);
    eventually("the queue is asked again", async || (stage.proxy.calls("ReceiveMessage") > 16).then_some(())).await;
    let log = worker.log();
    for name in names {
        let said = log.lines().filter(|line| line.contains(&format!("\"{name}\"")) && line.contains("WARN"));
        assert_eq!(said.count(), 1, "{name}: {log}");
    }
}

#[tokio::test]
async fn the_program_tells_whether_its_service_on_this_machine_is_alive() {
    let stage = Stage::set("alive").await.unwrap();
    let mut worker = worker(&stage, stage.active(), &[]).await;
    let port = worker.url.rsplit_once(':').unwrap().1.to_owned();
    let ask = |port: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_sales-worker"));
        let output = command.arg("--healthcheck").env_clear().env("PORT", port).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(ask(&port), (Some(0), String::new()));
    assert_eq!(worker.process.stop().await, 0);
    let (code, said) = ask(&port);
    assert_eq!((code, said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with(&format!("error: 127.0.0.1:{port} is not alive: ")), "{said}");
    assert_eq!(ask("http").0, Some(64));
}

#[tokio::test]
async fn the_version_names_the_build_and_the_image_that_the_task_was_started_from() {
    let stage = Stage::set("version").await.unwrap();
    let worker = worker(&stage, stage.active(), &[("IMAGE", "v1.2.3")]).await;
    let version: Value = client().get(format!("{}/version", worker.url)).send().await.unwrap().json().await.unwrap();
    let commit = option_env!("SALES_COMMIT").unwrap_or("unknown");
    let expected =
        json!({"name": "sales-worker", "version": env!("CARGO_PKG_VERSION"), "commit": commit, "image": "v1.2.3"});
    assert_eq!(version, expected);
}

#[tokio::test]
async fn a_wrong_variable_ends_the_process_with_one_line_that_names_it() {
    let stage = Stage::set("variables").await.unwrap();
    let program = env!("CARGO_BIN_EXE_sales-worker");
    for (variable, value) in [
        ("AWS_REGION", ""),
        ("SQS_SALES_QUEUE", "sales"),
        ("SSM_PARAMETER_STORE_STATE", ""),
        ("DYNAMO_SALES_TABLE", ""),
        ("DYNAMO_SALES_IDEMPOTENCY_TABLE", stage.active().sales_table.as_str()),
        ("S3_SALES_BUCKET", "Not A Bucket"),
        ("WORKER_CONCURRENCY", "0"),
        ("PORT", "0"),
        ("IMAGE", "sha256:12"),
    ] {
        let mut command = std::process::Command::new(program);
        let output = command.envs(stage.active().worker_environment()).env(variable, value).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), error.lines().count()), (Some(64), 1), "{variable}={value}: {error}");
        assert!(error.starts_with(&format!("error: {variable} ")), "{error}");
    }
    let help = std::process::Command::new(program).arg("--help").output().unwrap();
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("S3_SALES_BUCKET"));
    assert!(std::process::Command::new(program).arg("--version").output().unwrap().status.success());
}
