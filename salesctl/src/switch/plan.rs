//! The steps of a switch, computed from the situation before it. Pure: no I/O.

use std::{collections::BTreeMap, fmt};

use sales::site_state::SiteState;
use serde::Serialize;

use super::{
    capacity::{self, Capacity},
    situation::{Before, Target},
};

/// One action on one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    /// The region.
    pub(crate) region: String,
    /// The action.
    #[serde(flatten)]
    pub(crate) action: Action,
}

/// Kinds of actions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Action {
    /// Starts the tasks that its services will need.
    Capacity(Capacity),
    /// Sets its state.
    State {
        /// The state before; unknown if it could not be read.
        from: Option<String>,
        /// The new state.
        #[serde(serialize_with = "state_name")]
        to: SiteState,
    },
    /// Sets its traffic dials.
    Dial {
        /// The percentage before, the lowest if listeners differ; unknown if it could not be read.
        from: Option<f32>,
        /// The new percentage.
        to: f32,
    },
}

fn state_name<S: serde::Serializer>(state: &SiteState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.name())
}

impl Step {
    /// Whether the step has nothing to do.
    pub(crate) fn is_so(&self) -> bool {
        match &self.action {
            Action::Capacity(capacity) => capacity.is_so(),
            Action::State { from, to } => from.as_deref() == Some(to.name()),
            Action::Dial { from, to } => *from == Some(*to),
        }
    }

    /// Whether the step only adds capacity, and cannot make anything worse.
    pub(crate) fn only_adds(&self) -> bool {
        matches!(self.action, Action::Capacity(_) | Action::State { to: SiteState::Active, .. })
    }

    /// Whether the step takes work away from a region.
    pub(crate) fn takes_work(&self) -> bool {
        matches!(self.action, Action::State { to: SiteState::Passive, .. })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = &self.region;
        match &self.action {
            Action::Capacity(capacity) => write!(formatter, "{region}: tasks {}", capacity.told()),
            Action::State { from, to } => {
                write!(formatter, "{region}: state {} -> {to}", from.as_deref().unwrap_or("?"))
            }
            Action::Dial { from: Some(from), to } => write!(formatter, "{region}: dial {from} % -> {to} %"),
            Action::Dial { from: None, to } => write!(formatter, "{region}: dial ? -> {to} %"),
        }
    }
}

/// The steps to `target`, in order: tasks first, then regions that become ACTIVE, and last those that become PASSIVE,
/// so that some region is always ACTIVE. The dials are in between, those that go up before those that go down. `dials`:
/// whether there is an accelerator.
pub(crate) fn steps(target: &Target, regions: &BTreeMap<String, Before>, dials: bool) -> Vec<Step> {
    let states = |wanted: SiteState| {
        let regions = regions.iter().filter(move |(region, _)| target.state(region) == wanted);
        regions.map(move |(region, before)| Step {
            region: region.clone(),
            action: Action::State { from: before.state.clone(), to: wanted },
        })
    };
    let capacities = regions.keys().filter(|region| target.includes(region)).filter_map(|region| {
        let capacity = capacity::needed(target, region, regions)?;
        Some(Step { region: region.clone(), action: Action::Capacity(capacity) })
    });
    // Without an ACTIVE region, the traffic stays where it is: sales are accepted everywhere.
    let turned = regions.iter().filter(|_| dials && *target != Target::None);
    let mut turned: Vec<_> = turned
        .map(|(region, before)| {
            let to = if target.includes(region) { 100.0 } else { 0.0 };
            Step { region: region.clone(), action: Action::Dial { from: before.dial, to } }
        })
        .collect();
    turned.sort_by_key(|step| !target.includes(&step.region));
    capacities.chain(states(SiteState::Active)).chain(turned).chain(states(SiteState::Passive)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::{
        fleet::{Role, Tasks},
        trouble::Trouble,
    };

    fn regions(known: &[(&str, Option<&str>, Option<f32>)]) -> BTreeMap<String, Before> {
        let fleet = || Err(Trouble::not_set("cluster"));
        let before = |state: Option<&str>, dial| Before { state: state.map(str::to_owned), dial, fleet: fleet() };
        known.iter().map(|&(name, state, dial)| (name.to_owned(), before(state, dial))).collect()
    }

    fn told(target: &Target, known: &[(&str, Option<&str>, Option<f32>)], dials: bool) -> Vec<String> {
        steps(target, &regions(known), dials).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn who_shall_process_comes_first_and_who_shall_not_comes_last() {
        let known = [("a", Some("ACTIVE"), Some(100.0)), ("b", Some("PASSIVE"), Some(0.0))];
        assert_eq!(
            told(&Target::Only("b".to_owned()), &known, true),
            [
                "b: state PASSIVE -> ACTIVE",
                "b: dial 0 % -> 100 %",
                "a: dial 100 % -> 0 %",
                "a: state ACTIVE -> PASSIVE"
            ]
        );
    }

    #[test]
    fn tasks_come_before_everything_and_only_where_they_are_configured() {
        let mut known = regions(&[("a", Some("ACTIVE"), Some(100.0)), ("b", Some("PASSIVE"), Some(0.0))]);
        let tasks = |running| Tasks { running, minimum: 2, maximum: 20, usual_minimum: Some(2) };
        known.get_mut("b").unwrap().fleet = Ok(Role::ALL.map(|role| (role, tasks(2))).into());
        let first = |known: &BTreeMap<String, Before>| steps(&Target::Only("b".to_owned()), known, true)[0].clone();
        assert_eq!(first(&known).to_string(), "b: tasks API 2 -> 2, worker 2 -> 2");
        assert!(!first(&known).is_so(), "what the other one runs is not known");
        known.get_mut("a").unwrap().fleet = Ok(Role::ALL.map(|role| (role, tasks(12))).into());
        assert_eq!(first(&known).to_string(), "b: tasks API 2 -> 12, worker 2 -> 12");
        assert!(first(&known).only_adds() && !first(&known).is_so());
        known.get_mut("b").unwrap().fleet = Ok(Role::ALL.map(|role| (role, tasks(12))).into());
        assert!(first(&known).is_so());
    }

    #[test]
    fn both_regions_are_set_active_and_nobody_passive() {
        let known = [("a", Some("ACTIVE"), Some(100.0)), ("b", None, None)];
        let steps = steps(&Target::All, &regions(&known), true);
        assert!(!steps.iter().any(Step::takes_work));
        let told: Vec<_> = steps.iter().map(|step| (step.to_string(), step.is_so())).collect();
        assert_eq!(
            told,
            [
                ("a: state ACTIVE -> ACTIVE".to_owned(), true),
                ("b: state ? -> ACTIVE".to_owned(), false),
                ("a: dial 100 % -> 100 %".to_owned(), true),
                ("b: dial ? -> 100 %".to_owned(), false),
            ]
        );
    }

    #[test]
    fn without_an_accelerator_and_for_no_region_the_dials_stay() {
        let known = [("a", Some("ACTIVE"), None), ("b", Some("rubbish"), None)];
        let only = told(&Target::Only("a".to_owned()), &known, false);
        assert_eq!(only, ["a: state ACTIVE -> ACTIVE", "b: state rubbish -> PASSIVE"]);
        assert_eq!(told(&Target::None, &known, true), ["a: state ACTIVE -> PASSIVE", "b: state rubbish -> PASSIVE"]);
    }
}
