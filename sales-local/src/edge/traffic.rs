//! Which region gets a connection: the dials, the health, and the choice by both.

use std::net::SocketAddr;

use tokio::sync::watch;

use super::Backend;

/// How many health checks in a row must fail until a region counts as unhealthy.
pub(super) const FAILURES_UNTIL_UNHEALTHY: u32 = 2;

/// A traffic dial: the share of its traffic that a region gets, 0 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Dial(f32);

impl Dial {
    /// No traffic.
    pub const OFF: Self = Self(0.0);
    /// All of its traffic.
    pub const FULL: Self = Self(100.0);

    /// The dial at `percent`, if that is a percentage.
    pub fn new(percent: f32) -> Option<Self> {
        (0.0..=100.0).contains(&percent).then_some(Self(percent))
    }

    /// In percent.
    pub fn percent(self) -> f32 {
        self.0
    }
}

/// What the edge knows of one region.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The AWS name of the region.
    pub region: String,
    /// Where its API listens.
    pub address: SocketAddr,
    /// Its traffic dial.
    pub dial: Dial,
    health: Health,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Never checked yet.
    Initial,
    /// The last check succeeded, or fewer than it takes have failed since.
    Healthy {
        failures: u32,
    },
    Unhealthy,
}

impl Health {
    fn after(self, succeeded: bool) -> Self {
        match (self, succeeded) {
            (_, true) => Self::Healthy { failures: 0 },
            (Self::Healthy { failures }, false) if failures + 1 < FAILURES_UNTIL_UNHEALTHY => {
                Self::Healthy { failures: failures + 1 }
            }
            (_, false) => Self::Unhealthy,
        }
    }
}

impl Endpoint {
    /// Whether its health check succeeds.
    pub fn is_healthy(&self) -> bool {
        matches!(self.health, Health::Healthy { .. })
    }

    /// In the words of Global Accelerator.
    pub(super) fn health_state(&self) -> &'static str {
        match self.health {
            Health::Initial => "INITIAL",
            Health::Healthy { .. } => "HEALTHY",
            Health::Unhealthy => "UNHEALTHY",
        }
    }
}

/// The endpoints, shared by all that reads and changes them.
#[derive(Debug, Clone)]
pub(super) struct Traffic {
    endpoints: watch::Sender<Vec<Endpoint>>,
}

impl Traffic {
    pub(super) fn new(backends: Vec<Backend>) -> Self {
        let endpoints = backends.into_iter().map(|Backend { region, address, dial }| Endpoint {
            region,
            address,
            dial,
            health: Health::Initial,
        });
        Self { endpoints: watch::Sender::new(endpoints.collect()) }
    }

    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.borrow().clone()
    }

    pub(super) fn set_dial(&self, position: usize, dial: Dial) {
        self.endpoints.send_modify(|endpoints| endpoints[position].dial = dial);
    }

    pub(super) fn record_check(&self, position: usize, succeeded: bool) {
        self.endpoints.send_modify(|endpoints| {
            let endpoint = &mut endpoints[position];
            endpoint.health = endpoint.health.after(succeeded);
        });
    }

    pub(super) async fn wait_for(&self, condition: impl FnMut(&Vec<Endpoint>) -> bool) {
        // It fails only when the sender is gone, which `self` is.
        drop(self.endpoints.subscribe().wait_for(condition).await);
    }

    /// The addresses to try for a new connection, the first being the choice.
    pub(super) fn route(&self) -> Vec<SocketAddr> {
        let endpoints = self.endpoints.borrow();
        let candidates: Vec<_> = endpoints.iter().map(|endpoint| (endpoint.is_healthy(), endpoint.dial)).collect();
        let order = order(&candidates, || rand::random_range(0.0..1.0));
        order.into_iter().map(|position| endpoints[position].address).collect()
    }
}

/// The order in which to try endpoints of the given health and dial.
///
/// First the healthy ones with a dial, drawn one after the other with their dials as weights; then the healthy ones
/// whose dial is off; never an unhealthy one. `draw` gives numbers from 0 up to, but without, 1.
fn order(endpoints: &[(bool, Dial)], mut draw: impl FnMut() -> f32) -> Vec<usize> {
    let healthy = (0..endpoints.len()).filter(|&position| endpoints[position].0);
    let (mut dialled, mut off): (Vec<_>, Vec<_>) = healthy.partition(|&position| endpoints[position].1 > Dial::OFF);
    let mut order = Vec::with_capacity(endpoints.len());
    while !dialled.is_empty() {
        let total: f32 = dialled.iter().map(|&position| endpoints[position].1.percent()).sum();
        let mut rest = draw() * total;
        let chosen = dialled.iter().position(|&position| {
            rest -= endpoints[position].1.percent();
            rest < 0.0
        });
        order.push(dialled.remove(chosen.unwrap_or(dialled.len() - 1)));
    }
    order.append(&mut off);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(percent: f32) -> Dial {
        Dial::new(percent).expect("a percentage")
    }

    fn order_of(endpoints: &[(bool, f32)], draws: &[f32]) -> Vec<usize> {
        let endpoints: Vec<_> = endpoints.iter().map(|&(healthy, percent)| (healthy, dial(percent))).collect();
        let mut draws = draws.iter().copied();
        order(&endpoints, || draws.next().expect("another draw"))
    }

    #[test]
    fn a_dial_is_a_percentage() {
        assert_eq!(Dial::new(33.5).map(Dial::percent), Some(33.5));
        for percent in [-1.0, 100.1, f32::NAN] {
            assert_eq!(Dial::new(percent), None);
        }
    }

    #[test]
    fn the_dials_are_weights() {
        let endpoints = [(true, 100.0), (true, 25.0)];
        assert_eq!(order_of(&endpoints, &[0.0, 0.0]), [0, 1]);
        assert_eq!(order_of(&endpoints, &[0.79, 0.0]), [0, 1]);
        assert_eq!(order_of(&endpoints, &[0.81, 0.0]), [1, 0]);
        assert_eq!(order_of(&endpoints, &[0.999_999, 0.0]), [1, 0]);
    }

    #[test]
    fn a_region_whose_dial_is_off_comes_last() {
        for draw in [0.0, 0.5, 0.999_999] {
            assert_eq!(order_of(&[(true, 0.0), (true, 1.0)], &[draw]), [1, 0]);
        }
    }

    #[test]
    fn the_dials_are_ignored_when_no_region_they_favour_is_healthy() {
        assert_eq!(order_of(&[(false, 100.0), (true, 0.0)], &[]), [1]);
        assert_eq!(order_of(&[(true, 0.0), (true, 0.0)], &[]), [0, 1]);
    }

    #[test]
    fn an_unhealthy_region_gets_nothing() {
        assert_eq!(order_of(&[(false, 100.0), (true, 1.0)], &[0.0]), [1]);
        assert_eq!(order_of(&[(false, 100.0), (false, 100.0)], &[]), [0; 0]);
    }

    #[test]
    fn one_failed_check_is_forgiven_and_one_success_suffices() {
        let failed_once = Health::Initial.after(true).after(false);
        assert_eq!(failed_once, Health::Healthy { failures: 1 });
        assert_eq!(failed_once.after(true), Health::Healthy { failures: 0 });
        assert_eq!(failed_once.after(false), Health::Unhealthy);
        assert_eq!(Health::Unhealthy.after(true), Health::Healthy { failures: 0 });
        assert_eq!(Health::Initial.after(false), Health::Unhealthy);
    }
}
