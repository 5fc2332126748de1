//! An issuer and its keys, and the background task that keeps them up to date.
//!
//! Requests never wait for an issuer: they use the last keys. If these cannot be fetched, they stay, and a task that starts
//! meanwhile finds them in the store. Until there are any, no token of the issuer can be verified.

use std::sync::Arc;
use std::time::Duration;

use sales::entropy::Entropy;
use sales::health::Dependency;
use sales::ports::KeyStore;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::fetch::{DEADLINE, Fetcher, OPERATION, Source};
use super::keys::KeySet;

/// Interval of fetches. With its jitter, and the time that a fetch takes, a new key is known within a minute.
const INTERVAL: Duration = Duration::from_secs(42);

const _: () = assert!(INTERVAL.as_secs() * 6 / 5 + DEADLINE.as_secs() < 60, "a new key is known within a minute");

/// Pauses between the first fetches while there are no keys.
const FIRST_PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(5)];

/// The pause between later ones.
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// The least time between two fetches because of unknown keys: anyone can send tokens that name keys that do not exist.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(60);

/// An issuer whose tokens are accepted.
pub struct Issuer {
    name: Arc<str>,
    keys: watch::Receiver<Option<Arc<KeySet>>>,
    unknown_key: Arc<Notify>,
}

impl Issuer {
    /// An issuer whose keys never change.
    #[must_use]
    pub fn with_keys(name: &str, keys: KeySet) -> Self {
        let (_, keys) = watch::channel(Some(Arc::new(keys)));
        Self { name: name.into(), keys, unknown_key: Arc::default() }
    }

    /// Its name, the `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its last known keys; `None` if they were never known.
    #[must_use]
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        self.keys.borrow().clone()
    }

    /// Says that a token names a key that is not known. The keys may be fetched soon.
    pub fn miss_key(&self) {
        self.unknown_key.notify_one();
    }

    /// Waits until there are keys.
    pub async fn known(&self) {
        // An error means that the refresh has ended, so waiting longer is of no use.
        let _ = self.keys.clone().wait_for(Option::is_some).await;
    }
}

/// Keeps the keys of an [`Issuer`] up to date.
pub struct KeyRefresh<K> {
    name: Arc<str>,
    source: Source,
    keys: watch::Sender<Option<Arc<KeySet>>>,
    unknown_key: Arc<Notify>,
    fetcher: Fetcher,
    store: K,
    dependency: Dependency,
    entropy: Entropy,
    /// What the store holds, as far as it is known.
    stored: Option<String>,
    /// When a fetch last began because of an unknown key.
    missed_at: Option<Instant>,
}

impl<K: KeyStore> KeyRefresh<K> {
    /// An issuer without known keys, and the task that fetches them and keeps them in `store`.
    pub fn new(
        name: &str,
        source: Source,
        fetcher: Fetcher,
        store: K,
        dependency: Dependency,
        entropy: Entropy,
    ) -> (Issuer, Self) {
        let (sender, receiver) = watch::channel(None);
        let (name, unknown_key): (Arc<str>, _) = (name.into(), Arc::new(Notify::new()));
        let issuer = Issuer { name: name.clone(), keys: receiver, unknown_key: unknown_key.clone() };
        let (stored, missed_at) = (None, None);
        let refresh =
            Self { name, source, keys: sender, unknown_key, fetcher, store, dependency, entropy, stored, missed_at };
        (issuer, refresh)
    }

    /// Fetches the keys, successfully or not, again and again until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let fetching = async {
            let mut pauses = FIRST_PAUSES.into_iter();
            loop {
                self.refresh().await;
                let has_keys = self.keys.borrow().is_some();
                self.wait(if has_keys { INTERVAL } else { pauses.next().unwrap_or(LAST_PAUSE) }).await;
            }
        };
        shutdown.run_until_cancelled(fetching).await;
    }

    async fn refresh(&mut self) {
        if self.keys.borrow().is_none() {
            self.load().await;
        }
        let fetched = self.fetcher.keys(&self.name, &self.source).await;
        // The dependency reports a failure, once per change.
        if let Ok(keys) = self.dependency.observe(OPERATION, fetched) {
            let text = keys.as_json().to_owned();
            self.publish(keys);
            self.save(text).await;
        }
    }

    /// The next fetch is after `pause`, or earlier for an unknown key.
    async fn wait(&mut self, pause: Duration) {
        let regular = sleep(self.entropy.jitter(pause));
        tokio::pin!(regular);
        loop {
            tokio::select! {
                () = &mut regular => return,
                () = self.unknown_key.notified() => {
                    if self.missed_at.is_none_or(|moment| moment.elapsed() >= UNKNOWN_KEY_INTERVAL) {
                        self.missed_at = Some(Instant::now());
                        return;
                    }
                }
            }
        }
    }

    /// Takes the keys that another task has left. The store's dependency reports a failure.
    async fn load(&mut self) {
        let Ok(Some(text)) = self.store.load(&self.name).await else { return };
        if let Ok(keys) = KeySet::parse(text.as_bytes()) {
            self.publish(keys);
        }
        self.stored = Some(text);
    }

    async fn save(&mut self, text: String) {
        if self.stored.as_ref() != Some(&text) && self.store.save(&self.name, &text).await.is_ok() {
            self.stored = Some(text);
        }
    }

    fn publish(&self, keys: KeySet) {
        let count = keys.len();
        let changed = self.keys.send_if_modified(|known| {
            let is_new = known.as_deref() != Some(&keys);
            if is_new {
                *known = Some(Arc::new(keys));
            }
            is_new
        });
        if changed {
            tracing::info!(issuer.name = &*self.name, issuer.keys = count, "keys of issuer changed");
        }
    }
}
