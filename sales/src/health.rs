//! What is known of each dependency: said once for each change, shown in `/readiness`, counted in `/metrics`.

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

/// A success this soon after a failure does not yet mean that all is well: a dependency that answers every other
/// call has not changed with each of them.
const SETTLING_TIME: Duration = Duration::from_secs(5);

/// How long a dependency goes unasked before a probe asks it.
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
}

/// What is known of one dependency. Cheap to clone; clones are the same dependency.
#[derive(Clone, Debug)]
pub struct Dependency {
    name: &'static str,
    needed: bool,
    record: Arc<Mutex<Record>>,
    calls: Family<Call, Counter>,
}

#[derive(Debug, Default)]
struct Record {
    observed_at: Option<Instant>,
    failed_at: Option<Instant>,
    failing: Option<FailureKind>,
}

/// A dependency's condition, as far as calls have shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// No call has ended yet.
    Unknown,
    /// Calls do their work.
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

    /// A dependency without which the service cannot do its work.
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
        let dependency = Dependency { name, needed, record: Arc::default(), calls: self.calls.clone() };
        lock(&self.dependencies).push(dependency.clone());
        dependency
    }

    /// Each dependency's name and condition, in the order they were added.
    #[must_use]
    pub fn conditions(&self) -> Vec<(&'static str, Condition)> {
        lock(&self.dependencies).iter().map(|dependency| (dependency.name, dependency.condition())).collect()
    }

    /// Whether nothing that the service needs is known to fail.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let failing = |dependency: &Dependency| matches!(dependency.condition(), Condition::Failing(_));
        !lock(&self.dependencies).iter().any(|dependency| dependency.needed && failing(dependency))
    }
}

impl Dependency {
    /// Notes how a call ended, and hands its result on.
    ///
    /// # Errors
    /// The call's own.
    pub fn observe<T>(&self, result: PortResult<T>) -> PortResult<T> {
        self.count(result.as_ref().map_or_else(|error| error.kind.name(), |_| "ok"));
        match &result {
            Ok(_) => self.note_success(),
            Err(error) if error.kind.concerns_all_calls() => self.note_failure(error),
            Err(_) => self.note_success(),
        }
        result
    }

    /// The condition as far as calls have shown it.
    #[must_use]
    pub fn condition(&self) -> Condition {
        let record = lock(&self.record);
        match (record.failing, record.observed_at) {
            (Some(kind), _) => Condition::Failing(kind),
            (None, Some(_)) => Condition::Working,
            (None, None) => Condition::Unknown,
        }
    }

    /// Asks by `probe` whenever nobody else has for a while, until `shutdown`: readiness stays true without work.
    pub async fn watch<F>(self, entropy: Entropy, shutdown: CancellationToken, probe: impl Fn() -> F)
    where
        F: Future<Output = PortResult<()>>,
    {
        loop {
            let idle = lock(&self.record).observed_at.is_none_or(|moment| moment.elapsed() >= PROBE_INTERVAL);
            if idle {
                // What it finds is noted by the adapter.
                let _ = probe().await;
            }
            let pause = entropy.jitter(PROBE_INTERVAL / 2);
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    fn count(&self, outcome: &'static str) {
        self.calls.get_or_create(&Call { dependency: self.name, outcome }).inc();
    }

    fn note_success(&self) {
        let mut record = lock(&self.record);
        record.observed_at = Some(Instant::now());
        let settled = record.failed_at.is_none_or(|moment| moment.elapsed() >= SETTLING_TIME);
        if settled && record.failing.take().is_some() {
            tracing::info!(dependency.name = self.name, "dependency works again");
        }
    }

    fn note_failure(&self, error: &PortError) {
        let mut record = lock(&self.record);
        let now = Instant::now();
        record.observed_at = Some(now);
        record.failed_at = Some(now);
        if record.failing.replace(error.kind) != Some(error.kind) {
            tracing::warn!(
                dependency.name = self.name,
                failure.kind = error.kind.name(),
                error.operation = error.operation,
                error.detail = error.detail,
                "dependency fails"
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

    #[tokio::test(start_paused = true)]
    async fn a_dependency_fails_at_the_first_failure_and_works_again_after_a_while_of_successes() {
        let health = Health::default();
        let table = health.needs("sales-table");
        assert_eq!((table.condition(), health.is_ready()), (Condition::Unknown, true));
        assert!(table.observe(Ok(())).is_ok());
        assert_eq!(table.condition(), Condition::Working);

        assert!(table.observe(failure(FailureKind::Missing)).is_err());
        assert_eq!((table.condition().name(), health.is_ready()), ("missing", false));
        assert!(table.observe(Ok(())).is_ok());
        assert_eq!(table.condition().name(), "missing", "one success among failures changes nothing");

        tokio::time::advance(SETTLING_TIME).await;
        assert!(table.observe(Ok(())).is_ok());
        assert_eq!((table.condition().name(), health.is_ready()), ("ok", true));
    }

    #[tokio::test]
    async fn a_refusal_of_one_call_says_nothing_about_the_dependency() {
        let health = Health::default();
        let queue = health.needs("queue");
        assert!(queue.observe(failure(FailureKind::Rejected)).is_err());
        assert_eq!(queue.condition(), Condition::Working);
    }

    #[tokio::test]
    async fn what_is_only_used_does_not_make_the_service_unready() {
        let health = Health::default();
        let switch = health.uses("site-state");
        assert!(switch.observe(failure(FailureKind::Unavailable)).is_err());
        assert_eq!(health.conditions(), [("site-state", Condition::Failing(FailureKind::Unavailable))]);
        assert!(health.is_ready());
    }
}
