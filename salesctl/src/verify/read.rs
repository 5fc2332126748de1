//! Reads everything that a region holds of a range of days.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, future::join_all, stream};
use sales::sale::FactId;
use tokio::time::{MissedTickBehavior, interval};

use super::{Held, Kind, Seen};
use crate::{
    cloud::{RegionCloud, items::Entries, lake::Versions, trouble::Trouble},
    day::Day,
    output::note,
};

/// Days' folders listed concurrently.
const DAYS_AT_A_TIME: usize = 8;

/// Interval of progress reports.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// The holdings of a region when it was read.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    entries: Entries,
    marked: HashSet<FactId>,
    objects: HashMap<FactId, Vec<(Day, Versions)>>,
    foreign: Vec<String>,
}

impl Snapshot {
    /// The facts that have an item or an object.
    pub(super) fn ids(&self) -> impl Iterator<Item = FactId> {
        self.entries.by_id.keys().chain(self.objects.keys()).copied()
    }

    /// The days in whose folders there is or was an object of this fact.
    pub(super) fn days(&self, id: FactId) -> impl Iterator<Item = Day> {
        self.objects.get(&id).into_iter().flatten().map(|(day, _)| *day)
    }

    /// What is held of a fact.
    pub(super) fn held(&self, id: FactId) -> Held<'_> {
        let objects = self.objects.get(&id).into_iter().flatten();
        Held {
            item: self.entries.by_id.get(&id).copied(),
            marked: self.marked.contains(&id),
            objects: objects.map(|(day, versions)| Seen { day: *day, versions, bytes: None }).collect(),
            leaving: None,
        }
    }

    /// Items and objects that belong to no fact.
    pub(super) fn foreign(&self) -> impl Iterator<Item = (Kind, &str)> {
        let items = self.entries.unreadable.iter().map(|id| (Kind::UnreadableItem, id.as_str()));
        items.chain(self.foreign.iter().map(|key| (Kind::ForeignObject, key.as_str())))
    }
}

/// Progress of reading a region.
#[derive(Debug, Default)]
struct Progress {
    items: AtomicU64,
    marks: AtomicU64,
    versions: AtomicU64,
}

/// Reads all regions concurrently, and reports progress.
pub(super) async fn all(regions: Vec<&RegionCloud>, first: Day, last: Day) -> Vec<(&str, Result<Snapshot, Trouble>)> {
    let progress: Vec<Progress> = regions.iter().map(|_| Progress::default()).collect();
    let reading = regions
        .iter()
        .zip(&progress)
        .map(async |(region, progress)| (region.name.as_str(), of_region(region, [first, last], progress).await));
    let telling = async {
        let mut ticks = interval(TOLD_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks.tick().await;
        loop {
            ticks.tick().await;
            for (region, progress) in regions.iter().zip(&progress) {
                let [items, marks, versions] =
                    [&progress.items, &progress.marks, &progress.versions].map(|number| number.load(Ordering::Relaxed));
                note(format_args!("{}: {items} items, {marks} marks and {versions} objects read", region.name));
            }
        }
    };
    tokio::select! {
        read = join_all(reading) => read,
        () = telling => unreachable!("it reports forever"),
    }
}

async fn of_region(region: &RegionCloud, [first, last]: [Day; 2], progress: &Progress) -> Result<Snapshot, Trouble> {
    tokio::try_join!(region.tables_answer(), region.lake_answers())?;
    let lake = stream::iter(first.to(last))
        .map(|day| region.objects_of(day, |versions| add(&progress.versions, versions)))
        .buffer_unordered(DAYS_AT_A_TIME)
        .try_collect::<Vec<_>>();
    let items = region.scan(first, last, |items| add(&progress.items, items));
    let (days, entries) = tokio::try_join!(lake, items)?;
    let ids: Vec<FactId> = entries.by_id.keys().copied().collect();
    let marked = region.marked(&ids, |marks| add(&progress.marks, marks)).await?;
    let mut snapshot = Snapshot { entries, marked, ..Snapshot::default() };
    for objects in days {
        for (place, versions) in objects.by_place {
            snapshot.objects.entry(place.id).or_default().push((place.day, versions));
        }
        snapshot.foreign.extend(objects.foreign);
    }
    Ok(snapshot)
}

fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Ordering::Relaxed);
}
