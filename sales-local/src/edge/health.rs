//! The health checks: `GET /healthcheck` of each API, about every second.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::traffic::Traffic;

pub(super) const PATH: &str = "/healthcheck";
pub(super) const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(2);

/// Checks one endpoint for ever.
pub(super) fn watch(traffic: Traffic, position: usize) -> anyhow::Result<impl Future<Output = ()> + use<>> {
    // A new connection each time: one that is open says nothing about whether others still get in.
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).pool_max_idle_per_host(0).build()?;
    let url = format!("http://{}{PATH}", traffic.endpoints()[position].address);
    Ok(async move {
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let succeeded = client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success());
            traffic.record_check(position, succeeded);
        }
    })
}
