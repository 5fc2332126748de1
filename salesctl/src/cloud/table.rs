//! The pending index, as one region's replica of the table shows it.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Select},
};
use futures::future::try_join_all;
use sales::{
    aws::item,
    clock::{Clock, Timestamp},
    ports::SaleTable,
    sale::FactId,
    shard::Shard,
};
use serde::Serialize;

use super::{Patience, RegionCloud, in_time, trouble::Trouble};

const KEY: &str = "sales_table";
const INDEX: &str = "pending-index";

/// Overdue items of each shard that the count checks for readability, at the cost of a read each: unreadable items stay
/// pending, so they are among the oldest.
const LOOKED_AT: usize = 100;

/// Size and age of what is pending.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Backlog {
    /// Number of sales and cancellations.
    pub(crate) items: u64,
    /// Time at which the oldest was accepted, in seconds since 1970; `None` if unknown.
    pub(crate) oldest: Option<i64>,
    /// Number of them known to be unreadable.
    pub(crate) unreadable: u64,
}

impl Backlog {
    /// Time at which the oldest was accepted.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.oldest.and_then(Timestamp::from_unix_seconds)
    }

    fn and(self, other: Self) -> Self {
        Self {
            items: self.items + other.items,
            oldest: self.oldest.into_iter().chain(other.oldest).min(),
            unreadable: self.unreadable + other.unreadable,
        }
    }
}

/// An entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Id of the item, valid or not.
    pub(crate) id: String,
    /// Time of acceptance, if the entry has a valid one.
    pub(crate) accepted: Option<Timestamp>,
    /// The fact id, if it is that of a sale or a cancellation.
    pub(crate) fact: Option<FactId>,
}

impl Entry {
    fn of(read: &item::Item) -> Self {
        let text = |name: &str| read.get(name).and_then(|value| value.as_s().or_else(|_| value.as_n()).ok());
        let accepted = text("timestamp").and_then(|text| text.parse().ok()).and_then(Timestamp::from_unix_seconds);
        Self { id: text("id").cloned().unwrap_or_default(), accepted, fact: item::fact_id(read) }
    }

    /// The fact id, as far as the index shows.
    fn readable(&self) -> Option<FactId> {
        self.accepted.and(self.fact)
    }
}

/// Some entries of a shard.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Start of the next page; `None` after the last.
    pub(crate) next: Option<item::Item>,
}

impl RegionCloud {
    /// Counts what is pending. A large backlog takes a while.
    pub(crate) async fn backlog(&self) -> Result<Backlog, Trouble> {
        let table = self.sale_table()?;
        // This check finds out quickly whether the table responds; counting may take longer.
        let probe = async { table.probe().await.map_err(|error| Trouble::of_call(&self.key(KEY), &error)) };
        in_time("GetItem", probe).await?;
        let shards = try_join_all(self.shards.iter().map(|shard| self.backlog_of(shard))).await?;
        Ok(shards.into_iter().fold(Backlog::default(), Backlog::and))
    }

    async fn backlog_of(&self, shard: Shard) -> Result<Backlog, Trouble> {
        let Page { mut entries, next } = self.pending(shard, None, None).await?;
        let mut items = entries.len() as u64;
        if next.is_some() {
            items += self.count(shard, next).await?;
            // An invalid time counts as the latest.
            entries.extend(self.newest(shard).await?.into_iter().filter(|entry| entry.readable().is_none()));
        }
        let now = Clock::system().now();
        let is_overdue =
            |accepted: Option<Timestamp>| accepted.is_some_and(|at| self.overdue.is_overdue(now.since(at)));
        let (readable, unreadable): (Vec<&Entry>, Vec<&Entry>) =
            entries.iter().partition(|entry| entry.readable().is_some());
        let overdue = readable.iter().filter(|entry| is_overdue(entry.accepted)).take(LOOKED_AT);
        let overdue: Vec<FactId> = overdue.filter_map(|entry| entry.fact).collect();
        let (_, others) = if overdue.is_empty() { Default::default() } else { self.items(&overdue).await? };
        Ok(Backlog {
            items,
            oldest: entries.iter().filter_map(|entry| entry.accepted).min().map(Timestamp::unix_seconds),
            unreadable: (unreadable.len() + others.len()) as u64,
        })
    }

    /// A page of a shard of the index: at most `limit` entries, or as many as DynamoDB returns at once.
    pub(crate) async fn pending(
        &self,
        shard: Shard,
        from: Option<item::Item>,
        limit: Option<i32>,
    ) -> Result<Page, Trouble> {
        let client = Client::new(&self.sdk(Patience::Bulk));
        let query = self.of_shard(client.query(), shard)?.set_exclusive_start_key(from).set_limit(limit);
        let answer = query.send().await.map_err(|error| Trouble::of_sdk(&self.key(KEY), "Query", error))?;
        let entries = answer.items().iter().map(Entry::of).collect();
        Ok(Page { entries, next: answer.last_evaluated_key })
    }

    async fn newest(&self, shard: Shard) -> Result<Vec<Entry>, Trouble> {
        let client = Client::new(&self.sdk(Patience::Bulk));
        let query = self.of_shard(client.query(), shard)?.scan_index_forward(false);
        let query = query.limit(i32::try_from(LOOKED_AT).unwrap_or(1));
        let answer = query.send().await.map_err(|error| Trouble::of_sdk(&self.key(KEY), "Query", error))?;
        Ok(answer.items().iter().map(Entry::of).collect())
    }

    async fn count(&self, shard: Shard, from: Option<item::Item>) -> Result<u64, Trouble> {
        let client = Client::new(&self.sdk(Patience::Bulk));
        let query = self.of_shard(client.query(), shard)?.select(Select::Count).set_exclusive_start_key(from);
        let (mut pages, mut count) = (query.into_paginator().send(), 0);
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Trouble::of_sdk(&self.key(KEY), "Query", error))?;
            count += u64::try_from(page.count).unwrap_or(0);
        }
        Ok(count)
    }

    fn of_shard(&self, query: QueryFluentBuilder, shard: Shard) -> Result<QueryFluentBuilder, Trouble> {
        let table = self.named(KEY, self.resources.sales_table.as_ref())?;
        let query = query.table_name(table).index_name(INDEX).key_condition_expression("pending = :shard");
        Ok(query.expression_attribute_values(":shard", AttributeValue::S(shard.to_string())))
    }

    /// The current items with these ids.
    pub(crate) async fn raw_items(&self, ids: &[FactId]) -> Result<HashMap<FactId, item::Item>, Trouble> {
        let read = self.sale_table()?.items(ids).await;
        let read = read.map_err(|error| Trouble::of_call(&self.key(KEY), &error))?;
        Ok(read.into_iter().filter_map(|read| Some((item::fact_id(&read)?, read))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, timestamp: &str) -> Entry {
        Entry::of(&HashMap::from([
            ("id".to_owned(), AttributeValue::S(id.to_owned())),
            ("timestamp".to_owned(), AttributeValue::N(timestamp.to_owned())),
        ]))
    }

    #[test]
    fn an_entry_is_readable_if_its_id_and_its_moment_are() {
        let id = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
        assert!(entry(id, "1764547200").readable().is_some());
        for (id, timestamp) in [("order 7", "1764547200"), (id, "1764547200000"), (id, "-1"), (id, "1.5")] {
            assert_eq!(entry(id, timestamp).readable(), None, "{id} {timestamp}");
        }
    }

    #[test]
    fn an_age_that_is_not_known_is_not_the_smallest() {
        let backlog = |items, oldest| Backlog { items, oldest, unreadable: 0 };
        assert_eq!(backlog(1, None).and(backlog(2, Some(5))), backlog(3, Some(5)));
        assert_eq!(backlog(1, Some(7)).and(backlog(2, Some(5))), backlog(3, Some(5)));
        assert_eq!(backlog(1, None).and(backlog(0, None)).oldest, None);
    }
}
