//! Waiting until accepted sales are in the lakes.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, future::join_all};
use sales::{journal::Hour, sale::FactId};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    cloud::{Cloud, RegionCloud, lake::Object, trouble::Trouble},
    exit::Exit,
    interrupt::Interrupt,
    journal_line::LineDigest,
    output::note,
};

const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Maximum ids of missing sales shown.
const NAMED: usize = 10;

/// Sales in one region's lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Arrived {
    /// The region.
    pub(super) region: String,
    /// Accepted sales found.
    pub(super) in_lake: u64,
    /// Accepted sales missing.
    pub(super) missing: u64,
    /// The first missing ids.
    pub(super) first_missing: Vec<String>,
    /// Why the last read of the lake failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Trouble>,
}

/// The sales not yet found in a region's lake.
struct Missing<'a> {
    region: &'a RegionCloud,
    sales: BTreeMap<Hour, BTreeSet<FactId>>,
    /// The objects that were read: they never change.
    read: HashSet<Arc<Object>>,
    error: Option<Trouble>,
}

/// The facts of an object.
#[derive(Default)]
struct Facts(Vec<FactId>);

impl Facts {
    fn note(&mut self, line: &[u8]) {
        self.0.extend(LineDigest::parse(line).map(|(id, _)| id));
    }
}

impl Missing<'_> {
    fn count(&self) -> u64 {
        self.sales.values().map(|sales| sales.len() as u64).sum()
    }

    async fn look(&mut self) {
        self.error = self.find().await.err();
    }

    async fn find(&mut self) -> Result<(), Trouble> {
        if self.count() == 0 {
            return Ok(());
        }
        self.region.lake_answers().await?;
        for (hour, sales) in self.sales.iter_mut().filter(|(_, sales)| !sales.is_empty()) {
            let objects = self.region.objects_of_hour(*hour).await?.into_iter();
            let new: Vec<Arc<Object>> = objects.filter(|object| !self.read.contains(object)).collect();
            let mut objects = pin!(self.region.read_objects(new, Facts::note));
            while let Some(object) = objects.next().await {
                let (object, facts) = object?;
                for id in facts.unwrap_or_default().0 {
                    sales.remove(&id);
                }
                self.read.insert(object);
            }
        }
        Ok(())
    }
}

/// Checks until all sales are in every available lake, or `patience` has passed, or a signal arrives. At least once.
pub(super) async fn wait(
    cloud: &Cloud,
    sales: &BTreeMap<Hour, BTreeSet<FactId>>,
    patience: Duration,
    interrupt: &Interrupt,
) -> (Vec<Arrived>, Option<Exit>) {
    let all: u64 = sales.values().map(|sales| sales.len() as u64).sum();
    let missing = |region| Missing { region, sales: sales.clone(), read: HashSet::new(), error: None };
    let mut regions: Vec<Missing<'_>> = cloud.regions.values().map(missing).collect();
    let deadline = Instant::now() + patience;
    let interrupted = loop {
        let started = Instant::now();
        join_all(regions.iter_mut().map(Missing::look)).await;
        tell(&regions, all);
        let is_over = regions.iter().all(|region| region.error.is_some() || region.count() == 0);
        if is_over || Instant::now() >= deadline {
            break None;
        }
        tokio::select! {
            // A lake that is slow to read is read less often.
            () = sleep(LOOK_AGAIN.max(started.elapsed())) => {}
            exit = interrupt.heard() => break Some(exit),
        }
    };
    (regions.into_iter().map(|region| arrived(region, all)).collect(), interrupted)
}

fn arrived(missing: Missing<'_>, all: u64) -> Arrived {
    let first = missing.sales.values().flatten().take(NAMED).map(ToString::to_string);
    Arrived {
        region: missing.region.name.clone(),
        in_lake: all - missing.count(),
        missing: missing.count(),
        first_missing: first.collect(),
        error: missing.error,
    }
}

fn tell(regions: &[Missing<'_>], all: u64) {
    let regions = regions.iter().map(|missing| match &missing.error {
        Some(error) => format!("{} unavailable ({error})", missing.region.name),
        None => format!("{} {} of {all}", missing.region.name, all - missing.count()),
    });
    note(format_args!("in the lake: {}", regions.collect::<Vec<_>>().join(", ")));
}
