//! How both services begin and end: `--help` and `--version`, one line for what is wrong, a log, an exit code.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser;

use crate::environment::{EXIT_USAGE, Environment, Read};
use crate::telemetry::Logging;

/// Reads the arguments `A`, which are none but `--help` and `--version`, and the variables; then logs and works.
///
/// The exit code is 0 when `work` ends well, 1 when it fails, and 64 when an argument or a variable is wrong.
pub async fn run<A, C, E>(
    read: impl FnOnce(&Environment) -> Read<(Logging, C)>,
    work: impl AsyncFnOnce(C) -> Result<(), E>,
) -> ExitCode
where
    A: Parser,
    E: Display,
{
    let (logging, config) = match configured::<A, _>(read) {
        Ok(configured) => configured,
        Err(code) => return code,
    };
    let _written_at_the_end = logging.start();
    match work(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The alternate form of anyhow's errors is the whole chain of causes.
            tracing::error!(error.detail = format!("{error:#}"), "cannot work");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "there is no log before the configuration is known")]
fn configured<A: Parser, C>(read: impl FnOnce(&Environment) -> Read<C>) -> Result<C, ExitCode> {
    if let Err(message) = A::try_parse() {
        // A message that cannot be written has no better place to go.
        let _ = message.print();
        return Err(if message.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS });
    }
    read(&Environment::of_process()).map_err(|error| {
        eprintln!("error: {error}");
        ExitCode::from(EXIT_USAGE)
    })
}
