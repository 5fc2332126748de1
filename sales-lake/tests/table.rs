//! The builder on the emulator: the program itself, its table as independent readers see it, and what is left of it when it is
//! killed.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]
#![expect(clippy::disallowed_types, reason = "a test plays the workers, and looks into the bucket itself")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use sales::clock::Timestamp;
use sales::journal::{Hour, JournalObject};
use sales::sale::{Amount, Cancellation, Fact, Product, Sale};
use sales_testbed::emulator::{Environment, READERS};
use sales_testbed::process::Program;
use sales_testbed::resources::RegionResources;
use sales_testbed::testing::{Launch, Stage, client, eventually};
use sales_testbed::workspace::Build;
use serde_json::{Value, json};
use uuid::Uuid;

const BUILDER: &str = env!("CARGO_BIN_EXE_sales-lake");

/// An evening.
const EVENING: i64 = 1_764_547_199 - 900;

fn id(number: u64) -> String {
    format!("0192f5c0-7c1d-5a3e-8f11-{number:012x}")
}

fn sale(number: u64, timestamp: i64) -> Fact {
    Fact::Sale(Sale {
        id: id(number).parse().unwrap(),
        product: Product::new("O \"Príncipe\"".into()).unwrap(),
        amount: Amount::from_json_number("14.50").unwrap(),
        timestamp: Timestamp::from_unix_seconds(timestamp).unwrap(),
        region: "sa-east-1".parse().ok(),
        client: None,
    })
}

fn cancellation(number: u64, sale_timestamp: i64, timestamp: i64) -> Fact {
    Fact::Cancellation(Cancellation {
        sale: id(number).parse().unwrap(),
        timestamp: Timestamp::from_unix_seconds(timestamp).unwrap(),
        sale_timestamp: Timestamp::from_unix_seconds(sale_timestamp),
        region: None,
        client: None,
    })
}

/// Puts facts of one hour into a region's journal.
async fn journal(stage: &Stage, region: &RegionResources, number: u64, facts: &[Fact]) {
    let name = Uuid::from_u128(0x0192_f5c0_7c1d_7a3e_8f11_0000_0000_0000 + u128::from(number));
    let object = JournalObject::new(Hour::of_fact(&facts[0]), &region.name.parse().unwrap(), name, facts);
    put(stage, region, &object.key, object.lines.into_bytes()).await;
}

async fn put(stage: &Stage, region: &RegionResources, key: &str, content: Vec<u8>) {
    let objects = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&stage.sdk(region)).force_path_style(true).build(),
    );
    objects.put_object().bucket(&region.bucket).key(key).body(ByteStream::from(content)).send().await.unwrap();
}

/// Folds once; what the program prints.
async fn fold(stage: &Stage, region: &RegionResources) -> String {
    let output = tokio::process::Command::new(BUILDER)
        .arg("--once")
        .env_clear()
        .envs(region.lake_environment())
        .env("AWS_ENDPOINT_URL", stage.proxy.endpoint())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.lines().find(|line| line.starts_with("folded ")).unwrap().to_owned()
}

/// The table of a region, copied to a directory.
async fn copy(region: &RegionResources, to: &Path) {
    for key in region.lake_keys().await.unwrap() {
        let Some(name) = key.strip_prefix("table/sales/") else { continue };
        let path = to.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, region.lake_object(&key).await.unwrap()).unwrap();
    }
}

/// What the readers read, by their names.
async fn read(region: &RegionResources) -> Vec<Value> {
    let environment = Environment::prepare(&READERS, &Build::current().unwrap().local_directory()).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    copy(region, directory.path()).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.py");
    let log = tempfile::tempfile().unwrap();
    let mut reading = Program::new(environment.python())
        .arguments([OsStr::new("-I"), OsStr::new(script), directory.path().as_os_str()])
        .log(log.try_clone().unwrap())
        .start()
        .unwrap();
    let code = reading.wait().await;
    let said = text(log);
    assert_eq!(code, 0, "{said}");
    let read: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(read.len(), 2, "{said}");
    read
}

fn text(mut log: std::fs::File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut text = String::new();
    log.rewind().unwrap();
    log.read_to_string(&mut text).unwrap();
    text
}

/// The rows by id, with the moments in one form: readers differ in that.
fn rows(read: &Value) -> BTreeMap<String, Value> {
    let rows = read["rows"].as_array().unwrap();
    let by_id = rows.iter().map(|row| {
        let mut row = row.clone();
        for moment in ["accepted_at", "cancelled_at"] {
            let plain = row[moment].as_str().map(|text| text.replace('T', " ").replace("+00", "").replace('Z', ""));
            row[moment] = json!(plain);
        }
        (row["id"].as_str().unwrap().to_owned(), row)
    });
    let by_id: BTreeMap<String, Value> = by_id.collect();
    assert_eq!(by_id.len(), rows.len(), "one row for each id");
    by_id
}

#[tokio::test]
async fn independent_readers_see_one_row_for_each_sale_with_the_types_that_were_promised() {
    let stage = Stage::set("lake-readers").await.unwrap();
    let region = stage.active();
    journal(&stage, region, 1, &[sale(1, EVENING), sale(2, EVENING + 1), sale(2, EVENING + 1)]).await;
    journal(&stage, region, 2, &[cancellation(2, EVENING + 1, EVENING + 90), cancellation(9, EVENING, EVENING + 1)])
        .await;
    put(&stage, region, "journal/dt=2025-11-30/hour=23/notes.txt", b"not ours".to_vec()).await;
    let half = sales::journal::line(&sale(3, EVENING + 2));
    let name = "journal/dt=2025-11-30/hour=23/sa-east-1-0192f5c0-7c1d-7a3e-8f11-ffffffffffff.ndjson";
    put(&stage, region, name, half.as_bytes()[..half.len() - 5].to_vec()).await;
    let said = fold(&stage, region).await;
    assert!(
        said.starts_with("folded 3 objects with 6 lines (2 foreign) in 1 commits; the table has 2 rows in 1 files"),
        "{said}"
    );

    let expected = |number: u64, accepted_at: &str, cancelled_at: Option<&str>| {
        json!({"id": id(number), "product": "O \"Príncipe\"", "amount": "14.500000000000000000", "accepted_at": accepted_at,
            "region": "sa-east-1", "cancelled_at": cancelled_at, "dt": "2025-11-30"})
    };
    let one = expected(1, "2025-11-30 23:44:59", None);
    let two = expected(2, "2025-11-30 23:45:00", Some("2025-11-30 23:46:29"));
    for reader in read(region).await {
        let found = rows(&reader).into_values().collect::<Vec<_>>();
        assert_eq!(found, [one.clone(), two.clone()], "{}", reader["reader"]);
        let schema = reader["schema"].to_string().to_lowercase();
        for promised in ["decimal(38", "timestamp", "date"] {
            assert!(schema.contains(promised), "{schema}");
        }
    }

    // The same sale of another region, accepted a little earlier, on the other side of midnight or not; and its cancellation.
    journal(&stage, region, 3, &[sale(1, EVENING - 86_400), sale(9, EVENING)]).await;
    let said = fold(&stage, region).await;
    assert!(said.contains("the table has 3 rows"), "{said}");
    for reader in read(region).await {
        let found = rows(&reader);
        assert_eq!(found[&id(1)]["dt"], "2025-11-29", "{}", reader["reader"]);
        assert_eq!(found[&id(9)]["cancelled_at"], "2025-11-30 23:45:00");
    }
    assert!(fold(&stage, region).await.contains("in 0 commits"), "nothing is new");
}

#[tokio::test]
async fn killed_builders_lose_nothing_and_two_at_once_write_nothing_twice() {
    const PORTIONS: u64 = 20;
    let stage = Stage::set("lake-killed").await.unwrap();
    let region = stage.active();
    let launch = || {
        let extra = [("FOLD_INTERVAL_SECONDS", "1")];
        Launch::new(Path::new(BUILDER), &stage.proxy, region.lake_environment(), &extra).unwrap()
    };
    let (one, other) = (launch(), launch());
    let (mut first, mut second) = (one.start().await.unwrap(), other.start().await.unwrap());
    for portion in 0..PORTIONS {
        let facts: Vec<Fact> = (0..20).map(|number| sale(portion * 20 + number, EVENING + number as i64)).collect();
        journal(&stage, region, portion * 2, &facts).await;
        let cancelled: Vec<Fact> =
            (0..5).map(|number| cancellation(portion * 20 + number, EVENING + number as i64, EVENING + 100)).collect();
        journal(&stage, region, portion * 2 + 1, &cancelled).await;
        // Somewhere between two effects, a different one each time.
        let puts = stage.proxy.done("PutObject") + 1 + usize::try_from(portion % 5).unwrap();
        let reached = async || (stage.proxy.done("PutObject") >= puts).then_some(());
        drop(tokio::time::timeout(Duration::from_secs(3), eventually("puts", reached)).await);
        let (killed, launch) = if portion % 2 == 0 { (&mut first, &one) } else { (&mut second, &other) };
        killed.process.kill().await.unwrap();
        *killed = launch.start().await.unwrap();
    }
    first.process.stop().await;
    second.process.stop().await;
    fold(&stage, region).await;
    for reader in read(region).await {
        let found = rows(&reader);
        assert_eq!(found.len() as u64, PORTIONS * 20, "{}", reader["reader"]);
        let cancelled = found.values().filter(|row| !row["cancelled_at"].is_null()).count();
        assert_eq!(cancelled as u64, PORTIONS * 5, "{}", reader["reader"]);
    }
}

#[tokio::test]
async fn the_service_folds_at_its_interval_and_an_idle_one_puts_only_its_lease() {
    let stage = Stage::set("lake-service").await.unwrap();
    let region = stage.active();
    let environment = region.lake_environment();
    let builder = stage.start(BUILDER, environment, &[("FOLD_INTERVAL_SECONDS", "1")]).await.unwrap();
    journal(&stage, region, 1, &[sale(1, EVENING)]).await;
    let metrics = async || client().get(format!("{}/metrics", builder.url)).send().await.unwrap().text().await.unwrap();
    let has_row = async || metrics().await.lines().any(|line| line == "lake_rows 1").then_some(());
    eventually("the row is in the table", has_row).await;
    let folds = async || {
        let metrics = metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("lake_folds_total{outcome=\"complete\"} "));
        line.map_or(0, |count| count.parse().unwrap())
    };
    // The fold with the row in it ends with a checkpoint.
    let begun = folds().await;
    eventually("one more fold", async || (folds().await > begun + 1).then_some(())).await;
    let (puts, begun) = (stage.proxy.done("PutObject"), folds().await);
    eventually("idle folds", async || (folds().await > begun + 3).then_some(())).await;
    assert_eq!(stage.proxy.done("PutObject"), puts);
    let readiness: Value =
        client().get(format!("{}/readiness", builder.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!((&readiness["status"], &readiness["dependencies"]["lake"]), (&json!(200), &json!("ok")), "{readiness}");
    assert!(readiness.get("state").is_none());
}
