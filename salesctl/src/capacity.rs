//! `capacity release`: restores the scaling minimum that `switch` raised.
//!
//! The switch itself cannot do this: scaling decides by the metrics of the last quarter of an hour, and just after a
//! switch these show a region without traffic.

use std::time::Duration;

use clap::Args;
use futures::future::join_all;
use sales::{
    clock::{Clock, Timestamp},
    site_state::SiteState,
};
use serde::Serialize;

use crate::{
    cloud::{
        Cloud, RegionCloud,
        fleet::{Role, Tasks},
        state::StateParameter,
        trouble::{Trouble, TroubleKind},
    },
    config::{ConfigOptions, InvalidConfig},
    exit::Exit,
    output::{self, Format, GOOD, WARNING, line},
};

/// Time that scaling needs to measure a region's traffic: it removes tasks by the last fifteen minutes of metrics, and
/// the metrics arrive some minutes late.
pub(crate) const SEEN: Duration = Duration::from_secs(20 * 60);

const EXAMPLES: &str = "\
Examples:
  salesctl capacity release
  salesctl capacity release --region us-east-1

A region that became ACTIVE less than 20 minutes ago is left unchanged: scaling has not measured its traffic for long
enough, and would stop the tasks that it has just received.";

/// Options of `capacity release`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ReleaseOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Also release a region that became ACTIVE less than 20 minutes ago, or whose state is unknown
    #[arg(long)]
    force: bool,
}

/// Outcome for one service.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "snake_case")]
enum ReleaseOutcome {
    /// The usual minimum is restored.
    Released,
    /// The minimum was the usual one.
    Already,
    /// The raised minimum stays, for this reason.
    Kept(String),
    /// The call failed.
    Failed(Trouble),
}

#[derive(Debug, Serialize)]
struct Release {
    region: String,
    service: Role,
    /// The minimum before, and the usual one; `None` if unknown.
    from: Option<u32>,
    to: Option<u32>,
    #[serde(flatten)]
    outcome: ReleaseOutcome,
}

/// Restores the usual minimum in the selected regions.
pub(crate) async fn release(place: &ConfigOptions, format: Format, options: &ReleaseOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let shown: Vec<String> = config.selected(options.region.as_deref())?.into_iter().map(str::to_owned).collect();
    let configured = config.regions.iter().any(|(name, region)| shown.contains(name) && region.cluster.is_some());
    if !configured {
        return Err(InvalidConfig::new(
            "no ECS services configured: set regions.REGION.cluster, api_service and worker_service",
        )
        .into());
    }
    let cloud = Cloud::open(&config).await?;
    let now = Clock::system().now();
    let regions = cloud.regions.values().filter(|region| shown.contains(&region.name));
    let releases: Vec<_> =
        join_all(regions.map(|region| of_region(region, options.force, now))).await.into_iter().flatten().collect();
    match format {
        Format::Json => output::json(&releases)?,
        Format::Table => releases.iter().for_each(show),
    }
    let is_done = |release: &Release| matches!(release.outcome, ReleaseOutcome::Released | ReleaseOutcome::Already);
    Ok(if releases.iter().all(is_done) { Exit::Done } else { Exit::Incomplete })
}

async fn of_region(region: &RegionCloud, force: bool, now: Timestamp) -> Vec<Release> {
    let (state, fleet) = tokio::join!(region.state(), region.fleet());
    let fleet = match fleet {
        Ok(fleet) => fleet,
        Err(trouble) if trouble.kind() == TroubleKind::NotSet => return Vec::new(),
        Err(trouble) => {
            let failed = |service| Release {
                region: region.name.clone(),
                service,
                from: None,
                to: None,
                outcome: ReleaseOutcome::Failed(trouble.clone()),
            };
            return Role::ALL.map(failed).into();
        }
    };
    let kept = if force { None } else { reason_to_keep(&state, now) };
    let mut releases = Vec::new();
    for (service, tasks) in fleet {
        let outcome = match (to_release(&tasks), &kept) {
            (None, _) => ReleaseOutcome::Already,
            (Some(_), Some(reason)) => ReleaseOutcome::Kept(reason.clone()),
            (Some(usual), None) => region
                .set_minimum(service, usual)
                .await
                .map_or_else(ReleaseOutcome::Failed, |()| ReleaseOutcome::Released),
        };
        let (from, to) = (Some(tasks.minimum), tasks.usual_minimum);
        releases.push(Release { region: region.name.clone(), service, from, to, outcome });
    }
    releases
}

/// The usual minimum, if the current one is above it.
fn to_release(tasks: &Tasks) -> Option<u32> {
    tasks.usual_minimum.filter(|_| tasks.is_held())
}

/// Why a region's minimum stays raised.
fn reason_to_keep(state: &Result<StateParameter, Trouble>, now: Timestamp) -> Option<String> {
    match state {
        Err(trouble) => Some(format!("state unknown ({trouble}); use --force to release anyway")),
        Ok(state) => {
            let is_fresh = state.since().is_none_or(|since| now.since(since) < SEEN);
            (state.site_state() == Some(SiteState::Active) && is_fresh)
                .then(|| format!("it has been ACTIVE for less than {} minutes", SEEN.as_secs() / 60))
        }
    }
}

fn show(release: &Release) {
    let Release { region, service, from, to, outcome } = release;
    let number = |number: &Option<u32>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let (from, to) = (number(from), number(to));
    let told = match outcome {
        ReleaseOutcome::Released => format!("minimum {from} -> {to}: {GOOD}released{GOOD:#}"),
        ReleaseOutcome::Already => format!("minimum {from}: unchanged"),
        ReleaseOutcome::Kept(reason) => format!("minimum {from} is {WARNING}kept{WARNING:#}: {reason}"),
        ReleaseOutcome::Failed(trouble) => format!("{WARNING}failed{WARNING:#}: {trouble}"),
    };
    line(format_args!("{region}: {} {told}", service.name()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn kept(state: &str, since: i64) -> bool {
        let state = StateParameter { value: state.to_owned(), since: Some(since) };
        reason_to_keep(&Ok(state), Timestamp::from_unix_seconds(NOW).unwrap()).is_some()
    }

    #[test]
    fn a_region_that_has_just_become_active_keeps_its_tasks() {
        assert!(kept("ACTIVE", NOW - 19 * 60));
        assert!(!kept("ACTIVE", NOW - 21 * 60));
        assert!(!kept("PASSIVE", NOW - 60));
        let unknown = reason_to_keep(&Err(Trouble::new("gone")), Timestamp::from_unix_seconds(NOW).unwrap());
        assert!(unknown.unwrap().contains("gone"));
    }

    #[test]
    fn only_what_is_above_the_usual_minimum_is_released() {
        let tasks = |minimum, usual_minimum| Tasks { running: 12, minimum, maximum: 20, usual_minimum };
        assert_eq!(to_release(&tasks(12, Some(2))), Some(2));
        assert_eq!(to_release(&tasks(2, Some(2))), None);
        // A PASSIVE region may keep fewer.
        assert_eq!(to_release(&tasks(2, Some(4))), None);
        assert_eq!(to_release(&tasks(12, None)), None);
    }
}
