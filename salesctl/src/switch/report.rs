//! Output of a switch: its plan, each step as it is taken, and the outcome.

use std::time::Instant;

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
    output::{self, BAD, Format, GOOD, WARNING, progress},
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

#[derive(Debug, Serialize)]
struct Taken {
    #[serde(flatten)]
    step: Step,
    #[serde(flatten)]
    outcome: StepOutcome,
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

    fn told(&self) -> String {
        let known = self.regions.iter().map(|region| format!("{} in {}", region.items, region.region));
        let unknown = self.unknown.iter().map(|region| format!("? in {} ({})", region.region, region.error));
        known.chain(unknown).collect::<Vec<_>>().join(", ")
    }
}

/// A switch in progress.
pub(super) struct Report {
    format: Format,
    target: Target,
    steps: Vec<Taken>,
    waited: bool,
    pending: Option<Pending>,
    entrance: Option<Entrance>,
    interrupted: Option<Exit>,
    started: Instant,
    step_started: Instant,
}

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
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

impl Report {
    pub(super) fn new(format: Format, target: &Target, plan: Vec<Step>) -> Self {
        let steps = plan.into_iter().map(|step| Taken { step, outcome: StepOutcome::Planned }).collect();
        let started = Instant::now();
        Self {
            format,
            target: target.clone(),
            steps,
            waited: false,
            pending: None,
            entrance: None,
            interrupted: None,
            started,
            step_started: started,
        }
    }

    /// Prints the steps, and `remarks` on values that are unknown.
    pub(super) fn show_plan(&self, remarks: &[String]) {
        self.say(format!("Plan: {}", self.target));
        for (position, Taken { step, .. }) in self.steps.iter().enumerate() {
            let so = if step.is_so() { " (no change)" } else { "" };
            self.say(format!("  {}. {step}{so}", position + 1));
        }
        for remark in remarks {
            self.say(format!("  {WARNING}?{WARNING:#} {remark}"));
        }
    }

    /// Ends a dry run.
    pub(super) fn planned(&self) -> anyhow::Result<Exit> {
        match self.format {
            Format::Table => self.say("Nothing was changed (--dry-run).".to_owned()),
            Format::Json => self.document(false, None)?,
        }
        Ok(Exit::Done)
    }

    /// The next step; `None` after the last.
    pub(super) fn next(&self) -> Option<(usize, Step)> {
        let position = self.steps.iter().position(|taken| taken.outcome == StepOutcome::Planned)?;
        Some((position, self.steps[position].step.clone()))
    }

    /// The regions that are known to be ACTIVE now.
    pub(super) fn active(&self) -> Vec<&str> {
        let set = |taken: &&Taken| {
            matches!(taken.step.action, Action::State { to: SiteState::Active, .. })
                && matches!(taken.outcome, StepOutcome::Done | StepOutcome::Already)
        };
        self.steps.iter().filter(set).map(|taken| taken.step.region.as_str()).collect()
    }

    pub(super) fn begin(&mut self) {
        self.step_started = Instant::now();
    }

    pub(super) fn finish(&mut self, position: usize, outcome: StepOutcome) {
        let seconds = self.step_started.elapsed().as_secs_f32();
        let said = match &outcome {
            StepOutcome::Done => format!("{GOOD}done{GOOD:#} in {seconds:.1} s"),
            StepOutcome::Already => format!("{GOOD}unchanged{GOOD:#}"),
            StepOutcome::NotDone(trouble) => format!("{WARNING}not done{WARNING:#}: {trouble}"),
            StepOutcome::Withheld(reason) => format!("{WARNING}skipped{WARNING:#}: {reason}"),
            StepOutcome::Planned | StepOutcome::Interrupted => "interrupted".to_owned(),
        };
        self.say(format!("[{}/{}] {}: {said}", position + 1, self.steps.len(), self.steps[position].step));
        self.steps[position].outcome = outcome;
    }

    pub(super) fn interrupted(&mut self, exit: Exit) {
        if let Some(taken) = self.steps.iter_mut().find(|taken| taken.outcome == StepOutcome::Planned) {
            taken.outcome = StepOutcome::Interrupted;
        }
        self.interrupted = Some(exit);
    }

    /// Whether there is something to check after the steps.
    pub(super) fn went_on(&self) -> bool {
        self.interrupted.is_none() && !self.active().is_empty()
    }

    pub(super) fn begin_draining(&mut self, wait: bool) {
        self.waited = wait;
    }

    pub(super) fn pending(&mut self, pending: Pending, is_over: bool) {
        if is_over || self.pending.as_ref() != Some(&pending) {
            let state = if pending.is_drained() { "nothing from before the switch is pending" } else { "pending" };
            self.say(format!("{state}: {}", pending.told()));
        }
        self.pending = Some(pending);
    }

    pub(super) fn entrance(&mut self, entrance: Option<Entrance>, is_over: bool) {
        if let Some(seen) = &entrance
            && (is_over || self.entrance != entrance)
        {
            self.say(seen.told());
        }
        self.entrance = entrance;
    }

    /// Prints the outcome.
    pub(super) fn end(&self) -> anyhow::Result<Exit> {
        let not_done: Vec<_> = self.steps.iter().filter(|taken| taken.is_not_done()).collect();
        let undrained = self.pending.as_ref().is_some_and(|pending| !pending.is_drained());
        let astray = self.entrance.as_ref().is_some_and(|entrance| !entrance.follows);
        let complete = not_done.is_empty() && !(self.waited && (undrained || astray)) && self.interrupted.is_none();
        let repeat = (!complete).then(repeat_command);
        match self.format {
            Format::Json => self.document(complete, repeat)?,
            Format::Table => self.tell(&not_done, (undrained, astray), repeat),
        }
        let changed = self.steps.iter().any(|taken| taken.outcome == StepOutcome::Done);
        match (self.interrupted, complete) {
            (Some(exit), _) => Ok(exit),
            (None, true) => Ok(Exit::Done),
            (None, false) if changed || !self.active().is_empty() => Ok(Exit::Incomplete),
            (None, false) => Err(anyhow::anyhow!("nothing was changed: see above")),
        }
    }

    /// The regions whose number of tasks was raised.
    fn raised(&self) -> impl Iterator<Item = &str> {
        let raised = |taken: &&Taken| match &taken.step.action {
            Action::Capacity(capacity) => {
                capacity.short().next().is_some()
                    && matches!(taken.outcome, StepOutcome::Done | StepOutcome::NotDone(_))
            }
            Action::State { .. } | Action::Dial { .. } => false,
        };
        self.steps.iter().filter(raised).map(|taken| taken.step.region.as_str())
    }

    fn tell(&self, not_done: &[&Taken], (undrained, astray): (bool, bool), repeat: Option<String>) {
        if self.interrupted.is_some() {
            self.say(format!("{WARNING}Interrupted.{WARNING:#} Completed steps remain in effect, and are safe."));
        }
        if !not_done.is_empty() {
            self.say(format!("{BAD}Not done:{BAD:#}"));
            for taken in not_done {
                self.say(format!("  {}{}", taken.step, taken.reason()));
            }
        }
        for region in self.raised() {
            self.say(format!(
                "{region} keeps the raised minimum of tasks. After 20 minutes of traffic, release it: \
                 salesctl capacity release --region {region}"
            ));
        }
        match repeat {
            Some(command) => {
                if !self.active().is_empty() {
                    self.say("No sale is lost meanwhile: several regions may be ACTIVE at once.".to_owned());
                }
                self.say(format!("To complete the remaining steps, repeat: {command}"));
            }
            None => {
                let seconds = self.started.elapsed().as_secs_f32();
                self.say(format!("{GOOD}Done{GOOD:#} in {seconds:.1} s: {}.", self.target));
                if undrained {
                    self.say("Some sales are still pending; check with `salesctl status --watch`.".to_owned());
                }
                if astray {
                    self.say(
                        "DNS follows automatically within two minutes; check with `salesctl status --watch`."
                            .to_owned(),
                    );
                }
            }
        }
    }

    fn document(&self, complete: bool, repeat: Option<String>) -> anyhow::Result<()> {
        let target = match &self.target {
            Target::Only(region) => region.clone(),
            Target::All => "both".to_owned(),
            Target::None => "none".to_owned(),
        };
        let (pending, dns) = (self.pending.as_ref(), self.entrance.as_ref());
        output::json(&Document { target, steps: &self.steps, pending, dns, complete, repeat })
    }

    fn say(&self, text: String) {
        progress(self.format, text);
    }
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

    fn reason(&self) -> String {
        match &self.outcome {
            StepOutcome::NotDone(trouble) => format!(": {trouble}"),
            StepOutcome::Withheld(reason) => format!(": skipped: {reason}"),
            StepOutcome::Interrupted => ": interrupted; result unknown".to_owned(),
            StepOutcome::Planned | StepOutcome::Done | StepOutcome::Already => String::new(),
        }
    }
}

/// This command again, without confirmation.
fn repeat_command() -> String {
    let mut arguments: Vec<String> = std::env::args().skip(1).map(|argument| quoted(&argument)).collect();
    if !arguments.iter().any(|argument| argument == "--yes" || argument == "-y") {
        arguments.push("--yes".to_owned());
    }
    format!("salesctl {}", arguments.join(" "))
}

/// A word, quoted for a shell.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repeated_command_is_quoted_for_a_shell() {
        assert_eq!(quoted("--to=us-east-1"), "--to=us-east-1");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn nothing_known_is_not_drained() {
        assert!(!Pending::default().is_drained());
        let region = |from_before_the_switch| RegionPending { region: "a".into(), items: 3, from_before_the_switch };
        assert!(Pending { regions: vec![region(false)], unknown: Vec::new() }.is_drained());
        assert!(!Pending { regions: vec![region(false), region(true)], unknown: Vec::new() }.is_drained());
    }
}
