//! `sale trace` and `lake verify`, on tables and journals with errors.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use sales_testbed::{resources::RegionResources, workspace::Build};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::console::{Console, owe};

/// 2025-12-01, long before the current date.
const ACCEPTED: i64 = 1_764_547_200;
const DAYS: &str = "--from 2025-11-30 --to 2025-12-01";

/// A sale, as the services leave it.
#[derive(Clone)]
struct Sale {
    id: String,
    timestamp: i64,
    line: String,
}

impl Sale {
    /// The sale of this number; all are of one hour.
    fn new(number: u8) -> Self {
        Self::of(format!("0192f5c0-7c1d-7a3e-8f11-0123456789{number:02x}"), ACCEPTED + i64::from(number))
    }

    /// One that was accepted then.
    fn of(id: String, timestamp: i64) -> Self {
        let content = r#""product":"Livro","amount":14,"sale_processed":false"#;
        let line = format!(r#"{{"id":"{id}",{content},"timestamp":{timestamp},"region":"sa-east-1"}}"#);
        Self { id, timestamp, line }
    }

    fn folder(&self) -> String {
        let accepted = OffsetDateTime::from_unix_timestamp(self.timestamp).unwrap();
        format!("journal/dt={}/hour={:02}/", accepted.date(), accepted.hour())
    }
}

/// The key of an object in this folder.
fn key(folder: &str, number: u8) -> String {
    format!("{folder}sa-east-1-0192f5c0-7c1d-7a3e-8f11-ffffffffff{number:02x}.ndjson")
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Changes of a test to tables and lakes. These replicate: it makes each change once.
struct Hand<'a> {
    region: &'a RegionResources,
    tables: aws_sdk_dynamodb::Client,
    lake: aws_sdk_s3::Client,
}

impl<'a> Hand<'a> {
    fn in_(console: &'a Console, position: usize) -> Self {
        let region = &console.stage.deployment.regions[position];
        let sdk = console.stage.sdk(region);
        let lake = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        let tables = aws_sdk_dynamodb::Client::new(&sdk);
        Self { region, tables, lake: aws_sdk_s3::Client::from_conf(lake) }
    }

    async fn accepts(&self, sale: &Sale) {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let put = self.tables.put_item().table_name(&self.region.sales_table).item("id", text(&sale.id));
        let put = put.item("product", text("Livro")).item("amount", number(14)).item("region", text("sa-east-1"));
        let put = put.item("timestamp", number(sale.timestamp)).item("processed_at", number(now));
        put.item("sale_processed", AttributeValue::Bool(true)).send().await.unwrap();
    }

    /// Cancels a sale two days after it was accepted, and brings the cancellation to the journal.
    async fn cancels(&self, sale: &Sale, object: u8) {
        let (id, cancelled) = (format!("{}#cancelled", sale.id), sale.timestamp + 2 * 24 * 60 * 60);
        let put = self.tables.put_item().table_name(&self.region.sales_table).item("id", text(&id));
        let put = put.item("sale_id", text(&sale.id)).item("region", text("sa-east-1"));
        let put = put.item("timestamp", number(cancelled)).item("sale_timestamp", number(sale.timestamp));
        let put = put.item("sale_processed", AttributeValue::Bool(true)).item("processed_at", number(cancelled));
        put.send().await.unwrap();
        let (sale_id, accepted) = (&sale.id, sale.timestamp);
        let times = format!(r#""timestamp":{cancelled},"sale_timestamp":{accepted}"#);
        let line = format!(r#"{{"id":"{id}","sale_id":"{sale_id}",{times},"region":"sa-east-1"}}"#);
        let object = key(&sale.folder(), object);
        self.writes(&object, &format!("{line}\n")).await;
        self.marks(&id, Some(&object)).await;
    }

    async fn marks(&self, id: &str, object: Option<&str>) {
        let put = self.tables.put_item().table_name(&self.region.idempotency_table).item("id", text(id));
        let put = object.iter().fold(put, |put, object| put.item("object", text(object)));
        put.item("expires_at", number(4_102_444_800)).send().await.unwrap();
    }

    async fn unmarks(&self, sale: &Sale) {
        let delete = self.tables.delete_item().table_name(&self.region.idempotency_table);
        delete.key("id", text(&sale.id)).send().await.unwrap();
    }

    async fn writes(&self, key: &str, lines: &str) {
        let put = self.lake.put_object().bucket(&self.region.bucket).key(key);
        put.body(lines.as_bytes().to_vec().into()).send().await.unwrap();
    }

    /// Writes an object with the lines of these sales; returns its key.
    async fn brings(&self, object: u8, sales: &[&Sale]) -> String {
        let key = key(&sales[0].folder(), object);
        self.writes(&key, &sales.iter().map(|sale| format!("{}\n", sale.line)).collect::<String>()).await;
        key
    }

    async fn deletes(&self, key: &str) {
        self.lake.delete_object().bucket(&self.region.bucket).key(key).send().await.unwrap();
    }

    /// All versions of an object are deleted, as if it had never been put.
    async fn forgets(&self, key: &str) {
        let versions = self.lake.list_object_versions().bucket(&self.region.bucket).prefix(key);
        for version in versions.send().await.unwrap().versions() {
            let remove = self.lake.delete_object().bucket(&self.region.bucket).key(key);
            remove.set_version_id(version.version_id.clone()).send().await.unwrap();
        }
    }

    /// Everything for sales without errors, which are in one object.
    async fn processes(&self, object: u8, numbers: std::ops::Range<u8>) -> Vec<Sale> {
        let sales: Vec<Sale> = numbers.map(Sale::new).collect();
        let key = self.brings(object, &sales.iter().collect::<Vec<_>>()).await;
        for sale in &sales {
            self.accepts(sale).await;
            self.marks(&sale.id, Some(&key)).await;
        }
        sales
    }
}

/// The differences of a report: region, kind and id.
fn told(report: &Value) -> BTreeSet<(&str, &str, &str)> {
    let differences = report["differences"].as_array().unwrap().iter();
    differences
        .map(|difference| {
            let [region, kind, id] = ["region", "kind", "id"].map(|name| difference[name].as_str().unwrap());
            (region, kind, id)
        })
        .collect()
}

#[tokio::test]
async fn nothing_differs_where_each_sale_is_in_each_journal_however_often_or_owed() {
    let console = Console::open("verify-clean").await;
    let hand = Hand::in_(&console, 0);
    let sales = hand.processes(1, 0..5).await;
    // A worker that stopped before the mark has written it, too; and a message of another tool named no region.
    let without_region = Sale { line: sales[1].line.replace(r#","region":"sa-east-1""#, ""), ..sales[1].clone() };
    hand.brings(2, &[&sales[0], &without_region]).await;
    owe(&console.stage, &Sale::new(5).id, ACCEPTED + 5).await;
    hand.cancels(&sales[2], 3).await;
    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for region in ended.json()["regions"].as_array().unwrap() {
        let counts = ["items", "in_lake", "owed", "repeated", "other_version"].map(|count| region[count].as_u64());
        assert_eq!(counts, [7, 6, 1, 1, 0].map(Some), "{region}");
    }
    // Even on the day of the cancellation, which lies with its sale.
    let other_days = console.run("lake verify --from 2025-12-02 --to 2025-12-03 -o json").await;
    assert_eq!(other_days.code, Some(0), "{other_days:?}");
    assert_eq!(other_days.json()["regions"][0]["items"], 0);
}

#[tokio::test]
async fn the_lake_s_table_is_compared_with_the_journal_and_the_items() {
    let console = Console::open("verify-rows").await;
    let hand = Hand::in_(&console, 0);
    let sales = hand.processes(1, 0..3).await;
    let gone = hand.processes(2, 3..4).await.remove(0);
    hand.cancels(&sales[2], 3).await;
    for region in &console.stage.deployment.regions {
        fold(region).await;
    }
    let late = hand.processes(4, 5..6).await.remove(0);
    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for region in ended.json()["regions"].as_array().unwrap() {
        assert_eq!(["in_lake", "rows", "late"].map(|count| region[count].as_u64()), [6, 4, 1].map(Some), "{region}");
    }
    let traced = console.run(&format!("sale trace {} -o json", sales[2].id)).await.json();
    for region in traced["regions"].as_array().unwrap() {
        assert!(region["row"]["file"].as_str().unwrap().starts_with("dt=2025-12-01/"), "{region}");
        assert_eq!(region["row"]["cancelled_at"], sales[2].timestamp + 2 * 24 * 60 * 60);
    }
    let traced = console.run(&format!("sale trace {} -o json", late.id)).await.json();
    let verdict = traced["verdict"].as_str().unwrap();
    assert!(verdict.ends_with("; not yet a row of the table of sa-east-1 and us-east-1"), "{verdict}");

    let forget = hand.tables.delete_item().table_name(&hand.region.sales_table).key("id", text(&gone.id));
    forget.send().await.unwrap();
    for hand in [&hand, &Hand::in_(&console, 1)] {
        hand.forgets(&key(&gone.folder(), 2)).await;
    }
    let tampered = &sales[0];
    let change = hand.tables.update_item().table_name(&hand.region.sales_table).key("id", text(&tampered.id));
    let change = change.update_expression("SET amount = :amount").expression_attribute_values(":amount", number(15));
    change.send().await.unwrap();
    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    let report = ended.json();
    let mut expected = BTreeSet::new();
    for region in ["sa-east-1", "us-east-1"] {
        for (kind, id) in [("contradiction", &tampered.id), ("row-differs", &tampered.id), ("unknown-row", &gone.id)] {
            expected.insert((region, kind, id.as_str()));
        }
    }
    assert_eq!(told(&report), expected, "{report:#}");
}

/// Builds a region's table.
async fn fold(region: &RegionResources) {
    let mut builder = tokio::process::Command::new(Build::current().unwrap().binary("sales-lake"));
    let output = builder.arg("--once").env_clear().envs(region.lake_environment()).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn each_difference_is_told_with_its_kind_where_it_is() {
    let console = Console::open("verify").await;
    let (first, second) = (Hand::in_(&console, 0), Hand::in_(&console, 1));
    let _well = first.processes(1, 0..3).await;
    let unwritten = first.processes(2, 3..4).await.remove(0);
    for hand in [&first, &second] {
        hand.forgets(&key(&unwritten.folder(), 2)).await;
    }
    let deleted = first.processes(3, 4..6).await;
    let deleted_object = key(&deleted[0].folder(), 3);
    second.deletes(&deleted_object).await;
    let tampered = Sale::new(6);
    first.accepts(&tampered).await;
    first.marks(&tampered.id, None).await;
    let wrong = Sale { line: tampered.line.replace("14", "15"), ..tampered.clone() };
    first.brings(4, &[&tampered, &wrong]).await;
    let unmarked = first.processes(5, 7..8).await.remove(0);
    first.unmarks(&unmarked).await;
    let forgotten = first.processes(6, 8..9).await.remove(0);
    let forget = first.tables.delete_item().table_name(&first.region.sales_table);
    forget.key("id", text(&forgotten.id)).send().await.unwrap();
    let misplaced = Sale::new(9);
    first.accepts(&misplaced).await;
    first.marks(&misplaced.id, None).await;
    let elsewhere = key("journal/dt=2025-12-01/hour=05/", 7);
    first.writes(&elsewhere, &format!("{}\n", misplaced.line)).await;
    let foreign = "journal/dt=2025-12-01/readme.txt";
    first.writes(foreign, "x").await;
    let mixed = key(&misplaced.folder(), 8);
    first.writes(&mixed, "\nhello\n").await;
    let rewritten = first.processes(9, 10..11).await.remove(0);
    let rewritten_object = first.brings(9, &[&rewritten, &rewritten]).await;

    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let report = ended.json();
    let mut expected = BTreeSet::new();
    let [line_1, line_2] = ["1", "2"].map(|line| format!("{mixed} line {line}"));
    for region in ["sa-east-1", "us-east-1"] {
        for (kind, id) in [
            ("not-in-lake", unwritten.id.as_str()),
            ("contradiction", &tampered.id),
            ("not-marked", &unmarked.id),
            ("not-in-table", &forgotten.id),
            ("wrong-hour", &misplaced.id),
            ("foreign-object", foreign),
            ("foreign-line", &line_1),
            ("foreign-line", &line_2),
            ("changed-object", &rewritten_object),
        ] {
            expected.insert((region, kind, id));
        }
    }
    for (kind, id) in
        [("not-in-lake", &deleted[0].id), ("not-in-lake", &deleted[1].id), ("changed-object", &deleted_object)]
    {
        expected.insert(("us-east-1", kind, id));
    }
    let told = told(&report);
    let differences: Vec<_> = told.symmetric_difference(&expected).collect();
    assert!(differences.is_empty(), "{differences:#?}\n{report:#}");

    let one_region = console.run(&format!("lake verify {DAYS} --region us-east-1 --limit 1")).await;
    assert_eq!(one_region.code, Some(2), "{one_region:?}");
}

#[tokio::test]
async fn a_sale_that_two_regions_accepted_may_be_in_two_hours_and_is_counted_once() {
    let console = Console::open("verify-twice").await;
    let hand = Hand::in_(&console, 0);
    let keyed = || "141ede07-9e2f-5eb5-bb20-caedf6d2db6e".to_owned();
    let (kept, other) = (Sale::of(keyed(), ACCEPTED), Sale::of(keyed(), ACCEPTED - 1));
    hand.accepts(&kept).await;
    let object = hand.brings(1, &[&other]).await;
    hand.marks(&kept.id, Some(&object)).await;
    let verify = async |days: &str| {
        let ended = console.run(&format!("lake verify {days} -o json")).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let report = ended.json();
        ["items", "in_lake", "other_version"].map(|count| report["regions"][0][count].as_u64().unwrap())
    };
    // Only the other region's version is there, in the hour before, where the mark says that it is.
    assert_eq!(verify(DAYS).await, [1, 1, 1]);
    assert_eq!(verify("--from 2025-12-01 --to 2025-12-01").await, [1, 1, 1]);
    hand.brings(2, &[&kept]).await;
    assert_eq!(verify(DAYS).await, [1, 1, 1]);
}

#[tokio::test]
async fn a_trace_says_where_a_sale_is() {
    let console = Console::open("trace").await;
    let (hand, other) = (Hand::in_(&console, 0), Hand::in_(&console, 1));
    let sales = hand.processes(1, 0..2).await;
    let object = key(&sales[0].folder(), 1);
    let owed = Sale::new(2);
    owe(&console.stage, &owed.id, ACCEPTED + 2).await;
    let unknown = Sale::new(3);

    let trace = async |id: &str, more: &str| {
        let ended = console.run(&format!("sale trace {id} -o json {more}")).await;
        let verdict = ended.json()["verdict"].as_str().unwrap().to_owned();
        (ended.code, verdict, ended.json())
    };
    let (code, verdict, report) = trace(&sales[0].id, "").await;
    assert_eq!(code, Some(0), "{report}");
    assert!(verdict.starts_with("in the lake of both regions since "), "{verdict}");
    for region in report["regions"].as_array().unwrap() {
        assert_eq!(region["sale"]["lake"]["key"], Value::from(object.clone()), "{region}");
        assert_eq!(region["sale"]["lake"]["found_by"], "mark", "{region}");
        assert_eq!(region["sale"]["lake"]["content"], "same", "{region}");
        assert_eq!(region["sale"]["mark"]["object"], Value::from(object.clone()), "{region}");
        assert!(region["sale"]["mark"]["expires_at"].as_i64().is_some(), "{region}");
    }
    let (code, verdict, _) = trace(&owed.id, "").await;
    assert_eq!(code, Some(0), "{verdict}");
    assert!(verdict.contains(", pending: "), "{verdict}");
    let (code, verdict, _) = trace(&unknown.id, "").await;
    assert_eq!((code, verdict.as_str()), (Some(2), "unknown in every region"));
    let lost = "--set regions.sa-east-1.endpoint_url=http://127.0.0.1:1";
    let (code, verdict, _) = trace(&sales[0].id, lost).await;
    assert_eq!(code, Some(2), "{verdict}");
    assert!(verdict.starts_with("in the lake of us-east-1") && verdict.contains("sa-east-1"), "{verdict}");
    assert_eq!(console.run("sale trace no-uuid").await.code, Some(64));

    // A mark of an earlier version, and one that has expired: the hour is looked through.
    hand.marks(&sales[0].id, None).await;
    hand.unmarks(&sales[1]).await;
    for sale in &sales {
        let ended = console.run(&format!("sale trace {} -o json", sale.id)).await;
        let report = ended.json();
        assert_eq!(report["regions"][1]["sale"]["lake"]["key"], Value::from(object.clone()), "{report}");
        assert_eq!(report["regions"][1]["sale"]["lake"]["found_by"], "search", "{report}");
        let said = format!("us-east-1: looking for {} in 1 object of {}", sale.id, sale.folder());
        assert!(ended.err.contains(&said), "{ended:?}");
    }
    // The object that the mark names is not there: another one may be.
    hand.marks(&sales[0].id, Some(&object)).await;
    other.deletes(&object).await;
    let (_, verdict, report) = trace(&sales[0].id, "").await;
    assert!(verdict.contains(", and not yet in that of us-east-1; not yet a row "), "{verdict}");
    assert_eq!(report["regions"][1]["sale"]["lake"], Value::Null, "{report}");
    let again = other.brings(2, &[&sales[0]]).await;
    let (_, _, report) = trace(&sales[0].id, "").await;
    assert_eq!(report["regions"][1]["sale"]["lake"]["key"], Value::from(again), "{report}");
}

#[tokio::test]
async fn what_a_journal_lacks_is_copied_or_owed_again_once_that_is_asked_for() {
    let console = Console::open("repair").await;
    let (hand, other) = (Hand::in_(&console, 0), Hand::in_(&console, 1));
    let sales = hand.processes(1, 0..2).await;
    let object = key(&sales[0].folder(), 1);
    other.forgets(&object).await;
    let lacking = Sale::new(2);
    hand.accepts(&lacking).await;
    hand.marks(&lacking.id, None).await;
    let contradicted = hand.processes(2, 3..4).await.remove(0);
    let wrong = Sale { line: contradicted.line.replace("14", "15"), ..contradicted.clone() };
    hand.brings(3, &[&wrong]).await;
    let trace =
        async |id: &str| console.run(&format!("sale trace {id} -o json")).await.json()["regions"][1]["sale"].clone();

    let unasked = console.run(&format!("lake verify {DAYS} --repair")).await;
    assert_eq!(unasked.code, Some(64), "no terminal to confirm on: {unasked:?}");
    let before = trace(&lacking.id).await;
    assert_eq!((&before["item"]["pending"], before["mark"].is_null()), (&Value::from(false), false), "{before}");
    assert!(!other.region.lake_keys().await.unwrap().contains(&object), "nothing is copied");

    let repaired = console.run(&format!("lake verify {DAYS} --repair --yes -o json")).await;
    assert_eq!(repaired.code, Some(2), "what was found differed: {repaired:?}");
    let report = repaired.json();
    assert_eq!((&report["copied"], &report["owed_again"]), (&Value::from(1), &Value::from(1)), "{report}");
    let differences = report["differences"].as_array().unwrap();
    let copied = differences.iter().find(|difference| difference["id"] == sales[0].id).unwrap();
    assert_eq!(copied["elsewhere"], json!({ "region": "sa-east-1", "key": object }), "{copied}");
    let bytes = [hand.region, other.region].map(async |region| region.lake_object(&object).await.unwrap());
    let [here, there] = futures::future::join_all(bytes).await.try_into().unwrap();
    assert_eq!(here, there, "as it is");
    let after = trace(&lacking.id).await;
    assert_eq!((&after["item"]["pending"], after["mark"].is_null()), (&Value::from(true), true), "{after}");
    assert_eq!(trace(&sales[0].id).await["item"]["pending"], false, "what is there stays as it is");

    let again = console.run(&format!("lake verify {DAYS} -o json")).await;
    let report = again.json();
    assert_eq!((again.code, &report["regions"][0]["owed"]), (Some(2), &Value::from(1)), "{report}");
    let left = ["sa-east-1", "us-east-1"].map(|region| (region, "contradiction", contradicted.id.as_str()));
    assert_eq!(told(&report), left.into(), "what contradicts is only reported");
}
