//! Standing by: a message is given up only once this region's own table holds its fact, so that the pending index
//! covers it from then on.

use std::time::Duration;

use sales::ports::{Insert, PortResult, SaleTable};
use sales::sale::{Fact, FactId};

/// How this region's table came to cover a fact, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandBy {
    /// It has replicated.
    Held,
    /// It had not for a whole grace period, and is written from its event now.
    Adopted,
    /// It has not yet.
    NotReplicated {
        /// When it is to be adopted if it still has not.
        adopted_in: Duration,
    },
}

/// Sees to it that `table` covers facts; one result each, in order. Beside each fact stands for how long its message
/// has been looked at; from `grace` on an absent fact is adopted.
pub async fn stand_by<T: SaleTable>(
    table: &T,
    grace: Duration,
    facts: &[(&Fact, Duration)],
) -> Vec<PortResult<StandBy>> {
    if facts.is_empty() {
        return Vec::new();
    }
    let ids: Vec<FactId> = facts.iter().map(|(fact, _)| fact.id()).collect();
    let held = match table.held(&ids).await {
        Ok(held) => held,
        Err(error) => return facts.iter().map(|_| Err(error.clone())).collect(),
    };
    let standing_by = facts.iter().map(async |(fact, waited)| {
        if held.contains(&fact.id()) {
            return Ok(StandBy::Held);
        }
        match grace.checked_sub(*waited).filter(|left| !left.is_zero()) {
            Some(left) => Ok(StandBy::NotReplicated { adopted_in: left }),
            None => table.insert(fact).await.map(|insert| match insert {
                Insert::Inserted => StandBy::Adopted,
                Insert::AlreadyExists => StandBy::Held,
            }),
        }
    });
    futures::future::join_all(standing_by).await
}
