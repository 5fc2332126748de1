//! Brings facts to the lake. Each step is idempotent; after a crash between two steps, the work is repeated without
//! effect.

use std::collections::{BTreeMap, HashSet};

use futures::future::join_all;
use sales::clock::Clock;
use sales::ports::{Lake, LakePut, MARK_RETENTION, Marks, PortError, PortResult, SaleTable};
use sales::sale::{Fact, FactId};

use crate::metrics::Metrics;

/// The resources to bring facts to the lake. Cheap to clone.
#[derive(Clone)]
pub struct LakeWriter<T, L, M> {
    /// The sales table.
    pub table: T,
    /// The lake.
    pub lake: L,
    /// The marks.
    pub marks: M,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Metrics,
}

impl<T: SaleTable, L: Lake, M: Marks> LakeWriter<T, L, M> {
    /// Puts facts into the lake, marks them, and removes them from the pending index, in this order; returns the result
    /// of each, by its id. A failed fact does not hold up the others.
    pub async fn bring_to_lake(&self, facts: &[&Fact]) -> BTreeMap<FactId, PortResult<LakePut>> {
        let mut seen = HashSet::new();
        let facts: Vec<&Fact> = facts.iter().copied().filter(|fact| seen.insert(fact.id())).collect();
        let puts = join_all(facts.iter().map(|fact| self.lake.put(fact))).await;
        let mut outcomes: BTreeMap<FactId, PortResult<LakePut>> =
            facts.iter().map(|fact| fact.id()).zip(puts).collect();

        let stored = succeeded(&facts, &outcomes);
        let ids: Vec<FactId> = stored.iter().map(|fact| fact.id()).collect();
        if !ids.is_empty() {
            let marked = self.marks.record(&ids, self.clock.now().plus(MARK_RETENTION)).await;
            note_failures(&mut outcomes, ids.into_iter().zip(marked));
        }

        let marked = succeeded(&facts, &outcomes);
        let settled = self.settle(&marked).await;
        note_failures(&mut outcomes, marked.iter().map(|fact| fact.id()).zip(settled));
        for put in outcomes.values().flatten() {
            self.metrics.count_object(*put);
        }
        outcomes
    }

    /// Removes facts that are in the lake from the pending index; one result each, in order.
    pub async fn settle(&self, facts: &[&Fact]) -> Vec<PortResult<()>> {
        let now = self.clock.now();
        join_all(facts.iter().map(|fact| self.table.settle(fact, now))).await
    }
}

fn succeeded<'a>(facts: &[&'a Fact], outcomes: &BTreeMap<FactId, PortResult<LakePut>>) -> Vec<&'a Fact> {
    facts.iter().copied().filter(|fact| outcomes.get(&fact.id()).is_some_and(Result::is_ok)).collect()
}

fn note_failures(
    outcomes: &mut BTreeMap<FactId, PortResult<LakePut>>,
    results: impl Iterator<Item = (FactId, Result<(), PortError>)>,
) {
    outcomes.extend(results.filter_map(|(id, result)| Some((id, Err(result.err()?)))));
}
