//! How a command ends, as its caller sees it.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use sales::{
    signals::EndSignal,
    standard_output::{self, EXIT_USAGE},
};
use thiserror::Error;

use crate::{config::InvalidConfig, output::note};

/// Outcome of a command that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is done, without differences.
    Done,
    /// Some steps were not done, or there are differences: the output lists them.
    Incomplete,
    /// A signal interrupted it.
    Interrupted(EndSignal),
}

/// A signal cancelled what the command was doing; it exits like this.
#[derive(Debug, Error)]
#[error("interrupted")]
pub(crate) struct Interrupted(pub(crate) Exit);

/// The exit codes, as `--help` lists them.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done; no differences
  1    failed: nothing was done or read
  2    partly done, or differences found; see the output
  64   wrong usage or configuration
  130  interrupted with Ctrl-C (143 by SIGTERM)";

const FAILED: u8 = 1;
const INCOMPLETE: u8 = 2;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The exit code of a command that has ended; reports an error first.
pub(crate) fn of_result(result: anyhow::Result<Exit>) -> ExitCode {
    let interrupted = |error: anyhow::Error| error.downcast().map(|Interrupted(exit)| exit);
    match result.or_else(interrupted) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Incomplete) => INCOMPLETE.into(),
        Ok(Exit::Interrupted(signal)) => signal.exit_code().into(),
        Err(error) => {
            note(format_args!("{ERROR}error:{ERROR:#} {error:#}"));
            if error.is::<InvalidConfig>() { EXIT_USAGE.into() } else { FAILED.into() }
        }
    }
}

/// The exit code for invalid arguments or a request for help; prints clap's text.
pub(crate) fn of_usage(help_or_error: &clap::Error) -> ExitCode {
    standard_output::answer(help_or_error, EXIT_USAGE).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_a_signal_cancels_exits_as_one_that_the_signal_interrupts() {
        let interrupted = Exit::Interrupted(EndSignal::Interrupt);
        assert_eq!(of_result(Err(Interrupted(interrupted).into())), of_result(Ok(interrupted)));
        assert_eq!(of_result(Ok(interrupted)), ExitCode::from(130));
    }
}
