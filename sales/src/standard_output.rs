//! Output of clap's help and errors by every program of the workspace, and the exit code if standard output fails.

use std::io::{self, ErrorKind, Write};

/// Exit code for an invalid or missing variable or argument (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Prints clap's help or error, and returns the exit code: `usage` for invalid arguments.
pub fn answer(message: &clap::Error, usage: u8) -> u8 {
    let written = message.print().and_then(|()| io::stdout().flush());
    match written {
        // An error that cannot be written has no better place to go.
        _ if message.use_stderr() => usage,
        Ok(()) => 0,
        Err(error) => unwritten(&error),
    }
}

/// The exit code of a program whose standard output could not be written, which it reports first; a closed pipe, as by
/// `head`, is not an error.
pub fn unwritten(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::BrokenPipe {
        return BROKEN_PIPE;
    }
    // If that cannot be written either, only the exit code is left.
    let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
    1
}

/// The exit code that a shell reports for a program ended by SIGPIPE.
const BROKEN_PIPE: u8 = 128 + 13;
