//! DynamoDB, as called by the adapters of the tables, the marks and the leases.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, Select};
use sales::aws::{DynamoLeases, DynamoMarks, DynamoSaleTable};
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::ports::{Backlog, Holder, Insert, InsertSale, Lease, Leases, Mark, Marks, SaleTable};
use sales::sale::{Amount, Cancellation, Fact, FactId, Product, Sale, SaleId};
use sales::shard::{Shard, Shards};

use super::{Running, called, dependency};

fn table(running: &Running) -> DynamoSaleTable {
    DynamoSaleTable::new(&running.connection(), "sales".into(), Shards::DEFAULT, dependency(), Entropy::system())
}

fn marks(running: &Running) -> DynamoMarks {
    DynamoMarks::new(&running.connection(), "sales-idempotency".into(), dependency())
}

fn new_sale() -> Sale {
    Sale {
        id: SaleId::new(Entropy::system().uuid_v7(&Clock::system())),
        product: Product::new("Dom \"Casmurro\"".into()).unwrap(),
        amount: Amount::from_json_number("29.90").unwrap(),
        timestamp: Clock::system().now(),
        region: Some("sa-east-1".parse().unwrap()),
    }
}

fn half_an_hour_ago() -> Timestamp {
    Clock::system().now().minus(Duration::from_secs(30 * 60))
}

async fn backlog(table: &DynamoSaleTable) -> Vec<Backlog> {
    let mut backlogs = Vec::new();
    for shard in Shards::DEFAULT.iter() {
        backlogs.push(table.backlog(shard).await.unwrap());
    }
    backlogs
}

fn facts(backlog: &[Backlog]) -> u64 {
    backlog.iter().map(|backlog| backlog.facts).sum()
}

/// Settles the facts of a shard, and returns them.
async fn sweep(table: &DynamoSaleTable, shard: Shard) -> Vec<FactId> {
    let (mut swept, mut page) = (Vec::new(), None);
    loop {
        let found = table.pending(shard, half_an_hour_ago(), page).await.unwrap();
        assert_eq!(found.unreadable, [""; 0]);
        let facts = table.load_pending(&found.ids).await.unwrap().facts;
        assert_eq!(facts.len(), found.ids.len());
        assert_eq!(facts.iter().map(Fact::id).collect::<HashSet<_>>(), found.ids.iter().copied().collect());
        assert!(facts.iter().all(|fact| fact.timestamp() < half_an_hour_ago()));
        for facts in facts.chunks(DynamoSaleTable::GROUP) {
            assert!(table.settle(facts, Clock::system().now()).await.iter().all(Result::is_ok));
        }
        swept.extend(found.ids);
        page = found.next;
        if page.is_none() {
            return swept;
        }
    }
}

#[tokio::test]
async fn a_sweep_sees_every_pending_fact_once_and_leaves_an_empty_index() {
    let running = Running::loaded(0, 1_000).await;
    let table = table(&running);
    let before = backlog(&table).await;
    assert_eq!(facts(&before), 1_000);
    assert!(before.iter().all(|backlog| backlog.oldest.is_some_and(|oldest| oldest < half_an_hour_ago())));

    let mut swept = Vec::new();
    for shard in Shards::DEFAULT.iter() {
        swept.extend(sweep(&table, shard).await);
    }
    assert_eq!((swept.len(), swept.iter().collect::<HashSet<_>>().len()), (1_000, 1_000));
    assert_eq!(facts(&backlog(&table).await), 0);

    let counts = running.counts().await;
    assert_eq!(counts.unknown, [""; 0]);
    assert_eq!((counts.settled, counts.flagged), (1_000, 1_000));
    assert_eq!((counts.items_written, counts.write_units), (1_000, 2_000));
    assert_eq!((counts.sales_table_units, counts.index_units, counts.mark_units), (1_000, 1_000, 0));
    // Per shard: its backlog is measured twice with one query, and swept with another.
    assert_eq!(counts.calls["DynamoDB.Query"], 16 * 3);
    assert_eq!(counts.calls["DynamoDB.BatchGetItem"], 16);
    // Two batches of 25 and one of 12 or 13.
    assert_eq!(counts.calls["DynamoDB.BatchExecuteStatement"], 16 * 3);
    assert!((counts.query_units - 16.0 * 3.0 * 0.5).abs() < f64::EPSILON, "{}", counts.query_units);
    // 62 or 63 entries are less than 4 KiB.
    assert!((counts.read_units - (1_000.0 + 16.0 * 3.0 * 0.5)).abs() < f64::EPSILON, "{}", counts.read_units);
}

#[tokio::test]
async fn a_shard_is_read_in_pages_of_a_hundred() {
    let running = Running::loaded(0, 16 * 250).await;
    let table = table(&running);
    let shard = Shards::DEFAULT.iter().next().unwrap();
    assert_eq!(sweep(&table, shard).await.len(), 250);
    assert_eq!(running.counts().await.calls["DynamoDB.Query"], 3);
    assert_eq!(table.backlog(shard).await.unwrap(), Backlog::default());
}

#[tokio::test]
async fn a_large_shard_is_counted_in_pages() {
    let running = Running::loaded(0, 16 * 25_000).await;
    assert_eq!(table(&running).backlog(Shards::DEFAULT.iter().next().unwrap()).await.unwrap().facts, 25_000);
    assert_eq!(running.calls().await, called(&[("DynamoDB.Query", 5)]));
}

#[tokio::test]
async fn a_page_tells_the_sdk_where_the_next_begins() {
    let running = Running::loaded(0, 64).await;
    let client = aws_sdk_dynamodb::Client::new(&running.sdk());
    let query = client.query().table_name("sales").index_name("pending-index");
    let query = query.key_condition_expression("pending = :shard");
    let query = query.expression_attribute_values(":shard", AttributeValue::S("5".into()));
    let page = query.clone().limit(3).send().await.unwrap();
    assert_eq!((page.count(), page.items().len(), page.scanned_count()), (3, 3, 3));
    assert_eq!(page.last_evaluated_key(), page.items().last());

    let rest = query.clone().set_exclusive_start_key(page.last_evaluated_key).send().await.unwrap();
    assert_eq!((rest.count(), rest.items().len(), rest.last_evaluated_key()), (1, 1, None));
    let counted = query.select(Select::Count).send().await.unwrap();
    assert_eq!((counted.count(), counted.items), (4, None));
}

#[tokio::test]
async fn what_is_put_is_counted_and_forgotten() {
    let running = Running::loaded(0, 0).await;
    let table = table(&running);
    let sale = new_sale();
    assert_eq!(table.insert_sale(&sale).await.unwrap(), InsertSale::Inserted);
    let cancellation = Cancellation {
        sale: sale.id,
        timestamp: sale.timestamp,
        sale_timestamp: Some(sale.timestamp),
        region: sale.region.clone(),
    };
    assert_eq!(table.insert(&Fact::Cancellation(cancellation)).await.unwrap(), Insert::Inserted);
    let many: Vec<Sale> = (0..25).map(|_| new_sale()).collect();
    assert!(table.insert_new_sales(&many).await.iter().all(Result::is_ok));
    assert_eq!(table.find(sale.id).await.unwrap(), None);
    assert_eq!(table.held(&[FactId::Sale(sale.id)]).await.unwrap(), HashSet::new());
    table.probe().await.unwrap();

    let counts = running.counts().await;
    // Two keys of the sale and one of the held facts, all consistent, and the probe's, which is not.
    assert!((counts.read_units - 3.5).abs() < f64::EPSILON, "{}", counts.read_units);
    assert_eq!((counts.items_written, counts.write_units, counts.settled), (27, 54, 0));
    let expected = called(&[
        ("DynamoDB.BatchGetItem", 2),
        ("DynamoDB.BatchWriteItem", 1),
        ("DynamoDB.GetItem", 1),
        ("DynamoDB.PutItem", 2),
    ]);
    assert_eq!(running.calls().await, expected);
}

#[tokio::test]
async fn marks_are_counted_and_never_found() {
    let running = Running::loaded(0, 16).await;
    let (table, marks) = (table(&running), marks(&running));
    let shard = Shards::DEFAULT.iter().next().unwrap();
    let ids = table.pending(shard, half_an_hour_ago(), None).await.unwrap().ids;
    assert_eq!(ids.len(), 1);
    assert_eq!(table.held(&ids).await.unwrap().len(), 1);
    let recorded = ids.iter().map(|id| Mark { id: *id, object: "journal/a".into() }).collect::<Vec<_>>();
    assert!(marks.record(&recorded, Clock::system().now()).await.iter().all(Result::is_ok));
    assert_eq!(marks.present(&ids).await.unwrap(), HashSet::new());
    marks.probe().await.unwrap();
    let counts = running.counts().await;
    assert_eq!((counts.items_written, counts.write_units, counts.mark_units), (1, 1, 1));
}

#[tokio::test]
async fn leases_are_always_free() {
    let running = Running::loaded(0, 0).await;
    let leases = DynamoLeases::new(
        &running.connection(),
        "sales-idempotency".into(),
        "sa-east-1".parse().unwrap(),
        dependency(),
    );
    let (now, shard) = (Clock::system().now(), Shards::DEFAULT.iter().next().unwrap());
    let until = now.plus(Duration::from_secs(60));
    for _ in 0..2 {
        let holder = Holder::new(Entropy::system().uuid_v7(&Clock::system()));
        assert_eq!(leases.acquire(shard, holder, now, until).await.unwrap(), Lease::Own(until));
        leases.release(shard, holder).await.unwrap();
    }
    assert_eq!(running.calls().await, called(&[("DynamoDB.DeleteItem", 2), ("DynamoDB.PutItem", 2)]));
    let counts = running.counts().await;
    assert_eq!((counts.write_units, counts.mark_units, counts.sales_table_units), (4, 0, 0));
}

#[tokio::test]
async fn a_lone_fact_is_settled_by_an_update_and_many_by_statements() {
    let running = Running::loaded(0, 0).await;
    let table = table(&running);
    let facts: Vec<Fact> = (0..26).map(|_| Fact::Sale(new_sale())).collect();
    for facts in [&facts[..1], &facts[1..]] {
        assert!(table.settle(facts, Clock::system().now()).await.iter().all(Result::is_ok));
    }
    let counts = running.counts().await;
    assert_eq!((counts.flagged, counts.settled, counts.write_units), (26, 0, 52));
    let expected = called(&[("DynamoDB.BatchExecuteStatement", 1), ("DynamoDB.UpdateItem", 1)]);
    assert_eq!(running.calls().await, expected);
}
