//! How a command ends, as its caller sees it.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use sales::standard_output;

use crate::{config::InvalidConfig, output::note};

/// What a command that could do its work says of the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done, or as it should be.
    Done,
    /// A part is owed, or something is not as it should be: the output says what.
    Incomplete,
    /// A signal of this number ended it before it was done.
    Interrupted(i32),
}

/// The codes, as `--help` lists them.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done; no differences
  1    failed: nothing was done or read
  2    partly done, or differences found; see the output
  64   wrong usage or configuration
  130  interrupted with Ctrl-C (143 by SIGTERM)";

const FAILED: u8 = 1;
const INCOMPLETE: u8 = 2;
/// `EX_USAGE` of sysexits.h.
const WRONG_USAGE: u8 = 64;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The code for a command that has ended; an error is told first.
pub(crate) fn of_result(result: anyhow::Result<Exit>) -> ExitCode {
    match result {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Incomplete) => INCOMPLETE.into(),
        Ok(Exit::Interrupted(signal)) => u8::try_from(128 + signal).unwrap_or(FAILED).into(),
        Err(error) => {
            note(format_args!("{ERROR}error:{ERROR:#} {error:#}"));
            if error.is::<InvalidConfig>() { WRONG_USAGE.into() } else { FAILED.into() }
        }
    }
}

/// The code for arguments that are wrong, or that ask for help; what clap has to say is told.
pub(crate) fn of_usage(help_or_error: &clap::Error) -> ExitCode {
    standard_output::answer(help_or_error, WRONG_USAGE).into()
}
