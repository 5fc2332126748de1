//! The command line.

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    capacity::ReleaseOptions,
    config::{self, ConfigOptions},
    dlq::{ExportOptions, LettersOptions, RedriveOptions},
    exit,
    history::HistoryOptions,
    load::LoadOptions,
    output::{self, OutputOptions},
    pending::PendingOptions,
    status::StatusOptions,
    switch::SwitchOptions,
    trace::TraceOptions,
    verify::VerifyOptions,
};

const EXAMPLES: &str = "\
Examples:
  salesctl status                              show the regions and what is wrong
  salesctl switch --to us-east-1               process sales and take traffic in us-east-1 alone
  salesctl switch --both                       in both regions
  salesctl history                             who switched what, when, and why
  salesctl sale trace 0192f5c0-7c1d-7a3e-8f11-0123456789ab
  salesctl dlq list                            messages that could not be processed, and why
  salesctl lake verify --from 2026-01-01 --to 2026-01-31
  salesctl load --rate 50 --seconds 60         post sales, count failures, and wait for the lakes";

/// Operate the sales pipeline: show its regions, and choose which of them process sales.
#[derive(Debug, Parser)]
#[command(name = "salesctl", version, after_help = EXAMPLES, after_long_help = long_help())]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) place: ConfigOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(subcommand)]
    pub(crate) command: Command,
}

fn long_help() -> String {
    format!("{EXAMPLES}\n\n{}\n\n{}", config::KEYS, exit::CODES)
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show states, services, queues, pending sales, traffic, and what needs attention
    Status(StatusOptions),
    /// Choose which region processes sales and gets the traffic
    Switch(SwitchOptions),
    /// Scaling minimum raised by a switch
    #[command(subcommand)]
    Capacity(CapacityCommand),
    /// Show who switched what, when, and why
    History(HistoryOptions),
    /// Sales and cancellations that are not in the lake yet
    #[command(subcommand)]
    Pending(PendingCommand),
    /// Messages that could not be processed
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Find a sale
    #[command(subcommand)]
    Sale(SaleCommand),
    /// What is in the lake
    #[command(subcommand)]
    Lake(LakeCommand),
    /// Post sales, measure failures and latencies, and wait until accepted sales are in the lakes
    Load(LoadOptions),
    /// Print a shell completion script
    Completions(CompletionsOptions),
}

/// The subcommands of `capacity`.
#[derive(Debug, Subcommand)]
pub(crate) enum CapacityCommand {
    /// Restore the usual scaling minimum
    Release(ReleaseOptions),
}

/// The subcommands of `pending`.
#[derive(Debug, Subcommand)]
pub(crate) enum PendingCommand {
    /// List pending sales and cancellations with the reason, oldest first
    List(PendingOptions),
}

/// The subcommands of `dlq`.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// List dead letters with their reasons
    List(LettersOptions),
    /// Send dead letters back to the queue; safe to interrupt and to repeat
    Redrive(RedriveOptions),
    /// Write dead letters as JSON lines; they stay in the queue
    Export(ExportOptions),
}

/// The subcommands of `sale`.
#[derive(Debug, Subcommand)]
pub(crate) enum SaleCommand {
    /// Show what each region knows about a sale: accepted, processed, cancelled, in the lake
    Trace(TraceOptions),
}

/// The subcommands of `lake`.
#[derive(Debug, Subcommand)]
pub(crate) enum LakeCommand {
    /// Compare tables, marks and lakes over a range of days, and list the differences
    Verify(VerifyOptions),
}

/// Options of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl completions bash > ~/.local/share/bash-completion/completions/salesctl")]
pub(crate) struct CompletionsOptions {
    /// Shell to generate the script for
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Prints the completion script.
pub(crate) fn write_completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "salesctl", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_switch_has_exactly_one_target() {
        for line in ["salesctl switch --to us-east-1", "salesctl switch --both --yes", "salesctl switch --none --force"]
        {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in ["salesctl switch", "salesctl switch --both --none", "salesctl switch --to us-east-1 --both"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn where_the_pipeline_is_and_how_to_print_may_come_before_and_after_the_command() {
        assert!(parse("salesctl --config x -o json status").is_ok());
        assert!(parse("salesctl status --config x --set url=http://y --output json").is_ok());
        assert!(parse("salesctl status --output yaml").is_err());
    }
}
