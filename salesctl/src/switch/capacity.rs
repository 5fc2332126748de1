//! Capacity before traffic: the tasks that the regions of a switch need to carry the current load.
//!
//! A PASSIVE region may run two tasks where the ACTIVE one runs twelve. Scaling would add the rest, but minutes after
//! the clients have arrived. So the switch raises the scaling minimum first. Raising only the number of tasks would not
//! do: scaling stops the surplus tasks of a region without traffic.

use std::collections::BTreeMap;

use serde::Serialize;

use super::situation::{Before, Target};
use crate::cloud::{
    fleet::{Fleet, Role, Tasks},
    trouble::TroubleKind,
};

/// The tasks that a service needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Need {
    /// The service.
    pub(crate) service: Role,
    /// Running tasks.
    pub(crate) from: u32,
    /// Tasks needed.
    pub(crate) to: u32,
    /// Scaling minimum before.
    #[serde(skip)]
    pub(crate) minimum: u32,
}

/// The tasks that a region needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Capacity {
    /// Each service, as far as known.
    pub(crate) tasks: Vec<Need>,
    /// Why some of it is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown: Vec<String>,
}

impl Capacity {
    /// Whether the need is known, and met.
    pub(crate) fn is_so(&self) -> bool {
        self.unknown.is_empty() && self.short().next().is_none()
    }

    /// The services that need more tasks.
    pub(crate) fn short(&self) -> impl Iterator<Item = &Need> {
        self.tasks.iter().filter(|need| need.from < need.to)
    }

    /// In one line.
    pub(crate) fn told(&self) -> String {
        if self.tasks.is_empty() {
            return "?".to_owned();
        }
        let needs =
            self.tasks.iter().map(|Need { service, from, to, .. }| format!("{} {from} -> {to}", service.name()));
        needs.collect::<Vec<_>>().join(", ")
    }
}

/// The tasks that `region`, part of the target, needs; `None` if its ECS services are not configured.
///
/// These are the tasks that run now and will be replaced: for a switch to one region, those of all other ACTIVE
/// regions, plus its own share; for a switch to all, the maximum of any region, since each may get all traffic.
pub(crate) fn needed(target: &Target, region: &str, regions: &BTreeMap<String, Before>) -> Option<Capacity> {
    let own = match &regions.get(region)?.fleet {
        Ok(fleet) => fleet,
        Err(trouble) if trouble.kind() == TroubleKind::NotSet => return None,
        Err(trouble) => return Some(Capacity { tasks: Vec::new(), unknown: vec![trouble.to_string()] }),
    };
    let others = regions.iter().filter(|(name, before)| *name != region && before.may_work());
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for (name, before) in others {
        match &before.fleet {
            Ok(fleet) => known.push(fleet),
            Err(trouble) => unknown.push(format!("tasks of {name}: {trouble}")),
        }
    }
    let works = regions.get(region).is_some_and(Before::may_work);
    let tasks = own.iter().map(|(&role, tasks)| {
        let of_others = known.iter().filter_map(|fleet: &&Fleet| fleet.get(&role)).map(|tasks| tasks.running);
        let wanted = match target {
            Target::All => of_others.max().unwrap_or_default(),
            // A raised minimum here is a copy of another region's tasks, from an earlier switch: counting it twice
            // would double it.
            Target::Only(_) | Target::None => {
                of_others.sum::<u32>() + if works && !tasks.is_held() && !known.is_empty() { tasks.running } else { 0 }
            }
        };
        need(role, tasks, wanted)
    });
    Some(Capacity { tasks: tasks.collect(), unknown })
}

/// At most the scaling maximum, and never fewer than are running.
fn need(service: Role, tasks: &Tasks, wanted: u32) -> Need {
    let to = wanted.min(tasks.maximum).max(tasks.running);
    Need { service, from: tasks.running, to, minimum: tasks.minimum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::trouble::Trouble;

    fn tasks(running: u32, minimum: u32) -> Tasks {
        Tasks { running, minimum, maximum: 20, usual_minimum: Some(2) }
    }

    fn region(state: Option<&str>, fleet: Result<Tasks, Trouble>) -> Before {
        let fleet = fleet.map(|api| Fleet::from([(Role::Api, api), (Role::Worker, tasks(2, 2))]));
        Before { state: state.map(str::to_owned), dial: None, fleet }
    }

    fn told(target: &Target, of: &str, a: Before, b: Before) -> Option<String> {
        let regions = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
        needed(target, of, &regions).map(|capacity| format!("{}{}", capacity.told(), capacity.unknown.join("; ")))
    }

    #[test]
    fn a_region_is_brought_to_what_carries_the_load_now() {
        let b = Target::Only("b".to_owned());
        let (active, passive) = (Some("ACTIVE"), Some("PASSIVE"));
        for (before, expected) in [
            // Two regions, and a state that cannot be read, which may be ACTIVE.
            ((active, tasks(12, 2), passive, tasks(2, 2)), "API 2 -> 12, worker 2 -> 2"),
            ((None, tasks(12, 2), passive, tasks(2, 2)), "API 2 -> 12, worker 2 -> 2"),
            // Both are ACTIVE, each with its own share.
            ((active, tasks(8, 2), active, tasks(6, 2)), "API 6 -> 14, worker 2 -> 4"),
            // At most the scaling maximum.
            ((active, tasks(15, 2), active, tasks(15, 2)), "API 15 -> 20, worker 2 -> 4"),
            // The PASSIVE region has enough.
            ((active, tasks(2, 2), passive, tasks(5, 2)), "API 5 -> 5, worker 2 -> 2"),
            // It is ACTIVE already, and no other region is.
            ((passive, tasks(12, 2), active, tasks(3, 2)), "API 3 -> 3, worker 2 -> 2"),
        ] {
            let (a_state, a_tasks, b_state, b_tasks) = before;
            let told = told(&b, "b", region(a_state, Ok(a_tasks)), region(b_state, Ok(b_tasks)));
            assert_eq!(told.as_deref(), Some(expected), "{before:?}");
        }
    }

    #[test]
    fn a_switch_that_is_repeated_asks_for_no_more_than_the_first_time() {
        // The other region's state was not changed: it is still ACTIVE, and this one holds a copy of its tasks.
        let held = region(Some("ACTIVE"), Ok(tasks(12, 12)));
        let told_once = told(&Target::Only("b".to_owned()), "b", region(Some("ACTIVE"), Ok(tasks(12, 2))), held);
        assert!(told_once.unwrap().starts_with("API 12 -> 12"));
        let [a, b] = [(12, 2), (12, 12)].map(|(running, minimum)| region(Some("ACTIVE"), Ok(tasks(running, minimum))));
        for of in ["a", "b"] {
            assert_eq!(told(&Target::All, of, a.clone(), b.clone()).unwrap(), "API 12 -> 12, worker 2 -> 2");
        }
        let small = region(Some("PASSIVE"), Ok(tasks(2, 2)));
        assert_eq!(told(&Target::All, "b", a, small).unwrap(), "API 2 -> 12, worker 2 -> 2");
    }

    #[test]
    fn what_is_not_known_is_told_and_what_is_not_configured_is_left_out() {
        let b = Target::Only("b".to_owned());
        let known = || region(Some("PASSIVE"), Ok(tasks(2, 2)));
        let gone = |state| region(state, Err(Trouble::new("gone")));
        assert_eq!(told(&b, "b", gone(Some("ACTIVE")), known()).unwrap(), "API 2 -> 2, worker 2 -> 2tasks of a: gone");
        assert_eq!(told(&b, "b", gone(Some("PASSIVE")), known()).unwrap(), "API 2 -> 2, worker 2 -> 2");
        assert_eq!(told(&b, "b", known(), gone(Some("PASSIVE"))).unwrap(), "?gone");
        let not_set = region(Some("PASSIVE"), Err(Trouble::not_set("cluster")));
        assert_eq!(told(&b, "b", known(), not_set), None);
    }
}
