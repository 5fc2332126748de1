//! When the builder looks where for new objects of the journal.
//!
//! Facts lie in the hour of their sale, however late they come. So every hour is looked at for ever, and the less often the
//! older it is: late facts are late by then, and a look costs a call for each thousand objects.

use std::collections::{BTreeMap, BTreeSet};

use sales::journal::FOLDER;

use crate::row::{DAY, day_name};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// A part of the journal that is listed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The folders of the journal: which days there are.
    Days,
    /// A day, counted from the epoch.
    Day(i64),
    /// An hour, counted from the epoch.
    Hour(i64),
}

impl Place {
    /// The prefix of its keys.
    #[must_use]
    pub fn prefix(self) -> String {
        match self {
            Self::Days => FOLDER.to_owned(),
            Self::Day(day) => format!("{FOLDER}dt={}/", day_name(day)),
            Self::Hour(hour) => {
                format!("{FOLDER}dt={}/hour={:02}/", day_name(hour.div_euclid(24)), hour.rem_euclid(24))
            }
        }
    }

    /// Time between two looks, in seconds; zero for one at every fold.
    fn interval(self, now: i64) -> i64 {
        match self {
            Self::Days => 10 * MINUTE,
            Self::Hour(hour) if now - hour * HOUR < 3 * HOUR => 0,
            Self::Hour(_) => 10 * MINUTE,
            Self::Day(day) => match now - (day + 1) * DAY {
                age if age < 8 * DAY => HOUR,
                age if age < 90 * DAY => DAY,
                _ => 7 * DAY,
            },
        }
    }
}

/// Hours that are looked at one by one.
const YOUNG_HOURS: i64 = 26;

/// What has been looked at, and when.
#[derive(Debug, Default)]
pub struct Schedule {
    looked: BTreeMap<Place, i64>,
    days: BTreeSet<i64>,
    begun: Option<i64>,
}

impl Schedule {
    /// Where to look now. After a start, the oldest days are not all due at once.
    pub fn due(&mut self, now: i64) -> Vec<Place> {
        let begun = *self.begun.get_or_insert(now);
        let hour = now.div_euclid(HOUR);
        let hours = (hour - YOUNG_HOURS..=hour + 1).map(Place::Hour);
        let days = self.days.iter().copied().filter(|day| !is_young(*day, hour)).map(Place::Day);
        let due = std::iter::once(Place::Days).chain(days).chain(hours).filter(|place| {
            let interval = place.interval(now);
            let looked = self.looked.get(place).copied().or_else(|| staggered(*place, begun, interval));
            looked.is_none_or(|looked| now - looked >= interval)
        });
        due.collect()
    }

    /// Every place, whatever has been looked at.
    pub fn all(&mut self, now: i64) -> Vec<Place> {
        self.begun.get_or_insert(now);
        self.days.iter().copied().map(Place::Day).collect()
    }

    /// Notes a complete look.
    pub fn looked(&mut self, place: Place, now: i64) {
        self.looked.insert(place, now);
        let hour = now.div_euclid(HOUR);
        self.looked.retain(|place, _| !matches!(place, Place::Hour(old) if *old < hour - YOUNG_HOURS));
    }

    /// Notes which days there are.
    pub fn found(&mut self, days: impl IntoIterator<Item = i64>) {
        self.days.extend(days);
    }
}

/// Whether all hours of a day are looked at one by one.
fn is_young(day: i64, hour: i64) -> bool {
    hour - YOUNG_HOURS <= day * 24 && day * 24 + 23 <= hour + 1
}

/// The look that a builder that has just begun takes for granted, so that old days are looked at one after another.
fn staggered(place: Place, begun: i64, interval: i64) -> Option<i64> {
    match place {
        Place::Day(day) if interval >= DAY => Some(begun - (day * 7_919).rem_euclid(interval)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_764_547_199;

    #[test]
    fn a_place_is_a_prefix_of_the_keys_in_it() {
        assert_eq!(Place::Days.prefix(), "journal/");
        assert_eq!(Place::Day(NOW / DAY).prefix(), "journal/dt=2025-11-30/");
        assert_eq!(Place::Hour(NOW / HOUR).prefix(), "journal/dt=2025-11-30/hour=23/");
    }

    /// Looks for some days, every five minutes; how often at each place.
    fn looks(schedule: &mut Schedule, days: i64) -> BTreeMap<Place, usize> {
        let mut looks = BTreeMap::new();
        for step in 0..days * 24 * 12 {
            let now = NOW + step * 5 * MINUTE;
            for place in schedule.due(now) {
                *looks.entry(place).or_default() += 1;
                schedule.looked(place, now);
            }
        }
        looks
    }

    #[test]
    fn every_day_is_looked_at_and_the_less_often_the_older_it_is() {
        let today = NOW / DAY;
        let mut schedule = Schedule::default();
        schedule.found(today - 1_000..=today + 2);
        let looks = looks(&mut schedule, 8);
        let times = |ago: i64| looks.get(&Place::Day(today - ago)).copied().unwrap_or(0);
        assert!((100..200).contains(&times(3)), "{}", times(3));
        assert!((7..=9).contains(&times(40)), "{}", times(40));
        for ago in 100..=1_000 {
            assert!((1..=2).contains(&times(ago)), "{ago}: {}", times(ago));
        }
        assert!(times(-2) > 10, "facts of a clock that is fast");
        let all: usize = looks.values().sum();
        assert!(all < 8 * 24 * 12 * 18, "{all} looks");
    }

    #[test]
    fn a_builder_that_has_just_begun_does_not_look_at_all_old_days_at_once() {
        let mut schedule = Schedule::default();
        let today = NOW / DAY;
        schedule.found(today - 1_000..today);
        assert!(schedule.due(NOW).len() < 70, "{}", schedule.due(NOW).len());
        assert_eq!(schedule.all(NOW).len(), 1_000);
    }

    #[test]
    fn the_current_hours_are_looked_at_every_time() {
        let (mut schedule, now) = (Schedule::default(), NOW - 60);
        schedule.due(now).into_iter().for_each(|place| schedule.looked(place, now));
        let hour = now / HOUR;
        assert_eq!(schedule.due(now + 1), [hour - 2, hour - 1, hour, hour + 1].map(Place::Hour));
    }
}
