//! When the builder looks where for new objects of the journal.
//!
//! Facts lie in the hour of their sale, however late they come. So every hour is looked at for ever, and the less often the
//! older it is: late facts are late by then, and a look costs a call for each thousand objects. Where something was found
//! there may be more: that place is looked at again after a minute, then two, and so on up to its usual interval.

use std::collections::{BTreeMap, BTreeSet};

use sales::journal::FOLDER;
use sales_table::pace::{self, YOUNG_HOURS};
use sales_table::row::{DAY, day_name};

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
            Self::Days => 0,
            Self::Hour(hour) => pace::interval_of_hour(now - hour * HOUR),
            Self::Day(day) => pace::interval_of_day(now - (day + 1) * DAY),
        }
    }
}

/// The last look at a place.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: i64,
    /// Time until the next one.
    wait: i64,
}

/// What has been looked at, and when.
#[derive(Debug, Default)]
pub struct Schedule {
    looks: BTreeMap<Place, Look>,
    days: BTreeSet<i64>,
}

impl Schedule {
    /// Where to look now.
    pub fn due(&self, now: i64) -> Vec<Place> {
        let hour = now.div_euclid(HOUR);
        let hours = (hour - YOUNG_HOURS..=hour + 1).map(Place::Hour);
        let days = self.days.iter().copied().filter(|day| !is_young(*day, hour)).map(Place::Day);
        let is_due = |place: &Place| self.looks.get(place).is_none_or(|look| now - look.at >= look.wait);
        std::iter::once(Place::Days).chain(days).chain(hours).filter(is_due).collect()
    }

    /// Every day, whatever has been looked at.
    pub fn all(&self) -> Vec<Place> {
        self.days.iter().copied().map(Place::Day).collect()
    }

    /// Notes a complete look, and whether there was anything new.
    pub fn looked(&mut self, place: Place, found: bool, now: i64) {
        let usual = place.interval(now);
        let wait = match self.looks.get(&place) {
            _ if found => MINUTE,
            Some(look) => look.wait.saturating_mul(2).max(MINUTE),
            None => usual,
        };
        self.looks.insert(place, Look { at: now, wait: wait.min(usual) });
        let hour = now.div_euclid(HOUR);
        self.looks.retain(|place, _| !matches!(place, Place::Hour(old) if *old < hour - YOUNG_HOURS));
    }

    /// Notes that there is a day. If a builder has folded something of it before this one began, it is looked at some time
    /// within its interval, so that the old days are not all due at once.
    pub fn found(&mut self, day: i64, folded: bool, now: i64) {
        let place = Place::Day(day);
        let wait = place.interval(now);
        if self.days.insert(day) && folded && wait >= DAY {
            self.looks.insert(place, Look { at: now - (day * 7_919).rem_euclid(wait), wait });
        }
    }
}

/// Whether all hours of a day are looked at one by one.
fn is_young(day: i64, hour: i64) -> bool {
    hour - YOUNG_HOURS <= day * 24 && day * 24 + 23 <= hour + 1
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
                schedule.looked(place, false, now);
            }
        }
        looks
    }

    #[test]
    fn every_day_is_looked_at_and_the_less_often_the_older_it_is() {
        let today = NOW / DAY;
        let mut schedule = Schedule::default();
        (today - 1_000..=today + 2).for_each(|day| schedule.found(day, true, NOW));
        let looks = looks(&mut schedule, 8);
        let times = |ago: i64| looks.get(&Place::Day(today - ago)).copied().unwrap_or(0);
        assert!((100..200).contains(&times(3)), "{}", times(3));
        assert!((7..=9).contains(&times(40)), "{}", times(40));
        for ago in 100..=1_000 {
            assert!((1..=2).contains(&times(ago)), "{ago}: {}", times(ago));
        }
        assert!(times(-2) > 10, "facts of a clock that is fast");
        let all: usize = looks.values().sum();
        assert!(all < 8 * 24 * 12 * 20, "{all} looks");
    }

    #[test]
    fn old_days_are_not_all_looked_at_at_once_unless_nothing_of_them_was_ever_folded() {
        let today = NOW / DAY;
        for (folded, most) in [(true, 70), (false, 1_100)] {
            let mut schedule = Schedule::default();
            (today - 1_000..today).for_each(|day| schedule.found(day, folded, NOW));
            let due = schedule.due(NOW).len();
            assert!(due < most && (folded || due > 1_000), "{due}");
            assert_eq!(schedule.all().len(), 1_000);
        }
    }

    #[test]
    fn the_current_hours_are_looked_at_every_time() {
        let (mut schedule, now) = (Schedule::default(), NOW - 60);
        schedule.due(now).into_iter().for_each(|place| schedule.looked(place, true, now));
        let hour = now / HOUR;
        let hours = [hour - 2, hour - 1, hour, hour + 1].map(Place::Hour);
        assert_eq!(schedule.due(now + 1)[1..], hours);
    }

    #[test]
    fn where_something_was_found_there_is_another_look_soon() {
        let (mut schedule, old) = (Schedule::default(), Place::Day(NOW / DAY - 500));
        schedule.found(NOW / DAY - 500, false, NOW);
        let mut now = NOW;
        let mut pauses = Vec::new();
        for found in [true, false, false, true, false] {
            schedule.looked(old, found, now);
            let begun = now;
            while !schedule.due(now).contains(&old) {
                now += MINUTE;
            }
            pauses.push((now - begun) / MINUTE);
        }
        assert_eq!(pauses, [1, 2, 4, 1, 2]);
    }
}
