//! The benchmark as its users start it, briefly: all figures are there, and the counts add up. Times are not asserted.

#![expect(clippy::unwrap_used, reason = "what a test does not expect ends it")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use procfs::process::{Process, Stat, all_processes};
use rustix::process::{Pid, Signal, kill_process};
use sales_testbed::testing::eventually;
use sales_testbed::workspace::Build;
use serde_json::Value;

fn command(arguments: &[&str]) -> Command {
    let build = Build::current().unwrap();
    let services = build.target.join(&build.profile);
    let mut command = Command::new(env!("CARGO_BIN_EXE_sales-bench"));
    command.arg("--services").arg(services).args(arguments);
    command
}

fn bench(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn measure(arguments: &[&str]) -> Value {
    let short = ["--json", "--runs", "1", "--seconds", "0.3", "--latency", "none"];
    let output = bench(&[&short, arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The median of a figure, or of an operation's calls, in the first row of a subject.
fn median(report: &Value, subject: &str, kind: &str, name: &str) -> f64 {
    let row = &report[subject][0];
    row[kind][name]["median"].as_f64().unwrap_or_else(|| panic!("{subject} has no {name}: {row:#}"))
}

#[test]
fn the_services_are_measured_and_their_calls_add_up() {
    let subjects = ["--only", "api,drain,sweep", "--connections", "16", "--sales", "300", "--pending", "300"];
    let report = measure(&[&subjects[..], &["--events", "20"]].concat());
    for (subject, write_units) in [("api", 2.0), ("drain", 3.0), ("sweep", 3.0)] {
        let figure = |name| median(&report, subject, "figures", name);
        for name in ["per_second", "cpu_us", "log_bytes", "peak_memory_mib", "first_answer_ms"] {
            assert!(figure(name) > 0.0, "{subject} {name}");
        }
        // Calls in flight when counting begins and ends are counted on one side only: 16 sales each time.
        let sales = figure("per_second") * 0.3;
        let tolerance = if subject == "api" { 0.05 + 2.0 * 16.0 / sales } else { 0.05 };
        assert!((figure("write_units") - write_units).abs() < write_units * tolerance, "{subject}: {report:#}");
        let calls = report[subject][0]["calls"].as_object().unwrap();
        let sum: f64 = calls.values().map(|calls| calls["median"].as_f64().unwrap()).sum();
        assert!((figure("calls") - sum).abs() < 1e-9, "{subject}");
    }
}

#[test]
fn each_announced_and_each_pending_sale_is_a_line_of_few_objects() {
    let report = measure(&["--only", "drain,sweep", "--sales", "300", "--events", "1,20", "--pending", "300"]);
    let rows = report["drain"].as_array().unwrap();
    let [lone, alone_elsewhere, many, many_elsewhere] = rows.as_slice() else { panic!("{rows:#?}") };
    for row in [lone, many, &report["sweep"][0]] {
        let figure = |name: &str| row["figures"][name]["median"].as_f64().unwrap();
        assert_eq!(figure("lines"), 1.0, "{row:#}");
        assert!(figure("objects") < 0.2, "{row:#}");
    }
    for row in [alone_elsewhere, many_elsewhere] {
        assert!(row["case"].as_str().unwrap().starts_with("standing by"), "{row:#}");
        assert_eq!(row["figures"]["lines"]["median"], 0.0, "{row:#}");
        assert_eq!(row["figures"]["write_units"]["median"], 0.0, "{row:#}");
    }
}

#[test]
fn a_token_costs_less_when_it_was_seen_before() {
    let report = measure(&["--only", "sign-in"]);
    let rows = report["sign_in"].as_array().unwrap();
    let costs: Vec<f64> = rows.iter().map(|row| row["figures"]["cpu_us"]["median"].as_f64().unwrap()).collect();
    let [seen, rs256, es256] = costs[..] else { panic!("{rows:#?}") };
    assert!(seen < rs256 && seen < es256, "{costs:?}");
}

#[test]
fn sales_pass_through_both_services_and_are_billed() {
    let report = measure(&["--only", "drain,pipeline", "--sales", "20", "--events", "20", "--rates", "50"]);
    let rows = report["pipeline"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        let figure = |name: &str| row["figures"][name]["median"].as_f64().unwrap();
        assert!(figure("processed_p50_ms") > 50.0 && figure("processed_p99_ms") < 30_000.0, "{row:#}");
        // What is announced is written to the table, to the journal and to the marks, once.
        let announced = figure("announced_percent") / 100.0;
        assert!((figure("lines") - announced).abs() < 1e-9, "{row:#}");
        assert!((figure("mark_units") - announced).abs() < 1e-9, "{row:#}");
        assert!((figure("sales_table_units") - 1.0 - announced).abs() < 1e-9, "{row:#}");
    }
    let bills = report["bill"].as_array().unwrap();
    assert_eq!(bills.len(), 2);
    for bill in bills {
        assert!(bill["total"].as_f64().unwrap() > 5.0, "{bill:#}");
    }
}

#[test]
fn the_ceilings_are_measured_also_by_tls() {
    let report = measure(&["--only", "ceilings", "--tls"]);
    let rows = report["ceilings"].as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        assert!(row["figures"]["cpu_us"]["median"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn people_get_tables_and_goals() {
    let output =
        bench(&["--runs", "2", "--seconds", "0.1", "--only", "api", "--connections", "1", "--latency", "none"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("| 1 clients, latency none |") && text.contains("## Goals"), "{text}");
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.contains("run 2 of 2: API, 1 clients, latency none"), "{progress}");
}

#[test]
fn what_cannot_be_measured_is_told_with_the_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_sales-bench")).args(["--services", "/nonexistent"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("/nonexistent/sales-api is missing") && error.contains("--services"), "{error}");
    let output = bench(&["--cores", "1000"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("more than the"));
    for wrong in [["--latency", "fast"], ["--seconds", "0"], ["--runs", "0"], ["--only", "nothing"]] {
        assert_eq!(bench(&wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_benchmark_that_is_interrupted_leaves_no_process_and_no_file() {
    for signal in [Signal::TERM, Signal::INT] {
        let directory = tempfile::tempdir().unwrap();
        let (status, error) = end_under_load(signal, directory.path()).await;
        assert_eq!(status.code(), Some(130), "{signal:?}: {error}");
        assert!(error.contains("sales-bench: interrupted"), "{signal:?}: {error}");
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert!(left.is_empty(), "{signal:?}: {left:?}");
    }
}

#[tokio::test]
async fn a_benchmark_that_is_killed_leaves_no_process() {
    let directory = tempfile::tempdir().unwrap();
    let (status, _) = end_under_load(Signal::KILL, directory.path()).await;
    assert_eq!(status.code(), None);
}

/// Sends a signal to a benchmark whose service is under load, waits until all its child processes are gone, and returns
/// its exit status and error output.
async fn end_under_load(signal: Signal, temporary: &Path) -> (ExitStatus, String) {
    // Whatever fails here, the benchmark ends without help.
    let arguments = ["--only", "api", "--connections", "4", "--latency", "none", "--runs", "1", "--seconds", "30"];
    let mut bench = command(&arguments);
    let mut bench = bench.env("TMPDIR", temporary).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut error = BufReader::new(bench.stderr.take().unwrap());
    let mut said = String::new();
    error.read_line(&mut said).unwrap();
    assert!(said.contains("API, 4 clients"), "{said}");
    let started = under_load(&mut bench).await;
    kill_process(Pid::from_child(&bench), signal).unwrap();
    let status = bench.wait().unwrap();
    eventually("what it had started ends", async || started.iter().all(|process| !runs(process)).then_some(())).await;
    // Only now: a process that has inherited the pipe would hold it open.
    error.read_to_string(&mut said).unwrap();
    (status, said)
}

/// The benchmark's child processes, once its API is under load.
async fn under_load(bench: &mut Child) -> Vec<Stat> {
    eventually("the API gets under load", async || {
        assert_eq!(bench.try_wait().unwrap(), None, "it has ended");
        let started = descendants(bench.id());
        let api = started.iter().find(|process| process.comm == "sales-api")?;
        // Its start takes some ticks, of 10 ms each; it uses more only under load.
        (api.utime + api.stime > 30).then_some(started)
    })
    .await
}

/// All descendants of a process.
fn descendants(ancestor: u32) -> Vec<Stat> {
    let all: Vec<Stat> = all_processes().unwrap().filter_map(|process| process.ok()?.stat().ok()).collect();
    let mut found: Vec<Stat> = Vec::new();
    let mut parents = vec![ancestor.cast_signed()];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.ppid == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// Whether it is still running, and not a zombie.
fn runs(process: &Stat) -> bool {
    Process::new(process.pid)
        .and_then(|now| now.stat())
        .is_ok_and(|now| now.starttime == process.starttime && now.state != 'Z')
}
