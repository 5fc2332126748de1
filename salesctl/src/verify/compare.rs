//! Compares the regions, hour by hour, so that no more than an hour of the journal is in memory.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::future::join_all;
use sales::{clock::Clock, journal::Hour, sale::FactId};
use sales_table::row::DAY;

use super::{
    Held, HourLines, Kind, Measure, Verdict,
    again::{self, Suspect},
    judge,
    read::{Progress, Snapshot, keep_answers},
    report::{Difference, RegionReport},
    rows::{Elsewhere, Hold, RowReader},
};
use crate::{
    cloud::{
        Cloud, RegionCloud,
        lake::{Listing, Versions},
        trouble::Trouble,
    },
    day::Day,
    output::count,
};

/// The result of a comparison.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) regions: BTreeMap<String, RegionReport>,
    pub(super) differences: Vec<Difference>,
}

/// A comparison under way.
struct Comparison<'a> {
    cloud: &'a Cloud,
    snapshots: &'a BTreeMap<&'a str, Snapshot>,
    progress: &'a BTreeMap<&'a str, Progress>,
    /// The regions that have not failed.
    regions: Vec<&'a RegionCloud>,
    troubles: BTreeMap<&'a str, Trouble>,
    counted: BTreeMap<&'a str, RegionReport>,
    differences: Vec<Difference>,
    suspects: HashMap<FactId, Suspect>,
    /// The lake's tables, where there are any.
    tables: BTreeMap<&'a str, RowReader>,
    elsewhere: BTreeMap<&'a str, Elsewhere>,
}

/// Compares the journals of these days with the tables, and with each other.
pub(super) async fn compare<'a>(
    cloud: &'a Cloud,
    snapshots: &'a BTreeMap<&'a str, Snapshot>,
    progress: &'a BTreeMap<&'a str, Progress>,
    [first, last]: [Day; 2],
) -> Compared {
    let mut comparison = Comparison {
        cloud,
        snapshots,
        progress,
        regions: snapshots.keys().filter_map(|name| cloud.regions.get(*name)).collect(),
        troubles: BTreeMap::new(),
        counted: snapshots.keys().map(|name| (*name, RegionReport::new(name))).collect(),
        differences: Vec::new(),
        suspects: HashMap::new(),
        tables: BTreeMap::new(),
        elsewhere: BTreeMap::new(),
    };
    comparison.open_tables().await;
    for (region, snapshot) in snapshots {
        comparison.tell(region, Kind::UnreadableItem, snapshot.unreadable());
    }
    for day in first.to(last) {
        comparison.day(day).await;
    }
    comparison.recheck().await;
    comparison.judge_elsewhere(first).await;
    comparison.finish()
}

impl<'a> Comparison<'a> {
    /// Before the journals are read, so that these have what the tables have.
    async fn open_tables(&mut self) {
        let opened = join_all(self.regions.iter().map(|region| region.lake_table())).await;
        let opened = keep_answers(&mut self.regions, opened, &mut self.troubles);
        self.tables = opened.into_iter().filter_map(|(region, table)| Some((region, RowReader::new(table?)))).collect();
    }

    async fn day(&mut self, day: Day) {
        let listings = join_all(self.regions.iter().map(|region| region.objects_of_day(day))).await;
        let mut listings = keep_answers(&mut self.regions, listings, &mut self.troubles);
        for (region, listing) in &listings {
            self.tell(region, Kind::ForeignObject, listing.foreign.iter().map(String::as_str));
            let changed = listing.changed.iter();
            self.differences.extend(
                changed.map(|(key, versions)| Difference::new(region, Kind::ChangedObject, key, told(*versions))),
            );
        }
        for hour in day.hours() {
            self.hour(hour, &mut listings).await;
        }
    }

    async fn hour(&mut self, hour: Hour, listings: &mut BTreeMap<&'a str, Listing>) {
        let progress = self.progress;
        let reads = self.regions.iter().map(|region| {
            let name = region.name.as_str();
            let objects = listings.get_mut(name).and_then(|listing| listing.by_hour.remove(&hour)).unwrap_or_default();
            async move {
                let mut lines = HourLines::default();
                let read = |lines| progress[name].lines(lines);
                lines.read(region, hour, objects, |_| true, read).await?;
                Ok(lines)
            }
        });
        let read = join_all(reads).await;
        let lines = keep_answers(&mut self.regions, read, &mut self.troubles);
        for (region, lines) in &lines {
            self.tell(region, Kind::ForeignLine, lines.foreign());
        }
        self.judge(hour, &lines);
        self.judge_rows(hour, &lines).await;
    }

    /// Compares the rows of an hour with all that is known of it.
    async fn judge_rows(&mut self, hour: Hour, lines: &BTreeMap<&'a str, HourLines>) {
        let readers = self.tables.iter_mut().filter(|(region, _)| lines.contains_key(*region));
        let read = readers.map(async |(region, reader)| (*region, reader.opened_at(), reader.hour(hour).await));
        let mut rows = Vec::new();
        for (region, opened_at, read) in join_all(read).await {
            match read {
                Ok(read) => rows.push((region, opened_at, read)),
                Err(trouble) => {
                    self.tables.remove(region);
                    self.regions.retain(|known| known.name != region);
                    self.troubles.insert(region, trouble);
                }
            }
        }
        let holds: Vec<(&'a str, Hold<'_>)> = rows
            .iter()
            .map(|(region, opened_at, rows)| {
                let (lines, items) = (&lines[region], &self.snapshots[region]);
                (*region, Hold { rows, lines, items, opened_at: *opened_at })
            })
            .collect();
        for (region, hold) in &holds {
            let judged = hold.judge(hour, self.elsewhere.entry(region).or_default());
            if let Some(report) = self.counted.get_mut(region) {
                report.add_rows(hold.rows.count(), judged.late);
            }
            let told = judged.differences.into_iter();
            self.differences
                .extend(told.map(|(kind, id, detail)| Difference::new(region, kind, &id.to_string(), detail)));
        }
        let Some(((first, one), others)) = holds.split_first() else { return };
        for (region, other) in others {
            let differing = one.differing(other, hour).into_iter();
            let told = format!("differs from the lake's table of {first}");
            self.differences
                .extend(differing.map(|id| Difference::new(region, Kind::RowsDiffer, &id.to_string(), told.clone())));
        }
    }

    /// Sales of keys whose row is in no hour of these days, nor on the day before: that of an earlier version.
    async fn judge_elsewhere(&mut self, first: Day) {
        for (region, mut elsewhere) in std::mem::take(&mut self.elsewhere) {
            if elsewhere.is_missing_some()
                && let Some(reader) = self.tables.get(region)
            {
                match reader.sales(first.first_second() - DAY, first.first_second() - 1).await {
                    Ok(sales) => elsewhere.add_found(sales),
                    Err(trouble) => _ = self.troubles.insert(region, trouble),
                }
            }
            let missing = elsewhere.missing();
            self.differences.extend(
                missing.map(|(id, key)| Difference::new(region, Kind::NoRow, &id.to_string(), format!("in {key}"))),
            );
        }
    }

    fn judge(&mut self, hour: Hour, lines: &BTreeMap<&'a str, HourLines>) {
        let measure = Measure { now: Clock::system().now(), overdue: self.cloud.overdue };
        let mut ids: HashSet<FactId> = lines.values().flat_map(HourLines::ids).collect();
        ids.extend(lines.keys().flat_map(|region| self.snapshots[region].ids(hour)));
        for id in ids {
            let held: BTreeMap<&str, Held<'_>> = lines
                .iter()
                .map(|(region, lines)| (*region, self.snapshots[region].held(hour, id, lines.of(id))))
                .collect();
            let verdicts: Vec<(&'a str, Verdict)> =
                lines.keys().map(|region| (*region, judge(id, region, &held, measure))).collect();
            if verdicts.iter().any(|(_, verdict)| verdict.replicating || !verdict.differences.is_empty()) {
                let suspect = self.suspects.entry(id).or_default();
                suspect.hours.insert(hour);
                suspect.is_home |= held.values().any(|held| held.item.is_some());
            } else {
                self.note(&verdicts);
            }
        }
    }

    /// Rechecks what differs.
    async fn recheck(&mut self) {
        let suspects = std::mem::take(&mut self.suspects);
        let looked = again::look(self.cloud, &self.regions, &suspects).await;
        self.differences.extend(looked.differences);
        for (id, verdicts) in looked.verdicts {
            let is_counted = !suspects[&id].is_home && self.snapshots.values().any(|snapshot| snapshot.has(id));
            if is_counted {
                self.note_another_hour(&verdicts);
            } else {
                self.note(&verdicts);
            }
        }
        self.troubles.extend(looked.troubles);
    }

    fn finish(mut self) -> Compared {
        for (region, error) in self.troubles {
            if let Some(report) = self.counted.get_mut(region) {
                *report = RegionReport::unread(region, error);
                self.differences.retain(|difference| difference.region != region);
            }
        }
        self.differences.sort_unstable();
        for difference in &self.differences {
            if let Some(report) = self.counted.get_mut(difference.region.as_str()) {
                report.count(difference.kind);
            }
        }
        let regions = self.counted.into_iter().map(|(region, report)| (region.to_owned(), report)).collect();
        Compared { regions, differences: self.differences }
    }

    fn tell<'b>(&mut self, region: &str, kind: Kind, ids: impl Iterator<Item = &'b str>) {
        self.differences.extend(ids.map(|id| Difference::new(region, kind, id, String::new())));
    }

    fn note(&mut self, verdicts: &[(&'a str, Verdict)]) {
        for (region, verdict) in verdicts {
            if let Some(report) = self.counted.get_mut(region) {
                report.add(verdict);
            }
        }
    }

    fn note_another_hour(&mut self, verdicts: &[(&'a str, Verdict)]) {
        for (region, verdict) in verdicts {
            if let Some(report) = self.counted.get_mut(region) {
                report.add_another_hour(verdict);
            }
        }
    }
}

fn told(versions: Versions) -> String {
    let Versions { written, deleted, differ, .. } = versions;
    let versions = count(written, "version", "versions");
    let differ = if differ { ", which differ" } else { "" };
    let deleted = match deleted {
        0 => String::new(),
        deleted => format!(", {}", count(deleted, "deletion", "deletions")),
    };
    format!("{versions}{differ}{deleted}")
}
