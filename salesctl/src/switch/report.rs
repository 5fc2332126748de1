//! Output of a switch: its plan, each step as it is taken, and the outcome.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    entrance::Entrance,
    progress::{Pending, Progress, StepOutcome, Taken},
};
use crate::output::{self, BAD, Format, GOOD, WARNING, progress as print};

/// Prints what happens in a switch.
#[derive(Debug)]
pub(super) struct Report {
    format: Format,
    started: Instant,
}

impl Report {
    /// For a switch that starts now.
    pub(super) fn new(format: Format) -> Self {
        Self { format, started: Instant::now() }
    }

    /// Prints the steps, and `remarks` on values that are unknown.
    pub(super) fn plan(&self, progress: &Progress, remarks: &[String]) {
        self.say(format!("Plan: {}", progress.target()));
        for (position, Taken { step, .. }) in progress.steps().iter().enumerate() {
            let so = if step.is_so() { " (no change)" } else { "" };
            self.say(format!("  {}. {step}{so}", position + 1));
        }
        for remark in remarks {
            self.say(format!("  {WARNING}?{WARNING:#} {remark}"));
        }
    }

    /// Prints the end of a dry run.
    pub(super) fn dry_run(&self, progress: &Progress) -> anyhow::Result<()> {
        match self.format {
            Format::Table => self.say("Nothing was changed (--dry-run).".to_owned()),
            Format::Json => output::json(&progress.document(None))?,
        }
        Ok(())
    }

    /// Prints a step that took this long.
    pub(super) fn step(&self, progress: &Progress, position: usize, took: Duration) {
        let Taken { step, outcome } = &progress.steps()[position];
        let said = match outcome {
            StepOutcome::Done => format!("{GOOD}done{GOOD:#} in {:.1} s", took.as_secs_f32()),
            StepOutcome::Already => format!("{GOOD}unchanged{GOOD:#}"),
            StepOutcome::NotDone(trouble) => format!("{WARNING}not done{WARNING:#}: {trouble}"),
            StepOutcome::Withheld(reason) => format!("{WARNING}skipped{WARNING:#}: {reason}"),
            StepOutcome::Planned | StepOutcome::Interrupted => "interrupted".to_owned(),
        };
        self.say(format!("[{}/{}] {step}: {said}", position + 1, progress.steps().len()));
    }

    /// Prints what is seen after the steps, if it has changed since `progress` or `is_over`.
    pub(super) fn seen(&self, progress: &Progress, pending: &Pending, entrance: Option<&Entrance>, is_over: bool) {
        if is_over || progress.pending() != Some(pending) {
            let state = if pending.is_drained() { "nothing from before the switch is pending" } else { "pending" };
            self.say(format!("{state}: {}", pending.told()));
        }
        if let Some(seen) = entrance
            && (is_over || progress.entrance() != entrance)
        {
            self.say(seen.told());
        }
    }

    /// Prints the outcome.
    pub(super) fn end(&self, progress: &Progress) -> anyhow::Result<()> {
        let repeat = (!progress.is_complete()).then(repeat_command);
        match self.format {
            Format::Json => output::json(&progress.document(repeat))?,
            Format::Table => self.outcome(progress, repeat),
        }
        Ok(())
    }

    fn outcome(&self, progress: &Progress, repeat: Option<String>) {
        if progress.is_interrupted() {
            self.say(format!("{WARNING}Interrupted.{WARNING:#} Completed steps remain in effect, and are safe."));
        }
        let mut not_done = progress.not_done().peekable();
        if not_done.peek().is_some() {
            self.say(format!("{BAD}Not done:{BAD:#}"));
        }
        for taken in not_done {
            self.say(format!("  {}{}", taken.step, reason(&taken.outcome)));
        }
        for region in progress.raised() {
            self.say(format!(
                "{region} keeps the raised minimum of tasks. After 20 minutes of traffic, release it: \
                 salesctl capacity release --region {region}"
            ));
        }
        match repeat {
            Some(command) => {
                if !progress.active().is_empty() {
                    self.say("No sale is lost meanwhile: several regions may be ACTIVE at once.".to_owned());
                }
                self.say(format!("To complete the remaining steps, repeat: {command}"));
            }
            None => {
                let seconds = self.started.elapsed().as_secs_f32();
                self.say(format!("{GOOD}Done{GOOD:#} in {seconds:.1} s: {}.", progress.target()));
                if progress.is_undrained() {
                    self.say("Some sales are still pending; check with `salesctl status --watch`.".to_owned());
                }
                if progress.is_astray() {
                    self.say(
                        "DNS follows automatically within two minutes; check with `salesctl status --watch`."
                            .to_owned(),
                    );
                }
            }
        }
    }

    fn say(&self, text: String) {
        print(self.format, text);
    }
}

/// Why a step is not done.
fn reason(outcome: &StepOutcome) -> String {
    match outcome {
        StepOutcome::NotDone(trouble) => format!(": {trouble}"),
        StepOutcome::Withheld(reason) => format!(": skipped: {reason}"),
        StepOutcome::Interrupted => ": interrupted; result unknown".to_owned(),
        StepOutcome::Planned | StepOutcome::Done | StepOutcome::Already => String::new(),
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
}
