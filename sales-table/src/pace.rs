//! How soon what comes into the journal is in the table.
//!
//! Late facts lie in the hour of their sale, so every hour is looked at for ever, and the less often the older it is: late
//! facts are late by then, and a look costs a call for each thousand objects.

use std::time::Duration;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Age up to which hours are looked at one by one.
pub const YOUNG_HOURS: i64 = 26;

/// A usual fold, the wait of a cancellation for a large file, and some patience.
const FOLD: i64 = 20 * MINUTE;

/// Seconds between two looks at an hour of this age; zero for one at every fold. Older than [`YOUNG_HOURS`], it is looked at
/// with its day.
#[must_use]
pub fn interval_of_hour(age: i64) -> i64 {
    if age < 3 * HOUR { 0 } else { 10 * MINUTE }
}

/// Seconds between two looks at a day that ended this long ago.
#[must_use]
pub fn interval_of_day(age: i64) -> i64 {
    match age {
        age if age < 8 * DAY => HOUR,
        age if age < 90 * DAY => DAY,
        _ => 7 * DAY,
    }
}

/// The time after which what has come into the hour that began `age` seconds ago is in the table, if a builder is at work.
#[must_use]
pub fn longest_wait(age: i64) -> Duration {
    let interval = if age < YOUNG_HOURS * HOUR { interval_of_hour(age) } else { interval_of_day(age) };
    Duration::from_secs((interval + FOLD).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_older_an_hour_the_longer_what_comes_late_may_take() {
        let ages = [-HOUR, 0, 4 * HOUR, 2 * DAY, 30 * DAY, 400 * DAY];
        let minutes = ages.map(|age| longest_wait(age).as_secs() / 60);
        assert_eq!(minutes, [20, 20, 30, 80, 24 * 60 + 20, 7 * 24 * 60 + 20]);
    }
}
