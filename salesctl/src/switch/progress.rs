//! What has happened in a switch: each step with its outcome, and what was seen after the steps. Pure: no I/O, no clock.

use sales::{clock::Timestamp, site_state::SiteState};
use serde::Serialize;

use super::{
    entrance::Entrance,
    plan::{Action, Step},
    situation::Target,
};
use crate::{
    cloud::{table::Backlog, trouble::Trouble},
    exit::Exit,
};

/// Outcome of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "reason", rename_all = "snake_case")]
pub(super) enum StepOutcome {
    /// Not taken yet.
    Planned,
    /// Done.
    Done,
    /// There was nothing to do.
    Already,
    /// It failed: repeating the command tries it again.
    #[serde(rename = "owed")]
    NotDone(Trouble),
    /// Skipped, since it would make things worse.
    Withheld(String),
    /// The command was interrupted during the step: its result is unknown.
    Interrupted,
}

/// A step with its outcome.
#[derive(Debug, Serialize)]
pub(super) struct Taken {
    #[serde(flatten)]
    pub(super) step: Step,
    #[serde(flatten)]
    pub(super) outcome: StepOutcome,
}

impl Taken {
    fn is_not_done(&self) -> bool {
        match self.outcome {
            StepOutcome::Done | StepOutcome::Already => false,
            StepOutcome::Planned | StepOutcome::NotDone(_) | StepOutcome::Withheld(_) | StepOutcome::Interrupted => {
                true
            }
        }
    }
}

/// The pending items.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Pending {
    /// Regions that responded, with the number of pending items and whether some are from before the switch.
    regions: Vec<RegionPending>,
    /// Regions that did not respond.
    unknown: Vec<UnknownPending>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct RegionPending {
    region: String,
    items: u64,
    from_before_the_switch: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct UnknownPending {
    region: String,
    error: Trouble,
}

impl Pending {
    /// Adds a region's backlog; items accepted before `switched` are from before the switch.
    pub(super) fn add(&mut self, region: String, backlog: Result<Backlog, Trouble>, switched: Timestamp) {
        match backlog {
            Ok(backlog) => {
                let from_before_the_switch = backlog.oldest().is_some_and(|oldest| oldest < switched);
                self.regions.push(RegionPending { region, items: backlog.items, from_before_the_switch });
            }
            Err(error) => self.unknown.push(UnknownPending { region, error }),
        }
    }

    /// Whether nothing from before the switch is pending, as far as any region knows.
    pub(super) fn is_drained(&self) -> bool {
        !self.regions.is_empty() && !self.regions.iter().any(|region| region.from_before_the_switch)
    }

    /// In one line.
    pub(super) fn told(&self) -> String {
        let known = self.regions.iter().map(|region| format!("{} in {}", region.items, region.region));
        let unknown = self.unknown.iter().map(|region| format!("? in {} ({})", region.region, region.error));
        known.chain(unknown).collect::<Vec<_>>().join(", ")
    }
}

/// A switch in progress.
#[derive(Debug)]
pub(super) struct Progress {
    target: Target,
    steps: Vec<Taken>,
    /// Whether the switch is complete only once nothing from before it is pending and DNS follows.
    waits: bool,
    pending: Option<Pending>,
    entrance: Option<Entrance>,
    interrupted: Option<Exit>,
}

/// The JSON output.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    target: String,
    steps: &'a [Taken],
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<&'a Pending>,
    /// The state of DNS.
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<&'a Entrance>,
    /// Whether all steps are done.
    complete: bool,
    /// The command that completes the remaining steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat: Option<String>,
}

impl Progress {
    /// A switch before its first step; `waits`: whether it waits until nothing from before it is pending and DNS follows.
    pub(super) fn new(target: Target, plan: Vec<Step>, waits: bool) -> Self {
        let steps = plan.into_iter().map(|step| Taken { step, outcome: StepOutcome::Planned }).collect();
        Self { target, steps, waits, pending: None, entrance: None, interrupted: None }
    }

    /// The regions that will process sales.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// All steps, in order.
    pub(super) fn steps(&self) -> &[Taken] {
        &self.steps
    }

    /// The next step; `None` after the last.
    pub(super) fn next(&self) -> Option<(usize, Step)> {
        let position = self.steps.iter().position(|taken| taken.outcome == StepOutcome::Planned)?;
        Some((position, self.steps[position].step.clone()))
    }

    /// Records the outcome of a step.
    pub(super) fn finish(&mut self, position: usize, outcome: StepOutcome) {
        self.steps[position].outcome = outcome;
    }

    /// Records an interruption, during the next step if there is one.
    pub(super) fn interrupt(&mut self, exit: Exit) {
        if let Some((position, _)) = self.next() {
            self.finish(position, StepOutcome::Interrupted);
        }
        self.interrupted = Some(exit);
    }

    /// Records what was seen after the steps.
    pub(super) fn saw(&mut self, pending: Pending, entrance: Option<Entrance>) {
        self.pending = Some(pending);
        self.entrance = entrance;
    }

    /// What was pending when last seen.
    pub(super) fn pending(&self) -> Option<&Pending> {
        self.pending.as_ref()
    }

    /// The state of DNS when last seen.
    pub(super) fn entrance(&self) -> Option<&Entrance> {
        self.entrance.as_ref()
    }

    /// The regions that are known to be ACTIVE now.
    pub(super) fn active(&self) -> Vec<&str> {
        let set = |taken: &&Taken| {
            matches!(taken.step.action, Action::State { to: SiteState::Active, .. })
                && matches!(taken.outcome, StepOutcome::Done | StepOutcome::Already)
        };
        self.steps.iter().filter(set).map(|taken| taken.step.region.as_str()).collect()
    }

    /// The regions whose number of tasks was raised.
    pub(super) fn raised(&self) -> impl Iterator<Item = &str> {
        let raised = |taken: &&Taken| match &taken.step.action {
            Action::Capacity(capacity) => {
                capacity.short().next().is_some()
                    && matches!(taken.outcome, StepOutcome::Done | StepOutcome::NotDone(_))
            }
            Action::State { .. } | Action::Dial { .. } => false,
        };
        self.steps.iter().filter(raised).map(|taken| taken.step.region.as_str())
    }

    /// The steps that are not done.
    pub(super) fn not_done(&self) -> impl Iterator<Item = &Taken> {
        self.steps.iter().filter(|taken| taken.is_not_done())
    }

    /// Whether it was interrupted.
    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupted.is_some()
    }

    /// Whether sales from before the switch were pending when last seen.
    pub(super) fn is_undrained(&self) -> bool {
        self.pending.as_ref().is_some_and(|pending| !pending.is_drained())
    }

    /// Whether DNS did not follow when last seen.
    pub(super) fn is_astray(&self) -> bool {
        self.entrance.as_ref().is_some_and(|entrance| !entrance.follows)
    }

    /// Whether there is something to see after the steps.
    pub(super) fn went_on(&self) -> bool {
        !self.is_interrupted() && !self.active().is_empty()
    }

    /// Whether nothing remains to be done.
    pub(super) fn is_complete(&self) -> bool {
        self.not_done().next().is_none()
            && !(self.waits && (self.is_undrained() || self.is_astray()))
            && !self.is_interrupted()
    }

    /// How the command exits; `None` if nothing was changed.
    pub(super) fn exit(&self) -> Option<Exit> {
        let changed = self.steps.iter().any(|taken| taken.outcome == StepOutcome::Done);
        match (self.interrupted, self.is_complete()) {
            (Some(exit), _) => Some(exit),
            (None, true) => Some(Exit::Done),
            (None, false) => (changed || !self.active().is_empty()).then_some(Exit::Incomplete),
        }
    }

    /// As JSON, with the command that completes the remaining steps.
    pub(super) fn document(&self, repeat: Option<String>) -> Document<'_> {
        let target = match &self.target {
            Target::Only(region) => region.clone(),
            Target::All => "both".to_owned(),
            Target::None => "none".to_owned(),
        };
        let (pending, dns) = (self.pending(), self.entrance());
        Document { target, steps: &self.steps, pending, dns, complete: self.is_complete(), repeat }
    }
}

#[cfg(test)]
mod tests {
    use sales::signals::EndSignal;

    use super::{
        super::capacity::{Capacity, Need},
        *,
    };
    use crate::cloud::fleet::Role;

    fn step(region: &str, action: Action) -> Step {
        Step { region: region.to_owned(), action }
    }

    fn state(region: &str, to: SiteState) -> Step {
        step(region, Action::State { from: None, to })
    }

    /// From `a` to `b`.
    fn switch(waits: bool) -> Progress {
        let dial = step("b", Action::Dial { from: Some(0.0), to: 100.0 });
        let plan = vec![state("b", SiteState::Active), dial, state("a", SiteState::Passive)];
        Progress::new(Target::Only("b".to_owned()), plan, waits)
    }

    fn finished(waits: bool, outcomes: [StepOutcome; 3]) -> Progress {
        let mut progress = switch(waits);
        for outcome in outcomes {
            let (position, _) = progress.next().unwrap();
            progress.finish(position, outcome);
        }
        progress
    }

    fn failed() -> StepOutcome {
        StepOutcome::NotDone(Trouble::new("gone"))
    }

    fn pending(from_before_the_switch: bool) -> Pending {
        let region = RegionPending { region: "b".to_owned(), items: 3, from_before_the_switch };
        Pending { regions: vec![region], unknown: Vec::new() }
    }

    #[test]
    fn nothing_known_is_not_drained() {
        assert!(!Pending::default().is_drained());
        assert!(pending(false).is_drained());
        let both = [pending(false), pending(true)].map(|pending| pending.regions).concat();
        assert!(!Pending { regions: both, unknown: Vec::new() }.is_drained());
    }

    #[test]
    fn steps_are_taken_in_order_and_a_failed_one_holds_up_no_other() {
        let mut progress = switch(false);
        for expected in ["b: state ? -> ACTIVE", "b: dial 0 % -> 100 %", "a: state ? -> PASSIVE"] {
            let (position, step) = progress.next().unwrap();
            assert_eq!(step.to_string(), expected);
            progress.finish(position, failed());
        }
        assert_eq!(progress.next(), None);
        assert_eq!(progress.not_done().count(), 3);
    }

    #[test]
    fn a_region_is_active_once_its_step_is_done_or_was_not_needed() {
        assert!(switch(false).active().is_empty());
        for (first, active) in [
            (StepOutcome::Done, &["b"][..]),
            (StepOutcome::Already, &["b"]),
            (failed(), &[]),
            (StepOutcome::Withheld("worse".to_owned()), &[]),
        ] {
            let progress = finished(false, [first.clone(), StepOutcome::Done, StepOutcome::Done]);
            assert_eq!(progress.active(), active, "{first:?}");
            assert_eq!(progress.went_on(), !active.is_empty(), "{first:?}");
        }
    }

    #[test]
    fn an_interrupted_step_has_an_unknown_result_and_nothing_follows_it() {
        let mut progress = switch(false);
        progress.finish(0, StepOutcome::Done);
        progress.interrupt(Exit::Interrupted(EndSignal::Interrupt));
        assert_eq!(progress.steps()[1].outcome, StepOutcome::Interrupted);
        assert_eq!(progress.steps()[2].outcome, StepOutcome::Planned);
        assert!(progress.is_interrupted() && !progress.went_on() && !progress.is_complete());
        assert_eq!(progress.exit(), Some(Exit::Interrupted(EndSignal::Interrupt)));
    }

    #[test]
    fn an_interruption_after_the_last_step_changes_no_step() {
        let mut progress = finished(true, [StepOutcome::Done, StepOutcome::Already, StepOutcome::Done]);
        progress.interrupt(Exit::Interrupted(EndSignal::Terminate));
        assert_eq!(progress.not_done().count(), 0);
        assert!(!progress.is_complete());
    }

    #[test]
    fn the_exit_says_whether_all_some_or_nothing_was_done() {
        let done = || StepOutcome::Done;
        let already = || StepOutcome::Already;
        for (outcomes, exit) in [
            ([done(), done(), done()], Some(Exit::Done)),
            ([already(), already(), already()], Some(Exit::Done)),
            ([done(), failed(), done()], Some(Exit::Incomplete)),
            ([failed(), done(), failed()], Some(Exit::Incomplete)),
            // Nothing was changed, but sales are processed.
            ([already(), failed(), failed()], Some(Exit::Incomplete)),
            ([failed(), failed(), failed()], None),
        ] {
            assert_eq!(finished(false, outcomes.clone()).exit(), exit, "{outcomes:?}");
        }
    }

    #[test]
    fn what_is_pending_and_where_dns_leads_count_only_if_the_switch_waits_for_them() {
        let outcomes = || [StepOutcome::Done, StepOutcome::Done, StepOutcome::Done];
        let dns = |region: &str| {
            let answers = vec![Ok(region.to_owned())];
            Some(Entrance::of("http://name", answers, vec![("b".to_owned(), Ok(true))], &Target::Only("b".to_owned())))
        };
        for (waits, from_before, entrance, is_complete) in [
            (true, false, dns("b"), true),
            (true, false, None, true),
            (true, true, dns("b"), false),
            (true, false, dns("a"), false),
            (false, true, dns("a"), true),
        ] {
            let mut progress = finished(waits, outcomes());
            progress.saw(pending(from_before), entrance.clone());
            assert_eq!(progress.is_complete(), is_complete, "{waits} {from_before} {entrance:?}");
            assert_eq!(progress.is_undrained(), from_before);
            assert_eq!(progress.is_astray(), entrance.is_some_and(|entrance| !entrance.follows));
        }
    }

    #[test]
    fn tasks_are_raised_by_a_step_that_had_some_to_start_even_if_it_failed_later() {
        let capacity = |from| {
            let need = Need { service: Role::ALL[0], from, to: 12, minimum: 2 };
            step("b", Action::Capacity(Capacity { tasks: vec![need], unknown: Vec::new() }))
        };
        for (from, outcome, raised) in [
            (2, StepOutcome::Done, &["b"][..]),
            (2, failed(), &["b"]),
            (2, StepOutcome::Planned, &[]),
            (12, StepOutcome::Done, &[]),
        ] {
            let mut progress = Progress::new(Target::Only("b".to_owned()), vec![capacity(from)], false);
            progress.finish(0, outcome.clone());
            assert_eq!(progress.raised().collect::<Vec<_>>(), raised, "{from} {outcome:?}");
        }
    }

    #[test]
    fn the_document_has_each_step_with_its_outcome_and_what_remains() {
        let mut progress = finished(true, [StepOutcome::Done, failed(), StepOutcome::Withheld("worse".to_owned())]);
        progress.saw(pending(true), None);
        assert_eq!(
            serde_json::to_value(progress.document(Some("salesctl switch".to_owned()))).unwrap(),
            serde_json::json!({
                "target": "b",
                "steps": [
                    { "region": "b", "step": "state", "from": null, "to": "ACTIVE", "outcome": "done" },
                    { "region": "b", "step": "dial", "from": 0.0, "to": 100.0, "outcome": "owed", "reason": "gone" },
                    {
                        "region": "a", "step": "state", "from": null, "to": "PASSIVE",
                        "outcome": "withheld", "reason": "worse",
                    },
                ],
                "pending": {
                    "regions": [{ "region": "b", "items": 3, "from_before_the_switch": true }],
                    "unknown": [],
                },
                "complete": false,
                "repeat": "salesctl switch",
            })
        );
    }
}
