//! Credentials, loaded outside of any call: cancelling a call does not cancel the loading.
//!
//! One load serves all callers. Known credentials are used until they expire; a connection in use loads the next ones
//! ahead of time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::health::Dependency;
use crate::ports::{FailureKind, PortError};

const OPERATION: &str = "load credentials";

/// Maximum time of a load, whatever its source: a sign-in command, a slow container agent.
const LOAD_TIME: Duration = Duration::from_secs(60);

/// Pause after a load, successful or not.
const REST: Duration = Duration::from_secs(1);

/// A load that takes longer is reported as a failing dependency: no call can proceed meanwhile.
const SOON: Duration = Duration::from_millis(300);

/// How long before their expiry credentials are replaced; or a quarter of the remaining time, if that is less.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// Minimum and maximum pause between two loads.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(15 * 60)];

/// A provider whose loads are shared by all callers. Cheap to clone; clones share the credentials.
#[derive(Clone)]
pub(super) struct KeptCredentials {
    source: SharedCredentialsProvider,
    clock: Clock,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// Time of the load, and the credentials.
    current: Option<(Instant, Credentials)>,
    loading: Option<Loading>,
    failed: Option<(Instant, Failure)>,
}

/// A load that several callers may await.
type Loading = Shared<BoxFuture<'static, Result<Credentials, Failure>>>;

/// Why there are none, for each caller.
type Failure = Arc<CredentialsError>;

impl KeptCredentials {
    /// Credentials from `source`, which is not called yet.
    #[must_use]
    pub(super) fn new(source: SharedCredentialsProvider, clock: Clock) -> Self {
        Self { source, clock, known: Arc::default() }
    }

    /// Loads ahead of time until `shutdown`, and reports to `dependency` whether there are any.
    pub(super) async fn keep(self, dependency: Dependency, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let loading = self.load();
            let loaded = match tokio::time::timeout(SOON, loading.clone()).await {
                Ok(loaded) => loaded,
                // Nor is it news if loading has failed before.
                Err(_) if self.valid().is_some() || failures > 0 => loading.await,
                Err(_) => {
                    let detail = "still loading".to_owned();
                    dependency.note_state(OPERATION, Err(failure(FailureKind::Unavailable, detail)));
                    loading.await
                }
            };
            let pause = match &loaded {
                Ok(credentials) => {
                    failures = 0;
                    dependency.note_state(OPERATION, Ok(()));
                    let Some(left) = self.left(credentials) else { return };
                    (left - AHEAD.min(left / 4)).clamp(PAUSES[0], PAUSES[1])
                }
                Err(error) => {
                    failures += 1;
                    let detail = super::failure::causes(&**error);
                    if self.valid().is_none() {
                        dependency.note_state(OPERATION, Err(failure(FailureKind::Denied, detail)));
                    } else {
                        tracing::info!(
                            error.detail = detail,
                            "credentials not renewed yet; those in use are still valid"
                        );
                    }
                    PAUSES[0] * 2_u32.pow(failures.min(4))
                }
            };
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// The current credentials, or the next ones loaded.
    async fn get(&self) -> provider::Result {
        let waited = {
            if let Some(credentials) = self.valid() {
                return Ok(credentials);
            }
            let failed = self.known().failed.clone();
            match failed {
                Some((moment, error)) if moment.elapsed() < REST => Err(error),
                Some(_) | None => Ok(self.load()),
            }
        };
        match waited {
            Ok(loading) => loading.await.map_err(|error| same(&error)),
            Err(error) => Err(same(&error)),
        }
    }

    /// The current load, or a new one.
    fn load(&self) -> Loading {
        let mut known = self.known();
        if let Some(loading) = &known.loading {
            return loading.clone();
        }
        let loader = self.clone();
        let load = tokio::spawn(async move {
            let loaded = tokio::time::timeout(LOAD_TIME, loader.source.provide_credentials()).await;
            let loaded = loaded.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOAD_TIME)));
            let loaded = loaded.map_err(Arc::new);
            let mut known = loader.known();
            known.loading = None;
            match &loaded {
                Ok(credentials) => (known.current, known.failed) = (Some((Instant::now(), credentials.clone())), None),
                Err(error) => known.failed = Some((Instant::now(), Arc::clone(error))),
            }
            drop(known);
            loaded
        });
        let loading = async { load.await.unwrap_or_else(|ended| Err(Arc::new(CredentialsError::unhandled(ended)))) };
        known.loading.insert(loading.boxed().shared()).clone()
    }

    /// The known credentials, unless expired. With clock skew, new ones look expired at once: they are used for a
    /// moment, so that not every call loads others.
    fn valid(&self) -> Option<Credentials> {
        let (loaded_at, current) = self.known().current.clone()?;
        let ended = self.left(&current).is_some_and(|left| left.is_zero());
        (!ended || loaded_at.elapsed() < REST).then_some(current)
    }

    /// Their remaining lifetime; `None` is forever.
    fn left(&self, credentials: &Credentials) -> Option<Duration> {
        let end = credentials.expiry()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(end.saturating_sub(self.clock.since_epoch()))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for KeptCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

impl fmt::Debug for KeptCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeptCredentials").field("source", &self.source).finish_non_exhaustive()
    }
}

fn failure(kind: FailureKind, detail: String) -> PortError {
    PortError { operation: OPERATION, kind, detail }
}

/// A copy of the error for each caller, of the same kind.
fn same(error: &Failure) -> CredentialsError {
    let cause = Arc::clone(error);
    match &**error {
        CredentialsError::CredentialsNotLoaded(_) => CredentialsError::not_loaded(cause),
        CredentialsError::ProviderTimedOut(_) => CredentialsError::provider_timed_out(LOAD_TIME),
        CredentialsError::InvalidConfiguration(_) => CredentialsError::invalid_configuration(cause),
        CredentialsError::ProviderError(_) => CredentialsError::provider_error(cause),
        _ => CredentialsError::unhandled(cause),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::health::Health;

    /// A source that takes a while, fails as often as configured, and counts its calls.
    #[derive(Clone, Debug)]
    struct Slow {
        takes: Duration,
        failures: usize,
        lasts: Option<Duration>,
        asked: Arc<AtomicUsize>,
    }

    impl Slow {
        fn new(takes: Duration, failures: usize, lasts: Option<Duration>) -> Self {
            Self { takes, failures, lasts, asked: Arc::default() }
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::Relaxed)
        }

        fn kept(&self) -> KeptCredentials {
            let began = Instant::now();
            KeptCredentials::new(SharedCredentialsProvider::new(self.clone()), Clock::new(move || began.elapsed()))
        }
    }

    impl ProvideCredentials for Slow {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            future::ProvideCredentials::new(async move {
                tokio::time::sleep(self.takes).await;
                if number < self.failures {
                    return Err(CredentialsError::not_loaded("no one is signed in"));
                }
                let end = self.lasts.map(|time| SystemTime::UNIX_EPOCH + time * u32::try_from(number + 1).unwrap());
                Ok(Credentials::new(format!("key-{number}"), "secret", None, end, "test"))
            })
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn calls_that_give_up_leave_the_load_to_the_next_ones() {
        let source = Slow::new(5 * SECOND, 0, None);
        let kept = source.kept();
        for _ in 0..4 {
            assert!(tokio::time::timeout(SECOND, kept.provide_credentials()).await.is_err());
        }
        let both = tokio::join!(kept.provide_credentials(), kept.provide_credentials());
        assert_eq!(both.0.unwrap().access_key_id(), "key-0");
        assert_eq!(both.1.unwrap().access_key_id(), "key-0");
        assert_eq!(source.asked(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_load_is_told_to_all_and_not_repeated_at_once() {
        let source = Slow::new(Duration::ZERO, 1, None);
        let kept = source.kept();
        for _ in 0..3 {
            let error = kept.provide_credentials().await.unwrap_err();
            assert!(matches!(error, CredentialsError::CredentialsNotLoaded(_)), "{error}");
        }
        assert_eq!(source.asked(), 1);
        tokio::time::advance(REST).await;
        assert!(kept.provide_credentials().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_that_seem_to_have_ended_are_not_loaded_for_each_call() {
        let source = Slow::new(Duration::ZERO, 0, Some(Duration::ZERO));
        let kept = source.kept();
        tokio::time::advance(SECOND).await;
        for _ in 0..20 {
            assert!(kept.provide_credentials().await.is_ok());
            tokio::time::advance(SECOND / 10).await;
        }
        assert!((2..=3).contains(&source.asked()), "asked {} times in two seconds", source.asked());
    }

    #[tokio::test(start_paused = true)]
    async fn credentials_are_replaced_ahead_of_their_end_and_nobody_waits() {
        let source = Slow::new(SECOND, 0, Some(Duration::from_secs(3_600)));
        let kept = source.kept();
        let credentials = Health::default().needs("credentials");
        let keeping = tokio::spawn(kept.clone().keep(credentials.clone(), CancellationToken::new()));
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_secs(120)).await;
            assert!(tokio::time::timeout(Duration::from_millis(1), kept.provide_credentials()).await.is_ok());
            assert_eq!(credentials.condition().name(), "ok");
        }
        keeping.abort();
        assert!((2..20).contains(&source.asked()), "asked {} times in two hours", source.asked());
    }

    #[tokio::test(start_paused = true)]
    async fn while_there_are_none_the_dependency_fails_and_then_it_does_not() {
        let source = Slow::new(SECOND, 2, None);
        let health = Health::default();
        let credentials = health.needs("credentials");
        let keeping = tokio::spawn(source.kept().keep(credentials.clone(), CancellationToken::new()));
        tokio::time::sleep(2 * SOON).await;
        assert_eq!((credentials.condition().name(), health.is_ready()), ("unavailable", false));
        tokio::time::sleep(SECOND).await;
        assert_eq!(credentials.condition().name(), "denied");
        keeping.await.unwrap();
        assert_eq!((credentials.condition().name(), health.is_ready()), ("ok", true));
        assert_eq!(source.asked(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_loads_that_fail_one_after_the_other_are_told_once() {
        let source = Slow::new(2 * SECOND, 3, None);
        let credentials = Health::default().needs("credentials");
        let keeping = tokio::spawn(source.kept().keep(credentials.clone(), CancellationToken::new()));
        let mut seen = vec![credentials.condition().name()];
        while !keeping.is_finished() {
            tokio::time::sleep(SOON / 3).await;
            seen.push(credentials.condition().name());
        }
        seen.dedup();
        assert_eq!(seen, ["unknown", "unavailable", "denied", "ok"]);
    }
}
