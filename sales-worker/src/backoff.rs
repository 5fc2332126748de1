//! Pauses before retries.

use std::time::Duration;

/// Pauses that double from `first` to `longest`.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// First pause.
    pub first: Duration,
    /// Longest pause.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after `failures` consecutive failures; none after none.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        match failures.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => self.first.saturating_mul(2_u32.saturating_pow(doublings)).min(self.longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let backoff = Backoff { first: Duration::from_secs(2), longest: Duration::from_secs(900) };
        let seconds: Vec<u64> = [0, 1, 2, 3, 9, 10, 1000].map(|failures| backoff.after(failures).as_secs()).into();
        assert_eq!(seconds, [0, 2, 4, 8, 512, 900, 900]);
    }
}
