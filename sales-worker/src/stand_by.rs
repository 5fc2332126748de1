//! Standing by: a message is given up only once this region's own table holds its fact, so that whoever asks here
//! finds it, and the pending index covers it while it is owed.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::Timestamp;
use sales::ports::{Insert, PortResult, SaleTable};
use sales::sale::{Fact, FactId};

/// A fact that this region is not to process.
#[derive(Clone, Debug)]
pub struct Awaited<W> {
    /// The fact.
    pub fact: Fact,
    /// For how long its message has been looked at.
    pub waited: Duration,
    /// Whether it is in the lake.
    pub in_lake: bool,
    /// Who waits for it: its message.
    pub of: W,
}

/// How this region's table came to cover a fact, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandBy {
    /// It has replicated.
    Held,
    /// It is in the lake, but was not in this table: it is noted here as processed.
    Noted,
    /// It had not replicated for a whole grace period, and is written from its event now.
    Adopted,
    /// It has not yet.
    NotReplicated {
        /// When it is to be adopted if it still has not.
        adopted_in: Duration,
    },
}

/// Sees to it that `table` covers facts; each with its result, in order. From `grace` on an absent fact is adopted.
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
