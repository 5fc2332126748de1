//! The worker's calls, stage by stage. Each stage gathers across messages and sweeps, and makes the full batches of its
//! service; a fact waits only for its own results.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::journal::{Hour, JournalObject};
use sales::ports::{FailureKind, Insert, Journal, MARK_RETENTION, Mark, Marks, PortError, PortResult, SaleTable};
use sales::region::Region;
use sales::sale::{Fact, FactId};
use sales_service::batcher::{Batcher, Unsent};
use sales_service::gathering::Gathering;

use crate::metrics::Metrics;

/// Maximum keys of a `BatchGetItem`.
const READ: usize = 100;

/// Facts that may wait for a stage; what is in work is limited before.
const ROOM: usize = 1024;

/// Calls of a stage in flight; up to [`EAGER`], they go without waiting until they are full.
const IN_FLIGHT: usize = 16;
const EAGER: usize = 2;

/// How long a call that is not full waits for others in flight.
const PATIENCE: Duration = Duration::from_millis(100);

/// Calls for single facts in flight.
const SINGLE_IN_FLIGHT: usize = 256;

/// Objects of the journal being put: the next ones gather meanwhile.
const OBJECTS_IN_FLIGHT: usize = 4;

/// Maximum facts of a put, which then goes at once: far more lines than a put needs to cost little for each.
const LINES: usize = 1_000;

type Stage<I, T> = Batcher<I, PortResult<T>>;

/// The stages. Cheap to clone.
#[derive(Clone)]
pub struct Stages {
    marked: Stage<FactId, bool>,
    journal: Stage<Fact, Arc<str>>,
    swept: Stage<Fact, Arc<str>>,
    mark: Stage<Mark, ()>,
    settle: Stage<Fact, ()>,
    held: Stage<FactId, bool>,
    adopt: Stage<Fact, Insert>,
}

impl Stages {
    /// The stages on this thread, until the last clone of the result is dropped. Objects of the journal wait for
    /// `linger` for more facts.
    pub fn start<T: SaleTable, M: Marks, J: Journal>(
        table: T,
        marks: M,
        journal: J,
        linger: Duration,
        writer: Writer,
        metrics: Metrics,
    ) -> Self {
        let clock = writer.clock.clone();
        let (held, adopting, settling, marked) = (table.clone(), table.clone(), table, marks.clone());
        let settled_at = clock.clone();
        let write = move |facts: Vec<Fact>| {
            let (journal, writer, metrics) = (journal.clone(), writer.clone(), metrics.clone());
            async move { write(&journal, &writer, &metrics, &facts).await }
        };
        Self {
            marked: stage(READ, move |ids: Vec<FactId>| {
                let marks = marked.clone();
                async move { found(&ids, marks.present(&ids).await) }
            }),
            journal: Batcher::start(journaling(linger), LINES, write.clone()),
            // A sweep brings many facts at once, and waits for all of them before the next ones.
            swept: Batcher::start(journaling(Duration::ZERO), LINES, write),
            mark: stage(M::GROUP, move |marked: Vec<Mark>| {
                let (marks, expires_at) = (marks.clone(), clock.now().plus(MARK_RETENTION));
                async move { marks.record(&marked, expires_at).await }
            }),
            settle: stage(T::GROUP, move |facts: Vec<Fact>| {
                let (table, now) = (settling.clone(), settled_at.now());
                async move { table.settle(&facts, now).await }
            }),
            held: stage(READ, move |ids: Vec<FactId>| {
                let table = held.clone();
                async move { found(&ids, table.held(&ids).await) }
            }),
            adopt: single(move |facts: Vec<Fact>| {
                let table = adopting.clone();
                async move { join_all(facts.iter().map(|fact| table.insert(fact))).await }
            }),
        }
    }

    /// Whether a fact is marked.
    pub async fn is_marked(&self, id: FactId) -> PortResult<bool> {
        result(self.marked.call(id).await)
    }

    /// Brings a fact to the lake: writes it to the journal, marks it, and removes it from the pending index, in this
    /// order. After a crash between two steps, the work is repeated: the journal then holds the fact again.
    pub async fn bring_to_lake(&self, fact: &Fact) -> PortResult<()> {
        self.bring(fact, &self.journal).await
    }

    /// The same for a sweep, without waiting for facts of others.
    pub async fn sweep_to_lake(&self, fact: &Fact) -> PortResult<()> {
        self.bring(fact, &self.swept).await
    }

    async fn bring(&self, fact: &Fact, journal: &Stage<Fact, Arc<str>>) -> PortResult<()> {
        let object = result(journal.call(fact.clone()).await)?;
        result(self.mark.call(Mark { id: fact.id(), object }).await)?;
        self.settle(fact).await
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

/// What the worker needs to name objects. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    /// Its region.
    pub region: Region,
    /// The clock.
    pub clock: Clock,
    /// Unique names.
    pub entropy: Entropy,
}

fn journaling(linger: Duration) -> Gathering {
    Gathering { eager: 1, linger, patience: PATIENCE, ..Gathering::at_once(LINES, OBJECTS_IN_FLIGHT) }
}

/// Puts facts into the journal, an object for each hour; returns for each fact the key of its object, in order.
async fn write(
    journal: &impl Journal,
    Writer { region, clock, entropy }: &Writer,
    metrics: &Metrics,
    facts: &[Fact],
) -> Vec<PortResult<Arc<str>>> {
    let mut hours: BTreeMap<Hour, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        let others = hours.entry(Hour::of_fact(fact)).or_default();
        others.push(fact);
    }
    let objects = hours.into_iter().map(async |(hour, facts)| {
        // One that is delivered twice at once is one line.
        let mut seen = HashSet::new();
        let lines = facts.into_iter().filter(|fact| seen.insert(fact.id()));
        let object = JournalObject::new(hour, region, entropy.uuid_v7(clock), lines);
        let put = journal.put(&object).await;
        if put.is_ok() {
            metrics.count_object(seen.len());
        }
        (hour, put.map(|()| Arc::<str>::from(object.key)))
    });
    let written: BTreeMap<Hour, PortResult<Arc<str>>> = join_all(objects).await.into_iter().collect();
    facts.iter().filter_map(|fact| written.get(&Hour::of_fact(fact)).cloned()).collect()
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
fn found(ids: &[FactId], answer: PortResult<HashSet<FactId>>) -> Vec<PortResult<bool>> {
    ids.iter().map(|id| answer.as_ref().map(|found| found.contains(id)).map_err(Clone::clone)).collect()
}

/// A fact without a result counts as not done.
fn result<T>(answer: Result<PortResult<T>, Unsent>) -> PortResult<T> {
    answer.unwrap_or_else(|_| {
        let detail = "no result for this fact".to_owned();
        Err(PortError { operation: "batch", kind: FailureKind::Rejected, detail })
    })
}
