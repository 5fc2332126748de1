//! Differences between table, marks and lake for one fact. Pure: holdings come in, findings go out.

use std::{collections::BTreeMap, time::Duration};

use sales::{clock::Timestamp, ports::MARK_RETENTION, sale::FactId};
use serde::Serialize;

use super::lines::Line;
use crate::{cloud::items::Entry, journal_line::Agreement, overdue::Overdue};

/// Age up to which a worker's mark must exist (30 days), less an hour for clock skew.
const MARK_KEPT: Duration = MARK_RETENTION.saturating_sub(Duration::from_secs(60 * 60));

/// Maximum time for S3 to replicate an object, as its replication time control guarantees.
const REPLICATION: Duration = Duration::from_secs(15 * 60);

/// Kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Processed or marked, but not in the journal.
    NotInLake,
    /// In the journal, but in no table.
    NotInTable,
    /// In the journal with a line that contradicts the item.
    Contradiction,
    /// In the journal in another hour than the line says.
    WrongHour,
    /// Processed, but not marked.
    NotMarked,
    /// In another region's table, but not in this one.
    NotReplicated,
    /// Tables that contradict each other about one fact.
    TablesDiffer,
    /// In the journal for long, but still pending.
    StillPending,
    /// Neither processed nor pending: will never reach the lake.
    NotPending,
    /// An item that holds no fact.
    UnreadableItem,
    /// An object of the journal that no worker has written.
    ForeignObject,
    /// A line of the journal that no worker has written.
    ForeignLine,
    /// An object of the journal that was deleted, or written again with other contents.
    ChangedObject,
    /// In the journal for long, but not a row of the lake's table.
    NoRow,
    /// A row of the lake's table that contradicts the item.
    RowDiffers,
    /// Cancelled in the journal for long, but not in the lake's table.
    RowNotCancelled,
    /// A row of the lake's table of which neither the journal nor the sales table knows.
    UnknownRow,
    /// Rows that differ between regions whose journals agree.
    RowsDiffer,
}

impl Kind {
    /// Its name, as in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotInLake => "not-in-lake",
            Self::NotInTable => "not-in-table",
            Self::Contradiction => "contradiction",
            Self::WrongHour => "wrong-hour",
            Self::NotMarked => "not-marked",
            Self::NotReplicated => "not-replicated",
            Self::TablesDiffer => "tables-differ",
            Self::StillPending => "still-pending",
            Self::NotPending => "not-pending",
            Self::UnreadableItem => "unreadable-item",
            Self::ForeignObject => "foreign-object",
            Self::ForeignLine => "foreign-line",
            Self::ChangedObject => "changed-object",
            Self::NoRow => "no-row",
            Self::RowDiffers => "row-differs",
            Self::RowNotCancelled => "row-not-cancelled",
            Self::UnknownRow => "unknown-row",
            Self::RowsDiffer => "rows-differ",
        }
    }
}

/// The kinds with their meaning, as `--help` lists them.
pub(super) const KINDS: &str = "\
Kinds of differences:
  not-in-lake      processed or marked, but not in the journal
  not-in-table     in the journal, but in no table
  contradiction    in the journal with a line that contradicts the item
  wrong-hour       in the journal in another hour than the line says
  not-marked       processed less than 30 days ago, but not marked
  not-replicated   in another region's table, but not in this one
  tables-differ    the regions' tables contradict each other
  still-pending    in the journal for so long that the sweep is overdue, but still pending
  not-pending      neither processed nor pending: will never reach the lake
  unreadable-item  an item of these days that is neither sale nor cancellation
  foreign-object   an object in the journal of these days that no worker has written
  foreign-line     a line in an object of these days that no worker has written
  changed-object   an object of these days that was deleted, or written again with other contents
  no-row           in the journal for long, but not a row of the lake's table
  row-differs      a row of the lake's table that contradicts the item
  row-not-cancelled  cancelled in the journal for long, but not in the lake's table
  unknown-row      a row of the lake's table that neither the journal nor the sales table knows
  rows-differ      a row that differs between regions whose journals agree";

/// What one region holds of a fact.
#[derive(Debug, Clone, Default)]
pub(super) struct Held<'a> {
    /// Its item.
    pub(super) item: Option<Entry>,
    /// Whether it is marked.
    pub(super) marked: bool,
    /// Its lines in the journal.
    pub(super) lines: &'a [Line],
    /// Whether S3 reports that it has yet to replicate its object to another lake; `None` if not checked.
    pub(super) leaving: Option<bool>,
}

/// The verdict on a fact in one region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The differences, with details.
    pub(super) differences: Vec<(Kind, String)>,
    /// It has an item.
    pub(super) item: bool,
    /// It is in the lake.
    pub(super) in_lake: bool,
    /// It is pending.
    pub(super) owed: bool,
    /// It is in another region's lake, and on its way to this one, or S3 was not checked.
    pub(super) replicating: bool,
    /// The lake holds the version of another moment, which is not a difference.
    pub(super) other_version: bool,
    /// The journal holds one of its lines several times, which is not a difference.
    pub(super) repeated: bool,
    /// Where another region's journal holds it, if this one lacks it.
    pub(super) elsewhere: Option<Source>,
}

/// An object in the journal of another region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Source {
    /// The region.
    pub(super) region: String,
    /// The object's key.
    pub(super) key: String,
}

/// What a verdict needs besides the holdings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    /// The current time.
    pub(super) now: Timestamp,
    /// The rule for overdue items.
    pub(super) overdue: Overdue,
}

/// Judges a fact in the region `here` by the holdings of all regions.
pub(super) fn judge(id: FactId, here: &str, held: &BTreeMap<&str, Held<'_>>, measure: Measure) -> Verdict {
    let Measure { now, overdue } = measure;
    let nothing = Held::default();
    let own = held.get(here).unwrap_or(&nothing);
    let others = || held.iter().filter(|(region, _)| **region != here);
    let elsewhere: Vec<(&str, Entry)> = others().filter_map(|(region, held)| Some((*region, held.item?))).collect();
    let is_there = !own.lines.is_empty();
    let repeated = own.lines.iter().any(|line| line.times > 1);
    let mut verdict = Verdict { item: own.item.is_some(), in_lake: is_there, repeated, ..Verdict::default() };

    let Some(item) = own.item else {
        let difference = match elsewhere.first() {
            Some((region, _)) => Some((Kind::NotReplicated, format!("it is in the table of {region}"))),
            None if is_there => Some((Kind::NotInTable, keys(own.lines))),
            None => None,
        };
        verdict.differences.extend(difference);
        return verdict;
    };
    if let Some((region, _)) = elsewhere.iter().find(|(_, other)| other.line != item.line) {
        verdict.differences.push((Kind::TablesDiffer, format!("differs from the table of {region}")));
    }
    if !is_there {
        let elsewhere = others().filter_map(|(region, held)| {
            let newest = held.newest()?;
            let is_recent = newest.object.written_at.is_some_and(|written_at| now.since(written_at) < REPLICATION);
            Some(Elsewhere { region, newest, is_leaving: held.leaving != Some(false) && is_recent })
        });
        not_in_lake(&mut verdict, item, own, elsewhere.max_by_key(|elsewhere| elsewhere.is_leaving));
        return verdict;
    }

    for line in own.lines {
        match line.digest.compare(item.line, id) {
            Agreement::Same => {}
            Agreement::OtherVersion => verdict.other_version = true,
            Agreement::Contradiction => {
                verdict.differences.push((Kind::Contradiction, format!("in {}", line.object.key)));
            }
        }
        if line.digest.hour != line.folder {
            let detail = format!("in {}, not in {}", line.object.key, line.digest.hour.prefix());
            verdict.differences.push((Kind::WrongHour, detail));
        }
    }
    let written_at = own.written_at().unwrap_or(item.accepted);
    let progress = item.progress;
    if progress.processed && !own.marked && now.since(progress.processed_at.unwrap_or(written_at)) < MARK_KEPT {
        verdict.differences.push((Kind::NotMarked, format!("in the lake since {}", written_at.rfc3339())));
    }
    if progress.pending && overdue.is_overdue(now.since(written_at)) {
        verdict.differences.push((Kind::StillPending, format!("in the lake since {}", written_at.rfc3339())));
    }
    if !progress.pending && !progress.processed {
        verdict.differences.push((Kind::NotPending, "but in the lake".to_owned()));
    }
    verdict
}

/// A line in another region's journal.
struct Elsewhere<'a> {
    region: &'a str,
    newest: &'a Line,
    /// Whether it may be on its way to this region.
    is_leaving: bool,
}

/// The difference of a fact with an item but no line.
fn not_in_lake(verdict: &mut Verdict, item: Entry, own: &Held<'_>, elsewhere: Option<Elsewhere<'_>>) {
    let progress = item.progress;
    if progress.pending && !own.marked {
        // This includes processed facts that were lost: the sweep checks only the mark.
        verdict.owed = true;
        return;
    }
    if !progress.processed && !own.marked {
        verdict.differences.push((Kind::NotPending, format!("accepted {}", item.accepted.rfc3339())));
        return;
    }
    if elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.is_leaving) {
        verdict.replicating = true;
        return;
    }
    let since = progress.processed_at.map_or_else(|| "marked".to_owned(), |at| format!("processed {}", at.rfc3339()));
    let source = elsewhere
        .map(|Elsewhere { region, newest, .. }| Source { region: region.to_owned(), key: newest.object.key.clone() });
    let there = source.as_ref().map_or_else(String::new, |source| format!("; it is in the lake of {}", source.region));
    verdict.differences.push((Kind::NotInLake, format!("{since}{there}")));
    verdict.elsewhere = source;
}

fn keys(lines: &[Line]) -> String {
    let keys: Vec<&str> = lines.iter().map(|line| line.object.key.as_str()).collect();
    keys.join(" and ")
}

impl Held<'_> {
    /// The line in the newest object.
    pub(super) fn newest(&self) -> Option<&Line> {
        self.lines.iter().max_by_key(|line| line.object.written_at)
    }

    /// Time at which the newest object was written.
    fn written_at(&self) -> Option<Timestamp> {
        self.newest()?.object.written_at
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sales::sale::{Amount, Fact, Product, Sale};

    use super::*;
    use crate::{
        cloud::{items::Progress, lake::Object},
        journal_line::LineDigest,
    };

    const NOW: i64 = 1_764_547_200 + 3_600;
    const ACCEPTED: i64 = 1_764_547_200 + 10;
    const SALE: &str = "0192f5c0-7c1d-7a3e-8f11-0123456789ab";
    /// Id of an idempotency key.
    const KEYED: &str = "141ede07-9e2f-5eb5-bb20-caedf6d2db6e";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn measure(now: Timestamp) -> Measure {
        Measure { now, overdue: Overdue::with_grace(30) }
    }

    fn digest(id: &str, amount: &str, accepted: i64) -> LineDigest {
        LineDigest::of(&Fact::Sale(Sale {
            id: id.parse().unwrap(),
            product: Product::new("Livro".into()).unwrap(),
            amount: Amount::from_json_number(amount).unwrap(),
            timestamp: at(accepted),
            region: None,
            client: None,
        }))
    }

    fn entry(line: LineDigest, processed: bool) -> Entry {
        let processed_at = processed.then(|| at(ACCEPTED + 1));
        Entry { accepted: at(ACCEPTED), line, progress: Progress { processed, processed_at, pending: !processed } }
    }

    /// The item of the sale.
    fn sold(processed: bool) -> Option<Entry> {
        Some(entry(digest(SALE, "14", ACCEPTED), processed))
    }

    fn line(digest: LineDigest, written_at: i64) -> Line {
        let object = Object { key: "key".to_owned(), written_at: Some(at(written_at)) };
        Line { digest, folder: digest.hour, object: Arc::new(object), times: 1 }
    }

    /// The line of the sale.
    fn written(written_at: i64) -> Line {
        line(digest(SALE, "14", ACCEPTED), written_at)
    }

    fn held(item: Option<Entry>, marked: bool, lines: &[Line]) -> Held<'_> {
        Held { item, marked, lines, leaving: None }
    }

    fn verdict(id: &str, here: Held<'_>, there: Option<Held<'_>>) -> Verdict {
        let held = [("a", Some(here)), ("b", there)];
        let held = held.into_iter().filter_map(|(region, held)| Some((region, held?))).collect();
        judge(id.parse().unwrap(), "a", &held, measure(at(NOW)))
    }

    fn kinds(verdict: &Verdict) -> Vec<&'static str> {
        verdict.differences.iter().map(|(kind, _)| kind.name()).collect()
    }

    #[test]
    fn a_fact_that_is_processed_marked_and_in_the_journal_has_no_difference_however_often_it_is_there() {
        let once = [written(ACCEPTED + 1)];
        let all = || held(sold(true), true, &once);
        assert_eq!(verdict(SALE, all(), Some(all())), Verdict { item: true, in_lake: true, ..Verdict::default() });
        let repeated = [Line { times: 2, ..written(ACCEPTED + 1) }];
        let found = verdict(SALE, held(sold(true), true, &repeated), Some(all()));
        assert_eq!(found, Verdict { item: true, in_lake: true, repeated: true, ..Verdict::default() });
    }

    #[test]
    fn what_is_pending_is_owed_and_no_difference() {
        let verdict = verdict(SALE, held(sold(false), false, &[]), None);
        assert_eq!(verdict, Verdict { item: true, owed: true, ..Verdict::default() });
    }

    #[test]
    fn each_difference_has_its_kind() {
        let (there, old) = ([written(NOW - 1)], [written(NOW - 200)]);
        let tampered = [line(digest(SALE, "15", ACCEPTED), NOW - 1)];
        let both = [written(NOW - 1), tampered[0].clone()];
        let misplaced = [Line { folder: digest(SALE, "14", NOW).hour, ..written(NOW - 1) }];
        let (done, pending) = (sold(true), sold(false));
        let lost = done.map(|item| Entry { progress: Progress::default(), ..item });
        for (here, expected) in [
            (held(done, true, &[]), vec!["not-in-lake"]),
            (held(pending, true, &[]), vec!["not-in-lake"]),
            (held(None, true, &there), vec!["not-in-table"]),
            (held(done, true, &tampered), vec!["contradiction"]),
            (held(done, true, &both), vec!["contradiction"]),
            (held(done, true, &misplaced), vec!["wrong-hour"]),
            (held(done, false, &there), vec!["not-marked"]),
            (held(pending, true, &old), vec!["still-pending"]),
            (held(pending, true, &there), vec![]),
            (held(lost, false, &[]), vec!["not-pending"]),
            (held(lost, false, &there), vec!["not-pending"]),
        ] {
            let description = format!("{here:?}");
            assert_eq!(kinds(&verdict(SALE, here, None)), expected, "{description}");
        }
    }

    #[test]
    fn regions_are_compared_with_each_other() {
        let there = || Some(held(sold(true), true, &[]));
        assert_eq!(kinds(&verdict(SALE, Held::default(), there())), ["not-replicated"]);
        let other = Some(entry(digest(SALE, "15", ACCEPTED), false));
        assert_eq!(kinds(&verdict(SALE, held(other, false, &[]), there())), ["tables-differ"]);
    }

    #[test]
    fn a_line_is_replicating_while_s3_says_so_and_not_for_longer_than_it_may_and_then_it_can_be_copied() {
        for (written_at, leaving, replicating) in [
            (NOW - 60, None, true),
            (NOW - 60, Some(true), true),
            (NOW - 60, Some(false), false),
            (NOW - 3_000, Some(true), false),
        ] {
            let lines = [written(written_at)];
            let there = Held { leaving, ..held(sold(true), true, &lines) };
            let verdict = verdict(SALE, held(sold(true), true, &[]), Some(there));
            assert_eq!(verdict.replicating, replicating, "{leaving:?}");
            assert_eq!(verdict.differences.is_empty(), replicating);
            let source = Source { region: "b".to_owned(), key: "key".to_owned() };
            assert_eq!(verdict.elsewhere, (!replicating).then_some(source));
        }
    }

    #[test]
    fn a_mark_that_may_have_expired_is_not_missed() {
        let lines = [written(ACCEPTED)];
        let held = BTreeMap::from([("a", held(sold(true), false, &lines))]);
        let verdict = judge(SALE.parse().unwrap(), "a", &held, measure(at(NOW + 30 * 24 * 60 * 60)));
        assert!(verdict.differences.is_empty());
    }

    #[test]
    fn the_version_of_another_moment_is_tolerated_where_two_regions_can_have_accepted_it() {
        let before_midnight = 1_764_547_200 - 5;
        for (id, amount, accepted, expected) in [
            (KEYED, "14", ACCEPTED + 2, vec![]),
            (KEYED, "14", before_midnight, vec![]),
            (KEYED, "15", ACCEPTED + 2, vec!["contradiction"]),
            (SALE, "14", ACCEPTED + 2, vec!["contradiction"]),
        ] {
            let item = Some(entry(digest(id, "14", ACCEPTED), true));
            let other = line(digest(id, amount, accepted), NOW - 1);
            let both = [line(digest(id, "14", ACCEPTED), NOW - 1), other];
            for lines in [&both[1..], &both] {
                let verdict = verdict(id, held(item, true, lines), None);
                assert_eq!(kinds(&verdict), expected, "{id} {amount} {accepted}");
                assert_eq!(verdict.other_version, expected.is_empty());
            }
        }
    }
}
