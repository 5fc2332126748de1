//! The only place that draws random numbers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use uuid::Uuid;

use crate::clock::Clock;

/// A source of random bytes; passed as an argument, so that a simulation can seed it.
#[derive(Clone)]
pub struct Entropy(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) + Send + Sync;

impl Entropy {
    /// A cryptographic generator, seeded by the operating system.
    #[must_use]
    pub fn system() -> Self {
        Self::new(|bytes| rand::rng().fill(bytes))
    }

    /// A source that fills buffers as `fill` does.
    pub fn new(fill: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.0)(&mut bytes);
        bytes
    }

    /// A new UUIDv7: ids made later sort later.
    #[must_use]
    pub fn uuid_v7(&self, clock: &Clock) -> Uuid {
        let millis = u64::try_from(clock.since_epoch().as_millis()).unwrap_or(u64::MAX);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }

    /// `duration` changed by up to a fifth in either direction, so that many tasks do not act in step.
    #[must_use]
    pub fn jitter(&self, duration: Duration) -> Duration {
        let fraction = f64::from(u16::from_le_bytes(self.bytes())) / f64::from(u16::MAX);
        duration.mul_f64(0.8 + 0.4 * fraction)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_fifth() {
        let second = Duration::from_secs(1);
        let lowest = Entropy::new(|bytes| bytes.fill(0)).jitter(second);
        let highest = Entropy::new(|bytes| bytes.fill(255)).jitter(second);
        assert_eq!((lowest, highest), (Duration::from_millis(800), Duration::from_millis(1200)));
    }

    #[test]
    fn ids_made_later_sort_later() {
        let early = Clock::new(|| Duration::from_millis(1_000));
        let late = Clock::new(|| Duration::from_millis(1_001));
        let entropy = Entropy::system();
        assert!(entropy.uuid_v7(&early) < entropy.uuid_v7(&late));
    }
}
