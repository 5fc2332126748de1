//! The sales table's pending index: its pages, and its size.

use std::collections::{BTreeSet, HashSet};

use super::sale_table::{group, insert_new};
use super::samples::{self, cancellation, moment, sale_of};
use super::settling::settle;
use super::{Ports, Regions, eventually};
use crate::clock::Timestamp;
use crate::ports::{Backlog, SaleTable};
use crate::sale::{Fact, FactId, Sale};
use crate::shard::Shard;

/// More facts than a page holds.
const MANY: i64 = 120;

/// Facts per timestamp. The hundredth fact is in the middle of such a group.
const AT_ONCE: i64 = 7;

/// Strictly older ones, sales and cancellations, with equal timestamps or not; in both regions.
pub async fn pages_hold_each_older_fact_of_their_shard_once_and_the_oldest_first(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let [shard, other] = two_shards(regions);
    let older = many_sales(shard, regions);
    let limit = moment(MANY);
    let younger = [0, 1].map(|later| Sale { timestamp: moment(MANY + later), ..sale_in(shard, regions) });
    let elsewhere = [sale_in(other, regions), sale_in(other, regions)];
    for group in [older.as_slice(), &younger, &elsewhere].concat().chunks(group(&here)) {
        insert_new(&here, group).await;
    }
    let cancelled = cancellation(older[0].id);
    here.insert(&cancelled).await.expect("inserted");

    let mut expected: Vec<(Timestamp, FactId)> =
        older.iter().map(|sale| (sale.timestamp, FactId::Sale(sale.id))).collect();
    expected.push((cancelled.timestamp(), cancelled.id()));
    index_holds(&here, shard, expected.len() + younger.len()).await;
    index_holds(&there, shard, expected.len() + younger.len()).await;
    for found in [read_pages(&here, shard, limit).await, read_pages(&there, shard, limit).await] {
        let unique: HashSet<FactId> = found.iter().copied().collect();
        assert_eq!(unique.len(), found.len(), "each fact once");
        assert_eq!(unique, expected.iter().map(|(_, id)| *id).collect());
        let moment_of = |id: &FactId| expected.iter().find(|(_, known)| known == id).map(|(timestamp, _)| *timestamp);
        assert!(found.iter().map(moment_of).is_sorted(), "the oldest first");
    }
    assert_eq!(read_pages(&here, shard, moment(0)).await, [], "nothing is older than the oldest");
}

/// As happens when a sweep settles them page by page.
pub async fn a_page_begins_where_the_last_one_ended_although_its_facts_are_settled(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    let [shard, _] = two_shards(regions);
    let sales = many_sales(shard, regions);
    for group in sales.chunks(group(&table)) {
        insert_new(&table, group).await;
    }
    index_holds(&table, shard, sales.len()).await;
    let (mut seen, mut page) = (BTreeSet::new(), None);
    loop {
        let found = table.pending(shard, moment(MANY), page).await.expect("a page");
        for sale in sales.iter().filter(|sale| found.ids.contains(&FactId::Sale(sale.id))) {
            settle(&table, &[Fact::Sale(sale.clone())], moment(MANY)).await;
            assert!(seen.insert(sale.id), "each fact once");
        }
        index_holds(&table, shard, sales.len() - seen.len()).await;
        page = found.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), sales.len());
}

/// No facts, and no next page.
pub async fn a_shard_without_facts_has_one_empty_page(regions: &Regions<impl Ports>) {
    let table = regions.here.sale_table();
    for shard in regions.shards.iter() {
        let page = table.pending(shard, moment(0), None).await.expect("a page");
        assert_eq!((page.ids, page.unreadable, page.next), (Vec::new(), Vec::new(), None));
    }
}

/// Sales and cancellations; in both regions.
pub async fn the_backlog_counts_its_shard_and_tells_the_oldest(regions: &Regions<impl Ports>) {
    let (here, there) = (regions.here.sale_table(), regions.there.sale_table());
    let [shard, other] = two_shards(regions);
    assert_eq!(here.backlog(shard).await.expect("asked"), Backlog::default());
    let sales = [5, 3, 9].map(|seconds| Sale { timestamp: moment(seconds), ..sale_in(shard, regions) });
    insert_new(&here, &sales).await;
    insert_new(&here, &[Sale { timestamp: moment(0), ..sale_in(other, regions) }]).await;
    let cancelled = cancellation(sales[0].id);
    here.insert(&cancelled).await.expect("inserted");

    is_backlog(&here, shard, 4, cancelled.timestamp()).await;
    is_backlog(&there, shard, 4, cancelled.timestamp()).await;
    is_backlog(&here, other, 1, moment(0)).await;
    for fact in [cancelled, Fact::Sale(sales[1].clone())] {
        settle(&here, std::slice::from_ref(&fact), moment(60)).await;
    }
    is_backlog(&here, shard, 2, moment(5)).await;
    is_backlog(&there, shard, 2, moment(5)).await;
}

async fn is_backlog(table: &impl SaleTable, shard: Shard, facts: u64, oldest: Timestamp) {
    let expected = Backlog { facts, oldest: Some(oldest), unreadable: Vec::new() };
    let asked = async || (table.backlog(shard).await.expect("asked") == expected).then_some(());
    eventually(&format!("the backlog is {expected:?}"), asked).await;
}

fn two_shards(regions: &Regions<impl Ports>) -> [Shard; 2] {
    let mut shards = regions.shards.iter();
    [shards.next(), shards.next()].map(|shard| shard.expect("more than one shard"))
}

fn sale_in(shard: Shard, regions: &Regions<impl Ports>) -> Sale {
    sale_of(samples::id_in(shard, regions.shards))
}

/// Many sales of a shard, some with equal timestamps, in no order.
fn many_sales(shard: Shard, regions: &Regions<impl Ports>) -> Vec<Sale> {
    let timestamps = (0..MANY).rev().map(|number| moment(number / AT_ONCE));
    timestamps.map(|timestamp| Sale { timestamp, ..sale_in(shard, regions) }).collect()
}

/// Waits until the index holds this many facts of a shard.
async fn index_holds(table: &impl SaleTable, shard: Shard, facts: usize) {
    let holds = async || (table.backlog(shard).await.expect("asked").facts == facts as u64).then_some(());
    eventually(&format!("the index holds {facts} facts"), holds).await;
}

/// All pages, one after the other.
async fn read_pages(table: &impl SaleTable, shard: Shard, before: Timestamp) -> Vec<FactId> {
    let (mut ids, mut page) = (Vec::new(), None);
    loop {
        let found = table.pending(shard, before, page).await.expect("a page");
        assert_eq!(found.unreadable, [""; 0]);
        ids.extend(found.ids);
        page = found.next;
        if page.is_none() {
            return ids;
        }
    }
}
