//! What every program of the workspace says on standard output, and its exit code when that cannot be written.

use std::io::{self, ErrorKind, Write};

/// Exit code for a wrong or missing variable or argument (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// Writes what clap has to say, help or an error, and returns the exit code: `usage` for arguments that are wrong.
pub fn answer(message: &clap::Error, usage: u8) -> u8 {
    let written = message.print().and_then(|()| io::stdout().flush());
    match written {
        // An error that cannot be written has no better place to go.
        _ if message.use_stderr() => usage,
        Ok(()) => 0,
        Err(error) => unwritten(&error),
    }
}

/// The exit code of a program whose standard output could not be written, which is told first; a reader who has gone, as
/// `head` does, is no fault of anybody's.
pub fn unwritten(error: &io::Error) -> u8 {
    if error.kind() == ErrorKind::BrokenPipe {
        return BROKEN_PIPE;
    }
    // Where that cannot be written either, the exit code has to do.
    let _ = writeln!(io::stderr(), "error: standard output cannot be written: {error}");
    1
}

/// What a shell says of a program that SIGPIPE ended.
const BROKEN_PIPE: u8 = 128 + 13;
