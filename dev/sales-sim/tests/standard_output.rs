//! The program's error when standard output cannot be written.

use std::{fs::OpenOptions, process::Command};

#[test]
fn what_cannot_be_written_is_an_error_and_a_reader_who_has_gone_is_none() {
    for argument in ["--help", "--seed=1"] {
        let command = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sales-sim"));
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
