//! Differences between table, marks and lake for one fact. Pure: holdings come in, findings go out.

use std::{collections::BTreeMap, time::Duration};

use sales::{clock::Timestamp, ports::MARK_RETENTION, sale::FactId};
use serde::Serialize;

use crate::{
    cloud::{
        items::Entry,
        lake::{Latest, Versions},
    },
    day::Day,
    lake_object::{Bytes, may_be_accepted_twice},
    output::count,
    overdue::Overdue,
};

/// Age up to which a worker's mark must exist (30 days), less an hour for clock skew.
const MARK_KEPT: Duration = MARK_RETENTION.saturating_sub(Duration::from_secs(60 * 60));

/// Maximum time for S3 to replicate an object, as its replication time control guarantees.
const REPLICATION: Duration = Duration::from_secs(15 * 60);

/// Kinds of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    /// Processed or marked, but not in the lake.
    NotInLake,
    /// In the lake, but in no table.
    NotInTable,
    /// In the lake with bytes other than the item's.
    OtherBytes,
    /// In the lake under a key that does not follow from the item.
    WrongKey,
    /// Several versions, a deletion, or several keys.
    WrittenAgain,
    /// Processed, but not marked.
    NotMarked,
    /// In another region's table, but not in this one.
    NotReplicated,
    /// Tables that contradict each other about one fact.
    TablesDiffer,
    /// In the lake for long, but still pending.
    StillPending,
    /// Neither processed nor pending: will never reach the lake.
    NotPending,
    /// An item that holds no fact.
    UnreadableItem,
    /// An object that no worker has written.
    ForeignObject,
}

impl Kind {
    /// Its name, as in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NotInLake => "not-in-lake",
            Self::NotInTable => "not-in-table",
            Self::OtherBytes => "other-bytes",
            Self::WrongKey => "wrong-key",
            Self::WrittenAgain => "written-again",
            Self::NotMarked => "not-marked",
            Self::NotReplicated => "not-replicated",
            Self::TablesDiffer => "tables-differ",
            Self::StillPending => "still-pending",
            Self::NotPending => "not-pending",
            Self::UnreadableItem => "unreadable-item",
            Self::ForeignObject => "foreign-object",
        }
    }
}

/// The kinds with their meaning, as `--help` lists them.
pub(super) const KINDS: &str = "\
Kinds of differences:
  not-in-lake      processed or marked, but not in the lake
  not-in-table     in the lake, but in no table
  other-bytes      in the lake with other bytes than the item's
  wrong-key        in the lake under a key that does not follow from the item
  written-again    an object with several versions, a deletion, or several keys
  not-marked       processed less than 30 days ago, but not marked
  not-replicated   in another region's table, but not in this one
  tables-differ    the regions' tables contradict each other
  still-pending    in the lake for so long that the sweep is overdue, but still pending
  not-pending      neither processed nor pending: will never reach the lake
  unreadable-item  an item of these days that is neither sale nor cancellation
  foreign-object   an object of these days that no worker has written";

/// What one region holds of a fact.
#[derive(Debug, Clone, Default)]
pub(super) struct Held<'a> {
    /// Its item.
    pub(super) item: Option<Entry>,
    /// Whether it is marked.
    pub(super) marked: bool,
    /// Its objects in the lake, current and former.
    pub(super) objects: Vec<Seen<'a>>,
    /// Whether S3 reports that it has yet to replicate the object to another lake; `None` if not checked.
    pub(super) leaving: Option<bool>,
}

/// An object of the lake.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    /// Day of its folder.
    pub(super) day: Day,
    /// Its versions.
    pub(super) versions: &'a Versions,
    /// The comparison of its bytes, if made; otherwise the ETag decides.
    pub(super) bytes: Option<Bytes>,
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
    let there: Vec<(&Seen<'_>, Latest)> =
        own.objects.iter().filter_map(|seen| Some((seen, seen.versions.latest?))).collect();
    let mut verdict = Verdict { item: own.item.is_some(), in_lake: !there.is_empty(), ..Verdict::default() };
    verdict.differences.extend(written_again(&own.objects));

    let Some(item) = own.item else {
        let difference = match elsewhere.first() {
            Some((region, _)) => Some((Kind::NotReplicated, format!("it is in the table of {region}"))),
            None if there.is_empty() && own.objects.is_empty() => None,
            None if there.is_empty() => Some((Kind::NotInLake, "deleted, and in no table".to_owned())),
            None => Some((Kind::NotInTable, keys(&own.objects))),
        };
        verdict.differences.extend(difference);
        return verdict;
    };
    if let Some((region, _)) = elsewhere.iter().find(|(_, other)| other.md5 != item.md5) {
        verdict.differences.push((Kind::TablesDiffer, format!("differs from the table of {region}")));
    }
    if there.is_empty() {
        let elsewhere = others().filter_map(|(region, held)| {
            let written_at = held.written_at()?;
            let is_leaving = held.leaving != Some(false) && now.since(written_at) < REPLICATION;
            Some(Elsewhere { region, is_leaving })
        });
        not_in_lake(&mut verdict, item, own, elsewhere.max_by_key(|elsewhere| elsewhere.is_leaving));
        return verdict;
    }

    let mut versions = 0;
    for (seen, latest) in &there {
        let bytes = seen.bytes.unwrap_or_else(|| by_etag(id, *latest, item, &elsewhere));
        let belongs_to = match bytes {
            Bytes::Same => Some(item.accepted),
            Bytes::OtherVersion(accepted) => Some(accepted),
            Bytes::Different => None,
        };
        match belongs_to.map(Day::of) {
            None => verdict.differences.push((Kind::OtherBytes, format!("in the folder of {}", seen.day))),
            Some(day) if day != seen.day => {
                verdict.differences.push((Kind::WrongKey, format!("in the folder of {}, not of {day}", seen.day)));
            }
            Some(_) => versions += 1,
        }
        verdict.other_version |= matches!(bytes, Bytes::OtherVersion(_));
    }
    if there.len() > 1 && !(versions == there.len() && may_be_accepted_twice(id)) {
        verdict.differences.push((Kind::WrittenAgain, format!("in the folders of {}", keys(&own.objects))));
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

/// An object in another region's lake.
struct Elsewhere<'a> {
    region: &'a str,
    /// Whether it may be on its way to this region.
    is_leaving: bool,
}

/// The difference of a fact with an item but no object.
fn not_in_lake(verdict: &mut Verdict, item: Entry, own: &Held<'_>, elsewhere: Option<Elsewhere<'_>>) {
    let progress = item.progress;
    if progress.pending && !own.marked {
        // This includes processed objects that were lost: the sweep checks only the mark.
        verdict.owed = true;
        return;
    }
    if !progress.processed && !own.marked {
        verdict.differences.push((Kind::NotPending, format!("accepted {}", item.accepted.rfc3339())));
        return;
    }
    if own.objects.is_empty() && elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.is_leaving) {
        verdict.replicating = true;
        return;
    }
    let since = progress.processed_at.map_or_else(|| "marked".to_owned(), |at| format!("processed {}", at.rfc3339()));
    let deleted = if own.objects.is_empty() { "" } else { ", deleted since" };
    let elsewhere =
        elsewhere.map_or_else(String::new, |elsewhere| format!("; it is in the lake of {}", elsewhere.region));
    verdict.differences.push((Kind::NotInLake, format!("{since}{deleted}{elsewhere}")));
}

fn written_again(objects: &[Seen<'_>]) -> Option<(Kind, String)> {
    let (written, deleted): (u32, u32) = objects
        .iter()
        .map(|seen| (seen.versions.written, seen.versions.deleted))
        .reduce(|a, b| (a.0.max(b.0), a.1 + b.1))?;
    let differ = objects.iter().any(|seen| seen.versions.differ);
    if written <= 1 && deleted == 0 {
        return None;
    }
    let alike = match (written, differ) {
        (..=1, _) => "",
        (_, true) => ", which differ",
        (_, false) => ", all alike",
    };
    let deleted = match deleted {
        0 => String::new(),
        deleted => format!(", {}", count(deleted, "deletion", "deletions")),
    };
    Some((Kind::WrittenAgain, format!("{}{alike}{deleted}", count(written, "version", "versions"))))
}

/// Equal ETags mean equal bytes; different ones mean nothing, since not every ETag is an MD5.
fn by_etag(id: FactId, latest: Latest, item: Entry, elsewhere: &[(&str, Entry)]) -> Bytes {
    if latest.etag == Some(item.md5) {
        return Bytes::Same;
    }
    let other = elsewhere.iter().find(|(_, other)| latest.etag == Some(other.md5) && may_be_accepted_twice(id));
    other.map_or(Bytes::Different, |(_, other)| Bytes::OtherVersion(other.accepted))
}

fn keys(objects: &[Seen<'_>]) -> String {
    let days: Vec<String> = objects.iter().map(|seen| seen.day.to_string()).collect();
    days.join(" and ")
}

impl Held<'_> {
    /// Time at which the newest object was written.
    fn written_at(&self) -> Option<Timestamp> {
        self.objects.iter().filter_map(|seen| seen.versions.latest?.written_at).max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::items::Progress;

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

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn entry(md5: u8, processed: bool) -> Entry {
        let processed_at = processed.then(|| at(ACCEPTED + 1));
        Entry {
            accepted: at(ACCEPTED),
            md5: [md5; 16],
            progress: Progress { processed, processed_at, pending: !processed },
        }
    }

    fn versions(md5: u8, written_at: i64) -> Versions {
        let latest = Latest { etag: Some([md5; 16]), written_at: Some(at(written_at)) };
        Versions { written: 1, latest: Some(latest), ..Versions::default() }
    }

    fn held<'a>(item: Option<Entry>, marked: bool, objects: &[&'a Versions]) -> Held<'a> {
        let seen = |versions: &&'a Versions| Seen { day: day("2025-12-01"), versions, bytes: None };
        Held { item, marked, objects: objects.iter().map(seen).collect(), leaving: None }
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
    fn a_fact_that_is_processed_marked_and_once_in_the_lake_has_no_difference() {
        let object = versions(1, ACCEPTED + 1);
        let all = || held(Some(entry(1, true)), true, &[&object]);
        let verdict = verdict(SALE, all(), Some(all()));
        assert_eq!(verdict, Verdict { item: true, in_lake: true, ..Verdict::default() });
    }

    #[test]
    fn what_is_pending_is_owed_and_no_difference() {
        let verdict = verdict(SALE, held(Some(entry(1, false)), false, &[]), None);
        assert_eq!(verdict, Verdict { item: true, owed: true, ..Verdict::default() });
    }

    #[test]
    fn each_difference_has_its_kind() {
        let (object, tampered, old) = (versions(1, NOW - 1), versions(2, NOW - 1), versions(1, NOW - 200));
        let twice = Versions { written: 2, ..object.clone() };
        let deleted = Versions { deleted: 1, latest: None, ..object.clone() };
        let (done, pending) = (Some(entry(1, true)), Some(entry(1, false)));
        let lost = Some(Entry { progress: Progress::default(), ..entry(1, false) });
        for (here, expected) in [
            (held(done, true, &[]), vec!["not-in-lake"]),
            (held(pending, true, &[]), vec!["not-in-lake"]),
            (held(None, true, &[&object]), vec!["not-in-table"]),
            (held(done, true, &[&tampered]), vec!["other-bytes"]),
            (held(done, true, &[&twice]), vec!["written-again"]),
            (held(done, true, &[&deleted]), vec!["written-again", "not-in-lake"]),
            (held(None, false, &[&deleted]), vec!["written-again", "not-in-lake"]),
            (held(done, false, &[&object]), vec!["not-marked"]),
            (held(pending, true, &[&old]), vec!["still-pending"]),
            (held(pending, true, &[&object]), vec![]),
            (held(lost, false, &[]), vec!["not-pending"]),
            (held(lost, false, &[&object]), vec!["not-pending"]),
        ] {
            let description = format!("{here:?}");
            assert_eq!(kinds(&verdict(SALE, here, None)), expected, "{description}");
        }
        let mut misplaced = held(done, true, &[&object]);
        misplaced.objects[0].day = day("2025-12-02");
        assert_eq!(kinds(&verdict(SALE, misplaced, None)), ["wrong-key"]);
    }

    #[test]
    fn regions_are_compared_with_each_other() {
        let there = || Some(held(Some(entry(1, true)), true, &[]));
        assert_eq!(kinds(&verdict(SALE, Held::default(), there())), ["not-replicated"]);
        let verdict = verdict(SALE, held(Some(entry(2, false)), false, &[]), there());
        assert_eq!(kinds(&verdict), ["tables-differ"]);
    }

    #[test]
    fn an_object_is_replicating_while_s3_says_so_and_not_for_longer_than_it_may() {
        let done = || Some(entry(1, true));
        for (written_at, leaving, replicating) in [
            (NOW - 60, None, true),
            (NOW - 60, Some(true), true),
            (NOW - 60, Some(false), false),
            (NOW - 3_000, Some(true), false),
        ] {
            let object = versions(1, written_at);
            let there = Held { leaving, ..held(done(), true, &[&object]) };
            let verdict = verdict(SALE, held(done(), true, &[]), Some(there));
            assert_eq!(verdict.replicating, replicating, "{leaving:?}");
            assert_eq!(verdict.differences.is_empty(), replicating);
        }
    }

    #[test]
    fn a_mark_that_may_have_expired_is_not_missed() {
        let object = versions(1, ACCEPTED);
        let held = BTreeMap::from([("a", held(Some(entry(1, true)), false, &[&object]))]);
        let verdict = judge(SALE.parse().unwrap(), "a", &held, measure(at(NOW + 30 * 24 * 60 * 60)));
        assert!(verdict.differences.is_empty());
    }

    #[test]
    fn the_version_of_another_moment_is_tolerated_where_two_regions_can_have_accepted_it() {
        let object = versions(9, NOW - 1);
        let before_midnight = at(1_764_547_200 - 5);
        for (id, bytes, folder, expected) in [
            (KEYED, Bytes::OtherVersion(at(ACCEPTED + 2)), "2025-12-01", vec![]),
            (KEYED, Bytes::OtherVersion(before_midnight), "2025-11-30", vec![]),
            (KEYED, Bytes::OtherVersion(before_midnight), "2025-12-01", vec!["wrong-key"]),
            (KEYED, Bytes::Different, "2025-12-01", vec!["other-bytes"]),
        ] {
            let mut here = held(Some(entry(1, true)), true, &[&object]);
            here.objects[0].bytes = Some(bytes);
            here.objects[0].day = day(folder);
            let verdict = verdict(id, here, None);
            assert_eq!(kinds(&verdict), expected, "{bytes:?} {folder}");
            assert_eq!(verdict.other_version, bytes != Bytes::Different);
        }
        let other = Entry { accepted: before_midnight, ..entry(9, true) };
        let both = [versions(1, NOW - 1), versions(9, NOW - 1)];
        for (id, expected) in
            [(KEYED, vec!["tables-differ"]), (SALE, vec!["tables-differ", "other-bytes", "written-again"])]
        {
            let mut here = held(Some(entry(1, true)), true, &[&both[0], &both[1]]);
            here.objects[1].day = day("2025-11-30");
            let verdict = verdict(id, here, Some(held(Some(other), true, &[])));
            assert_eq!(kinds(&verdict), expected);
        }
    }
}
