//! The lake's table, compared with the journal it is folded from, with the items, and with those of other regions.

use std::collections::{BTreeMap, HashMap, HashSet};

use sales::{
    clock::Timestamp,
    journal::Hour,
    sale::{Fact, FactId, SaleId},
};
use sales_table::{data_file::DataFile, pace, row::Row};
use uuid::Uuid;

use super::{HourLines, Kind, Line, read::Snapshot};
use crate::{
    cloud::{lake_table::LakeTable, trouble::Trouble},
    journal_line::{Agreement, LineDigest},
};

const LAST_SECOND: i64 = 3_599;

/// What is kept of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RowDigest {
    /// The line of its sale; `None` if its amount is unknown.
    line: Option<LineDigest>,
    is_cancelled: bool,
    hash: u128,
}

/// The rows of an hour.
#[derive(Debug, Default)]
pub(super) struct HourRows {
    by_id: HashMap<SaleId, RowDigest>,
    /// Whatever their order.
    hash: u128,
}

impl HourRows {
    fn add(&mut self, row: &Row) {
        let hash = DataFile::of(std::slice::from_ref(row), 0).map_or(0, |file| file.hash);
        self.hash = self.hash.wrapping_add(hash);
        let line = row.sale().map(|sale| LineDigest::of(&Fact::Sale(sale)));
        let digest = RowDigest { line, is_cancelled: row.cancelled_at.is_some(), hash };
        self.by_id.insert(SaleId::new(Uuid::from_u128(row.id.0)), digest);
    }

    /// Their number.
    pub(super) fn count(&self) -> u64 {
        self.by_id.len() as u64
    }
}

/// Reads a table hour by hour. A file may have rows of several hours.
pub(super) struct RowReader {
    table: LakeTable,
    read: BTreeMap<DataFile, Vec<Row>>,
}

impl RowReader {
    pub(super) fn new(table: LakeTable) -> Self {
        Self { table, read: BTreeMap::new() }
    }

    /// When the table was opened.
    pub(super) fn opened_at(&self) -> Timestamp {
        self.table.opened_at
    }

    /// The rows of an hour.
    pub(super) async fn hour(&mut self, hour: Hour) -> Result<HourRows, Trouble> {
        let start = hour.start().unix_seconds();
        let hour = start..=start + LAST_SECOND;
        self.read.retain(|file, _| file.touches(*hour.start(), *hour.end()));
        let mut rows = HourRows::default();
        for file in self.table.files(*hour.start(), *hour.end()) {
            if !self.read.contains_key(file) {
                self.read.insert(file.clone(), self.table.rows_of(file).await?);
            }
        }
        let read = self.read.values().flatten();
        read.filter(|row| hour.contains(&row.accepted_at)).for_each(|row| rows.add(row));
        Ok(rows)
    }

    /// The sales with rows of these moments, in unix seconds.
    pub(super) async fn sales(&self, earliest: i64, latest: i64) -> Result<HashSet<SaleId>, Trouble> {
        let mut sales = HashSet::new();
        for file in self.table.files(earliest, latest) {
            let rows = self.table.rows_of(file).await?;
            sales.extend(rows.iter().map(|row| SaleId::new(Uuid::from_u128(row.id.0))));
        }
        Ok(sales)
    }
}

/// What a region holds of an hour.
#[derive(Clone, Copy)]
pub(super) struct Hold<'a> {
    pub(super) rows: &'a HourRows,
    pub(super) lines: &'a HourLines,
    pub(super) items: &'a Snapshot,
    /// When its table was opened.
    pub(super) opened_at: Timestamp,
}

/// Sales of which two regions accepted a version each: their row lies in the hour of the earlier one.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    found: HashSet<SaleId>,
    missing: HashMap<SaleId, String>,
}

/// The result for one region and hour.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judged {
    /// Kind, id and detail.
    pub(super) differences: Vec<(Kind, FactId, String)>,
    /// Facts in the journal that the table may still lack.
    pub(super) late: u64,
}

impl Hold<'_> {
    /// Whether the table must have what this line says.
    fn is_due(&self, hour: Hour, line: &Line) -> bool {
        let age = self.opened_at.unix_seconds() - hour.start().unix_seconds();
        let written_at = line.object.written_at.unwrap_or(self.opened_at);
        self.opened_at.since(written_at) > pace::longest_wait(age)
    }

    /// Whether the table must have everything that the journal says of a sale.
    fn is_settled(&self, hour: Hour, id: SaleId) -> bool {
        [FactId::Sale(id), FactId::Cancellation(id)]
            .into_iter()
            .flat_map(|id| self.lines.of(id))
            .all(|line| self.is_due(hour, line))
    }

    /// Compares the rows with journal and items.
    pub(super) fn judge(&self, hour: Hour, elsewhere: &mut Elsewhere) -> Judged {
        let mut judged = Judged::default();
        for (id, row) in &self.rows.by_id {
            let fact = FactId::Sale(*id);
            let contradicts =
                |item: LineDigest| row.line.is_some_and(|line| line.compare(item, fact) == Agreement::Contradiction);
            match self.items.item(hour, fact) {
                Some(item) if contradicts(item.line) => {
                    judged.differences.push((Kind::RowDiffers, fact, "differs from the item".to_owned()));
                }
                None if self.lines.of(fact).is_empty() => {
                    judged.differences.push((Kind::UnknownRow, fact, String::new()));
                }
                Some(_) | None => {}
            }
            if id.is_from_key() {
                elsewhere.found.insert(*id);
            }
        }
        for id in self.lines.ids() {
            let Some(newest) = self.lines.of(id).iter().max_by_key(|line| line.object.written_at) else { continue };
            let kind = match (id, self.rows.by_id.get(&id.sale())) {
                (FactId::Sale(_), None) => Kind::NoRow,
                (FactId::Cancellation(_), Some(row)) if !row.is_cancelled => Kind::RowNotCancelled,
                // A cancellation without its row waits for its sale.
                (FactId::Sale(_), Some(_)) | (FactId::Cancellation(_), _) => continue,
            };
            if !self.is_due(hour, newest) {
                judged.late += 1;
            } else if kind == Kind::NoRow && id.sale().is_from_key() {
                elsewhere.missing.insert(id.sale(), newest.object.key.clone());
            } else {
                judged.differences.push((kind, id, format!("in {}", newest.object.key)));
            }
        }
        judged
    }

    /// The sales whose rows differ from those of another region, although both journals say the same for long.
    pub(super) fn differing(&self, other: &Self, hour: Hour) -> Vec<SaleId> {
        if self.rows.hash == other.rows.hash {
            return Vec::new();
        }
        let differs = |(id, row): (&SaleId, &RowDigest)| {
            let differs = other.rows.by_id.get(id).is_some_and(|other| other.hash != row.hash);
            (differs && self.is_settled(hour, *id) && other.is_settled(hour, *id)).then_some(*id)
        };
        self.rows.by_id.iter().filter_map(differs).collect()
    }
}

impl Elsewhere {
    /// Whether any sale has no row yet.
    pub(super) fn is_missing_some(&self) -> bool {
        self.missing.keys().any(|id| !self.found.contains(id))
    }

    /// Adds sales that have a row.
    pub(super) fn add_found(&mut self, sales: HashSet<SaleId>) {
        self.found.extend(sales);
    }

    /// The sales that have no row in any hour, each with an object of the journal.
    pub(super) fn missing(self) -> impl Iterator<Item = (SaleId, String)> {
        let Self { found, missing } = self;
        missing.into_iter().filter(move |(id, _)| !found.contains(id))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sales::sale::{Amount, Cancellation, ClientId, IdempotencyKey, Product, Sale};
    use sales_table::row::Texts;

    use super::*;
    use crate::cloud::lake::Object;

    const ACCEPTED: i64 = 1_764_547_200;

    fn sale(id: SaleId, amount: &str) -> Sale {
        Sale {
            id,
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number(amount).unwrap(),
            timestamp: Timestamp::from_unix_seconds(ACCEPTED).unwrap(),
            region: "sa-east-1".parse().ok(),
            client: ClientId::new("shop-1"),
        }
    }

    fn cancellation(id: SaleId) -> Fact {
        let timestamp = Timestamp::from_unix_seconds(ACCEPTED).unwrap();
        let sale_timestamp = Some(timestamp);
        Fact::Cancellation(Cancellation { sale: id, timestamp, sale_timestamp, region: None, client: None })
    }

    fn rows(sales: &[(Sale, bool)]) -> HourRows {
        let mut rows = HourRows::default();
        for (sale, is_cancelled) in sales {
            let row = Row::of(sale, &mut Texts::default());
            rows.add(&Row { cancelled_at: is_cancelled.then_some(ACCEPTED), ..row });
        }
        rows
    }

    fn lines(facts: &[Fact], written_at: i64) -> HourLines {
        let object = Object { key: "key".into(), written_at: Timestamp::from_unix_seconds(written_at) };
        HourLines::with(facts, &Arc::new(object))
    }

    fn id(number: u32) -> SaleId {
        format!("0192f5c0-7c1d-7a3e-8f11-{number:012}").parse().unwrap()
    }

    /// Kinds of what is found an hour after the facts were written, or a minute.
    fn kinds(rows: &HourRows, facts: &[Fact], seconds: i64) -> (Vec<&'static str>, u64, usize) {
        let (lines, items) = (lines(facts, ACCEPTED), Snapshot::default());
        let opened_at = Timestamp::from_unix_seconds(ACCEPTED + seconds).unwrap();
        let mut elsewhere = Elsewhere::default();
        let hold = Hold { rows, lines: &lines, items: &items, opened_at };
        let judged = hold.judge(Hour::of(Timestamp::from_unix_seconds(ACCEPTED).unwrap()), &mut elsewhere);
        let mut kinds: Vec<_> = judged.differences.iter().map(|(kind, _, _)| kind.name()).collect();
        kinds.sort_unstable();
        (kinds, judged.late, elsewhere.missing().count())
    }

    #[test]
    fn what_the_journal_says_for_long_is_in_the_table_and_nothing_else() {
        let [one, two, three] = [1, 2, 3].map(|number| sale(id(number), "14"));
        let facts = [Fact::Sale(one.clone()), Fact::Sale(two.clone()), cancellation(id(2))];
        let table = rows(&[(one.clone(), false), (two.clone(), true)]);
        assert_eq!(kinds(&table, &facts, 7_200), (vec![], 0, 0));
        let table = rows(&[(two, false), (three, false)]);
        assert_eq!(kinds(&table, &facts, 7_200).0, ["no-row", "row-not-cancelled", "unknown-row"]);
        assert_eq!(kinds(&table, &facts, 60), (vec!["unknown-row"], 2, 0));
    }

    #[test]
    fn a_sale_of_a_key_may_have_its_row_in_the_hour_of_another_version() {
        let of_key = sale(SaleId::from_key(None, &IdempotencyKey::new("order-1").unwrap()), "14");
        let facts = [Fact::Sale(of_key.clone())];
        assert_eq!(kinds(&HourRows::default(), &facts, 7_200), (vec![], 0, 1));
        assert_eq!(kinds(&rows(&[(of_key, false)]), &facts, 7_200), (vec![], 0, 0));
    }

    #[test]
    fn rows_of_two_regions_are_compared_once_both_journals_have_settled() {
        let facts = [Fact::Sale(sale(id(1), "14"))];
        let (lines, items) = (lines(&facts, ACCEPTED), Snapshot::default());
        let (one, other) = (rows(&[(sale(id(1), "14"), false)]), rows(&[(sale(id(1), "14"), true)]));
        let hour = Hour::of_fact(&facts[0]);
        let differing = |rows: &HourRows, others: &HourRows, seconds| {
            let opened_at = Timestamp::from_unix_seconds(ACCEPTED + seconds).unwrap();
            let hold = |rows| Hold { rows, lines: &lines, items: &items, opened_at };
            hold(rows).differing(&hold(others), hour)
        };
        assert_eq!(differing(&one, &other, 7_200), [id(1)]);
        assert_eq!(differing(&one, &other, 60), []);
        assert_eq!(differing(&one, &one, 7_200), []);
    }
}
