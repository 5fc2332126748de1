//! The final check: every accepted fact is in the sales table and in the lake of both regions, and every sale is a row of the
//! lake's table, as `salesctl lake verify` finds it.

use serde::Deserialize;
use tabled::{Table, builder::Builder};

use crate::summary::columns;

/// Maximum differences shown.
const EXAMPLES: usize = 5;

/// What was accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepted {
    pub(crate) sales: u64,
    pub(crate) cancellations: u64,
}

impl Accepted {
    fn facts(self) -> u64 {
        self.sales + self.cancellations
    }
}

/// The result of `salesctl lake verify`.
#[derive(Debug, Deserialize)]
pub(crate) struct Verified {
    regions: Vec<VerifiedRegion>,
    differences: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
struct VerifiedRegion {
    region: String,
    /// Sales and cancellations in the table.
    items: u64,
    /// Those in the lake.
    in_lake: u64,
    /// Rows of the lake's table; `None` without one.
    rows: Option<u64>,
    /// Facts that the lake's table may still lack.
    late: u64,
    /// Those pending.
    owed: u64,
    /// Those of which the lake holds the version of another moment.
    other_version: u64,
    /// Why the region could not be read, if so.
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Difference {
    region: String,
    kind: String,
    id: String,
    detail: String,
}

impl Verified {
    /// Number of facts missing in a journal, of those pending in a table, and of those that the lake's table lacks.
    pub(crate) fn outstanding(&self, accepted: Accepted) -> (u64, u64, u64) {
        let sum = |count: fn(&VerifiedRegion, Accepted) -> u64| {
            self.regions.iter().map(|region| count(region, accepted)).sum()
        };
        let missing = |region: &VerifiedRegion, accepted: Accepted| accepted.facts().saturating_sub(region.in_lake);
        let without_row = |region: &VerifiedRegion, accepted: Accepted| {
            region.late.max(accepted.sales.saturating_sub(region.rows.unwrap_or(0)))
        };
        (sum(missing), sum(|region, _| region.owed), sum(without_row))
    }

    /// One row a region; `accepted_by`: the sales that each one has accepted.
    pub(crate) fn table(&self, accepted_by: &[u64]) -> Table {
        let mut table = Builder::new();
        table.push_record(["region", "accepted", "in the table", "in the lake", "rows", "pending", "differences"]);
        for (region, accepted) in self.regions.iter().zip(accepted_by) {
            let differences = self.differences.iter().filter(|difference| difference.region == region.region).count();
            table.push_record([
                region.region.clone(),
                accepted.to_string(),
                region.items.to_string(),
                region.in_lake.to_string(),
                region.rows.unwrap_or(0).to_string(),
                region.owed.to_string(),
                differences.to_string(),
            ]);
        }
        columns(table)
    }

    /// What is wrong, if these were accepted.
    pub(crate) fn faults(&self, accepted: Accepted) -> Vec<String> {
        let (sales, accepted) = (accepted.sales, accepted.facts());
        let mut faults = Vec::new();
        for VerifiedRegion { region, items, in_lake, rows, late, other_version, error, .. } in &self.regions {
            faults.extend(error.as_ref().map(|error| format!("{region} could not be read: {error}")));
            for (place, found) in [("table", items), ("lake", in_lake)] {
                if *found != accepted {
                    faults.push(format!(
                        "{accepted} sales and cancellations were accepted, but {found} are in the {place} of {region}"
                    ));
                }
            }
            if *rows != Some(sales) || *late > 0 {
                let rows = rows.unwrap_or(0);
                faults.push(format!(
                    "{sales} sales were accepted, but the lake's table of {region} has {rows} rows, and may lack {late} facts"
                ));
            }
            if *other_version > 0 {
                faults.push(format!("{other_version} facts of another moment than the item's in the lake of {region}"));
            }
        }
        for Difference { region, kind, id, detail } in self.differences.iter().take(EXAMPLES) {
            faults.push(format!("{kind} in {region}: {id} {detail}").trim_end().to_owned());
        }
        if let Some(more) = self.differences.len().checked_sub(EXAMPLES).filter(|more| *more > 0) {
            faults.push(format!("... and {more} more differences"));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: Accepted = Accepted { sales: 400, cancellations: 2 };

    /// As salesctl prints it for two regions; the first one holds this much.
    fn verified(items: u64, in_lake: u64, owed: u64, differences: &str) -> Verified {
        let region = |region: &str, items, in_lake: u64, owed| {
            // Two of them are cancellations.
            let rows = in_lake - 2;
            format!(
                r#"{{"region": "{region}", "items": {items}, "in_lake": {in_lake}, "rows": {rows}, "late": 0, "owed": {owed}, "replicating": 0,
                     "other_version": 0, "repeated": 0, "differences": {{}}}}"#
            )
        };
        let regions = [region("sa-east-1", items, in_lake, owed), region("us-east-1", 402, 402, 0)].join(",");
        let text = format!(
            r#"{{"from": "2025-01-31", "to": "2025-02-01", "at": 1, "regions": [{regions}], "differences": [{differences}]}}"#
        );
        serde_json::from_str(&text).expect("JSON")
    }

    fn difference(kind: &str) -> String {
        format!(r#"{{"region": "sa-east-1", "kind": "{kind}", "id": "1", "detail": "in key"}}"#)
    }

    #[test]
    fn everything_in_both_lakes_is_no_fault() {
        let verified = verified(402, 402, 0, "");
        assert_eq!(verified.outstanding(ACCEPTED), (0, 0, 0));
        assert_eq!(verified.faults(ACCEPTED), [""; 0]);
        assert_eq!(
            verified.table(&[232, 168]).to_string(),
            "region     accepted  in the table  in the lake  rows  pending  differences\n\
             sa-east-1       232           402          402   400        0            0\n\
             us-east-1       168           402          402   400        0            0"
        );
    }

    #[test]
    fn an_accepted_sale_in_no_table_or_lake_is_a_fault() {
        assert_eq!(verified(402, 400, 2, "").outstanding(ACCEPTED), (2, 2, 2));
        let of_first = "sales and cancellations were accepted, but";
        let rows = |rows| {
            format!("400 sales were accepted, but the lake's table of sa-east-1 has {rows} rows, and may lack 0 facts")
        };
        assert_eq!(
            verified(402, 400, 2, "").faults(ACCEPTED),
            [format!("402 {of_first} 400 are in the lake of sa-east-1"), rows(398)]
        );
        assert_eq!(
            verified(401, 401, 0, "").faults(ACCEPTED),
            [
                format!("402 {of_first} 401 are in the table of sa-east-1"),
                format!("402 {of_first} 401 are in the lake of sa-east-1"),
                rows(399),
            ]
        );
        // One that was never accepted is a fault, too.
        assert_eq!(verified(402, 402, 0, "").faults(Accepted { sales: 399, ..ACCEPTED }).len(), 6);
    }

    #[test]
    fn each_difference_is_a_fault_and_the_first_ones_are_named() {
        assert_eq!(
            verified(402, 402, 0, &difference("contradiction")).faults(ACCEPTED),
            ["contradiction in sa-east-1: 1 in key"]
        );
        let many = vec![difference("not-in-lake"); 7].join(",");
        let faults = verified(402, 402, 0, &many).faults(ACCEPTED);
        assert_eq!((faults.len(), faults[5].as_str()), (6, "... and 2 more differences"));
    }
}
