//! Start and end of every service: errands such as `--help`, one-line errors, the log, and the exit code.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use sales::standard_output::{self, EXIT_USAGE};

use crate::environment::{Environment, Read};
use crate::http::{Transport, healthcheck};
use crate::telemetry::Logging;

/// A service's arguments.
pub trait Arguments: Parser {
    /// The errand that they request, with the variables that it needs; without an errand, the service works.
    ///
    /// # Errors
    /// If a variable that the errand needs is invalid.
    fn errand(&self, environment: &Environment) -> Read<Option<Errand>>;
}

/// What a service can do instead of its work.
#[derive(Debug)]
pub enum Errand {
    /// Print this text.
    Print(String),
    /// Check the process that listens at this address.
    Healthcheck(SocketAddr, Transport),
}

/// Parses the arguments `A` and the variables; then starts the log and works, unless the arguments request an errand.
///
/// The exit code is 0 if `work` succeeds, 1 if it fails, and 64 if an argument or a variable is invalid.
pub async fn run<A, C, E>(
    read: impl FnOnce(&A, &Environment) -> Read<(Logging, C)>,
    work: impl AsyncFnOnce(C) -> Result<(), E>,
) -> ExitCode
where
    A: Arguments,
    E: Display,
{
    let arguments = match A::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return ExitCode::from(standard_output::answer(&message, EXIT_USAGE)),
    };
    let environment = Environment::of_process();
    match arguments.errand(&environment) {
        Ok(Some(Errand::Print(text))) => return print(&text),
        Ok(Some(Errand::Healthcheck(listen, transport))) => {
            let asked = healthcheck::ask(listen, transport).await;
            return asked.map_or_else(|error| fail(1, &error), |()| ExitCode::SUCCESS);
        }
        Ok(None) => {}
        Err(error) => return fail(EXIT_USAGE, &error),
    }
    let (logging, config) = match read(&arguments, &environment) {
        Ok(configured) => configured,
        Err(error) => return fail(EXIT_USAGE, &error),
    };
    let _written_at_the_end = logging.start();
    match work(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // anyhow's alternate form prints the whole chain of causes.
            tracing::error!(error.detail = format!("{error:#}"), "cannot work");
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> ExitCode {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => ExitCode::from(standard_output::unwritten(&error)),
    }
}

fn fail(code: u8, error: &dyn Display) -> ExitCode {
    tell(error);
    ExitCode::from(code)
}

/// On standard error: there is no log before the configuration is known.
fn tell(error: &dyn Display) {
    // If that cannot be written either, only the exit code is left.
    let _ = writeln!(io::stderr(), "error: {error}");
}
