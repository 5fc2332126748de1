//! Reads what a region's tables hold of a range of days.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sales::{journal::Hour, sale::FactId};
use tokio::time::{MissedTickBehavior, interval};

use super::{Held, Line};
use crate::{
    cloud::{
        RegionCloud,
        items::{Entries, Entry},
        trouble::Trouble,
    },
    day::Day,
    output::note,
};

/// Interval of progress reports.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// The holdings of a region's tables when they were read.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    entries: Entries,
    marked: HashSet<FactId>,
}

impl Snapshot {
    /// The facts with an item that belong in this hour.
    pub(super) fn ids(&self, hour: Hour) -> impl Iterator<Item = FactId> {
        self.entries.by_hour.get(&hour).into_iter().flat_map(HashMap::keys).copied()
    }

    /// The item of a fact, if it belongs in this hour.
    pub(super) fn item(&self, hour: Hour, id: FactId) -> Option<Entry> {
        self.entries.by_hour.get(&hour)?.get(&id).copied()
    }

    /// Whether there is an item of a fact in any hour.
    pub(super) fn has(&self, id: FactId) -> bool {
        self.entries.by_hour.values().any(|entries| entries.contains_key(&id))
    }

    /// What is held of a fact in an hour, of which the journal has these lines.
    pub(super) fn held<'a>(&self, hour: Hour, id: FactId, lines: &'a [Line]) -> Held<'a> {
        Held { item: self.item(hour, id), marked: self.marked.contains(&id), lines, leaving: None }
    }

    /// Ids of items that hold no fact.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.entries.unreadable.iter().map(String::as_str)
    }
}

/// Progress of reading a region.
#[derive(Debug, Default)]
pub(super) struct Progress {
    items: AtomicU64,
    marks: AtomicU64,
    lines: AtomicU64,
}

impl Progress {
    /// More lines of the journal were read.
    pub(super) fn lines(&self, more: u64) {
        add(&self.lines, more);
    }
}

/// Reports progress, forever.
pub(super) async fn tell(progress: &BTreeMap<&str, Progress>) {
    let mut ticks = interval(TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        for (region, progress) in progress {
            let [items, marks, lines] =
                [&progress.items, &progress.marks, &progress.lines].map(|number| number.load(Ordering::Relaxed));
            note(format_args!("{region}: {items} items, {marks} marks and {lines} lines of the journal read"));
        }
    }
}

/// Reads the tables of a region.
pub(super) async fn tables(
    region: &RegionCloud,
    [first, last]: [Day; 2],
    progress: &Progress,
) -> Result<Snapshot, Trouble> {
    tokio::try_join!(region.tables_answer(), region.lake_answers())?;
    let entries = region.scan(first, last, |items| add(&progress.items, items)).await?;
    let ids: Vec<FactId> = entries.by_hour.values().flat_map(HashMap::keys).copied().collect();
    let marked = region.marked(&ids, |marks| add(&progress.marks, marks)).await?;
    Ok(Snapshot { entries, marked })
}

fn add(number: &AtomicU64, more: u64) {
    number.fetch_add(more, Ordering::Relaxed);
}

/// The answers by region; a region that fails is recorded, and not read again.
pub(super) fn keep_answers<'a, T>(
    regions: &mut Vec<&'a RegionCloud>,
    answers: Vec<Result<T, Trouble>>,
    troubles: &mut BTreeMap<&'a str, Trouble>,
) -> BTreeMap<&'a str, T> {
    let mut kept = BTreeMap::new();
    for (region, answer) in std::mem::take(regions).into_iter().zip(answers) {
        match answer {
            Ok(answer) => {
                kept.insert(region.name.as_str(), answer);
                regions.push(region);
            }
            Err(trouble) => drop(troubles.insert(&region.name, trouble)),
        }
    }
    kept
}
