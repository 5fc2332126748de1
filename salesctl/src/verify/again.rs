//! Rechecks apparent differences, fact by fact, in all regions at about the same time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sales::{clock::Clock, sale::FactId};
use tokio::time::sleep;

use super::{Held, Measure, Seen, Verdict, judge, read::Snapshot, report::Difference};
use crate::{
    cloud::{Cloud, Patience, RegionCloud, items::Item, lake::Versions, trouble::Trouble},
    day::Day,
    lake_object::{Bytes, ObjectLocation},
    output::{count, note},
};

/// The pauses before each check. Replication between two regions completes within them, unless the regions are cut off
/// from each other.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(6)];

/// Facts per call to a table, and concurrent object reads.
const FACTS: usize = 1_000;
const OBJECTS_AT_A_TIME: usize = 32;

/// The result.
#[derive(Debug, Default)]
pub(super) struct Looked<'a> {
    /// The holdings of each fact, in each region that was read.
    pub(super) verdicts: Vec<Vec<(&'a str, Verdict)>>,
    /// The remaining differences.
    pub(super) differences: Vec<Difference>,
    /// Regions that failed during the recheck.
    pub(super) troubles: BTreeMap<&'a str, Trouble>,
}

/// Checks until nothing differs, or the time is up. Regions that were not selected are read too, if they respond: an
/// object may be on its way from there.
pub(super) async fn look<'a>(
    cloud: &'a Cloud,
    snapshots: &BTreeMap<&'a str, Snapshot>,
    mut suspects: Vec<FactId>,
) -> Looked<'a> {
    let mut looked = Looked::default();
    if suspects.is_empty() {
        return looked;
    }
    let mut regions = witnesses(cloud, snapshots).await;
    for (round, pause) in PAUSES.into_iter().enumerate() {
        let facts = count(suspects.len() as u64, "fact", "facts");
        note(format_args!("rechecking {facts} ({} of {})", round + 1, PAUSES.len()));
        sleep(pause).await;
        let is_last = round + 1 == PAUSES.len();
        let mut different = Vec::new();
        for ids in suspects.chunks(FACTS) {
            let facts = look_at(&mut regions, snapshots, ids, &mut looked.troubles).await;
            let measure = Measure { now: Clock::system().now(), overdue: cloud.overdue };
            for id in ids {
                let held: BTreeMap<&str, Held<'_>> =
                    facts.iter().map(|(region, facts)| (*region, facts.held(*id))).collect();
                let verdicts: Vec<_> =
                    snapshots.keys().map(|region| (*region, judge(*id, region, &held, measure))).collect();
                let differs = verdicts.iter().any(|(_, verdict)| !verdict.differences.is_empty());
                if differs && !is_last {
                    different.push(*id);
                    continue;
                }
                for (region, verdict) in &verdicts {
                    let told = verdict.differences.iter();
                    looked.differences.extend(
                        told.map(|(kind, detail)| Difference::new(region, *kind, &id.to_string(), detail.clone())),
                    );
                }
                looked.verdicts.push(verdicts);
            }
        }
        suspects = different;
        if suspects.is_empty() {
            break;
        }
    }
    looked
}

/// The selected regions, and others that respond.
async fn witnesses<'a>(cloud: &'a Cloud, snapshots: &BTreeMap<&str, Snapshot>) -> Vec<&'a RegionCloud> {
    let asked = cloud.regions.values().map(async |region| {
        let was_read = snapshots.contains_key(region.name.as_str());
        let answers = was_read || tokio::try_join!(region.tables_answer(), region.lake_answers()).is_ok();
        answers.then_some(region)
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What a region holds of some facts.
#[derive(Debug, Default)]
struct Facts {
    items: HashMap<FactId, Item>,
    marked: HashSet<FactId>,
    objects: HashMap<FactId, Vec<(Day, Versions, Option<Bytes>)>>,
    /// Whether S3 has yet to replicate the object of a fact that another lake lacks.
    leaving: HashMap<FactId, bool>,
}

impl Facts {
    fn held(&self, id: FactId) -> Held<'_> {
        let objects = self.objects.get(&id).into_iter().flatten();
        Held {
            item: self.items.get(&id).map(Item::entry),
            marked: self.marked.contains(&id),
            objects: objects.map(|(day, versions, bytes)| Seen { day: *day, versions, bytes: *bytes }).collect(),
            leaving: self.leaving.get(&id).copied(),
        }
    }

    /// Location of the object of a fact, if it exists.
    fn place(&self, id: FactId) -> Option<ObjectLocation> {
        let mut objects = self.objects.get(&id)?.iter();
        let (day, ..) = objects.find(|(_, versions, _)| versions.latest.is_some())?;
        Some(ObjectLocation { day: *day, id })
    }
}

/// Reads some facts everywhere; a region that fails is recorded, and not read again.
async fn look_at<'a>(
    regions: &mut Vec<&'a RegionCloud>,
    snapshots: &BTreeMap<&'a str, Snapshot>,
    ids: &[FactId],
    troubles: &mut BTreeMap<&'a str, Trouble>,
) -> BTreeMap<&'a str, Facts> {
    let tables = join_all(regions.iter().map(|region| tables(region, ids))).await;
    let mut facts = BTreeMap::new();
    keep_answers(regions, tables, troubles, |region, tables| drop(facts.insert(region, tables)));

    let days: HashMap<FactId, BTreeSet<Day>> = ids.iter().map(|id| (*id, days_of(*id, &facts, snapshots))).collect();
    let objects = regions.iter().map(|region| objects(region, ids, &days, facts.get(region.name.as_str())));
    let objects = join_all(objects).await;
    keep_answers(regions, objects, troubles, |region, objects| {
        if let Some(facts) = facts.get_mut(region) {
            facts.objects = objects;
        }
    });

    let of_some: HashSet<FactId> =
        ids.iter().copied().filter(|id| facts.values().any(|facts| facts.place(*id).is_none())).collect();
    let leaving =
        join_all(regions.iter().map(|region| leaving(region, &of_some, facts.get(region.name.as_str())))).await;
    keep_answers(regions, leaving, troubles, |region, leaving| {
        if let Some(facts) = facts.get_mut(region) {
            facts.leaving = leaving;
        }
    });
    facts.retain(|region, _| regions.iter().any(|answers| answers.name == *region));
    facts
}

/// The objects of this lake that S3 has yet to replicate, among facts that another lake lacks.
async fn leaving(
    region: &RegionCloud,
    of_some: &HashSet<FactId>,
    facts: Option<&Facts>,
) -> Result<HashMap<FactId, bool>, Trouble> {
    let places = of_some.iter().filter_map(|id| facts?.place(*id));
    let asked = stream::iter(places).map(async |place| Ok((place.id, region.is_replicating(place).await?)));
    asked.buffer_unordered(OBJECTS_AT_A_TIME).try_collect().await
}

fn keep_answers<'a, T>(
    regions: &mut Vec<&'a RegionCloud>,
    answers: Vec<Result<T, Trouble>>,
    troubles: &mut BTreeMap<&'a str, Trouble>,
    mut keep: impl FnMut(&'a str, T),
) {
    let asked = std::mem::take(regions);
    for (region, answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(answer) => {
                keep(&region.name, answer);
                regions.push(region);
            }
            Err(trouble) => drop(troubles.insert(&region.name, trouble)),
        }
    }
}

async fn tables(region: &RegionCloud, ids: &[FactId]) -> Result<Facts, Trouble> {
    let ((items, _), marked) = tokio::try_join!(region.items(ids), region.marked(ids, |_| {}))?;
    let items = items.into_iter().map(|item| (item.fact.id(), item)).collect();
    Ok(Facts { items, marked, ..Facts::default() })
}

/// The days in whose folders a fact may be: those of any item, and those where it was seen.
fn days_of(id: FactId, facts: &BTreeMap<&str, Facts>, snapshots: &BTreeMap<&str, Snapshot>) -> BTreeSet<Day> {
    let said = facts.values().filter_map(|facts| Some(Day::of(facts.items.get(&id)?.fact.timestamp())));
    said.chain(snapshots.values().flat_map(|snapshot| snapshot.days(id))).collect()
}

async fn objects(
    region: &RegionCloud,
    ids: &[FactId],
    days: &HashMap<FactId, BTreeSet<Day>>,
    facts: Option<&Facts>,
) -> Result<HashMap<FactId, Vec<(Day, Versions, Option<Bytes>)>>, Trouble> {
    let looks = stream::iter(ids).map(async |id| {
        let item = facts.and_then(|facts| facts.items.get(id));
        let mut found = Vec::new();
        for day in days.get(id).into_iter().flatten() {
            found.extend(object(region, ObjectLocation { day: *day, id: *id }, item).await?);
        }
        if !found.iter().any(|(_, versions, _)| versions.latest.is_some())
            && let Some(item) = item
        {
            // Two regions may have accepted it around midnight.
            for day in Day::of(item.fact.timestamp()).with_neighbours() {
                if days.get(id).is_some_and(|known| !known.contains(&day)) {
                    found.extend(object(region, ObjectLocation { day, id: *id }, Some(item)).await?);
                }
            }
        }
        Ok((*id, found))
    });
    looks.buffer_unordered(OBJECTS_AT_A_TIME).try_collect().await
}

/// An object, with the comparison of its bytes if the ETag does not match the item.
async fn object(
    region: &RegionCloud,
    place: ObjectLocation,
    item: Option<&Item>,
) -> Result<Option<(Day, Versions, Option<Bytes>)>, Trouble> {
    let Some(versions) = region.versions_of(place).await? else { return Ok(None) };
    let bytes = match (item, versions.latest) {
        (Some(item), Some(latest)) if latest.etag == Some(item.entry().md5) => Some(Bytes::Same),
        (Some(item), Some(_)) => {
            let object = region.object(place, Patience::Bulk).await?;
            object.map(|object| Bytes::compare(&object.bytes, &item.fact))
        }
        _ => None,
    };
    Ok(Some((place.day, versions, bytes)))
}
