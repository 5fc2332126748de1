//! Rechecks apparent differences, fact by fact, in all regions at about the same time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sales::{clock::Clock, journal::Hour, sale::FactId};
use tokio::time::sleep;

use super::{Held, HourLines, Kind, Line, Measure, Verdict, judge, read::keep_answers, report::Difference};
use crate::{
    cloud::{
        Cloud, RegionCloud,
        items::{Entry, MarkItem},
        trouble::Trouble,
    },
    output::{count, note},
};

/// The pauses before each check. Replication between two regions completes within them, unless the regions are cut off
/// from each other.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// Concurrent queries for the replication of an object.
const OBJECTS_AT_A_TIME: usize = 32;

/// A fact that differs at first sight.
#[derive(Debug, Default)]
pub(super) struct Suspect {
    /// The hours in which it was looked for.
    pub(super) hours: BTreeSet<Hour>,
    /// Whether an item belongs in one of them; otherwise, it may have been counted in that of its item.
    pub(super) is_home: bool,
}

/// The result.
#[derive(Debug, Default)]
pub(super) struct Looked<'a> {
    /// The verdict on each fact, in each region that was read.
    pub(super) verdicts: Vec<(FactId, Vec<(&'a str, Verdict)>)>,
    /// The remaining differences.
    pub(super) differences: Vec<Difference>,
    /// Regions that failed during the recheck.
    pub(super) troubles: BTreeMap<&'a str, Trouble>,
}

/// Checks until nothing differs, or the time is up. Regions other than those that are `judged` are read too, if they
/// respond: a line may be on its way from there.
pub(super) async fn look<'a>(
    cloud: &'a Cloud,
    judged: &[&'a RegionCloud],
    suspects: &HashMap<FactId, Suspect>,
) -> Looked<'a> {
    let mut looked = Looked::default();
    if suspects.is_empty() {
        return looked;
    }
    let judged: BTreeSet<&str> = judged.iter().map(|region| region.name.as_str()).collect();
    let mut regions = witnesses(cloud, &judged).await;
    let mut journal = Journal::default();
    let mut left: HashSet<FactId> = suspects.keys().copied().collect();
    for (round, pause) in PAUSES.into_iter().enumerate() {
        let facts = count(left.len() as u64, "fact", "facts");
        note(format_args!("rechecking {facts} ({} of {})", round + 1, PAUSES.len()));
        sleep(pause).await;
        let is_last = round + 1 == PAUSES.len();
        let facts = look_at(&mut regions, suspects, &left, &mut journal, &mut looked.troubles).await;
        let measure = Measure { now: Clock::system().now(), overdue: cloud.overdue };
        let mut different = HashSet::new();
        for id in left {
            let held: BTreeMap<&str, Held<'_>> =
                facts.iter().map(|(region, facts)| (*region, facts.held(id))).collect();
            let verdicts: Vec<_> = facts
                .keys()
                .filter(|region| judged.contains(*region))
                .map(|region| (*region, judge(id, region, &held, measure)))
                .collect();
            if !is_last && verdicts.iter().any(|(_, verdict)| !verdict.differences.is_empty()) {
                different.insert(id);
                continue;
            }
            looked.differences.extend(verdicts.iter().flat_map(|(region, verdict)| differences(region, id, verdict)));
            looked.verdicts.push((id, verdicts));
        }
        left = different;
        if left.is_empty() {
            break;
        }
    }
    looked
}

fn differences<'a>(region: &'a str, id: FactId, verdict: &'a Verdict) -> impl Iterator<Item = Difference> + 'a {
    verdict.differences.iter().map(move |(kind, detail)| {
        let difference = Difference::new(region, *kind, &id.to_string(), detail.clone());
        match kind {
            Kind::NotInLake => difference.with_source(verdict.elsewhere.clone()),
            _ => difference,
        }
    })
}

/// The judged regions, and others that respond.
async fn witnesses<'a>(cloud: &'a Cloud, judged: &BTreeSet<&str>) -> Vec<&'a RegionCloud> {
    let asked = cloud.regions.values().map(async |region| {
        let was_read = judged.contains(region.name.as_str());
        let answers = was_read || tokio::try_join!(region.tables_answer(), region.lake_answers()).is_ok();
        answers.then_some(region)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// The lines of the suspects, by region and hour.
#[derive(Debug, Default)]
struct Journal<'a>(BTreeMap<&'a str, BTreeMap<Hour, HourLines>>);

/// What a region holds of some facts.
#[derive(Debug, Default)]
struct Facts {
    items: HashMap<FactId, Entry>,
    marks: HashMap<FactId, MarkItem>,
    lines: HashMap<FactId, Vec<Line>>,
    /// Whether S3 has yet to replicate the object of a fact that another lake lacks.
    leaving: HashMap<FactId, bool>,
}

impl Facts {
    fn held(&self, id: FactId) -> Held<'_> {
        Held {
            item: self.items.get(&id).copied(),
            marked: self.marks.contains_key(&id),
            lines: self.lines.get(&id).map_or(&[], Vec::as_slice),
            leaving: self.leaving.get(&id).copied(),
        }
    }

    /// The hours in which a fact may be: that of its item, and that of the object that its mark names.
    fn hours(&self, id: FactId) -> impl Iterator<Item = Hour> {
        let item = self.items.get(&id).map(|item| item.line.hour);
        let mark = self.marks.get(&id).and_then(|mark| Hour::of_key(mark.object.as_deref()?));
        item.into_iter().chain(mark)
    }
}

/// Reads some facts everywhere; a region that fails is recorded, and not read again.
async fn look_at<'a>(
    regions: &mut Vec<&'a RegionCloud>,
    suspects: &HashMap<FactId, Suspect>,
    left: &HashSet<FactId>,
    journal: &mut Journal<'a>,
    troubles: &mut BTreeMap<&'a str, Trouble>,
) -> BTreeMap<&'a str, Facts> {
    let ids: Vec<FactId> = left.iter().copied().collect();
    let tables = join_all(regions.iter().map(|region| tables(region, &ids))).await;
    let mut facts = keep_answers(regions, tables, troubles);

    let known = ids.iter().flat_map(|id| facts.values().flat_map(|facts| facts.hours(*id)));
    let seen = ids.iter().flat_map(|id| suspects[id].hours.iter().copied());
    let hours: BTreeSet<Hour> = known.chain(seen).collect();
    let reads = regions.iter().map(|region| {
        let own = journal.0.remove(region.name.as_str()).unwrap_or_default();
        lines(region, own, &hours, suspects)
    });
    let read = join_all(reads).await;
    journal.0 = keep_answers(regions, read, troubles);
    facts.retain(|region, _| journal.0.contains_key(region));
    for (region, facts) in &mut facts {
        let of_hours = |id: FactId| journal.0[region].values().flat_map(move |lines| lines.of(id).iter().cloned());
        facts.lines = ids.iter().map(|id| (*id, of_hours(*id).collect())).collect();
    }

    let is_lacking = |facts: &Facts, id: &FactId| facts.lines.get(id).is_none_or(Vec::is_empty);
    let of_some: Vec<FactId> = ids.into_iter().filter(|id| facts.values().any(|facts| is_lacking(facts, id))).collect();
    let asked = join_all(regions.iter().map(|region| leaving(region, &of_some, &facts[region.name.as_str()]))).await;
    let leaving = keep_answers(regions, asked, troubles);
    facts.retain(|region, _| leaving.contains_key(region));
    for (region, leaving) in leaving {
        if let Some(facts) = facts.get_mut(region) {
            facts.leaving = leaving;
        }
    }
    facts
}

async fn tables(region: &RegionCloud, ids: &[FactId]) -> Result<Facts, Trouble> {
    let ((items, _), marks) = tokio::try_join!(region.items(ids), region.marks_of(ids))?;
    let items = items.iter().map(|item| (item.fact.id(), item.entry())).collect();
    Ok(Facts { items, marks, ..Facts::default() })
}

/// Reads the objects of these hours that were not read before.
async fn lines(
    region: &RegionCloud,
    mut read: BTreeMap<Hour, HourLines>,
    hours: &BTreeSet<Hour>,
    suspects: &HashMap<FactId, Suspect>,
) -> Result<BTreeMap<Hour, HourLines>, Trouble> {
    for hour in hours {
        let objects = region.objects_of_hour(*hour).await?;
        let lines = read.entry(*hour).or_default();
        lines.read(region, *hour, objects, |id| suspects.contains_key(&id), |_| {}).await?;
    }
    Ok(read)
}

/// Which of the facts are in an object that S3 has yet to replicate.
async fn leaving(region: &RegionCloud, of_some: &[FactId], facts: &Facts) -> Result<HashMap<FactId, bool>, Trouble> {
    let newest = |id: &FactId| Some((*id, facts.held(*id).newest()?.object.key.clone()));
    let of_facts: Vec<(FactId, String)> = of_some.iter().filter_map(newest).collect();
    let keys: BTreeSet<&String> = of_facts.iter().map(|(_, key)| key).collect();
    let asked = stream::iter(keys).map(async |key| Ok((key, region.is_replicating(key).await?)));
    let leaving: HashMap<&String, bool> = asked.buffer_unordered(OBJECTS_AT_A_TIME).try_collect().await?;
    Ok(of_facts.iter().map(|(id, key)| (*id, leaving[key])).collect())
}
