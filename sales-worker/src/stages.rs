//! The worker's calls, stage by stage. Each stage gathers across messages and sweeps, and makes the full batches of its
//! service; a fact waits only for its own results.

use std::time::Duration;

use futures::future::join_all;
use sales::clock::Clock;
use sales::ports::{FailureKind, Insert, Lake, LakePut, MARK_RETENTION, Marks, PortError, PortResult, SaleTable};
use sales::sale::{Fact, FactId};
use sales_service::batcher::{Batcher, Unsent};
use sales_service::gathering::Gathering;

use crate::metrics::Metrics;

/// Maximum keys of a `BatchGetItem`.
const READ: usize = 100;

/// Maximum items of a `BatchWriteItem`.
const WRITE: usize = 25;

/// Facts that may wait for a stage; what is in work is limited before.
const ROOM: usize = 1024;

/// Calls of a stage in flight; up to [`EAGER`], they go without waiting until they are full.
const IN_FLIGHT: usize = 16;
const EAGER: usize = 2;

/// How long a call that is not full waits for others in flight.
const PATIENCE: Duration = Duration::from_millis(100);

/// Calls for single facts in flight.
const SINGLE_IN_FLIGHT: usize = 256;

type Stage<I, T> = Batcher<I, PortResult<T>>;

/// The stages. Cheap to clone.
#[derive(Clone)]
pub struct Stages {
    marked: Stage<FactId, bool>,
    put: Stage<Fact, LakePut>,
    mark: Stage<FactId, ()>,
    settle: Stage<Fact, ()>,
    held: Stage<FactId, bool>,
    adopt: Stage<Fact, Insert>,
    metrics: Metrics,
}

impl Stages {
    /// The stages on this thread, until the last clone of the result is dropped.
    pub fn start<T: SaleTable, M: Marks, L: Lake>(table: T, marks: M, lake: L, clock: Clock, metrics: Metrics) -> Self {
        let (held, adopting, settling, marked) = (table.clone(), table.clone(), table, marks.clone());
        let settled_at = clock.clone();
        Self {
            marked: stage(READ, move |ids: Vec<FactId>| {
                let marks = marked.clone();
                async move { found(&ids, marks.present(&ids).await) }
            }),
            put: single(move |facts: Vec<Fact>| {
                let lake = lake.clone();
                async move { join_all(facts.iter().map(|fact| lake.put(fact))).await }
            }),
            mark: stage(WRITE, move |ids: Vec<FactId>| {
                let (marks, expires_at) = (marks.clone(), clock.now().plus(MARK_RETENTION));
                async move { marks.record(&ids, expires_at).await }
            }),
            settle: single(move |facts: Vec<Fact>| {
                let (table, now) = (settling.clone(), settled_at.now());
                async move { join_all(facts.iter().map(|fact| table.settle(fact, now))).await }
            }),
            held: stage(READ, move |ids: Vec<FactId>| {
                let table = held.clone();
                async move { found(&ids, table.held(&ids).await) }
            }),
            adopt: single(move |facts: Vec<Fact>| {
                let table = adopting.clone();
                async move { join_all(facts.iter().map(|fact| table.insert(fact))).await }
            }),
            metrics,
        }
    }

    /// Whether a fact is marked.
    pub async fn is_marked(&self, id: FactId) -> PortResult<bool> {
        result(self.marked.call(id).await)
    }

    /// Brings a fact to the lake: puts it there, marks it, and removes it from the pending index, in this order. Each
    /// step is idempotent; after a crash between two steps, the work is repeated without effect.
    pub async fn bring_to_lake(&self, fact: &Fact) -> PortResult<LakePut> {
        let put = result(self.put.call(fact.clone()).await)?;
        result(self.mark.call(fact.id()).await)?;
        self.settle(fact).await?;
        self.metrics.count_object(put);
        Ok(put)
    }

    /// Removes a fact that is in the lake from the pending index.
    pub async fn settle(&self, fact: &Fact) -> PortResult<()> {
        result(self.settle.call(fact.clone()).await)
    }

    /// Whether this region's table holds a fact.
    pub async fn is_held(&self, id: FactId) -> PortResult<bool> {
        result(self.held.call(id).await)
    }

    /// Writes a fact that has not replicated.
    pub async fn adopt(&self, fact: &Fact) -> PortResult<Insert> {
        result(self.adopt.call(fact.clone()).await)
    }
}

fn stage<I: 'static, T: 'static, F>(batch: usize, send: impl Fn(Vec<I>) -> F + Clone + 'static) -> Stage<I, T>
where
    F: Future<Output = Vec<PortResult<T>>> + 'static,
{
    let gathering = Gathering { eager: EAGER, patience: PATIENCE, ..Gathering::at_once(batch, IN_FLIGHT) };
    Batcher::start(gathering, ROOM, send)
}

/// A stage whose service has no call for several facts: none waits for another.
fn single<I: 'static, T: 'static, F>(send: impl Fn(Vec<I>) -> F + Clone + 'static) -> Stage<I, T>
where
    F: Future<Output = Vec<PortResult<T>>> + 'static,
{
    Batcher::start(Gathering::at_once(1, SINGLE_IN_FLIGHT), ROOM, send)
}

/// The answer for each id, in order.
fn found(ids: &[FactId], answer: PortResult<std::collections::HashSet<FactId>>) -> Vec<PortResult<bool>> {
    ids.iter().map(|id| answer.as_ref().map(|found| found.contains(id)).map_err(Clone::clone)).collect()
}

/// A fact without a result counts as not done.
fn result<T>(answer: Result<PortResult<T>, Unsent>) -> PortResult<T> {
    answer.unwrap_or_else(|_| {
        let detail = "no result for this fact".to_owned();
        Err(PortError { operation: "batch", kind: FailureKind::Rejected, detail })
    })
}
