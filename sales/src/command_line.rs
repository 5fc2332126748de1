//! How both services begin: `--help` and `--version`, and one line for what is wrong.

use std::process::ExitCode;

use clap::Parser;

use crate::environment::{EXIT_USAGE, Environment, Read};

/// Reads the arguments `A`, which are none but `--help` and `--version`, and then the variables.
///
/// # Errors
/// With the code to exit with, when the process is to end here; why has been written then.
#[expect(clippy::print_stderr, reason = "there is no log before the configuration is known")]
pub fn configured<A: Parser, C>(read: impl FnOnce(&Environment) -> Read<C>) -> Result<C, ExitCode> {
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
