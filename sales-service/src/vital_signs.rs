//! Vital signs: one line per minute in the log, the source of alarms where nothing scrapes the metrics.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use sales::site::Site;
use sales::site_state::SiteState;

/// By then, the state has been read and the backlog measured, if all is well.
const FIRST_AFTER: Duration = Duration::from_secs(5);

/// Interval of the lines: the alarms' period.
const INTERVAL: Duration = Duration::from_secs(60);

/// The pending facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Number of sales and cancellations.
    pub facts: u64,
    /// Time since the oldest was accepted; zero if there are none, `None` if unknown.
    pub oldest_age: Option<Duration>,
}

/// Logs a line per minute until `shutdown`. Unknown values are left out; `owed` returns `None` for them. `sign_in` is whether
/// clients sign in, where a service has clients.
pub async fn log(
    site: Site,
    sign_in: Option<&'static str>,
    owed: impl Fn() -> Option<Owed>,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval_at(Instant::now() + FIRST_AFTER, INTERVAL);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let owed = owed();
        // The metric filters of the log use these names.
        tracing::info!(
            state = site.state().map_or("UNKNOWN", SiteState::name),
            state_age_seconds = site.age().map(|age| age.as_secs()),
            sign_in,
            pending = owed.map(|owed| owed.facts),
            pending_oldest_age_seconds = owed.and_then(|owed| owed.oldest_age).map(|age| age.as_secs()),
            "vital signs"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::*;
    use sales::entropy::Entropy;
    use sales::ports::{FailureKind, PortError, PortResult, SiteSwitch};

    /// Responds once, and never again.
    #[derive(Clone, Default)]
    struct OnceActive(Arc<Mutex<bool>>);

    impl SiteSwitch for OnceActive {
        async fn read(&self) -> PortResult<SiteState> {
            let answered = std::mem::replace(&mut *self.0.lock().unwrap(), true);
            let kind = FailureKind::Unavailable;
            let error = PortError { operation: "GetParameter", kind, detail: "down".into() };
            if answered { Err(error) } else { Ok(SiteState::Active) }
        }
    }

    /// A log in memory.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        /// Its vital signs, without timestamps.
        fn vital_signs(&self) -> Vec<Value> {
            let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut lines: Vec<Value> = lines.filter(|line| line["message"] == "vital signs").collect();
            lines.iter_mut().for_each(|line| drop(line.as_object_mut().unwrap().remove("timestamp")));
            lines
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_a_minute_says_what_is_known_and_leaves_out_what_is_not() {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_target(false);
        let lines = lines.with_writer(move || writer.clone()).finish();
        let _until_the_end = tracing::subscriber::set_default(lines);

        let (site, refresh) = Site::new("sa-east-1".parse().unwrap(), OnceActive::default(), Entropy::system());
        let (shutdown, owed) = (CancellationToken::new(), Arc::new(Mutex::new(None)));
        let measured = owed.clone();
        let logging = tokio::spawn(super::log(site, None, move || *measured.lock().unwrap(), shutdown.clone()));

        tokio::time::sleep(Duration::from_secs(6)).await;
        let refreshing = tokio::spawn(refresh.run(shutdown.clone()));
        *owed.lock().unwrap() = Some(Owed { facts: 3, oldest_age: Some(Duration::from_secs(40)) });
        tokio::time::sleep(Duration::from_secs(60)).await;
        *owed.lock().unwrap() = Some(Owed { facts: 0, oldest_age: Some(Duration::ZERO) });
        tokio::time::sleep(Duration::from_secs(60)).await;

        shutdown.cancel();
        logging.await.unwrap();
        refreshing.await.unwrap();
        let signs = |state_age: u64, pending: u64, oldest_age: u64| {
            json!({"level": "INFO", "message": "vital signs", "state": "ACTIVE", "state_age_seconds": state_age,
                "pending": pending, "pending_oldest_age_seconds": oldest_age})
        };
        let nothing_known = json!({"level": "INFO", "message": "vital signs", "state": "UNKNOWN"});
        assert_eq!(log.vital_signs(), [nothing_known, signs(59, 3, 40), signs(119, 0, 0)]);
    }
}
