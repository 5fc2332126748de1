//! Which file holds a sale: a number for each id, kept in memory for as many files as fit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use sales_table::data_file::DataFile;
use sales_table::row::{Change, DAY, RowId};

/// Ids that are kept in memory, of eight bytes each.
pub const MOST: u64 = 16 * 1024 * 1024;

/// The ids of the files of the table, as far as they have been read.
#[derive(Debug, Default)]
pub struct Keys(BTreeMap<DataFile, Vec<u64>>);

impl Keys {
    /// Adds the ids of a file.
    pub fn insert(&mut self, file: DataFile, ids: impl IntoIterator<Item = RowId>) {
        if let Entry::Vacant(entry) = self.0.entry(file) {
            let mut keys: Vec<u64> = ids.into_iter().map(RowId::mixed).collect();
            keys.sort_unstable();
            entry.insert(keys);
        }
    }

    /// Whether the ids of a file are known.
    #[must_use]
    pub fn knows(&self, file: &DataFile) -> bool {
        self.0.contains_key(file)
    }

    /// Forgets files that are no longer needed, and the oldest beyond the limit.
    pub fn retain(&mut self, needed: impl Fn(&DataFile) -> bool) {
        self.0.retain(|file, _| needed(file));
        let mut kept = self.0.values().map(|keys| keys.len() as u64).sum::<u64>();
        while kept > MOST
            && let Some((_, keys)) = self.0.pop_first()
        {
            kept -= keys.len() as u64;
        }
    }

    /// Those of the sorted `keys` that a file may hold.
    #[must_use]
    pub fn found(&self, file: &DataFile, keys: &[u64]) -> Vec<u64> {
        let Some(known) = self.0.get(file) else { return Vec::new() };
        if keys.len().saturating_mul(16) < known.len() {
            return keys.iter().copied().filter(|key| known.binary_search(key).is_ok()).collect();
        }
        let mut known = known.iter().copied().peekable();
        let mut found = Vec::new();
        for key in keys {
            while known.next_if(|known| known < key).is_some() {}
            if known.peek() == Some(key) {
                found.push(*key);
            }
        }
        found
    }
}

/// Where the sales of some changes may be.
#[derive(Debug, Default)]
pub struct Scopes {
    /// Earliest and latest moment, and the key; sorted.
    near: Vec<(i64, i64, u64)>,
    /// Keys of sales that may be anywhere; sorted.
    anywhere: Vec<u64>,
    longest: i64,
}

impl Scopes {
    /// The scopes of these changes.
    #[must_use]
    pub fn of<'a>(changes: impl IntoIterator<Item = (&'a RowId, &'a Change)>) -> Self {
        let mut scopes = Self::default();
        for (id, change) in changes {
            let key = id.mixed();
            if change.times().next().is_none() {
                scopes.add(key, id.possible_times(None), None);
            }
            for time in change.times() {
                scopes.add(key, id.possible_times(Some(time)), Some(time));
            }
        }
        scopes.near.sort_unstable();
        scopes.anywhere.sort_unstable();
        scopes.longest = scopes.near.iter().map(|(earliest, latest, _)| latest - earliest).max().unwrap_or(0);
        scopes
    }

    /// Adds a sale of these possible times, or else of this known one, which may be that of another version.
    fn add(&mut self, key: u64, possible: Option<(i64, i64)>, known: Option<i64>) {
        if let Some((earliest, latest)) = possible.or(known.map(|known| (known, known))) {
            self.near.push((earliest, latest, key));
        }
        if possible.is_none() {
            self.anywhere.push(key);
        }
    }

    /// Whether some sale may be anywhere.
    #[must_use]
    pub fn reach_everywhere(&self) -> bool {
        !self.anywhere.is_empty()
    }

    /// The sorted keys of the sales that may be in a file; `compared` is whether it is among those that all are compared with.
    #[must_use]
    pub fn keys(&self, file: &DataFile, compared: bool) -> Vec<u64> {
        let midnight = file.day * DAY;
        let (from, to) = (midnight + i64::from(file.from), midnight + i64::from(file.to));
        let start = self.near.partition_point(|(earliest, ..)| *earliest < from - self.longest);
        let end = self.near.partition_point(|(earliest, ..)| *earliest <= to);
        let near = self.near[start..end].iter().filter(|(_, latest, _)| *latest >= from).map(|(_, _, key)| *key);
        let mut keys: Vec<u64> = near.chain(self.anywhere.iter().copied().filter(|_| compared)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// The files that every sale is compared with whose id does not tell its time: the newest, as many as fit into memory.
#[must_use]
pub fn compared<'a>(files: impl DoubleEndedIterator<Item = &'a DataFile>) -> Vec<&'a DataFile> {
    let mut rows = 0;
    let fits = |file: &&DataFile| {
        rows += file.rows;
        rows <= MOST
    };
    files.rev().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOON: i64 = 20_000 * DAY + DAY / 2;

    fn file(day: i64, from: u32, to: u32, rows: u64) -> DataFile {
        DataFile { day, from, to, rows, base: 0, hash: 0 }
    }

    fn keyed(number: u128) -> RowId {
        RowId("0192f5c0-7c1d-5a3e-8f11-000000000000".parse::<Uuid>().unwrap().as_u128() + number)
    }

    fn made_at(seconds: i64) -> RowId {
        RowId((seconds as u128 * 1_000) << 80 | 7 << 76 | 8 << 60)
    }

    fn change(sale_at: Option<i64>) -> Change {
        Change { cancelled_at: Some(NOON), sale_at, ..Change::default() }
    }

    #[test]
    fn keys_are_found_in_the_files_that_hold_them() {
        let (few, many) = (file(1, 0, 9, 3), file(2, 0, 9, 500));
        let mut keys = Keys::default();
        keys.insert(few.clone(), (0..3).map(keyed));
        keys.insert(many.clone(), (0..500).map(keyed));
        let mut asked: Vec<u64> = [0, 2, 499, 1_000].map(|number| keyed(number).mixed()).into();
        asked.sort_unstable();
        assert_eq!((keys.found(&few, &asked).len(), keys.found(&many, &asked).len()), (2, 3));
        assert!(keys.found(&file(3, 0, 9, 9), &asked).is_empty());
        keys.retain(|file| file.day == 2);
        assert!(!keys.knows(&few) && keys.knows(&many));
    }

    #[test]
    fn a_sale_whose_id_tells_its_time_may_be_near_it_alone_and_any_other_anywhere() {
        let at_noon = |file: &DataFile, id: RowId, sale_at| {
            let change = change(sale_at);
            Scopes::of([(&id, &change)]).keys(file, true).len()
        };
        let noon = u32::try_from(DAY / 2).unwrap();
        let (around, later, other_day) =
            (file(20_000, noon - 9, noon + 9, 1), file(20_000, noon + 100, noon + 200, 1), file(19_000, 0, 86_399, 1));
        for (id, sale_at, expected) in [
            (made_at(NOON), Some(NOON), [1, 0, 0]),
            (made_at(NOON), None, [1, 0, 0]),
            (made_at(NOON), Some(NOON + 150), [1, 1, 1]),
            (keyed(1), Some(NOON), [1, 1, 1]),
            (keyed(1), None, [1, 1, 1]),
        ] {
            let found = [&around, &later, &other_day].map(|file| at_noon(file, id, sale_at));
            assert_eq!(found, expected, "{id:?} {sale_at:?}");
        }
        let change = change(Some(NOON));
        let scopes = Scopes::of([(&keyed(1), &change)]);
        assert!(scopes.reach_everywhere());
        assert_eq!([&around, &later].map(|file| scopes.keys(file, false).len()), [1, 0], "its own second always");
    }

    #[test]
    fn the_newest_files_are_compared_with_until_memory_is_full() {
        let files = [file(1, 0, 9, MOST), file(2, 0, 9, MOST / 2), file(3, 0, 9, MOST / 2)];
        assert_eq!(compared(files.iter()), [&files[2], &files[1]]);
    }
}
