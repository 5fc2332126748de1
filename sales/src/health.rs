//! Condition of each dependency: logged once per change, shown in `/readiness`, counted in `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::entropy::Entropy;
use crate::ports::{FailureKind, PortError, PortResult};

/// A success this soon after a failure does not count as recovery yet: a dependency that answers every other call has
/// not changed with each of them.
const SETTLING_TIME: Duration = Duration::from_secs(5);

/// A failure of an operation that is no longer called is forgotten after this time, if others succeed. Longer than the
/// pauses between retries, so that others' successes do not hide a lasting rejection.
const REFUSAL_TIME: Duration = Duration::from_secs(60);

/// Time without calls after which a probe calls a dependency.
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// The labels of `dependency_calls_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    dependency: &'static str,
    outcome: &'static str,
}

/// Every dependency of a service. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health {
    dependencies: Arc<Mutex<Vec<Dependency>>>,
    calls: Family<Call, Counter>,
    explained: Arc<AtomicBool>,
}

/// The condition of one dependency. Cheap to clone; clones are the same dependency.
#[derive(Clone, Debug)]
pub struct Dependency {
    name: &'static str,
    needed: bool,
    record: Arc<Mutex<Record>>,
    calls: Family<Call, Counter>,
    explained: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Record {
    /// Whether the log has a failure that has not recovered.
    logged: bool,
    observed_at: Option<Instant>,
    failing: BTreeMap<&'static str, Failing>,
    /// Time of a first rejection with an unknown code, by operation. If it repeats, the operation fails.
    refused: BTreeMap<&'static str, Instant>,
}

/// A failing operation.
#[derive(Debug)]
struct Failing {
    kind: FailureKind,
    at: Instant,
    detail: String,
    logged: bool,
}

impl Record {
    /// The operation that failed last.
    fn last(&self) -> Option<&Failing> {
        self.failing.values().max_by_key(|failing| failing.at)
    }

    /// Whether the log already contains this failure. The invalid value of a resource may change, and each one is
    /// logged.
    fn tells_already(&self, kind: FailureKind, detail: &str) -> bool {
        let tells = |failing: &Failing| {
            failing.logged && failing.kind == kind && (kind != FailureKind::Invalid || failing.detail == detail)
        };
        self.failing.values().any(tells)
    }

    /// Forgets failures that a success of `operation` disproves: its own, those of an unavailable dependency, and those that
    /// had the cause that its own had.
    fn disprove(&mut self, operation: &'static str) {
        self.refused.remove(operation);
        let own = self.failing.get(operation).map(|failing| failing.kind);
        self.failing.retain(|failed, failing| {
            let same = *failed == operation || failing.kind == FailureKind::Unavailable || Some(failing.kind) == own;
            failing.at.elapsed() < if same { SETTLING_TIME } else { REFUSAL_TIME }
        });
    }
}

/// A dependency's condition, as far as calls have shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No call has ended yet.
    Unknown,
    /// Calls succeed.
    Working,
    /// Calls fail.
    Failing(FailureKind),
}

impl Condition {
    /// A fixed word for readiness.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Working => "ok",
            Self::Failing(kind) => kind.name(),
        }
    }
}

impl Health {
    /// Health whose calls are counted in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let health = Self::default();
        registry.register(
            "dependency_calls",
            "Calls of dependencies, batches by entry, by outcome",
            health.calls.clone(),
        );
        health
    }

    /// A dependency that the service requires.
    #[must_use]
    pub fn needs(&self, name: &'static str) -> Dependency {
        self.add(name, true)
    }

    /// A dependency whose failure delays work, but stops nothing.
    #[must_use]
    pub fn uses(&self, name: &'static str) -> Dependency {
        self.add(name, false)
    }

    fn add(&self, name: &'static str, needed: bool) -> Dependency {
        let (calls, explained) = (self.calls.clone(), self.explained.clone());
        let dependency = Dependency { name, needed, record: Arc::default(), calls, explained };
        lock(&self.dependencies).push(dependency.clone());
        dependency
    }

    /// Each dependency's name and condition, in the order they were added.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, Condition)> {
        lock(&self.dependencies).iter().map(|dependency| (dependency.name, dependency.condition())).collect()
    }

    /// Whether no required dependency is known to fail.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let failing = |dependency: &Dependency| matches!(dependency.condition(), Condition::Failing(_));
        !lock(&self.dependencies).iter().any(|dependency| dependency.needed && failing(dependency))
    }
}

impl Dependency {
    /// A dependency whose condition no service reports: for a program that calls it and prints the result itself.
    #[must_use]
    pub fn unreported(name: &'static str) -> Self {
        Self { name, needed: false, record: Arc::default(), calls: Family::default(), explained: Arc::default() }
    }

    /// Records how a call of `operation` ended, and returns its result.
    ///
    /// A failed call never counts as a success. One that was rejected for itself does not affect the dependency; one
    /// that was rejected with an unknown code does if the next call of the operation is rejected, too.
    ///
    /// # Errors
    /// The call's own.
    pub fn observe<T>(&self, operation: &'static str, result: PortResult<T>) -> PortResult<T> {
        self.note(operation, std::slice::from_ref(&result));
        result
    }

    /// The same for a call that no work depends on: its failure is counted and logged, and says nothing of the condition.
    ///
    /// # Errors
    /// The call's own.
    pub fn observe_aside<T>(&self, operation: &'static str, result: PortResult<T>) -> PortResult<T> {
        self.count(&result);
        if let Err(error) = &result {
            tracing::warn!(dependency.name = self.name, operation, error.detail = error.detail, "call failed");
        }
        result
    }

    /// The same for a call whose entries have their own results: it records the worst one.
    pub fn observe_entries<T>(&self, operation: &'static str, results: Vec<PortResult<T>>) -> Vec<PortResult<T>> {
        self.note(operation, &results);
        results
    }

    /// Records the state of a dependency without which no other one can be called, such as credentials. Failures of the others
    /// follow from its failure: they show in readiness, and are not logged.
    pub fn note_state(&self, operation: &'static str, state: PortResult<()>) {
        self.count(&state);
        self.explained.store(state.is_err(), Ordering::Relaxed);
        match state {
            Ok(()) => {
                let mut record = lock(&self.record);
                record.failing.clear();
                record.observed_at = Some(Instant::now());
                self.log_recovery(&mut record);
            }
            Err(error) => self.record_failure(operation, &error, false),
        }
    }

    /// Its state is being found out: until it is recorded, what others fail of follows from it.
    pub fn await_state(&self) {
        self.explained.store(true, Ordering::Relaxed);
    }

    /// The condition as far as calls have shown it.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let record = lock(&self.record);
        match (record.last(), record.observed_at) {
            (Some(failing), _) => Condition::Failing(failing.kind),
            (None, Some(_)) => Condition::Working,
            (None, None) => Condition::Unknown,
        }
    }

    /// Probes it whenever there were no calls for a while, until `shutdown`: readiness stays accurate without work.
    pub async fn watch<F>(self, entropy: Entropy, shutdown: CancellationToken, probe: impl Fn() -> F)
    where
        F: Future<Output = PortResult<()>>,
    {
        loop {
            let is_due = {
                let record = lock(&self.record);
                // What failed may not be called again, whatever else is.
                !record.failing.is_empty() || record.observed_at.is_none_or(|it| it.elapsed() >= PROBE_INTERVAL)
            };
            if is_due {
                // The adapter records the result.
                let _ = probe().await;
            }
            let pause = entropy.jitter(PROBE_INTERVAL / 2);
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Counts the results of one call, and records what the worst of them shows.
    fn note<T>(&self, operation: &'static str, results: &[PortResult<T>]) {
        results.iter().for_each(|result| self.count(result));
        match PortError::worst(results.iter().filter_map(|result| result.as_ref().err())) {
            Some(error) if error.kind.concerns_all_calls() => self.note_failure(operation, error),
            Some(error) if error.kind == FailureKind::Unrecognized => self.note_refusal(operation, error),
            _ if results.iter().any(Result::is_ok) => self.note_success(operation),
            _ => {}
        }
    }

    fn count<T>(&self, result: &PortResult<T>) {
        let outcome = result.as_ref().map_or_else(|error| error.kind.name(), |_| "ok");
        self.calls.get_or_create(&Call { dependency: self.name, outcome }).inc();
    }

    fn note_success(&self, operation: &'static str) {
        let mut record = lock(&self.record);
        record.observed_at = Some(Instant::now());
        record.disprove(operation);
        self.log_recovery(&mut record);
    }

    fn log_recovery(&self, record: &mut Record) {
        if record.failing.is_empty() && std::mem::take(&mut record.logged) {
            tracing::info!(dependency.name = self.name, "dependency recovered");
        }
    }

    fn note_failure(&self, operation: &'static str, error: &PortError) {
        self.record_failure(operation, error, self.explained.load(Ordering::Relaxed));
    }

    fn record_failure(&self, operation: &'static str, error: &PortError, is_explained: bool) {
        let mut record = lock(&self.record);
        let at = Instant::now();
        record.observed_at = Some(at);
        let known = record.tells_already(error.kind, &error.detail);
        let logged = known || !is_explained;
        record.failing.insert(operation, Failing { kind: error.kind, at, detail: error.detail.clone(), logged });
        record.logged |= logged;
        if logged && !known {
            tracing::warn!(
                dependency.name = self.name,
                failure.kind = error.kind.name(),
                error.operation = error.operation,
                error.detail = error.detail,
                "dependency unavailable"
            );
        }
    }

    fn note_refusal(&self, operation: &'static str, error: &PortError) {
        let before = lock(&self.record).refused.insert(operation, Instant::now());
        if before.is_some_and(|moment| moment.elapsed() < REFUSAL_TIME) {
            self.note_failure(operation, error);
        } else {
            tracing::info!(
                dependency.name = self.name,
                error.operation = error.operation,
                error.detail = error.detail,
                "call rejected with an unknown error code"
            );
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind) -> PortResult<()> {
        Err(PortError { operation: "PutItem", kind, detail: "arn".into() })
    }

    const PUT: &str = "PutItem";
    const GET: &str = "GetItem";

    #[tokio::test(start_paused = true)]
    async fn a_dependency_fails_at_the_first_failure_and_recovers_after_a_while_of_successes() {
        let health = Health::default();
        let table = health.needs("sales-table");
        assert_eq!((table.condition(), health.is_ready()), (Condition::Unknown, true));
        assert!(table.observe(PUT, Ok(())).is_ok());
        assert_eq!(table.condition(), Condition::Working);

        assert!(table.observe(PUT, failure(FailureKind::Missing)).is_err());
        assert_eq!((table.condition().name(), health.is_ready()), ("missing", false));
        assert!(table.observe(PUT, Ok(())).is_ok());
        assert_eq!(table.condition().name(), "missing", "one success among failures changes nothing");

        tokio::time::advance(SETTLING_TIME).await;
        assert!(table.observe(PUT, Ok(())).is_ok());
        assert_eq!((table.condition().name(), health.is_ready()), ("ok", true));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_unreachable_recovers_with_any_operation_and_what_was_refused_with_the_same_or_after_a_minute() {
        for (kind, after_settling) in [(FailureKind::Unavailable, "ok"), (FailureKind::Denied, "denied")] {
            let lake = Health::default().needs("lake");
            assert!(lake.observe(PUT, failure(kind)).is_err());
            tokio::time::advance(SETTLING_TIME).await;
            assert!(lake.observe(GET, Ok(())).is_ok());
            assert_eq!(lake.condition().name(), after_settling);
            tokio::time::advance(REFUSAL_TIME).await;
            assert!(lake.observe(GET, Ok(())).is_ok());
            assert_eq!(lake.condition().name(), "ok");
        }
    }

    #[tokio::test]
    async fn a_refusal_of_one_call_says_nothing_about_the_dependency() {
        let health = Health::default();
        let queue = health.needs("queue");
        for _ in 0..3 {
            assert!(queue.observe(PUT, failure(FailureKind::Rejected)).is_err());
        }
        assert_eq!(queue.condition(), Condition::Unknown, "it is no success either");
    }

    #[tokio::test(start_paused = true)]
    async fn an_unknown_refusal_concerns_the_dependency_once_it_repeats_whatever_else_succeeds() {
        let health = Health::default();
        let lake = health.needs("lake");
        assert!(lake.observe(PUT, failure(FailureKind::Unrecognized)).is_err());
        assert_eq!((lake.condition(), health.is_ready()), (Condition::Unknown, true));
        assert!(lake.observe(PUT, Ok(())).is_ok());
        assert!(lake.observe(PUT, failure(FailureKind::Unrecognized)).is_err());
        assert_eq!(lake.condition(), Condition::Working, "a success lay between");

        assert!(lake.observe(GET, Ok(())).is_ok());
        assert!(lake.observe(PUT, failure(FailureKind::Unrecognized)).is_err());
        assert_eq!((lake.condition().name(), health.is_ready()), ("unrecognized", false));
        tokio::time::advance(SETTLING_TIME).await;
        assert!(lake.observe(GET, Ok(())).is_ok());
        assert_eq!(lake.condition().name(), "unrecognized");
        assert!(lake.observe(PUT, Ok(())).is_ok());
        assert_eq!((lake.condition().name(), health.is_ready()), ("ok", true));
    }

    #[tokio::test]
    async fn a_batch_whose_entries_are_all_refused_is_one_refusal() {
        let table = Health::default().needs("sales-table");
        let refused = || vec![failure(FailureKind::Unrecognized), failure(FailureKind::Unrecognized)];
        assert_eq!(table.observe_entries(PUT, refused()).len(), 2);
        assert_eq!(table.condition(), Condition::Unknown);
        table.observe_entries(PUT, vec![Ok(()), failure(FailureKind::Rejected)]);
        assert_eq!(table.condition(), Condition::Working);
        table.observe_entries(PUT, refused());
        table.observe_entries(PUT, refused());
        assert_eq!(table.condition().name(), "unrecognized");
    }

    #[tokio::test]
    async fn a_failure_is_told_once_for_each_kind_and_each_wrong_content() {
        let mut record = Record::default();
        let failing = |kind, detail: &str| Failing { kind, at: Instant::now(), detail: detail.into(), logged: true };
        record.failing.insert(PUT, failing(FailureKind::Denied, "a"));
        record.failing.insert(GET, failing(FailureKind::Invalid, "a"));
        assert!(record.tells_already(FailureKind::Denied, "b"));
        assert!(!record.tells_already(FailureKind::Missing, "a"));
        assert!(record.tells_already(FailureKind::Invalid, "a"));
        assert!(!record.tells_already(FailureKind::Invalid, "b"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_had_the_same_cause_recovers_together() {
        let table = Health::default().needs("sales-table");
        for operation in [PUT, GET, "Query"] {
            assert!(table.observe(operation, failure(FailureKind::Denied)).is_err());
        }
        tokio::time::advance(SETTLING_TIME).await;
        assert!(table.observe(PUT, failure(FailureKind::Denied)).is_err());
        assert!(table.observe(GET, Ok(())).is_ok());
        assert_eq!(table.condition().name(), "denied", "this one failed a moment ago");
        tokio::time::advance(SETTLING_TIME).await;
        assert!(table.observe(PUT, Ok(())).is_ok());
        assert_eq!(table.condition().name(), "ok");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dependency_that_fails_is_probed_although_others_call_it() {
        let table = Health::default().needs("sales-table");
        assert!(table.observe(GET, failure(FailureKind::Denied)).is_err());
        let (shutdown, probed) = (CancellationToken::new(), table.clone());
        let watching = table.clone().watch(Entropy::system(), shutdown.clone(), || {
            let probed = probed.clone();
            async move { probed.observe(GET, Ok(())) }
        });
        let traffic = async {
            for _ in 0..200 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                assert!(table.observe(PUT, Ok(())).is_ok());
            }
            assert_eq!(table.condition().name(), "ok");
            shutdown.cancel();
        };
        tokio::join!(watching, traffic);
    }

    #[tokio::test]
    async fn what_others_fail_of_for_want_of_credentials_shows_and_is_not_logged() {
        let health = Health::default();
        let (credentials, table) = (health.needs("credentials"), health.needs("sales-table"));
        let logged = || lock(&table.record).logged;
        credentials.await_state();
        assert!(table.observe(PUT, failure(FailureKind::Denied)).is_err());
        credentials.note_state("load", failure(FailureKind::Denied));
        assert!(table.observe(PUT, failure(FailureKind::Unavailable)).is_err());
        assert_eq!((table.condition().name(), logged()), ("unavailable", false));
        credentials.note_state("load", Ok(()));
        assert!(table.observe(PUT, failure(FailureKind::Unavailable)).is_err());
        assert!(logged(), "there are credentials, and it fails nevertheless");
    }

    #[tokio::test]
    async fn a_state_is_what_was_noted_last() {
        let credentials = Health::default().needs("credentials");
        credentials.note_state("load", failure(FailureKind::Denied));
        assert_eq!(credentials.condition().name(), "denied");
        credentials.note_state("load", Ok(()));
        assert_eq!(credentials.condition().name(), "ok");
    }

    #[tokio::test]
    async fn what_is_only_used_does_not_make_the_service_unready() {
        let health = Health::default();
        let switch = health.uses("site-state");
        assert!(switch.observe(PUT, failure(FailureKind::Unavailable)).is_err());
        assert_eq!(health.conditions(), [("site-state", Condition::Failing(FailureKind::Unavailable))]);
        assert!(health.is_ready());
    }
}
