//! This region's state, and the background task that keeps it up to date.
//!
//! Requests and messages never wait for the switch: they use the last known state. If it cannot be read, the last known
//! state remains; until the first read, the state is unknown, and everyone does what is safe then.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::entropy::Entropy;
use crate::ports::SiteSwitch;
use crate::region::Region;
use crate::site_state::SiteState;

/// Interval of reads of the state.
const REFRESH_INTERVAL: Duration = Duration::from_secs(5);

/// What is known of this region's state.
#[derive(Clone, Copy, Debug, Default)]
struct Knowledge {
    state: Option<SiteState>,
    learnt_at: Option<Instant>,
    asked: bool,
    activations: u64,
    activated_at: Option<Instant>,
}

/// This region and its last known state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Site {
    region: Region,
    knowledge: watch::Receiver<Knowledge>,
}

/// Keeps a [`Site`] up to date.
#[derive(Debug)]
pub struct SiteRefresh<S> {
    switch: S,
    entropy: Entropy,
    knowledge: watch::Sender<Knowledge>,
}

impl Site {
    /// A site without a known state, and the task that reads it from `switch`.
    pub fn new<S: SiteSwitch>(region: Region, switch: S, entropy: Entropy) -> (Self, SiteRefresh<S>) {
        let (sender, receiver) = watch::channel(Knowledge::default());
        (Self { region, knowledge: receiver }, SiteRefresh { switch, entropy, knowledge: sender })
    }

    /// The region of this process.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The last known state; `None` if it was never read.
    #[must_use]
    pub fn state(&self) -> Option<SiteState> {
        self.knowledge.borrow().state
    }

    /// Time since the state was last read; `None` if it never was.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.knowledge.borrow().learnt_at.map(|moment| moment.elapsed())
    }

    /// The home of what is accepted here and now: this region while it is ACTIVE, otherwise any ACTIVE one.
    #[must_use]
    pub fn home(&self) -> Option<Region> {
        (self.state() == Some(SiteState::Active)).then(|| self.region.clone())
    }

    /// Waits until the first read of the state has succeeded or failed.
    pub async fn asked_once(&self) {
        // An error means that the refresh has ended, so waiting longer is of no use.
        let _ = self.knowledge.clone().wait_for(|knowledge| knowledge.asked).await;
    }

    /// Number of changes of this region from PASSIVE to ACTIVE since this process began.
    #[must_use]
    pub fn activations(&self) -> u64 {
        self.knowledge.borrow().activations
    }

    /// Time since the last of them; `None` if there are none.
    #[must_use]
    pub fn activated_for(&self) -> Option<Duration> {
        self.knowledge.borrow().activated_at.map(|moment| moment.elapsed())
    }

    /// Waits until [`Site::activations`] is more than `seen`.
    pub async fn activated_since(&self, seen: u64) {
        if self.knowledge.clone().wait_for(|knowledge| knowledge.activations > seen).await.is_err() {
            std::future::pending().await
        }
    }
}

impl<S: SiteSwitch> SiteRefresh<S> {
    /// Reads the state at a constant interval, successfully or not, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        loop {
            self.refresh().await;
            let pause = self.entropy.jitter(REFRESH_INTERVAL);
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Reads the state once. The adapter reports a failure, once per change.
    async fn refresh(&self) {
        let answer = self.switch.read().await;
        let before = self.knowledge.borrow().state;
        self.knowledge.send_modify(|knowledge| {
            knowledge.asked = true;
            if let Ok(state) = answer {
                let now = Instant::now();
                if (before, state) == (Some(SiteState::Passive), SiteState::Active) {
                    knowledge.activations += 1;
                    knowledge.activated_at = Some(now);
                }
                knowledge.state = Some(state);
                knowledge.learnt_at = Some(now);
            }
        });
        let after = self.knowledge.borrow().state;
        if let Some(state) = after.filter(|_| before != after) {
            let from = before.map_or("UNKNOWN", SiteState::name);
            tracing::info!(site.state = state.name(), site.from = from, "site state changed");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::ports::{FailureKind, PortError, PortResult};

    /// A switch in memory with a settable state; `None` fails.
    #[derive(Clone)]
    struct FakeSwitch(Arc<Mutex<Option<SiteState>>>);

    impl SiteSwitch for FakeSwitch {
        async fn read(&self) -> PortResult<SiteState> {
            self.0.lock().unwrap().ok_or_else(|| PortError {
                operation: "GetParameter",
                kind: FailureKind::Unavailable,
                detail: "down".into(),
            })
        }
    }

    fn site(says: Option<SiteState>) -> (FakeSwitch, Site, SiteRefresh<FakeSwitch>) {
        let switch = FakeSwitch(Arc::new(Mutex::new(says)));
        let (site, refresh) = Site::new("sa-east-1".parse().unwrap(), switch.clone(), Entropy::system());
        (switch, site, refresh)
    }

    #[tokio::test]
    async fn nothing_is_known_before_the_first_answer() {
        let (_, site, refresh) = site(None);
        refresh.refresh().await;
        site.asked_once().await;
        assert_eq!((site.state(), site.age(), site.home()), (None, None, None));
    }

    #[tokio::test]
    async fn the_last_known_state_stays_while_the_switch_fails() {
        let (switch, site, refresh) = site(Some(SiteState::Active));
        refresh.refresh().await;
        *switch.0.lock().unwrap() = None;
        refresh.refresh().await;
        assert_eq!(site.state(), Some(SiteState::Active));
        assert_eq!(site.home(), Some("sa-east-1".parse().unwrap()));
        assert!(site.age().is_some());
    }

    #[tokio::test]
    async fn a_passive_site_is_no_home() {
        let (_, site, refresh) = site(Some(SiteState::Passive));
        refresh.refresh().await;
        assert_eq!(site.home(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_switch_is_asked_at_the_same_pace_while_it_fails() {
        let (switch, site, refresh) = site(None);
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(refresh.run(shutdown.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        *switch.0.lock().unwrap() = Some(SiteState::Passive);
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!((site.state(), site.activations()), (Some(SiteState::Passive), 0));
        *switch.0.lock().unwrap() = Some(SiteState::Active);
        assert_eq!(site.activated_for(), None);
        site.activated_since(0).await;
        assert_eq!(site.activated_for(), Some(Duration::ZERO));
        assert_eq!(site.state(), Some(SiteState::Active));
        shutdown.cancel();
        running.await.unwrap();
    }
}
