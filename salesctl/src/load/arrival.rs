//! Waiting until accepted sales are in the lakes.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use futures::future::join_all;
use sales::sale::FactId;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{
    cloud::{Cloud, RegionCloud, trouble::Trouble},
    day::Day,
    exit::Exit,
    interrupt::Interrupt,
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
    /// Sorted, as the lake lists them.
    sales: BTreeMap<Day, Vec<FactId>>,
    error: Option<Trouble>,
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
        for (day, sales) in &mut self.sales {
            let found: HashSet<FactId> = self.region.sales_in_lake(*day, sales).await?.into_iter().collect();
            sales.retain(|id| !found.contains(id));
        }
        Ok(())
    }
}

/// Checks until all sales are in every available lake, or `patience` has passed, or a signal arrives. At least once.
pub(super) async fn wait(
    cloud: &Cloud,
    sales: &BTreeMap<Day, BTreeSet<FactId>>,
    patience: Duration,
    interrupt: &Interrupt,
) -> (Vec<Arrived>, Option<Exit>) {
    let all: u64 = sales.values().map(|sales| sales.len() as u64).sum();
    let in_order = || sales.iter().map(|(day, sales)| (*day, sales.iter().copied().collect())).collect();
    let mut regions: Vec<Missing<'_>> =
        cloud.regions.values().map(|region| Missing { region, sales: in_order(), error: None }).collect();
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
            // A lake that is slow to list is listed less often.
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
