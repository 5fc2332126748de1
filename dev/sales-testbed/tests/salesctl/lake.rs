//! `sale trace` and `lake verify`, on tables and lakes with errors.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use sales_testbed::resources::RegionResources;
use serde_json::Value;
use time::OffsetDateTime;

use crate::console::{Console, owe};

/// 2025-12-01, long before the current date.
const ACCEPTED: i64 = 1_764_547_200;
const DAYS: &str = "--from 2025-11-30 --to 2025-12-01";

/// A sale, as the services leave it.
struct Sale {
    id: String,
    key: String,
    body: String,
}

impl Sale {
    /// The sale of this number; all are of one day.
    fn new(number: u8) -> Self {
        let id = format!("0192f5c0-7c1d-7a3e-8f11-0123456789{number:02x}");
        let timestamp = ACCEPTED + i64::from(number);
        let day = OffsetDateTime::from_unix_timestamp(timestamp).unwrap().date();
        Self {
            key: format!("sales/dt={day}/{id}.json"),
            body: format!(
                r#"{{"id":"{id}","product":"Livro","amount":14,"sale_processed":false,"timestamp":{timestamp}}}"#
            ),
            id,
        }
    }
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

    async fn accepts(&self, sale: &Sale, timestamp: i64) {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let put = self.tables.put_item().table_name(&self.region.sales_table).item("id", text(&sale.id));
        let put = put.item("product", text("Livro")).item("amount", number(14)).item("region", text("sa-east-1"));
        let put = put.item("timestamp", number(timestamp)).item("processed_at", number(now));
        put.item("sale_processed", AttributeValue::Bool(true)).send().await.unwrap();
    }

    async fn marks(&self, sale: &Sale) {
        let put = self.tables.put_item().table_name(&self.region.idempotency_table).item("id", text(&sale.id));
        put.item("expires_at", number(4_102_444_800)).send().await.unwrap();
    }

    async fn writes(&self, key: &str, body: &str) {
        let put = self.lake.put_object().bucket(&self.region.bucket).key(key);
        put.body(body.as_bytes().to_vec().into()).send().await.unwrap();
    }

    /// Everything for a sale without errors.
    async fn processes(&self, numbers: std::ops::Range<u8>) -> Vec<Sale> {
        let sales: Vec<Sale> = numbers.clone().map(Sale::new).collect();
        for (sale, number) in sales.iter().zip(numbers) {
            self.accepts(sale, ACCEPTED + i64::from(number)).await;
            self.writes(&sale.key, &sale.body).await;
            self.marks(sale).await;
        }
        sales
    }
}

#[tokio::test]
async fn nothing_differs_where_each_sale_is_once_in_each_lake_or_owed() {
    let console = Console::open("verify-clean").await;
    let hand = Hand::in_(&console, 0);
    hand.processes(0..5).await;
    owe(&console.stage, &Sale::new(5).id, ACCEPTED + 5).await;
    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report = ended.json();
    for region in report["regions"].as_array().unwrap() {
        assert_eq!(
            (&region["items"], &region["in_lake"], &region["owed"]),
            (&6.into(), &5.into(), &1.into()),
            "{region}"
        );
    }
    let other_days = console.run("lake verify --from 2025-12-02 --to 2025-12-03 -o json").await;
    assert_eq!(other_days.code, Some(0), "{other_days:?}");
    assert_eq!(other_days.json()["regions"][0]["items"], 0);
}

#[tokio::test]
async fn each_difference_is_told_with_its_kind_where_it_is() {
    let console = Console::open("verify").await;
    let (first, second) = (Hand::in_(&console, 0), Hand::in_(&console, 1));
    let sales = first.processes(0..7).await;
    let [deleted, tampered, twice, unmarked, forgotten, unwritten, _well] = sales.as_slice() else { panic!("seven") };
    let delete = second.lake.delete_object().bucket(&second.region.bucket).key(&deleted.key);
    delete.send().await.unwrap();
    first.writes(&tampered.key, &tampered.body.replace("14", "15")).await;
    first.writes(&twice.key, &twice.body).await;
    let unmark = first.tables.delete_item().table_name(&first.region.idempotency_table);
    unmark.key("id", text(&unmarked.id)).send().await.unwrap();
    let forget = first.tables.delete_item().table_name(&first.region.sales_table);
    forget.key("id", text(&forgotten.id)).send().await.unwrap();
    for hand in [&first, &second] {
        // All versions are deleted, as if the object had never been put.
        let versions = hand.lake.list_object_versions().bucket(&hand.region.bucket).prefix(&unwritten.key);
        for version in versions.send().await.unwrap().versions() {
            let remove = hand.lake.delete_object().bucket(&hand.region.bucket).key(&unwritten.key);
            remove.set_version_id(version.version_id.clone()).send().await.unwrap();
        }
    }
    let foreign = "sales/dt=2025-12-01/readme.txt";
    first.writes(foreign, "x").await;

    let ended = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let report = ended.json();
    let told: BTreeSet<(&str, &str, &str)> = report["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| {
            let part = |name: &str| difference[name].as_str().unwrap();
            (part("region"), part("kind"), part("id"))
        })
        .collect();
    for region in ["sa-east-1", "us-east-1"] {
        for (kind, id) in [
            ("other-bytes", &tampered.id),
            ("written-again", &twice.id),
            ("not-marked", &unmarked.id),
            ("not-in-table", &forgotten.id),
            ("not-in-lake", &unwritten.id),
            ("foreign-object", &foreign.to_owned()),
        ] {
            assert!(told.contains(&(region, kind, id)), "{region} {kind}: {told:#?}");
        }
    }
    assert!(told.contains(&("us-east-1", "not-in-lake", &deleted.id)), "{told:#?}");
    assert!(!told.contains(&("sa-east-1", "not-in-lake", &deleted.id)), "{told:#?}");
    assert!(!told.iter().any(|(_, _, id)| *id == sales[6].id), "{told:#?}");

    let one_region = console.run(&format!("lake verify {DAYS} --region us-east-1 --limit 1")).await;
    assert_eq!(one_region.code, Some(2), "{one_region:?}");
}

#[tokio::test]
async fn a_trace_says_where_a_sale_is() {
    let console = Console::open("trace").await;
    let hand = Hand::in_(&console, 0);
    let sales = hand.processes(0..1).await;
    let owed = Sale::new(1);
    owe(&console.stage, &owed.id, ACCEPTED + 1).await;
    let unknown = Sale::new(2);

    let trace = async |id: &str, more: &str| {
        let ended = console.run(&format!("sale trace {id} -o json {more}")).await;
        let verdict = ended.json()["verdict"].as_str().unwrap().to_owned();
        (ended.code, verdict, ended.json())
    };
    let (code, verdict, report) = trace(&sales[0].id, "").await;
    assert_eq!(code, Some(0), "{report}");
    assert!(verdict.starts_with("in the lake of both regions since "), "{verdict}");
    for region in report["regions"].as_array().unwrap() {
        assert_eq!(region["sale"]["lake"]["key"], Value::from(sales[0].key.clone()), "{region}");
        assert_eq!(region["sale"]["lake"]["content"], "same", "{region}");
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
}

#[tokio::test]
async fn what_a_lake_lacks_is_owed_again_once_that_is_asked_for() {
    let console = Console::open("repair").await;
    let hand = Hand::in_(&console, 0);
    let sales = hand.processes(0..1).await;
    let lacking = Sale::new(1);
    hand.accepts(&lacking, ACCEPTED + 1).await;
    hand.marks(&lacking).await;
    let trace =
        async |id: &str| console.run(&format!("sale trace {id} -o json")).await.json()["regions"][1]["sale"].clone();

    let unasked = console.run(&format!("lake verify {DAYS} --repair")).await;
    assert_eq!(unasked.code, Some(64), "no terminal to confirm on: {unasked:?}");
    let before = trace(&lacking.id).await;
    assert_eq!((&before["item"]["pending"], before["mark"].is_null()), (&Value::from(false), false), "{before}");

    let repaired = console.run(&format!("lake verify {DAYS} --repair --yes -o json")).await;
    assert_eq!(repaired.code, Some(2), "what was found differed: {repaired:?}");
    assert_eq!(repaired.json()["owed_again"], 1, "{repaired:?}");
    let after = trace(&lacking.id).await;
    assert_eq!((&after["item"]["pending"], after["mark"].is_null()), (&Value::from(true), true), "{after}");
    assert_eq!(trace(&sales[0].id).await["item"]["pending"], false, "what is well stays as it is");
    let again = console.run(&format!("lake verify {DAYS} -o json")).await;
    assert_eq!((again.code, &again.json()["regions"][0]["owed"]), (Some(0), &Value::from(1)), "{again:?}");
}
