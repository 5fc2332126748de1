//! Findings: what in a status needs attention, and the next command.

use std::time::Duration;

use sales::{clock::Timestamp, site_state::SiteState};
use serde::Serialize;

use super::{Figure, RegionStatus, dns::Dns};
use crate::{
    capacity::SEEN,
    cloud::{
        services::ServiceReport,
        state::StateParameter,
        trouble::{Trouble, TroubleKind},
    },
    output::{count, duration},
    overdue::Overdue,
};

/// Time within which each service knows a new state: it reads it every 5 s.
const SETTLES: Duration = Duration::from_secs(15);

/// Time within which DNS has followed: the services as above, then three health checks 10 s apart, then the minute that
/// resolvers keep an answer.
const DNS_SETTLES: Duration = Duration::from_secs(120);

/// Time within which the lake's table has what is in the journal, with patience: it is folded once a minute.
const FOLDS: Duration = Duration::from_secs(10 * 60);

/// Something that needs attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Description.
    pub(crate) finding: String,
    /// Next step.
    pub(crate) next: String,
}

/// The findings for these regions, most serious first; `all`: there are no other regions.
pub(super) fn of(
    regions: &[RegionStatus],
    dns: Option<&Dns>,
    all: bool,
    now: Timestamp,
    overdue: Overdue,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if all {
        findings.extend(of_all(regions));
    }
    findings.extend(dns.and_then(|dns| of_dns(dns, regions, now)));
    for region in regions {
        let another = able(regions, Some(region)).unwrap_or("ANOTHER");
        of_services(region, another, now, &mut findings);
        of_data(region, another, &mut findings);
        of_pending(region, now, overdue, &mut findings);
        findings.extend(of_lake_table(region, now));
        of_capacity(region, regions, now, &mut findings);
    }
    findings
}

/// A region other than `but` that could do the work: its AWS and its services respond.
fn able<'a>(regions: &'a [RegionStatus], but: Option<&RegionStatus>) -> Option<&'a str> {
    let is_down = |service: &Figure<ServiceReport>| matches!(service, Figure::Unknown { error } if error.kind() != TroubleKind::NotSet);
    let able = |region: &&RegionStatus| {
        but.is_none_or(|but| but.region != region.region)
            && region.state.known().is_some()
            && !is_down(&region.api)
            && !is_down(&region.worker)
    };
    regions.iter().find(able).map(|region| region.region.as_str())
}

fn state(region: &RegionStatus) -> Option<SiteState> {
    region.state.known()?.site_state()
}

fn of_all(regions: &[RegionStatus]) -> Option<Finding> {
    let all_known = regions.iter().all(|region| region.state.known().is_some());
    let active: Vec<_> = regions.iter().filter(|region| state(region) == Some(SiteState::Active)).collect();
    let dials_of_active = active.iter().filter_map(|region| region.traffic.known()).map(|traffic| traffic.dial_percent);
    if active.is_empty() {
        let finding = if all_known {
            "no region is ACTIVE: sales are accepted and wait"
        } else {
            "no region is known to be ACTIVE: sales wait unless an unreachable region is ACTIVE"
        };
        let next = format!("salesctl switch --to {}", able(regions, None).unwrap_or("REGION"));
        return Some(Finding { finding: finding.to_owned(), next });
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

fn of_dns(dns: &Dns, regions: &[RegionStatus], now: Timestamp) -> Option<Finding> {
    let url = &dns.url;
    if let Figure::Unknown { error } = &dns.answered_by {
        return Some(Finding {
            finding: format!("no response through DNS ({error})"),
            next: "clients of the accelerator are not affected; if the regions respond, check DNS from another network"
                .to_owned(),
        });
    }
    let is_fresh = |state: &StateParameter| state.since().is_some_and(|since| now.since(since) < DNS_SETTLES);
    if regions.iter().filter_map(|region| region.state.known()).any(is_fresh) {
        return None;
    }
    let strays_to = dns.strays_to()?;
    Some(Finding {
        finding: format!("{url} reaches {strays_to}; expected {}", dns.regions.join(", ")),
        next:
            "sales are accepted there, too; Route 53's health checks may see the regions differently than this machine"
                .to_owned(),
    })
}

fn of_services(region: &RegionStatus, another: &str, now: Timestamp, findings: &mut Vec<Finding>) {
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
                findings.push(down(region, what, another, error))
            }
            Figure::Unknown { .. } => {}
            Figure::Known(service) => of_service(region, what, another, service, now, findings),
        }
    }
}

fn down(region: &RegionStatus, what: &str, another: &str, error: &Trouble) -> Finding {
    let name = &region.region;
    let next = match state(region) {
        Some(SiteState::Passive) => format!("{name} is PASSIVE; fix it before switching to it"),
        _ => format!("if {name} is lost: salesctl switch --to {another}"),
    };
    Finding { finding: format!("{name}: the {what} does not answer ({error})"), next }
}

fn of_service(
    region: &RegionStatus,
    what: &str,
    another: &str,
    service: &ServiceReport,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) {
    let name = &region.region;
    if !service.failing.is_empty() {
        let failing: Vec<_> = service.failing.iter().map(|(name, how)| format!("{name} is {how}")).collect();
        findings.push(Finding {
            finding: format!("{name}: the {what} reports {}", failing.join(", ")),
            next: format!("its log has the cause; if {name} cannot recover: salesctl switch --to {another}"),
        });
    }
    let is_fresh = |state: &StateParameter| state.since().is_some_and(|since| now.since(since) < SETTLES);
    if let Some(told) = state(region)
        && told.name() != service.state
        && !region.state.known().is_some_and(is_fresh)
    {
        findings.push(Finding {
            finding: format!("{name}: the {what} still reports {}, expected {told}", service.state),
            next: "it reads SSM every 5 s: check its /readiness and log".to_owned(),
        });
    }
}

fn of_data(region: &RegionStatus, another: &str, findings: &mut Vec<Finding>) {
    let name = &region.region;
    if let Some(depth) = region.dead_letters.known()
        && depth.messages() > 0
    {
        findings.push(Finding {
            finding: format!("{name}: {}", count(depth.messages(), "dead letter", "dead letters")),
            next: format!("salesctl dlq list --region {name}"),
        });
    }
    if let Some(traffic) = region.traffic.known()
        && traffic.health == "UNHEALTHY"
    {
        findings.push(Finding {
            finding: format!("{name}: Global Accelerator reports unhealthy endpoints"),
            next: format!("new traffic goes elsewhere; if {name} is lost: salesctl switch --to {another}"),
        });
    }
}

/// A PASSIVE region with fewer than half of the tasks that another one needs could not carry its load: scaling keeps
/// each task half busy.
fn of_capacity(region: &RegionStatus, regions: &[RegionStatus], now: Timestamp, findings: &mut Vec<Finding>) {
    let name = &region.region;
    let Some(fleet) = region.tasks.known() else { return };
    let passive = state(region) == Some(SiteState::Passive);
    for (&role, tasks) in fleet {
        let what = role.name();
        let active = regions.iter().filter(|region| state(region) == Some(SiteState::Active));
        let busiest = active
            .filter_map(|region| Some((region.tasks.known()?.get(&role)?.running, &region.region)))
            .max_by_key(|(running, _)| *running);
        if let Some((needed, busy)) = busiest
            && passive
        {
            if tasks.maximum < needed {
                findings.push(Finding {
                    finding: format!(
                        "{name}: the {what} may run at most {} tasks, and needs {needed} in {busy}",
                        tasks.maximum
                    ),
                    next: "raise its maximum (compute, in the environment's data) before you need it".to_owned(),
                });
            } else if tasks.running * 2 < needed {
                let running = tasks.running;
                findings.push(Finding {
                    finding: format!(
                        "{name}: it is PASSIVE and runs {}, while {busy} needs {needed}: it could not carry the load at once",
                        count(running, &format!("{what} task"), &format!("{what} tasks"))
                    ),
                    next: format!(
                        "salesctl switch --to {name} starts the missing tasks first; to keep them running: raise standby in the \
                         environment's data"
                    ),
                });
            }
        }
        let is_fresh = |known: &StateParameter| known.since().is_none_or(|since| now.since(since) < SEEN);
        if tasks.is_held() && (passive || region.state.known().is_some_and(|known| !is_fresh(known))) {
            findings.push(Finding {
                finding: format!("{name}: a switch keeps the {what} at {} tasks or more", tasks.minimum),
                next: format!("salesctl capacity release --region {name}"),
            });
        }
    }
}

fn of_pending(region: &RegionStatus, now: Timestamp, overdue: Overdue, findings: &mut Vec<Finding>) {
    let name = &region.region;
    let Some(backlog) = region.pending.known() else { return };
    let next = || format!("salesctl pending list --region {name}");
    let pending = count(backlog.items, "item is pending", "items are pending");
    let finding = match backlog.oldest() {
        Some(oldest) if overdue.is_overdue(now.since(oldest)) => {
            Some(format!("{name}: {pending}, the oldest for {}", duration(now.since(oldest))))
        }
        None if backlog.items > 0 => Some(format!("{name}: {pending}, and none of them has a readable timestamp")),
        Some(_) | None => None,
    };
    findings.extend(finding.map(|finding| Finding { finding, next: next() }));
    if backlog.unreadable > 0 {
        let cannot = count(backlog.unreadable, "pending item cannot be read", "pending items cannot be read");
        findings.push(Finding { finding: format!("{name}: {cannot}, and will not reach the lake"), next: next() });
    }
}

fn of_lake_table(region: &RegionStatus, now: Timestamp) -> Option<Finding> {
    let (name, reached) = (&region.region, region.lake_table.known()?);
    let since = reached.waiting_since.and_then(Timestamp::from_unix_seconds)?;
    let late = now.since(since);
    let objects = count(reached.waiting_objects, "object of the journal is", "objects of the journal are");
    (late > FOLDS).then(|| Finding {
        finding: format!("{name}: {objects} not in the lake's table, the oldest for {}", duration(late)),
        next: "nothing is lost: the journal holds it; the log of sales-lake has the cause".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        cloud::{
            fleet::{Fleet, Role, Tasks},
            lake_table::Reached,
            queue::Depth,
            table::Backlog,
        },
        status::Traffic,
    };

    const NOW: i64 = 1_000_000;
    const OVERDUE: Overdue = Overdue::with_grace(30);

    fn service(state: &str) -> Figure<ServiceReport> {
        Figure::Known(ServiceReport { ready: true, state: state.to_owned(), failing: BTreeMap::new() })
    }

    /// API tasks, and their scaling minimum.
    fn tasks([running, minimum]: [u32; 2]) -> Figure<Fleet> {
        let tasks = |running, minimum| Tasks { running, minimum, maximum: 20, usual_minimum: Some(2) };
        Figure::Known([(Role::Api, tasks(running, minimum)), (Role::Worker, tasks(2, 2))].into())
    }

    fn healthy(region: &str, state: &str, dial_percent: f32) -> RegionStatus {
        let empty = Depth { waiting: 0, in_flight: 0, oldest_age_seconds: None, oldest_age_error: None };
        RegionStatus {
            region: region.to_owned(),
            state: Figure::Known(StateParameter { value: state.to_owned(), since: Some(NOW - 3_600) }),
            api: service(state),
            active: Figure::Known(state == "ACTIVE"),
            worker: service(state),
            tasks: tasks([2, 2]),
            queue: Figure::Known(empty.clone()),
            dead_letters: Figure::Known(empty),
            pending: Figure::Known(Backlog::default()),
            lake_table: Figure::Known(Reached::default()),
            traffic: Figure::Known(Traffic { dial_percent, health: "HEALTHY".to_owned() }),
        }
    }

    fn found(regions: &[RegionStatus]) -> Vec<String> {
        let now = Timestamp::from_unix_seconds(NOW).unwrap();
        of(regions, None, true, now, OVERDUE).into_iter().map(|finding| finding.finding).collect()
    }

    fn unknown<T>() -> Figure<T> {
        Figure::Unknown { error: Trouble::new("gone") }
    }

    #[test]
    fn nothing_is_found_where_all_is_well() {
        assert_eq!(found(&[healthy("a", "ACTIVE", 100.0), healthy("b", "PASSIVE", 0.0)]), [""; 0]);
    }

    #[test]
    fn a_table_that_is_late_is_a_finding_and_one_that_is_about_to_be_folded_is_none() {
        let since = |seconds| {
            let waiting = Reached { waiting_objects: 2, waiting_since: Some(NOW - seconds), ..Reached::default() };
            found(&[RegionStatus { lake_table: Figure::Known(waiting), ..healthy("a", "ACTIVE", 100.0) }])
        };
        assert_eq!(since(600), [""; 0]);
        assert_eq!(since(720), ["a: 2 objects of the journal are not in the lake's table, the oldest for 12m"]);
    }

    #[test]
    fn without_an_active_region_that_comes_first() {
        let passive = [healthy("a", "PASSIVE", 0.0), healthy("b", "PASSIVE", 0.0)];
        assert_eq!(found(&passive), ["no region is ACTIVE: sales are accepted and wait"]);
        let lost = RegionStatus { state: unknown(), api: unknown(), ..healthy("a", "ACTIVE", 100.0) };
        let findings =
            of(&[lost, healthy("b", "PASSIVE", 0.0)], None, true, Timestamp::from_unix_seconds(NOW).unwrap(), OVERDUE);
        let [first, second] = findings.as_slice() else { panic!("{findings:?}") };
        assert!(first.finding.starts_with("no region is known to be ACTIVE"), "{first:?}");
        assert_eq!(first.next, "salesctl switch --to b", "which can do the work");
        assert_eq!(second.finding, "a: the API does not answer (gone)");
        assert_eq!(second.next, "if a is lost: salesctl switch --to b");
    }

    #[test]
    fn a_region_that_stands_by_and_could_not_carry_the_load_is_found() {
        let regions = |standing_by| {
            let busy = RegionStatus { tasks: tasks([12, 2]), ..healthy("a", "ACTIVE", 100.0) };
            [busy, RegionStatus { tasks: tasks([standing_by, 2]), ..healthy("b", "PASSIVE", 0.0) }]
        };
        assert_eq!(found(&regions(6)), [""; 0], "scaling aims at tasks that are half busy");
        let too_few = "b: it is PASSIVE and runs 5 API tasks, while a needs 12: it could not carry the load at once";
        assert_eq!(found(&regions(5)), [too_few]);
        let busy = RegionStatus { tasks: tasks([25, 2]), ..healthy("a", "ACTIVE", 100.0) };
        assert_eq!(
            found(&[busy, healthy("b", "PASSIVE", 0.0)]),
            ["b: the API may run at most 20 tasks, and needs 25 in a"]
        );
    }

    #[test]
    fn tasks_that_a_switch_keeps_are_found_once_scaling_has_seen_the_traffic() {
        let since = |seconds| StateParameter { value: "ACTIVE".to_owned(), since: Some(NOW - seconds) };
        let held = |seconds| RegionStatus {
            state: Figure::Known(since(seconds)),
            tasks: tasks([12, 12]),
            ..healthy("a", "ACTIVE", 100.0)
        };
        assert_eq!(found(&[held(600), healthy("b", "ACTIVE", 100.0)]), [""; 0]);
        assert_eq!(
            found(&[held(1_800), healthy("b", "ACTIVE", 100.0)]),
            ["a: a switch keeps the API at 12 tasks or more"]
        );
    }

    #[test]
    fn traffic_that_goes_to_no_active_region_is_found() {
        let found = found(&[healthy("a", "ACTIVE", 0.0), healthy("b", "PASSIVE", 100.0)]);
        assert_eq!(found, ["the traffic dial of each ACTIVE region is at 0: traffic goes elsewhere"]);
    }

    /// The findings when this region, or none, responds at the name.
    fn found_of_dns(regions: &[RegionStatus], answered_by: Result<&str, Trouble>) -> Vec<String> {
        let dns = Dns::new(&"https://api.example.com".parse().unwrap(), answered_by.map(str::to_owned), regions);
        let now = Timestamp::from_unix_seconds(NOW).unwrap();
        of(regions, Some(&dns), true, now, OVERDUE).into_iter().map(|finding| finding.finding).collect()
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_found_only_once_it_should_have_followed() {
        let regions = [healthy("a", "ACTIVE", 100.0), healthy("b", "PASSIVE", 0.0)];
        assert_eq!(found_of_dns(&regions, Ok("a")), [""; 0]);
        assert_eq!(found_of_dns(&regions, Ok("b")), ["https://api.example.com/ reaches b; expected a"]);
        let told = StateParameter { value: "ACTIVE".to_owned(), since: Some(NOW - 60) };
        let fresh = RegionStatus { state: Figure::Known(told), ..regions[0].clone() };
        assert_eq!(found_of_dns(&[fresh, regions[1].clone()], Ok("b")), [""; 0]);
        assert!(found_of_dns(&regions, Err(Trouble::new("gone")))[0].contains("(gone)"));
    }

    #[test]
    fn without_an_active_region_the_name_may_lead_to_any_that_is_ready() {
        let lost = RegionStatus { api: unknown(), active: unknown(), ..healthy("a", "ACTIVE", 100.0) };
        let regions = [lost, healthy("b", "PASSIVE", 0.0)];
        let strays = |region| found_of_dns(&regions, Ok(region)).iter().any(|finding| finding.contains(" reaches "));
        assert!(!strays("b"));
        assert!(strays("a"));
    }

    #[test]
    fn a_service_that_has_not_heard_of_a_state_is_found_only_once_it_should_have() {
        let told = |since| RegionStatus {
            state: Figure::Known(StateParameter { value: "ACTIVE".to_owned(), since: Some(since) }),
            worker: service("PASSIVE"),
            ..healthy("a", "ACTIVE", 100.0)
        };
        assert_eq!(found(&[told(NOW - 5)]), [""; 0]);
        assert_eq!(found(&[told(NOW - 60)]), ["a: the worker still reports PASSIVE, expected ACTIVE"]);
    }

    #[test]
    fn dead_letters_and_what_is_pending_for_long_are_found_with_the_command_that_lists_them() {
        let mut region = healthy("a", "ACTIVE", 100.0);
        region.dead_letters =
            Figure::Known(Depth { waiting: 2, in_flight: 1, oldest_age_seconds: None, oldest_age_error: None });
        region.pending = Figure::Known(Backlog { items: 1, oldest: Some(NOW - 600), unreadable: 0 });
        let findings = of(&[region], None, true, Timestamp::from_unix_seconds(NOW).unwrap(), OVERDUE);
        let told: Vec<_> = findings.iter().map(|finding| (finding.finding.as_str(), finding.next.as_str())).collect();
        assert_eq!(
            told,
            [
                ("a: 3 dead letters", "salesctl dlq list --region a"),
                ("a: 1 item is pending, the oldest for 10m", "salesctl pending list --region a"),
            ]
        );
    }

    #[test]
    fn what_is_pending_is_found_once_it_is_overdue_by_the_grace_of_the_environment() {
        let pending = |age| RegionStatus {
            pending: Figure::Known(Backlog { items: 2, oldest: Some(NOW - age), unreadable: 0 }),
            ..healthy("a", "ACTIVE", 100.0)
        };
        assert_eq!(found(&[pending(90)]), [""; 0]);
        assert_eq!(found(&[pending(91)]), ["a: 2 items are pending, the oldest for 91s"]);
        let now = Timestamp::from_unix_seconds(NOW).unwrap();
        assert_eq!(of(&[pending(300)], None, true, now, Overdue::with_grace(300)), []);
    }

    #[test]
    fn pending_items_that_cannot_be_read_are_found_and_an_age_that_is_not_known_is_none() {
        let mut region = healthy("a", "ACTIVE", 100.0);
        region.pending = Figure::Known(Backlog { items: 262, oldest: None, unreadable: 262 });
        assert_eq!(
            found(&[region]),
            [
                "a: 262 items are pending, and none of them has a readable timestamp",
                "a: 262 pending items cannot be read, and will not reach the lake",
            ]
        );
    }
}
