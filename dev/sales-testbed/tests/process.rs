//! Behaviour of a kept process when it is stopped, killed, or orphaned.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sales_testbed::{process::Program, sealed};

const DEADLINE: Duration = Duration::from_secs(20);

fn shell(script: &str) -> Program {
    Program::new("/bin/sh").arguments(["-c", script])
}

/// A program whose log shows when it is ready for the test, and the way it does so.
async fn start_and_wait_for_ready(script: &str, grace: Duration) -> (sales_testbed::process::Process, File) {
    let mut log = tempfile::tempfile().expect("a file");
    let process = shell(script).grace(grace).log(log.try_clone().expect("a handle")).start().expect("it starts");
    let deadline = Instant::now() + DEADLINE;
    while !read(&mut log).contains("ready") {
        assert!(Instant::now() < deadline, "the program does not get ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (process, log)
}

/// Reading also moves the position of the program's writes: to the end, where it was.
fn read(log: &mut File) -> String {
    let mut text = String::new();
    log.rewind().expect("a regular file");
    log.read_to_string(&mut text).expect("text");
    text
}

fn is_alive(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed()).expect("not zero");
    test_kill_process(pid).is_ok()
}

fn wait_until_gone(pid: u32) {
    let deadline = Instant::now() + DEADLINE;
    while is_alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn the_exit_code_is_the_program_s_own() {
    let mut process = shell("exit 7").start().expect("it starts");
    assert_eq!(process.wait().await, 7);
    assert!(process.has_ended());
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_named() {
    let error = Program::new("/nowhere/sales-api").start().expect_err("it does not exist");
    assert_eq!(error.to_string(), "/nowhere/sales-api does not exist");
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_the_sealed_one() {
    let mut log = tempfile::tempfile().expect("a file");
    let program = Program::new("env").environment([("AWS_REGION", "sa-east-1")]);
    program.log(log.try_clone().expect("a handle")).start().expect("it starts").wait().await;
    let text = read(&mut log);
    let mut names: Vec<_> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    let mut expected: Vec<_> = sealed::environment().into_iter().map(|(name, _)| name).chain(["AWS_REGION"]).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert!(text.lines().any(|line| line == "HOME=/dev/null"), "{text}");
}

#[tokio::test]
async fn stopping_asks_with_sigterm_and_waits() {
    let script = "trap 'echo stopping; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let (mut process, mut log) = start_and_wait_for_ready(script, Duration::from_secs(20)).await;
    assert_eq!(process.stop().await, 3);
    assert!(read(&mut log).contains("stopping"));
}

#[tokio::test]
async fn a_program_that_ignores_sigterm_is_killed_after_the_grace_period() {
    let script = "trap '' TERM; echo ready; while :; do sleep 0.05; done";
    let (mut process, _log) = start_and_wait_for_ready(script, Duration::from_secs(1)).await;
    let started = Instant::now();
    assert_eq!(process.stop().await, 128 + 9);
    assert!(started.elapsed() >= Duration::from_secs(1), "it was killed before its grace period");
    wait_until_gone(process.id());
}

#[tokio::test]
async fn the_program_itself_can_be_terminated_and_killed() {
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let (mut process, _log) = start_and_wait_for_ready(script, Duration::from_secs(20)).await;
    process.terminate().expect("it runs");
    assert_eq!(process.wait().await, 3);
    assert!(process.terminate().is_err(), "it has ended");

    let mut process = Program::new("sleep").arguments(["1000"]).start().expect("it starts");
    process.kill().await.expect("it runs");
    assert_eq!(process.exit_code(), Some(128 + 9));
}

#[tokio::test]
async fn what_a_program_leaves_behind_ends_with_it() {
    let (mut process, mut log) =
        start_and_wait_for_ready("sleep 1000 & echo $! ready; wait", Duration::from_secs(20)).await;
    let left_behind = read(&mut log).split(' ').next().and_then(|word| word.parse().ok()).expect("an id");
    process.kill().await.expect("it runs");
    wait_until_gone(left_behind);
}

#[test]
fn dropping_a_process_stops_it() {
    let process = Program::new("sleep").arguments(["1000"]).start().expect("it starts");
    let id = process.id();
    assert!(is_alive(id));
    drop(process);
    assert!(!is_alive(id));
}

#[test]
fn a_program_ends_when_its_parent_is_killed() {
    let this = std::env::current_exe().expect("a path");
    let mut parent = Command::new(this)
        .args(["a_parent_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let said = BufReader::new(parent.stdout.take().expect("piped")).lines();
    let id = said.map_while(Result::ok).find_map(|line| line.strip_prefix("kept ")?.parse().ok()).expect("an id");
    assert!(is_alive(id));

    kill_process(Pid::from_child(&parent), Signal::KILL).expect("it runs");
    parent.wait().expect("it was started here");
    wait_until_gone(id);
}

#[test]
#[ignore = "the parent in the test above, in a process of its own"]
#[expect(clippy::print_stdout, reason = "how it tells the test above")]
fn a_parent_to_be_killed() {
    let process = Program::new("sleep").arguments(["1000"]).start().expect("it starts");
    println!("\nkept {}", process.id());
    std::thread::sleep(Duration::from_secs(1000));
}

/// The worst moment to die: between starting the keeper and reading its output.
#[test]
fn a_keeper_whose_parent_is_gone_from_the_start_leaves_nothing() {
    let pid_file = tempfile::NamedTempFile::new().expect("a file");
    let script = format!("echo $$ >{}; exec sleep 1000", pid_file.path().display());
    let mut keeper = Command::new("/bin/sh")
        .args(["-c", include_str!("../src/keeper.sh"), "keeper", "1", "/bin/sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .expect("it starts");
    drop((keeper.stdin.take(), keeper.stdout.take()));
    keeper.wait().expect("it was started here");
    // Without a number, the program was stopped before it could write one.
    let pid = std::fs::read_to_string(pid_file.path()).expect("a file").trim().parse();
    assert!(!pid.is_ok_and(is_alive), "the program is still there");
}
