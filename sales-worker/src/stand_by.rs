//! Standing by: a message is acknowledged only after this region's table holds its fact, so that the API here finds it,
//! and the pending index covers it while it is pending.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::Timestamp;
use sales::ports::{Insert, PortResult, SaleTable};
use sales::sale::{Fact, FactId};

/// A fact that this region does not process.
#[derive(Clone, Debug)]
pub struct Awaited<W> {
    /// The fact.
    pub fact: Fact,
    /// How long its fact has been looked for.
    pub waited: Duration,
    /// Whether it is marked.
    pub in_lake: bool,
    /// Its message.
    pub of: W,
}

/// How this region's table came to hold a fact, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandBy {
    /// It has replicated.
    Held,
    /// It is in the lake, but its item was missing: the item is written as processed.
    Noted,
    /// It had not replicated within the grace period, and is written from its event.
    Adopted,
    /// It has not replicated yet.
    NotReplicated {
        /// When it will be adopted.
        adopted_in: Duration,
    },
}

/// Ensures that `table` holds facts; returns each result, in order. After `grace`, a missing fact is adopted.
pub async fn stand_by<T: SaleTable, W>(
    table: &T,
    grace: Duration,
    now: Timestamp,
    facts: Vec<Awaited<W>>,
) -> Vec<(Awaited<W>, PortResult<StandBy>)> {
    if facts.is_empty() {
        return Vec::new();
    }
    let ids: Vec<FactId> = facts.iter().map(|awaited| awaited.fact.id()).collect();
    let held = match table.held(&ids).await {
        Ok(held) => held,
        Err(error) => return facts.into_iter().map(|awaited| (awaited, Err(error.clone()))).collect(),
    };
    let covered = facts.into_iter().map(async |awaited| {
        let covered = cover(table, grace, now, &awaited, held.contains(&awaited.fact.id())).await;
        (awaited, covered)
    });
    join_all(covered).await
}

async fn cover<T: SaleTable, W>(
    table: &T,
    grace: Duration,
    now: Timestamp,
    awaited: &Awaited<W>,
    is_held: bool,
) -> PortResult<StandBy> {
    if is_held {
        return Ok(StandBy::Held);
    }
    if awaited.in_lake {
        return table.settle(&awaited.fact, now).await.map(|()| StandBy::Noted);
    }
    match grace.checked_sub(awaited.waited).filter(|left| !left.is_zero()) {
        Some(left) => Ok(StandBy::NotReplicated { adopted_in: left }),
        None => table.insert(&awaited.fact).await.map(|insert| match insert {
            Insert::Inserted => StandBy::Adopted,
            Insert::AlreadyExists => StandBy::Held,
        }),
    }
}
