//! What in a status needs somebody's attention, and the command that comes next.

use std::time::Duration;

use sales::{clock::Timestamp, site::SiteState};
use serde::Serialize;

use super::{Figure, RegionStatus};
use crate::{
    cloud::{
        services::Service,
        trouble::{Trouble, TroubleKind},
    },
    output::{count, duration},
};

/// A pending sale this old should have been swept long ago.
const LONG: Duration = Duration::from_secs(120);

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What it is.
    pub(crate) finding: String,
    /// What to do about it.
    pub(crate) next: String,
}

/// What is not as it should be in these regions, the worst first; `all`: there are no others.
pub(super) fn of(regions: &[RegionStatus], all: bool, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if all {
        findings.extend(of_all(regions));
    }
    for region in regions {
        of_services(region, &mut findings);
        of_data(region, now, &mut findings);
    }
    findings
}

fn state(region: &RegionStatus) -> Option<SiteState> {
    region.state.known()?.site_state()
}

fn of_all(regions: &[RegionStatus]) -> Option<Finding> {
    let all_known = regions.iter().all(|region| region.state.known().is_some());
    let active: Vec<_> = regions.iter().filter(|region| state(region) == Some(SiteState::Active)).collect();
    let dials_of_active = active.iter().filter_map(|region| region.traffic.known()).map(|traffic| traffic.dial_percent);
    if active.is_empty() {
        let known = if all_known { "no region is ACTIVE" } else { "no region is known to be ACTIVE" };
        return Some(Finding {
            finding: format!("{known}: sales are accepted and wait"),
            next: "salesctl switch --to REGION".to_owned(),
        });
    }
    let dials: Vec<f32> = dials_of_active.collect();
    if !dials.is_empty() && dials.iter().all(|dial| *dial == 0.0) {
        return Some(Finding {
            finding: "the traffic dial of each ACTIVE region is at 0: traffic goes elsewhere".to_owned(),
            next: format!("salesctl switch --to {}", active[0].region),
        });
    }
    None
}

fn of_services(region: &RegionStatus, findings: &mut Vec<Finding>) {
    let name = &region.region;
    if let Figure::Known(known) = &region.state
        && known.site_state().is_none()
    {
        findings.push(Finding {
            finding: format!("{name}: the state is {:?}, neither ACTIVE nor PASSIVE", known.value),
            next: "salesctl switch --to REGION sets it".to_owned(),
        });
    }
    for (what, service) in [("API", &region.api), ("worker", &region.worker)] {
        match service {
            Figure::Unknown { error } if error.kind() != TroubleKind::NotSet => {
                findings.push(down(region, what, error))
            }
            Figure::Unknown { .. } => {}
            Figure::Known(service) => of_service(region, what, service, findings),
        }
    }
}

fn down(region: &RegionStatus, what: &str, error: &Trouble) -> Finding {
    let name = &region.region;
    let next = match state(region) {
        Some(SiteState::Passive) => format!("it is PASSIVE: mend {name} before you switch to it"),
        _ => format!("if {name} is lost: salesctl switch --to ANOTHER"),
    };
    Finding { finding: format!("{name}: the {what} does not answer ({error})"), next }
}

fn of_service(region: &RegionStatus, what: &str, service: &Service, findings: &mut Vec<Finding>) {
    let name = &region.region;
    if !service.failing.is_empty() {
        let failing: Vec<_> = service.failing.iter().map(|(name, how)| format!("{name} is {how}")).collect();
        findings.push(Finding {
            finding: format!("{name}: the {what} says {}", failing.join(", ")),
            next: format!("its log names the cause; if {name} cannot work: salesctl switch --to ANOTHER"),
        });
    }
    if let Some(told) = state(region)
        && told.name() != service.state
    {
        findings.push(Finding {
            finding: format!("{name}: the {what} knows the region as {}, not yet as {told}", service.state),
            next: "it asks every 5 s; if this stays, it cannot reach SSM".to_owned(),
        });
    }
}

fn of_data(region: &RegionStatus, now: Timestamp, findings: &mut Vec<Finding>) {
    let name = &region.region;
    if let Some(depth) = region.dead_letters.known()
        && depth.messages() > 0
    {
        findings.push(Finding {
            finding: format!("{name}: {}", count(depth.messages(), "dead letter", "dead letters")),
            next: format!("salesctl dlq list --region {name}"),
        });
    }
    if let Some(backlog) = region.pending.known()
        && let Some(oldest) = backlog.oldest()
        && now.since(oldest) > LONG
    {
        let pending = count(backlog.items, "item is pending", "items are pending");
        findings.push(Finding {
            finding: format!("{name}: {pending}, the oldest for {}", duration(now.since(oldest))),
            next: format!("salesctl pending list --region {name}"),
        });
    }
    if let Some(traffic) = region.traffic.known()
        && traffic.health == "UNHEALTHY"
    {
        findings.push(Finding {
            finding: format!("{name}: Global Accelerator finds its endpoints unhealthy"),
            next: format!("new traffic goes elsewhere; if {name} is lost: salesctl switch --to ANOTHER"),
        });
    }
}
