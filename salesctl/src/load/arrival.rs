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

/// So many missing sales are named.
const NAMED: usize = 10;

/// What is in one region's lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Arrived {
    /// The region.
    pub(super) region: String,
    /// How many of the accepted sales.
    pub(super) in_lake: u64,
    /// How many are not there.
    pub(super) missing: u64,
    /// The first of those.
    pub(super) first_missing: Vec<String>,
    /// Why the lake could not be asked the last time, if it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<Trouble>,
}

/// What a region's lake has not shown yet.
struct Missing<'a> {
    region: &'a RegionCloud,
    /// In order, since they are looked for in order.
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

/// Looks until all sales are in every lake that can be asked, or `patience` is over, or a signal is heard. At least once.
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
            // A lake that takes long to list is listed less often.
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
