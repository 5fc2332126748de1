//! Runs any number of fault schedules in virtual time.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sales::memory::Situation;
use sales::standard_output;
use sales_sim::batch::run_all;
use sales_sim::mutation::Mutation;
use sales_sim::run::run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WRONG_ARGUMENT: u8 = 2;

/// Run the services' own code in two regions in virtual time, under seeded schedules of faults, and check that each
/// accepted sale is in the lake exactly once.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 no violation, 1 violations found, 2 wrong argument\n\n\
    Examples:\n  cargo sim --seeds 100000\n  cargo sim --seed 4711              the full history of one\n  \
    cargo sim --mutation never-sweeps  how soon a bug is found\n  \
    cargo sim --from 1000000000        with builders of the lake's table in every schedule, otherwise in one of 400"
)]
struct Arguments {
    /// Number of schedules to run
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// First seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run only this seed, and print its history
    #[arg(long, conflicts_with_all = ["seeds", "from", "threads"])]
    seed: Option<u64>,
    /// Concurrent schedules [default: one per core]
    #[arg(long)]
    threads: Option<usize>,
    /// Introduce a deliberate bug
    #[arg(long)]
    mutation: Option<Mutation>,
    /// Stop after this many failing schedules
    #[arg(long, default_value_t = 10)]
    failures: u64,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return standard_output::answer(&message, WRONG_ARGUMENT).into(),
    };
    let broken = match arguments.seed {
        Some(seed) => one(seed, arguments.mutation),
        None => many(&arguments),
    };
    match broken {
        Ok(true) => ExitCode::FAILURE,
        Ok(false) => ExitCode::SUCCESS,
        Err(error) => standard_output::unwritten(&error).into(),
    }
}

fn one(seed: u64, mutation: Option<Mutation>) -> std::io::Result<bool> {
    let mut out = std::io::stdout().lock();
    let broken = tell(&mut out, seed, mutation)?;
    out.flush().map(|()| broken)
}

/// Runs a seed and prints its history. Returns whether there were violations.
fn tell(out: &mut impl Write, seed: u64, mutation: Option<Mutation>) -> std::io::Result<bool> {
    let verdict = run(seed, mutation, true);
    for line in &verdict.history {
        writeln!(out, "{line}")?;
    }
    let (calls, time, objects) = (verdict.calls, verdict.time.as_secs(), verdict.objects);
    writeln!(out, "seed {seed}: {calls} calls, {time} s of virtual time, {objects} objects")?;
    for violation in &verdict.violations {
        writeln!(out, "broken: {violation}")?;
    }
    Ok(!verdict.violations.is_empty())
}

fn many(arguments: &Arguments) -> std::io::Result<bool> {
    let threads = arguments.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let started = std::time::Instant::now();
    let progress = |over: u64, broken: u64, elapsed: Duration| {
        let rate = over as f64 / elapsed.as_secs_f64();
        let left = (arguments.seeds.saturating_sub(over)) as f64 / rate.max(0.001);
        let _ = writeln!(
            std::io::stderr(),
            "{over} of {} schedules, {broken} broken, {rate:.0} a second, {left:.0} s left",
            arguments.seeds
        );
    };
    let summary = run_all(arguments.from, arguments.seeds, threads, arguments.failures, arguments.mutation, progress);
    let mut out = std::io::stdout().lock();
    let elapsed = started.elapsed();
    writeln!(
        out,
        "{} schedules from seed {} in {:.1} s ({:.0} a second): {} objects, {} calls, {} hours of virtual time, at most {} \
         calls of a process in a second, {} broken",
        summary.runs,
        arguments.from,
        elapsed.as_secs_f64(),
        summary.runs as f64 / elapsed.as_secs_f64(),
        summary.objects,
        summary.calls,
        summary.time.as_secs() / 3600,
        summary.busiest,
        summary.broken.len()
    )?;
    for situation in Situation::ALL {
        writeln!(out, "{:10} x {}", summary.situations.count(situation), situation.name())?;
    }
    for situation in summary.unmet() {
        writeln!(out, "never happened: {}", situation.name())?;
    }
    for verdict in &summary.broken {
        writeln!(out, "seed {}: {}", verdict.seed, verdict.violations.join("; "))?;
    }
    if let Some(first) = summary.broken.first() {
        writeln!(out, "\nthe history of the first (again: cargo sim --seed {}):", first.seed)?;
        tell(&mut out, first.seed, arguments.mutation)?;
    }
    out.flush()?;
    Ok(!summary.broken.is_empty() || !summary.unmet().is_empty())
}
