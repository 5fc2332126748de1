//! A program whose standard output cannot be written.

use std::{fs::OpenOptions, process::Command};

/// Checks that `program` reports a full device as an error, and a reader who has gone as none.
///
/// # Panics
/// When it does not.
pub fn check_standard_output(program: &str, arguments: &[&str]) {
    for argument in arguments {
        let command = || {
            let mut command = Command::new(program);
            command.arg(argument);
            command
        };
        let full = OpenOptions::new().write(true).open("/dev/full").expect("it is there");
        let output = command().stdout(full).output().expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{argument}");
        let error = String::from_utf8(output.stderr).expect("UTF-8");
        let expected = "error: standard output cannot be written: No space left on device (os error 28)\n";
        assert_eq!(error, expected, "{argument}");

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command().stdout(writer).output().expect("it starts");
        assert_eq!(output.status.code(), Some(141), "{argument}");
        assert_eq!(output.stderr, b"", "{argument}");
    }
}
