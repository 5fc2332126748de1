//! Output of `lake verify`.

use std::collections::BTreeMap;

use sales::clock::Clock;
use serde::Serialize;

use super::{Kind, Verdict, judge::Source};
use crate::{
    cloud::trouble::Trouble,
    day::Day,
    output::{self, BAD, Cell, Format, GOOD, Table, count, line},
};

/// What was repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repaired {
    /// Objects copied.
    pub(super) copied: u64,
    /// Facts made pending again.
    pub(super) owed_again: u64,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Difference {
    pub(super) region: String,
    pub(super) kind: Kind,
    /// Id of the sale or cancellation, or key of an object or a line that belongs to none.
    pub(super) id: String,
    detail: String,
    /// Where another region's journal holds what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) elsewhere: Option<Source>,
}

impl Difference {
    pub(super) fn new(region: &str, kind: Kind, id: &str, detail: String) -> Self {
        Self { region: region.to_owned(), kind, id: id.to_owned(), detail, elsewhere: None }
    }

    /// With the place where another region's journal holds it.
    pub(super) fn with_source(self, elsewhere: Option<Source>) -> Self {
        Self { elsewhere, ..self }
    }
}

/// Counts of one region.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct RegionReport {
    region: String,
    /// Sales and cancellations in the table.
    items: u64,
    /// Facts in the lake.
    in_lake: u64,
    /// Rows of the lake's table; `None` without one.
    rows: Option<u64>,
    /// Facts in the journal that the lake's table may still lack.
    late: u64,
    /// Pending facts.
    owed: u64,
    /// Facts in another lake, and on their way to this one.
    replicating: u64,
    /// Facts of which the lake holds the version of another moment.
    other_version: u64,
    /// Facts of which the journal holds a line several times.
    repeated: u64,
    /// Number of differences of each kind.
    differences: BTreeMap<&'static str, u64>,
    /// Why the region could not be read, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

impl RegionReport {
    /// Empty counts.
    pub(super) fn new(region: &str) -> Self {
        Self { region: region.to_owned(), ..Self::default() }
    }

    /// A region that could not be read.
    pub(super) fn unread(region: &str, error: Trouble) -> Self {
        Self { error: Some(error), ..Self::new(region) }
    }

    /// Why it could not be read, if so.
    pub(super) fn reason(&self) -> Option<String> {
        self.error.as_ref().map(|error| format!("{}: {error}", self.region))
    }

    /// Counts a fact.
    pub(super) fn add(&mut self, verdict: &Verdict) {
        let Verdict { item, in_lake, owed, replicating, other_version, repeated, differences: _, elsewhere: _ } =
            verdict;
        self.items += u64::from(*item);
        self.in_lake += u64::from(*in_lake);
        self.owed += u64::from(*owed);
        self.replicating += u64::from(*replicating);
        self.other_version += u64::from(*other_version);
        self.repeated += u64::from(*repeated);
    }

    /// Counts a fact again, of which the lake holds another version in another hour.
    pub(super) fn add_another_hour(&mut self, verdict: &Verdict) {
        self.other_version += u64::from(verdict.other_version);
    }

    /// Counts the rows of an hour, and what they may still lack.
    pub(super) fn add_rows(&mut self, rows: u64, late: u64) {
        *self.rows.get_or_insert(0) += rows;
        self.late += late;
    }

    /// Counts a difference.
    pub(super) fn count(&mut self, kind: Kind) {
        *self.differences.entry(kind.name()).or_default() += 1;
    }

    fn row(&self) -> Vec<Cell> {
        if self.error.is_some() {
            return [Cell::from(&self.region)].into_iter().chain((0..8).map(|_| Cell::unknown())).collect();
        }
        let differences: u64 = self.differences.values().sum();
        let style = if differences > 0 { BAD } else { GOOD };
        let rows = self.rows.map_or_else(|| "-".into(), Cell::from);
        let numbers = [self.owed, self.replicating, self.other_version, self.repeated];
        let head = [Cell::from(&self.region), self.items.into(), self.in_lake.into(), rows];
        let cells = head.into_iter().chain(numbers.map(Cell::from));
        cells.chain([Cell::new(differences, style)]).collect()
    }
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    from: String,
    to: String,
    /// Time of the comparison, in seconds since 1970.
    at: i64,
    regions: Vec<RegionReport>,
    differences: Vec<Difference>,
    /// Number of objects copied, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    copied: Option<u64>,
    /// Number of facts made pending again, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    owed_again: Option<u64>,
}

impl Report {
    pub(super) fn new([from, to]: [Day; 2], regions: Vec<RegionReport>, differences: Vec<Difference>) -> Self {
        let at = Clock::system().now().unix_seconds();
        Self { from: from.to_string(), to: to.to_string(), at, regions, differences, copied: None, owed_again: None }
    }

    /// The differences.
    pub(super) fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Records what was repaired.
    pub(super) fn repaired(&mut self, Repaired { copied, owed_again }: Repaired) {
        (self.copied, self.owed_again) = (Some(copied), Some(owed_again));
    }

    /// Whether everything was read, and nothing differs.
    pub(super) fn is_clean(&self) -> bool {
        self.differences.is_empty() && self.regions.iter().all(|region| region.error.is_none())
    }

    /// Prints it, with at most `limit` differences in a table; 0 for all.
    pub(super) fn show(&self, format: Format, limit: usize) -> anyhow::Result<()> {
        if format == Format::Json {
            return output::json(self);
        }
        let mut table = Table::new(&[
            "REGION",
            "ITEMS",
            "IN THE LAKE",
            "ROWS",
            "PENDING",
            "REPLICATING",
            "OTHER VERSION",
            "REPEATED",
            "DIFFERENCES",
        ]);
        for region in &self.regions {
            table.row(region.row());
        }
        line(table);
        self.regions.iter().filter_map(RegionReport::reason).for_each(line);
        if self.differences.is_empty() {
            return Ok(());
        }
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut table = Table::new(&["REGION", "KIND", "ID", "DETAIL"]);
        for difference in self.differences.iter().take(limit) {
            let Difference { region, kind, id, detail, elsewhere: _ } = difference;
            // A key from another writer must not control a terminal.
            table.row([region.into(), kind.name().into(), id.escape_debug().into(), detail.into()]);
        }
        line(table);
        if let Some(more) = self.differences.len().checked_sub(limit).filter(|more| *more > 0) {
            let more = count(more as u64, "more difference", "more differences");
            line(format_args!("... {more}; --limit 0 shows all"));
        }
        if let Some(objects) = self.copied {
            let objects = count(objects, "object is", "objects are");
            line(format_args!("{objects} copied. Verify again"));
        }
        if let Some(facts) = self.owed_again {
            let facts = count(facts, "fact is", "facts are");
            line(format_args!(
                "{facts} pending again. The next sweep of an ACTIVE region processes them; then verify again"
            ));
        }
        Ok(())
    }
}
