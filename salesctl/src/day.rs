//! UTC days, the partitions of the lake.

use std::{fmt, str::FromStr};

use sales::{
    clock::{Clock, Timestamp},
    journal::Hour,
};
use thiserror::Error;
use time::{Date, OffsetDateTime, macros::format_description};

/// A UTC day between 1970 and 9999, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Day(Date);

/// Text that is not a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected YYYY-MM-DD from 1970 on, today, or yesterday (UTC)")]
pub(crate) struct InvalidDay;

impl Day {
    /// The day of a moment.
    pub(crate) fn of(moment: Timestamp) -> Self {
        let date = OffsetDateTime::from_unix_timestamp(moment.unix_seconds()).map(OffsetDateTime::date);
        Self(date.unwrap_or(Date::MIN))
    }

    /// Reads `YYYY-MM-DD`, as the journal's keys have it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        (day.year() >= 1970).then_some(Self(day))
    }

    /// Its first second.
    pub(crate) fn first_second(self) -> i64 {
        self.0.midnight().assume_utc().unix_timestamp()
    }

    /// Its last second.
    pub(crate) fn last_second(self) -> i64 {
        self.first_second() + 24 * 60 * 60 - 1
    }

    /// Its hours, the folders of the journal.
    pub(crate) fn hours(self) -> impl Iterator<Item = Hour> {
        (0..24)
            .filter_map(move |hour| Some(Hour::of(Timestamp::from_unix_seconds(self.first_second() + hour * 3_600)?)))
    }

    /// Each day from this one to `last`, both inclusive.
    pub(crate) fn to(self, last: Self) -> impl Iterator<Item = Self> {
        std::iter::successors(Some(self.0), |day| day.next_day()).take_while(move |day| *day <= last.0).map(Self)
    }
}

impl FromStr for Day {
    type Err = InvalidDay;

    fn from_str(text: &str) -> Result<Self, InvalidDay> {
        let today = Self::of(Clock::system().now());
        match text {
            "today" => Ok(today),
            "yesterday" => today.0.previous_day().map(Self).ok_or(InvalidDay),
            date => Self::parse(date).ok_or(InvalidDay),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_read_as_it_is_written() {
        assert_eq!(day("2024-02-29").to_string(), "2024-02-29");
        for wrong in ["", "2023-02-29", "2024-2-9", "2024-02-29 ", "29.02.2024", "1969-12-31", "tomorrow"] {
            assert_eq!(wrong.parse::<Day>(), Err(InvalidDay), "{wrong:?}");
        }
        // In this order, since midnight may come between them.
        let [yesterday, today] = ["yesterday", "today"].map(|word| word.parse::<Day>().unwrap());
        assert!(today > yesterday);
    }

    #[test]
    fn a_day_has_the_seconds_that_the_lake_counts_to_it() {
        let last_of_november = day("2025-11-30");
        for second in [last_of_november.first_second(), last_of_november.last_second()] {
            let moment = Timestamp::from_unix_seconds(second).unwrap();
            assert_eq!((moment.day(), Day::of(moment)), ("2025-11-30".to_owned(), last_of_november));
        }
        assert_eq!(
            Day::of(Timestamp::from_unix_seconds(last_of_november.last_second() + 1).unwrap()),
            day("2025-12-01")
        );
    }

    #[test]
    fn days_follow_each_other_over_months() {
        let days: Vec<_> = day("2025-11-30").to(day("2025-12-01")).collect();
        assert_eq!(days, [day("2025-11-30"), day("2025-12-01")]);
        assert_eq!(day("2025-12-01").to(day("2025-11-30")).count(), 0);
        let hours: Vec<String> = day("2025-11-30").hours().map(Hour::prefix).collect();
        assert_eq!((hours.len(), hours[23].as_str()), (24, "journal/dt=2025-11-30/hour=23/"));
    }
}
