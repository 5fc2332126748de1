//! Health checks: about every second, over a new connection.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// The path that the accelerator's stand-in requests from each API.
pub(super) const PATH: &str = "/healthcheck";
/// Consecutive failures after which a region counts as unhealthy.
pub(super) const FAILURES_UNTIL_UNHEALTHY: u32 = 2;
const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndpointHealth {
    /// Not checked yet.
    Initial,
    /// The last check succeeded, or too few have failed since.
    Healthy {
        failures: u32,
    },
    Unhealthy,
}

impl EndpointHealth {
    pub(super) fn is_healthy(self) -> bool {
        matches!(self, Self::Healthy { .. })
    }

    /// The name in Global Accelerator.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Initial => "INITIAL",
            Self::Healthy { .. } => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }

    pub(super) fn after(self, succeeded: bool) -> Self {
        match (self, succeeded) {
            (_, true) => Self::Healthy { failures: 0 },
            (Self::Healthy { failures }, false) if failures + 1 < FAILURES_UNTIL_UNHEALTHY => {
                Self::Healthy { failures: failures + 1 }
            }
            (_, false) => Self::Unhealthy,
        }
    }
}

/// Requests `url` forever, and reports each result.
pub(crate) fn check(url: String, note: impl Fn(bool)) -> anyhow::Result<impl Future<Output = ()>> {
    // A new connection each time: an open one does not show whether new ones succeed.
    let client = crate::http_client::builder().timeout(TIMEOUT).pool_max_idle_per_host(0);
    let client = client.danger_accept_invalid_certs(true).build()?;
    Ok(async move {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            note(client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_is_forgiven_and_one_success_suffices() {
        let failed_once = EndpointHealth::Initial.after(true).after(false);
        assert_eq!(failed_once, EndpointHealth::Healthy { failures: 1 });
        assert_eq!(failed_once.after(true), EndpointHealth::Healthy { failures: 0 });
        assert_eq!(failed_once.after(false), EndpointHealth::Unhealthy);
        assert_eq!(EndpointHealth::Unhealthy.after(true), EndpointHealth::Healthy { failures: 0 });
        assert_eq!(EndpointHealth::Initial.after(false), EndpointHealth::Unhealthy);
    }
}
