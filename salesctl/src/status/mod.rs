//! `status`: an overview of all regions.

mod dns;
mod findings;
mod report;

use std::time::Duration;

use clap::Args;
use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use serde::Serialize;
use tokio::time::sleep;

use crate::{
    cloud::{
        Cloud, RegionCloud,
        accelerator::Group,
        fleet::Fleet,
        lake_table::Reached,
        queue::Depth,
        services::{ServiceReport, Services},
        state::StateParameter,
        table::Backlog,
        trouble::Trouble,
    },
    config::{ConfigOptions, DNS_KEY},
    exit::Exit,
    output::{self, Format},
};
use dns::Dns;
use findings::Finding;

/// Options of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Repeat until Ctrl-C
    #[arg(short, long)]
    watch: bool,
    /// Interval of --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
}

/// A value, or why it is unknown.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Figure<T> {
    /// The value.
    Known(T),
    /// It is unknown.
    Unknown {
        /// The reason.
        error: Trouble,
    },
}

impl<T> Figure<T> {
    /// The value, if known.
    pub(crate) fn known(&self) -> Option<&T> {
        match self {
            Self::Known(figure) => Some(figure),
            Self::Unknown { .. } => None,
        }
    }
}

impl<T> From<Result<T, Trouble>> for Figure<T> {
    fn from(result: Result<T, Trouble>) -> Self {
        match result {
            Ok(figure) => Self::Known(figure),
            Err(error) => Self::Unknown { error },
        }
    }
}

/// A region's share of the traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Traffic {
    /// Traffic dial in percent; the lowest if listeners differ.
    pub(crate) dial_percent: f32,
    /// Health of the endpoints: `HEALTHY`, or the worst of them.
    pub(crate) health: String,
}

/// The status of a region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RegionStatus {
    pub(crate) region: String,
    pub(crate) state: Figure<StateParameter>,
    pub(crate) api: Figure<ServiceReport>,
    /// Whether its API reports ACTIVE, as the health checks of DNS ask it.
    pub(crate) active: Figure<bool>,
    pub(crate) worker: Figure<ServiceReport>,
    /// Tasks of its services.
    pub(crate) tasks: Figure<Fleet>,
    pub(crate) queue: Figure<Depth>,
    pub(crate) dead_letters: Figure<Depth>,
    pub(crate) pending: Figure<Backlog>,
    /// How far the lake's table is.
    pub(crate) lake_table: Figure<Reached>,
    pub(crate) traffic: Figure<Traffic>,
}

/// The status of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Status {
    /// Time of the status, in seconds since 1970.
    pub(crate) at: i64,
    pub(crate) regions: Vec<RegionStatus>,
    /// The answer of DNS; `None` if no name is configured, or only one region was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dns: Option<Dns>,
    pub(crate) findings: Vec<Finding>,
}

/// Shows the status, once or repeatedly.
pub(crate) async fn status(place: &ConfigOptions, format: Format, options: &StatusOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let shown: Vec<String> = config.selected(options.region.as_deref())?.into_iter().map(str::to_owned).collect();
    let (cloud, services) = (Cloud::open(&config).await?, Services::new());
    loop {
        let status = look(&cloud, &services, &shown).await;
        match (format, options.watch) {
            (Format::Table, watch) => report::show(&status, watch),
            (Format::Json, false) => output::json(&status)?,
            (Format::Json, true) => output::json_line(&status)?,
        }
        if !options.watch {
            return Ok(if status.is_known() { Exit::Done } else { Exit::Incomplete });
        }
        sleep(Duration::from_secs(options.interval)).await;
    }
}

/// Reads the status of these regions, all at once.
pub(crate) async fn look(cloud: &Cloud, services: &Services, shown: &[String]) -> Status {
    let regions = cloud.regions.values().filter(|region| shown.contains(&region.name));
    let all = shown.len() == cloud.regions.len();
    let name = cloud.dns_url.as_ref().filter(|_| all);
    let (groups, answered_by, mut regions) = tokio::join!(
        cloud.accelerator.groups(),
        async { Some((name?, services.region_at(DNS_KEY, name).await)) },
        join_all(regions.map(|region| of_region(region, services)))
    );
    for region in &mut regions {
        region.traffic = groups.clone().and_then(|groups| traffic(&groups, &region.region)).into();
    }
    let dns = answered_by.map(|(url, answered_by)| Dns::new(url, answered_by, &regions));
    let now = Clock::system().now();
    let findings = findings::of(&regions, dns.as_ref(), all, now, cloud.overdue);
    Status { at: now.unix_seconds(), regions, dns, findings }
}

async fn of_region(region: &RegionCloud, services: &Services) -> RegionStatus {
    let (api_key, worker_key) = (region.key("api_url"), region.key("worker_url"));
    let api_url = region.resources.api_url.as_ref();
    let (state, api, active, worker, tasks, queue, dead_letters, pending, lake_table) = tokio::join!(
        region.state(),
        services.ask(&api_key, api_url),
        services.is_active(&api_key, api_url),
        services.ask(&worker_key, region.resources.worker_url.as_ref()),
        region.fleet(),
        region.queue(),
        region.dead_letters(),
        region.backlog(),
        region.lake_table_reached(),
    );
    RegionStatus {
        region: region.name.clone(),
        state: state.into(),
        api: api.into(),
        active: active.into(),
        worker: worker.into(),
        tasks: tasks.into(),
        queue: queue.into(),
        dead_letters: dead_letters.into(),
        pending: pending.into(),
        lake_table: lake_table.into(),
        traffic: Figure::Unknown { error: Trouble::new("not asked") },
    }
}

/// A region's traffic, over all listeners of Global Accelerator.
fn traffic(groups: &[Group], region: &str) -> Result<Traffic, Trouble> {
    let groups: Vec<_> = groups.iter().filter(|group| group.region == region).collect();
    let dial = groups.iter().map(|group| group.dial).min_by(f32::total_cmp);
    let dial_percent = dial.ok_or_else(|| Trouble::new("the accelerator has no endpoint group in this region"))?;
    let rank = |health: &&str| match *health {
        "UNHEALTHY" => 0,
        "INITIAL" => 1,
        "HEALTHY" => 3,
        _ => 2,
    };
    let endpoints = groups.iter().flat_map(|group| &group.health).map(String::as_str);
    let worst = endpoints.min_by_key(rank).unwrap_or("NO ENDPOINT");
    Ok(Traffic { dial_percent, health: worst.to_owned() })
}

impl Status {
    /// Whether AWS answered at all.
    fn is_known(&self) -> bool {
        self.regions.iter().any(RegionStatus::answers)
    }

    /// Time of the status.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.at).unwrap_or_else(|| Clock::system().now())
    }
}

impl RegionStatus {
    /// Whether the region's AWS answered at all.
    pub(crate) fn answers(&self) -> bool {
        self.state.known().is_some() || self.queue.known().is_some() || self.pending.known().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(region: &str, dial: f32, health: &[&str]) -> Group {
        let health = health.iter().map(|&health| health.to_owned()).collect();
        Group { arn: "arn".to_owned(), region: region.to_owned(), dial, health }
    }

    #[test]
    fn of_several_listeners_the_lowest_dial_and_the_worst_health_are_told() {
        let groups =
            [group("a", 100.0, &["HEALTHY"]), group("a", 20.0, &["HEALTHY", "UNHEALTHY"]), group("b", 0.0, &[])];
        let told = |region| traffic(&groups, region).map(|traffic| (traffic.dial_percent, traffic.health));
        assert_eq!(told("a"), Ok((20.0, "UNHEALTHY".to_owned())));
        assert_eq!(told("b"), Ok((0.0, "NO ENDPOINT".to_owned())));
        assert!(told("c").is_err());
    }
}
