//! The only place that reads the clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment in whole seconds since 1970-01-01T00:00:00Z, within the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

impl Timestamp {
    /// The moment `seconds` after the epoch; `None` before 1970 or after 9999, where years do not have four digits.
    #[must_use]
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        if seconds < 0 {
            return None;
        }
        let moment = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        (moment.year() <= 9999).then_some(Self(moment))
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.unix_timestamp()
    }

    /// The UTC day as `YYYY-MM-DD`, the partition of the lake.
    #[must_use]
    pub fn day(self) -> String {
        self.0.date().to_string()
    }

    /// RFC 3339 in UTC, as CloudEvents requires.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.0.format(&Rfc3339).unwrap_or_default()
    }

    /// Parses RFC 3339, such as `2025-11-30T23:59:59Z`; `None` for anything else.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        Self::from_unix_seconds(OffsetDateTime::parse(text, &Rfc3339).ok()?.unix_timestamp())
    }

    /// Time since `earlier`, in whole seconds; zero if that is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.unix_seconds() - earlier.unix_seconds()).unwrap_or(0))
    }

    /// This moment minus `by`, but not before the epoch.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        Self::from_unix_seconds(self.unix_seconds().saturating_sub(seconds)).unwrap_or(Self(OffsetDateTime::UNIX_EPOCH))
    }

    /// This moment plus `by`; unchanged if that would pass the year 9999.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        let seconds = i64::try_from(by.as_secs()).unwrap_or(i64::MAX);
        Self::from_unix_seconds(self.unix_seconds().saturating_add(seconds)).unwrap_or(self)
    }
}

/// Tells the time; passed as an argument, so that a test or a simulation can set it.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is given")]
        Self::new(|| SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// A clock that reads the time since the epoch from `tell`.
    pub fn new(tell: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Time since the epoch.
    #[must_use]
    pub fn since_epoch(&self) -> Duration {
        (self.0)()
    }

    /// The current time in whole seconds.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let seconds = i64::try_from(self.since_epoch().as_secs()).unwrap_or(0);
        Timestamp::from_unix_seconds(seconds).unwrap_or(Timestamp(OffsetDateTime::UNIX_EPOCH))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({:?})", self.since_epoch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_the_utc_day_of_its_second() {
        let last_second = Timestamp::from_unix_seconds(1_764_547_199).unwrap();
        let midnight = Timestamp::from_unix_seconds(1_764_547_200).unwrap();
        assert_eq!((last_second.day(), midnight.day()), ("2025-11-30".into(), "2025-12-01".into()));
        assert_eq!(midnight.rfc3339(), "2025-12-01T00:00:00Z");
    }

    #[test]
    fn moments_without_a_four_digit_year_do_not_exist() {
        assert_eq!(Timestamp::from_unix_seconds(-1), None);
        assert_eq!(Timestamp::from_unix_seconds(253_402_300_800), None);
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), None);
        assert!(Timestamp::from_unix_seconds(253_402_300_799).is_some());
    }

    #[test]
    fn a_moment_moves_no_further_back_than_the_epoch() {
        let moment = Timestamp::from_unix_seconds(10).unwrap();
        assert_eq!(moment.minus(Duration::from_secs(30)).unix_seconds(), 0);
        let later = moment.plus(Duration::from_secs(30));
        assert_eq!(later.unix_seconds(), 40);
        assert_eq!((later.since(moment), moment.since(later)), (Duration::from_secs(30), Duration::ZERO));
    }
}
