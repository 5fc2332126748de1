//! What a batch of facts changes in the files of the table: decisions without effects.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sales_table::data_file::DataFile;
use sales_table::row::{Change, Row, RowId};
use sales_table::state::Waiting;

/// Rows of a file at most. A file is held in memory whole while it is written.
pub const LARGEST: u64 = 500_000;

/// A file of at most this many rows is rewritten for a single cancellation at once.
const SMALL: u64 = 32_768;

/// Cancellations wait for a larger file until this many of its rows have had a second each, so that no file is rewritten
/// more often, however many cancellations there are.
const ROWS_PER_SECOND: u64 = 800;

/// What is known of the sales that a batch is about.
#[derive(Debug, Default)]
pub struct Batch {
    /// What each sale's facts say.
    pub changes: HashMap<RowId, Change>,
}

impl Batch {
    /// Adds what waits: with its sale, or by itself if anything is due, so that what waits for one file changes it together.
    pub fn add_waiting(&mut self, waiting: &mut BTreeMap<RowId, Waiting>, now: i64, all: bool) {
        let any_due = all || waiting.values().any(|waiting| waiting.due.is_some_and(|due| due <= now));
        let is_due =
            |id: &RowId, waiting: &Waiting| self.changes.contains_key(id) || (any_due && waiting.due.is_some());
        let due: Vec<RowId> = waiting.iter().filter(|(id, waiting)| is_due(id, waiting)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(Waiting { change: before, .. }) = waiting.remove(&id) else { continue };
            let change = self.changes.entry(id).or_default();
            change.cancelled_at = sales_table::row::earlier(change.cancelled_at, before.cancelled_at);
            change.sale_at = sales_table::row::earlier(change.sale_at, before.sale_at);
            change.waiting_since = sales_table::row::earlier(change.waiting_since, before.waiting_since);
        }
    }

    /// Takes out those cancellations of sales in this file that are not worth rewriting it yet; what they wait for is in
    /// `waiting` then. `ids` are those of the batch that the file holds, and no other file does.
    pub fn postpone(
        &mut self,
        file: &DataFile,
        ids: &[RowId],
        now: i64,
        waiting: &mut BTreeMap<RowId, Waiting>,
    ) -> bool {
        if file.rows <= SMALL {
            return false;
        }
        let wait = i64::try_from(file.rows / ROWS_PER_SECOND).unwrap_or(i64::MAX);
        let due = |id: &RowId| {
            let change = self.changes.get(id)?;
            change.sale.is_none().then(|| change.waiting_since.unwrap_or(now).saturating_add(wait))
        };
        let Some(due) = ids.iter().map(due).collect::<Option<Vec<i64>>>() else { return false };
        let first = due.into_iter().min().unwrap_or(now);
        if first <= now {
            return false;
        }
        for id in ids {
            if let Some(change) = self.changes.remove(id) {
                let change = Change { waiting_since: Some(change.waiting_since.unwrap_or(now)), ..change };
                waiting.insert(*id, Waiting { change, due: Some(first) });
            }
        }
        true
    }
}

/// What happens to the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Rows that take the place of those with their ids, or none: file by file.
    pub edits: BTreeMap<DataFile, HashMap<RowId, Option<Row>>>,
    /// New rows by day.
    pub fresh: BTreeMap<i64, Vec<Row>>,
}

impl Plan {
    /// Plans a batch, given the rows of its sales that the table has; what has no sale yet goes to `waiting`.
    #[must_use]
    pub fn new(
        batch: Batch,
        found: &mut HashMap<RowId, Vec<(DataFile, Row)>>,
        waiting: &mut BTreeMap<RowId, Waiting>,
    ) -> Self {
        let mut plan = Self::default();
        for (id, change) in batch.changes {
            let found = found.remove(&id).unwrap_or_default();
            let before = found.iter().map(|(_, row)| row.clone()).reduce(Row::merge);
            match change.apply(before) {
                None => _ = waiting.insert(id, Waiting { change, due: None }),
                Some(row) => plan.place(row, found),
            }
        }
        plan
    }

    /// Puts a row in the place of those with its id: in the first of their files that is of its day, or a new one.
    fn place(&mut self, row: Row, found: Vec<(DataFile, Row)>) {
        if let [(_, before)] = &found[..]
            && *before == row
        {
            return;
        }
        let id = row.id;
        let mut row = Some(row);
        for (file, _) in found {
            let stays = row.take_if(|row| row.day() == file.day);
            self.edits.entry(file).or_default().insert(id, stays);
        }
        if let Some(row) = row {
            self.fresh.entry(row.day()).or_default().push(row);
        }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty() && self.fresh.is_empty()
    }

    /// Files of a day that are merged with its new rows: small ones first, as long as each is not much larger than what it
    /// is merged with. So a row is rewritten as often as the logarithm of its day's size, however few come at a time.
    #[must_use]
    pub fn absorbed<'a>(&self, day: i64, files: impl Iterator<Item = &'a DataFile>) -> BTreeSet<DataFile> {
        let fresh = self.fresh.get(&day).map_or(0, |rows| rows.len() as u64);
        let mut candidates: Vec<&DataFile> = files.filter(|file| file.day == day).collect();
        candidates.sort_by_key(|file| file.rows);
        let mut together = fresh;
        let fits = |file: &&&DataFile| {
            let fits = fresh > 0 && file.rows <= (2 * together).max(1_000) && together + file.rows <= LARGEST;
            together += file.rows;
            fits
        };
        candidates.iter().take_while(fits).map(|file| (*file).clone()).collect()
    }
}

/// Rows after these edits.
#[must_use]
pub fn edited(rows: Vec<Row>, edits: Option<&HashMap<RowId, Option<Row>>>) -> Vec<Row> {
    let Some(edits) = edits else { return rows };
    let edit = |row: Row| match edits.get(&row.id) {
        Some(edit) => edit.clone(),
        None => Some(row),
    };
    rows.into_iter().filter_map(edit).collect()
}

/// Rows of one day in the order of a file, cut into as few and equal files as possible.
#[must_use]
pub fn cut(mut rows: Vec<Row>) -> Vec<Vec<Row>> {
    rows.sort_unstable_by_key(Row::place);
    let files = (rows.len() as u64).div_ceil(LARGEST).max(1);
    let size = usize::try_from((rows.len() as u64).div_ceil(files)).unwrap_or(usize::MAX);
    let mut cut = Vec::new();
    while rows.len() > size {
        let rest = rows.split_off(size);
        cut.push(std::mem::replace(&mut rows, rest));
    }
    if !rows.is_empty() {
        cut.push(rows);
    }
    cut
}

/// Files of one day that is over which are worth merging into one; empty if there are none.
#[must_use]
pub fn mergeable<'a>(files: impl Iterator<Item = &'a DataFile>) -> BTreeSet<DataFile> {
    let mut small: Vec<&DataFile> = files.filter(|file| file.rows <= LARGEST / 2).collect();
    small.sort_by_key(|file| (file.rows, *file));
    let mut together = 0;
    let fits = |file: &&&DataFile| {
        together += file.rows;
        together <= LARGEST
    };
    let merged: BTreeSet<DataFile> = small.iter().take_while(fits).map(|file| (*file).clone()).collect();
    if merged.len() > 1 { merged } else { BTreeSet::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sales_table::row::DAY;

    fn file(day: i64, rows: u64) -> DataFile {
        DataFile { day, from: 0, to: 86_399, rows, base: 0, hash: u128::from(rows) }
    }

    fn row(id: u128, accepted_at: i64) -> Row {
        Row { id: RowId(id), product: "Livro".into(), amount: Some(1), accepted_at, region: None, cancelled_at: None }
    }

    fn cancelled(id: u128, at: i64) -> Batch {
        Batch { changes: [(RowId(id), Change { cancelled_at: Some(at), ..Change::default() })].into() }
    }

    fn registered(row: Row) -> Batch {
        Batch { changes: [(row.id, Change { sale: Some(row), ..Change::default() })].into() }
    }

    #[test]
    fn a_sale_that_the_table_has_changes_nothing() {
        let (known, mut waiting) = (row(1, 5), BTreeMap::new());
        let mut found = HashMap::from([(RowId(1), vec![(file(0, 9), known.clone())])]);
        assert!(Plan::new(registered(known), &mut found, &mut waiting).is_empty());
        assert!(waiting.is_empty());
    }

    #[test]
    fn an_earlier_version_takes_the_place_of_a_later_one_on_its_own_day() {
        let (late, early) = (row(1, DAY + 5), row(1, DAY - 5));
        let mut found = HashMap::from([(RowId(1), vec![(file(1, 9), Row { cancelled_at: Some(3), ..late.clone() })])]);
        let plan = Plan::new(registered(early.clone()), &mut found, &mut BTreeMap::new());
        assert_eq!(plan.edits, [(file(1, 9), [(RowId(1), None)].into())].into());
        assert_eq!(plan.fresh, [(0, vec![Row { cancelled_at: Some(3), ..early.clone() }])].into());
        let mut found = HashMap::from([(RowId(1), vec![(file(0, 9), early)])]);
        assert!(Plan::new(registered(late), &mut found, &mut BTreeMap::new()).is_empty());
    }

    #[test]
    fn of_two_rows_that_one_sale_has_one_stays() {
        let (one, other) = (row(1, 5), row(1, DAY + 5));
        let rows = vec![(file(1, 9), other), (file(0, 9), one.clone())];
        let plan = Plan::new(cancelled(1, 7), &mut HashMap::from([(RowId(1), rows)]), &mut BTreeMap::new());
        let kept = Row { cancelled_at: Some(7), ..one };
        assert_eq!(plan.edits[&file(1, 9)], [(RowId(1), None)].into());
        assert_eq!(plan.edits[&file(0, 9)], [(RowId(1), Some(kept))].into());
    }

    #[test]
    fn a_cancellation_waits_for_its_sale() {
        let mut waiting = BTreeMap::new();
        assert!(Plan::new(cancelled(1, 7), &mut HashMap::new(), &mut waiting).is_empty());
        let mut batch = Batch::default();
        batch.add_waiting(&mut waiting, 1_000, true);
        assert!(batch.changes.is_empty() && waiting.len() == 1, "nothing to do without its sale");
        let mut batch = registered(row(1, 5));
        batch.add_waiting(&mut waiting, 1_000, false);
        let plan = Plan::new(batch, &mut HashMap::new(), &mut waiting);
        assert_eq!(plan.fresh[&0], [Row { cancelled_at: Some(7), ..row(1, 5) }]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_cancellation_waits_for_a_large_file_but_not_for_ever() {
        let (large, ids, mut waiting) = (file(0, 400_000), [RowId(1)], BTreeMap::new());
        assert!(!cancelled(1, 7).postpone(&file(0, SMALL), &ids, 1_000, &mut waiting));
        assert!(!registered(row(1, 5)).postpone(&large, &ids, 1_000, &mut waiting), "a sale is not kept waiting");
        let mut batch = cancelled(1, 7);
        assert!(batch.postpone(&large, &ids, 1_000, &mut waiting));
        assert!(batch.changes.is_empty());
        assert_eq!(waiting[&RowId(1)].due, Some(1_500));
        batch.add_waiting(&mut waiting, 1_499, false);
        assert!(batch.changes.is_empty());
        batch.add_waiting(&mut waiting, 1_500, false);
        assert!(waiting.is_empty());
        assert!(!batch.postpone(&large, &ids, 1_500, &mut waiting));

        let mut later = cancelled(2, 8);
        assert!(later.postpone(&large, &[RowId(2)], 1_400, &mut waiting));
        waiting.insert(RowId(1), Waiting { change: batch.changes[&RowId(1)].clone(), due: Some(1_500) });
        let mut batch = Batch::default();
        batch.add_waiting(&mut waiting, 1_500, false);
        assert!(
            !batch.postpone(&large, &[RowId(1), RowId(2)], 1_500, &mut waiting),
            "the first that is due takes others along"
        );
    }

    /// Folds `rows` rows in portions into one day; how many rows are written for each, and into how many files.
    fn written_per_row(rows: u64, portion: u64) -> (u64, usize) {
        let (mut files, mut written): (Vec<DataFile>, u64) = (Vec::new(), 0);
        for base in 0..rows / portion {
            let mut plan = Plan::default();
            plan.fresh.insert(0, vec![row(1, 5); usize::try_from(portion).unwrap()]);
            let absorbed = plan.absorbed(0, files.iter());
            files.retain(|file| !absorbed.contains(file));
            let size = portion + absorbed.iter().map(|file| file.rows).sum::<u64>();
            written += size;
            assert!(size <= LARGEST);
            files.push(DataFile { base, ..file(0, size) });
        }
        (written / rows, files.len())
    }

    #[test]
    fn the_rows_written_for_a_row_grow_with_the_logarithm_of_its_day() {
        let (few, many, most) =
            (written_per_row(24_000, 17), written_per_row(1_000_000, 700), written_per_row(8_000_000, 160_000));
        assert!(few.0 <= 40 && few.1 < 12, "{few:?}");
        assert!(many.0 <= 12 && many.1 < 16, "{many:?}");
        assert!(most.0 <= 3 && most.1 < 30, "{most:?}");
    }

    #[test]
    fn rows_are_cut_into_files_of_equal_size_in_the_order_of_their_time() {
        let rows: Vec<Row> = (0..u128::from(LARGEST) + 2).rev().map(|id| row(id, (id % 50) as i64)).collect();
        let files = cut(rows);
        assert_eq!(files.iter().map(Vec::len).collect::<Vec<_>>(), [250_001, 250_001]);
        assert!(files.concat().is_sorted_by_key(Row::place));
        assert!(cut(Vec::new()).is_empty());
    }

    #[test]
    fn a_day_is_merged_until_one_small_file_is_left_at_most() {
        let sizes = |files: &[u64]| mergeable(files.iter().map(|rows| file(0, *rows)).collect::<Vec<_>>().iter()).len();
        assert_eq!(sizes(&[10, 200, 3_000, LARGEST - 5]), 3);
        assert_eq!(sizes(&[240_000, 240_001, 240_002]), 2);
        assert_eq!(sizes(&[10, LARGEST - 5]), 0);
        assert_eq!(sizes(&[]), 0);
    }
}
