//! The command as its user sees it: its errors and exit codes when something is missing or in its way.

use std::{
    ffi::OsStr,
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sales_testbed::{local_ports::LocalPorts, testing};

const DEADLINE: Duration = Duration::from_secs(20);
const WORKS: &str = "exit 0";

/// The command with binaries that merely exist, and a PATH with only what a test puts there.
struct Sandbox(testing::Sandbox);

impl Sandbox {
    fn new() -> Self {
        let sandbox = Self(testing::Sandbox::new().expect("a sandbox"));
        for name in ["sales-api", "sales-worker", "sales-lake", "salesctl"] {
            std::fs::write(sandbox.0.binary(name), "").expect("a file");
        }
        sandbox.put("sleep", "exec /bin/sleep \"$@\"");
        sandbox
    }

    /// Puts a fake program on the PATH.
    fn put(&self, name: &str, script: &str) -> &Self {
        self.0.put(name, script).expect("a file");
        self
    }

    fn command(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
        let (program, path) = (self.0.binary("sales-local"), self.0.programs());
        let mut command = Command::new(program);
        command.args(arguments).env("CARGO", path.join("cargo")).env("PATH", path).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        Ended::from(&self.command(arguments).output().expect("it runs"))
    }

    /// Starts everything, on free ports so that a running instance is not in the way.
    fn up(&self) -> Command {
        self.command(LocalPorts::free().expect("free ports").options())
    }

    fn run_up(&self) -> Ended {
        Ended::from(&self.up().output().expect("it runs"))
    }
}

/// Exit code and error output of a command.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    code: Option<i32>,
    error: String,
}

impl Ended {
    fn from(output: &Output) -> Self {
        Self { code: output.status.code(), error: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    fn with(code: i32, error: &str) -> Self {
        Self { code: Some(code), error: format!("sales-local: {error}\n") }
    }
}

fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn read_pid(file: &Path) -> Option<Pid> {
    Pid::from_raw(std::fs::read_to_string(file).ok()?.trim().parse().ok()?)
}

#[test]
fn a_port_in_use_is_named_before_anything_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let ended = Sandbox::new().run([format!("--port={port}")]);
    let error =
        format!("port {port}, meant for the address in front of both regions, is in use: choose another with --port");
    assert_eq!(ended, Ended::with(1, &error));
}

#[test]
fn wrong_usage_ends_with_64_and_help_and_version_with_0() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(["--port", "none"]).code, Some(64));
    assert_eq!(sandbox.run(["lose", "mars-east-1"]).code, Some(64));
    assert_eq!(sandbox.run(["restore"]).code, Some(64));
    assert_eq!(sandbox.run(["--help"]).code, Some(0));
    assert_eq!(sandbox.run(["--version"]).code, Some(0));
}

#[test]
fn commands_for_a_running_instance_say_that_none_runs() {
    let sandbox = Sandbox::new();
    let expected = Ended::with(1, "not running: start it with `cargo local`");
    assert_eq!(sandbox.run(["lake"]), expected);
    assert_eq!(sandbox.run(["sql", "SELECT 1"]), expected);
    assert_eq!(sandbox.run(["lose", "sa-east-1"]), expected);
    assert_eq!(sandbox.run(["restore", "sa-east-1"]), expected);
}

#[test]
fn a_missing_python_is_one_line() {
    let ended = Sandbox::new().put("cargo", WORKS).run_up();
    assert_eq!(ended, Ended::with(1, "no python3 found: the emulator needs Python 3.10 or newer on the PATH"));
}

#[test]
fn an_old_python_is_one_line() {
    let ended = Sandbox::new().put("cargo", WORKS).put("python3", "echo 3 8 /usr/bin/python3").run_up();
    assert_eq!(
        ended,
        Ended::with(1, "python3 is Python 3.8, which is too old: the emulator needs Python 3.10 or newer")
    );
}

#[test]
fn a_python_without_environments_is_one_line() {
    let python = r#"case "$3" in *version_info*) echo 3 12 "$0" ;; *) exit 1 ;; esac"#;
    let ended = Sandbox::new().put("cargo", WORKS).put("python3", python).run_up();
    let error = "python3 has no venv module, which the emulator needs (on Debian and Ubuntu: apt install python3-venv)";
    assert_eq!(ended, Ended::with(1, error));
}

#[test]
fn a_package_index_out_of_reach_is_one_line_and_the_next_start_tries_again() {
    let sandbox = Sandbox::new();
    // A fake Python whose environments contain a fake pip.
    let python = r#"
        case "$*" in
        *version_info*) echo 3 12 "$0" ;;
        "-I -m venv "*) PATH=/usr/bin:/bin
            mkdir -p "$4/bin"
            printf '#!/bin/sh\necho "Retrying after connection broken by NewConnectionError" >&2\nexit 1\n' >"$4/bin/python"
            chmod +x "$4/bin/python" ;;
        esac"#;
    sandbox.put("cargo", WORKS).put("python3", python);
    for _ in 0..2 {
        let ended = sandbox.run_up();
        assert_eq!(ended.code, Some(1));
        assert!(
            ended.error.starts_with("sales-local: pip could not reach the package index to get the emulator"),
            "{ended:?}"
        );
        assert_eq!(ended.error.lines().count(), 1, "{ended:?}");
    }
}

#[test]
fn services_that_do_not_build_are_told() {
    let ended = Sandbox::new().put("cargo", "exit 101").run_up();
    assert_eq!(ended, Ended::with(1, "the services could not be built: cargo said why above"));
}

#[test]
fn a_signal_in_the_middle_of_starting_stops_what_was_started() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let sandbox = Sandbox::new();
        let pid_file = sandbox.0.directory().join("pid");
        sandbox.put("cargo", &format!("echo $$ >{}; exec sleep 1000", pid_file.display()));
        let mut command = sandbox.up().stdout(Stdio::null()).spawn().expect("it starts");
        let building = wait_for("the build", || read_pid(&pid_file));
        kill_process(Pid::from_child(&command), signal).expect("it runs");
        assert_eq!(command.wait().expect("it was started here").code(), Some(code));
        assert!(test_kill_process(building).is_err(), "the build goes on");
    }
}

#[test]
fn being_killed_in_the_middle_of_starting_stops_what_was_started() {
    let sandbox = Sandbox::new();
    let pid_file = sandbox.0.directory().join("pid");
    sandbox.put("cargo", &format!("echo $$ >{}; exec sleep 1000", pid_file.display()));
    let mut command = sandbox.up().stdout(Stdio::null()).spawn().expect("it starts");
    let building = wait_for("the build", || read_pid(&pid_file));
    command.kill().expect("it runs");
    command.wait().expect("it was started here");
    wait_for("the end of the build", || test_kill_process(building).is_err().then_some(()));
}

#[test]
fn what_cannot_be_written_is_one_line_and_a_reader_who_has_gone_is_no_error() {
    let sandbox = Sandbox::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let ended = Ended::from(&sandbox.command(["--help"]).stdout(full).output().expect("it runs"));
    let error = "standard output cannot be written: No space left on device (os error 28)";
    assert_eq!(ended, Ended::with(1, error));
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let ended = Ended::from(&sandbox.command(["--help"]).stdout(writer).output().expect("it runs"));
    assert_eq!(ended, Ended { code: Some(0), error: String::new() });
}

#[test]
fn more_requests_than_files_may_be_open_are_one_line_before_anything_is_started() {
    let sandbox = Sandbox::new();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "ulimit -n 256 && exec \"$0\" demo --concurrency 256"]).arg(sandbox.0.binary("sales-local"));
    let ended = Ended::from(&command.env("PATH", sandbox.0.programs()).output().expect("it runs"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.error.lines().count(), 1, "{ended:?}");
    assert!(ended.error.starts_with("sales-local: 256 requests at a time need "), "{ended:?}");
    assert!(ended.error.contains("open files, and only 256 are allowed: `ulimit -n "), "{ended:?}");
}
