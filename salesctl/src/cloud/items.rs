//! Items of the sales table and marks, as one region's replicas hold them.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use futures::{StreamExt, TryStreamExt, stream};
use sales::{
    aws::item,
    clock::Timestamp,
    journal::Hour,
    ports::{FailureKind, Marks, PortResult, SaleTable},
    sale::{Fact, FactId},
};
use tokio::time::sleep;

use super::{Patience, RegionCloud, in_time, trouble::Trouble};
use crate::{day::Day, journal_line::LineDigest};

const SALES: &str = "sales_table";
const MARKS: &str = "idempotency_table";

/// Parallel segments of a table scan.
const SEGMENTS: i32 = 8;

/// Ids per lookup, and concurrent lookups.
const LOOKUP: usize = 100;
const LOOKUPS_AT_A_TIME: usize = 8;

/// Attempts of a call with a transient failure, and the pause between them.
const TRIES: usize = 3;
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A fact as the sales table holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// The fact.
    pub(crate) fact: Fact,
    /// Its progress.
    pub(crate) progress: Progress,
}

/// An item's progress towards the lake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Whether it is in the lake.
    pub(crate) processed: bool,
    /// When it was settled.
    pub(crate) processed_at: Option<Timestamp>,
    /// Whether it is pending.
    pub(crate) pending: bool,
}

/// What is kept of an item when there are many: less than two hundred bytes, overhead included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Time of acceptance.
    pub(crate) accepted: Timestamp,
    /// The line that the journal should hold.
    pub(crate) line: LineDigest,
    /// Its progress.
    pub(crate) progress: Progress,
}

/// All items of a range of days.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    /// Items by the hour of the journal in which their facts belong.
    pub(crate) by_hour: BTreeMap<Hour, HashMap<FactId, Entry>>,
    /// Keys of items that hold no fact.
    pub(crate) unreadable: Vec<String>,
}

impl Entries {
    fn add(&mut self, other: Self) {
        for (hour, entries) in other.by_hour {
            self.by_hour.entry(hour).or_default().extend(entries);
        }
        self.unreadable.extend(other.unreadable);
    }
}

/// A mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MarkItem {
    /// When it expires.
    pub(crate) expires_at: Option<Timestamp>,
    /// The object of the journal that it names; marks of earlier versions name none.
    pub(crate) object: Option<String>,
}

impl Item {
    fn of(read: &item::Item) -> Option<Self> {
        let progress = Progress {
            processed: item::is_processed(read),
            processed_at: item::processed_at(read),
            pending: item::is_pending(read),
        };
        Some(Self { fact: item::fact(read)?, progress })
    }

    /// The compact form for many items.
    pub(crate) fn entry(&self) -> Entry {
        Entry { accepted: self.fact.timestamp(), line: LineDigest::of(&self.fact), progress: self.progress }
    }
}

impl RegionCloud {
    /// The current items with these ids; missing ones are left out, and unreadable ones are listed apart.
    pub(crate) async fn items(&self, ids: &[FactId]) -> Result<(Vec<Item>, Vec<FactId>), Trouble> {
        let table = self.sale_table()?;
        let read = in_chunks(ids, async |ids| table.items(&ids).await).await;
        let read: Vec<Vec<item::Item>> = read.map_err(|error| Trouble::of_call(&self.key(SALES), &error))?;
        let (mut items, mut unreadable) = (Vec::new(), Vec::new());
        for read in read.iter().flatten() {
            match Item::of(read) {
                Some(item) => items.push(item),
                None => unreadable.extend(item::fact_id(read)),
            }
        }
        Ok((items, unreadable))
    }

    /// The marks of these facts; facts without a mark are left out.
    pub(crate) async fn marks_of(&self, ids: &[FactId]) -> Result<HashMap<FactId, MarkItem>, Trouble> {
        let marks = self.marks()?;
        let found = in_chunks(ids, async |ids| marks.items(&ids).await).await;
        let found: Vec<Vec<item::Item>> = found.map_err(|error| Trouble::of_call(&self.key(MARKS), &error))?;
        let mark = |found: &item::Item| {
            let (expires_at, object) = (item::expires_at(found), item::object(found).map(str::to_owned));
            Some((item::fact_id(found)?, MarkItem { expires_at, object }))
        };
        Ok(found.iter().flatten().filter_map(mark).collect())
    }

    /// Which of these facts are marked; reports after each call how many it has looked up.
    pub(crate) async fn marked(&self, ids: &[FactId], read: impl Fn(u64)) -> Result<HashSet<FactId>, Trouble> {
        let marks = self.marks()?;
        let found: Vec<HashSet<FactId>> = in_chunks(ids, async |ids| {
            let found = marks.present(&ids).await;
            read(ids.len() as u64);
            found
        })
        .await
        .map_err(|error| Trouble::of_call(&self.key(MARKS), &error))?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Makes a fact pending again: removes its mark, and adds it to the pending index.
    pub(crate) async fn owe_again(&self, id: FactId) -> Result<(), Trouble> {
        let client = Client::new(&self.sdk(Patience::Change));
        let key = AttributeValue::S(id.to_string());
        let marks = self.named(MARKS, self.resources.idempotency_table.as_ref())?;
        let unmarked = client.delete_item().table_name(marks).key("id", key.clone()).send().await;
        unmarked.map_err(|error| Trouble::of_sdk(&self.key(MARKS), "DeleteItem", error))?;
        let table = self.named(SALES, self.resources.sales_table.as_ref())?;
        let update = client.update_item().table_name(table).key("id", key);
        // No item is created where there is none: no one would know what to put into the lake.
        let update = update.condition_expression("attribute_exists(id)").update_expression("SET pending = :shard");
        let shard = AttributeValue::S(id.sale().shard(self.shards).to_string());
        let owed = update.expression_attribute_values(":shard", shard).send().await;
        owed.map(drop).map_err(|error| Trouble::of_sdk(&self.key(SALES), "UpdateItem", error))
    }

    /// Whether both tables respond, within a moment.
    pub(crate) async fn tables_answer(&self) -> Result<(), Trouble> {
        let (sales, marks) = (self.sale_table()?, self.marks()?);
        let of = |key: &'static str| move |error| Trouble::of_call(&self.key(key), &error);
        let sales = async { sales.probe().await.map_err(of(SALES)) };
        let marks = async { marks.probe().await.map_err(of(MARKS)) };
        tokio::try_join!(in_time("GetItem", sales), in_time("GetItem", marks))?;
        Ok(())
    }

    /// All items whose facts lie in the journal from `first` to `last`. It reads the whole table, in parallel, and reports after each page
    /// how many items it has read.
    pub(crate) async fn scan(&self, first: Day, last: Day, read: impl Fn(u64)) -> Result<Entries, Trouble> {
        let table = self.named(SALES, self.resources.sales_table.as_ref())?;
        let client = Client::new(&self.sdk(Patience::Bulk));
        let segments: Vec<Entries> = stream::iter(0..SEGMENTS)
            .map(|segment| self.scan_segment(&client, table, segment, [first, last], &read))
            .buffer_unordered(usize::try_from(SEGMENTS).unwrap_or(1))
            .try_collect()
            .await?;
        Ok(segments.into_iter().fold(Entries::default(), |mut all, segment| {
            all.add(segment);
            all
        }))
    }

    async fn scan_segment(
        &self,
        client: &Client,
        table: &str,
        segment: i32,
        [first, last]: [Day; 2],
        read: &impl Fn(u64),
    ) -> Result<Entries, Trouble> {
        let number = |second: i64| AttributeValue::N(second.to_string());
        let scan = client.scan().table_name(table).segment(segment).total_segments(SEGMENTS);
        // Attribute names use placeholders, since some are reserved words. A cancellation lies with its sale.
        let scan = scan
            .filter_expression(
                "sale_timestamp BETWEEN :first AND :last \
                 OR (attribute_not_exists(sale_timestamp) AND #timestamp BETWEEN :first AND :last)",
            )
            .projection_expression(
                "id, product, amount, #timestamp, sale_timestamp, #region, sale_processed, processed_at, pending",
            )
            .expression_attribute_names("#timestamp", "timestamp")
            .expression_attribute_names("#region", "region")
            .expression_attribute_values(":first", number(first.first_second()))
            .expression_attribute_values(":last", number(last.last_second()));
        let mut pages = scan.into_paginator().send();
        let mut entries = Entries::default();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Trouble::of_sdk(&self.key(SALES), "Scan", error))?;
            read(u64::try_from(page.scanned_count).unwrap_or(0));
            for item in page.items() {
                match Item::of(item) {
                    Some(item) => {
                        let entry = item.entry();
                        entries.by_hour.entry(entry.line.hour).or_default().insert(item.fact.id(), entry);
                    }
                    None => entries.unreadable.push(key(item)),
                }
            }
        }
        Ok(entries)
    }
}

/// Key of an item that holds no fact.
fn key(item: &item::Item) -> String {
    item.get("id").and_then(|id| id.as_s().ok()).cloned().unwrap_or_else(|| "(no id)".to_owned())
}

async fn in_chunks<T>(ids: &[FactId], look_up: impl AsyncFn(Vec<FactId>) -> PortResult<T>) -> PortResult<Vec<T>> {
    let chunks = stream::iter(ids.chunks(LOOKUP)).map(async |ids| {
        // Among thousands of calls, one may well be throttled; the pages read before must not be lost.
        for _ in 1..TRIES {
            match look_up(ids.to_vec()).await {
                Err(error) if error.kind == FailureKind::Unavailable => sleep(TRY_AGAIN).await,
                answer => return answer,
            }
        }
        look_up(ids.to_vec()).await
    });
    chunks.buffer_unordered(LOOKUPS_AT_A_TIME).try_collect().await
}
