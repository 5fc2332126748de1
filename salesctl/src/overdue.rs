//! When a pending item is overdue. One rule for all commands: older than the configured grace period plus the time that
//! a sweep may take.

use std::time::Duration;

/// A dead worker holds its shards for up to 30 s. A sweep comes every 5 s, and after failures every 20 s. The rest of
/// the minute is for the work.
pub(crate) const SWEEP: Duration = Duration::from_secs(60);

/// The ages from which the sweep, rather than the message, processes an item, and from which it is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overdue {
    grace: Duration,
}

/// Standing of a pending item, by its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Its message should be processed.
    Fresh,
    /// The next sweep should process it.
    Due,
    /// Neither has processed it.
    Overdue,
}

impl Overdue {
    /// The rule for workers with this `PENDING_GRACE_SECONDS`.
    pub(crate) const fn with_grace(seconds: u16) -> Self {
        Self { grace: Duration::from_secs(seconds as u64) }
    }

    /// The age above which it is overdue.
    pub(crate) fn limit(self) -> Duration {
        self.grace + SWEEP
    }

    /// The standing at this age.
    pub(crate) fn standing(self, age: Duration) -> Standing {
        match age {
            age if age > self.limit() => Standing::Overdue,
            age if age > self.grace => Standing::Due,
            _ => Standing::Fresh,
        }
    }

    /// Whether an item of this age is overdue.
    pub(crate) fn is_overdue(self, age: Duration) -> bool {
        self.standing(age) == Standing::Overdue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_sweep_should_have_brought_is_overdue() {
        for (grace, age, standing) in [
            (30, 30, Standing::Fresh),
            (30, 31, Standing::Due),
            (30, 90, Standing::Due),
            (30, 91, Standing::Overdue),
            (300, 91, Standing::Fresh),
            (300, 361, Standing::Overdue),
        ] {
            assert_eq!(Overdue::with_grace(grace).standing(Duration::from_secs(age)), standing, "{grace} {age}");
        }
    }
}
