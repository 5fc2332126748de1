//! Standing by: a fact is given up only after this region's table holds it, so that the API here finds it, and the
//! pending index covers it while it is pending.

use std::time::Duration;

use sales::ports::{Insert, PortResult};
use sales::sale::Fact;

use crate::stages::Stages;

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

/// Ensures that this region's table holds a fact that has been looked for since `waited`. After `grace`, a missing fact
/// is adopted; one that is `in_lake` is written as processed.
pub async fn stand_by(
    stages: &Stages,
    fact: &Fact,
    in_lake: bool,
    waited: Duration,
    grace: Duration,
) -> PortResult<StandBy> {
    if stages.is_held(fact.id()).await? {
        return Ok(StandBy::Held);
    }
    if in_lake {
        return stages.settle(fact).await.map(|()| StandBy::Noted);
    }
    match grace.checked_sub(waited).filter(|left| !left.is_zero()) {
        Some(left) => Ok(StandBy::NotReplicated { adopted_in: left }),
        None => stages.adopt(fact).await.map(|insert| match insert {
            Insert::Inserted => StandBy::Adopted,
            Insert::AlreadyExists => StandBy::Held,
        }),
    }
}
