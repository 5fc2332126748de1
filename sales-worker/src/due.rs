//! Which shards can hold something for a sweep: one whose last measurement showed nothing old enough is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sales::clock::Timestamp;
use sales::shard::Shard;

/// For each measured shard, the moment before which none of its pending facts was accepted. Cheap to clone; clones
/// share it.
///
/// A fact that replicates late is older than the measurement that did not see it: the next one does.
#[derive(Clone, Debug, Default)]
pub struct Due(Arc<Mutex<BTreeMap<Shard, Timestamp>>>);

impl Due {
    /// Records that a measurement begun at `began` found `oldest`, or nothing.
    pub fn note(&self, shard: Shard, began: Timestamp, oldest: Option<Timestamp>) {
        let since = oldest.map_or(began, |oldest| oldest.min(began));
        self.known().insert(shard, since);
    }

    /// Whether a pending fact of the shard may have been accepted before `before`.
    #[must_use]
    pub fn may_hold(&self, shard: Shard, before: Timestamp) -> bool {
        self.known().get(&shard).is_none_or(|since| *since < before)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Shard, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sales::shard::Shards;

    use super::*;

    #[test]
    fn a_shard_is_left_out_until_what_it_holds_or_may_have_got_since_is_old_enough() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let (due, shard) = (Due::default(), Shards::DEFAULT.iter().next().unwrap());
        assert!(due.may_hold(shard, at(0)), "it was never measured");
        for (oldest, before, expected) in [
            (None, 100, false),
            (None, 101, true),
            (Some(90), 90, false),
            (Some(90), 91, true),
            // Accepted after the measurement, by a clock that is ahead.
            (Some(110), 100, false),
            (Some(110), 101, true),
        ] {
            due.note(shard, at(100), oldest.map(at));
            assert_eq!(due.may_hold(shard, at(before)), expected, "{oldest:?} {before}");
        }
    }
}
