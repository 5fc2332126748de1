//! Unreadable items of the pending index: only an operator can correct or delete them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sales::shard::Shard;

/// Maximum ids in one line of the log.
const NAMED: usize = 20;

/// The known unreadable items. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Unreadable(Arc<Mutex<Known>>);

type Known = BTreeMap<(Look, Shard), BTreeSet<String>>;

/// Where they were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// The measurement of the backlog, which reads only the keys.
    Measurement,
    /// A sweep, which reads the items.
    Sweep,
}

impl Unreadable {
    /// Records all unreadable items found in a shard, by their ids, and logs the new ones.
    pub fn note(&self, look: Look, shard: Shard, ids: BTreeSet<String>) {
        let mut known = self.known();
        let new: Vec<&String> = ids.iter().filter(|id| !known.values().any(|ids| ids.contains(*id))).collect();
        for some in new.chunks(NAMED) {
            let named = some.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                pending.shard = %shard,
                pending.unreadable = some.len(),
                pending.ids = ?named,
                "unreadable items stay in the pending index: correct or delete them"
            );
        }
        if ids.is_empty() {
            known.remove(&(look, shard));
        } else {
            known.insert((look, shard), ids);
        }
    }

    /// Number of unreadable items, as far as this task has read.
    #[must_use]
    pub fn count(&self) -> usize {
        self.known().values().flatten().collect::<BTreeSet<_>>().len()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sales::shard::Shards;

    use super::*;

    #[test]
    fn an_item_counts_once_whoever_comes_upon_it_and_no_longer_than_it_is_there() {
        let unreadable = Unreadable::default();
        let shard = Shards::DEFAULT.iter().next().unwrap();
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
        unreadable.note(Look::Measurement, shard, ids(&["a", "b"]));
        unreadable.note(Look::Sweep, shard, ids(&["b", "c"]));
        assert_eq!(unreadable.count(), 3);
        unreadable.note(Look::Sweep, shard, ids(&[]));
        assert_eq!(unreadable.count(), 2);
    }
}
