//! The cost of a sale: release builds of the services, on an AWS endpoint with canned responses, and of its row in the lake's table.
//!
//! Begin with `arguments`, the settings, and `measure` and `pipeline`, the measurements: `services` starts the binaries,
//! `canned` is the endpoint that they call, `load` posts sales, `fold` folds an hour of them, `ceilings` are bare calls in the same run, `report`
//! prints the figures, `bill` what AWS charges for them, and `goals` compares them.

mod arguments;
mod bill;
mod canned;
mod cases;
mod ceilings;
mod cores;
mod endpoint;
mod fold;
mod goals;
mod leash;
mod load;
mod measure;
mod pipeline;
mod report;
mod sample;
mod services;
mod usage;

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use sales::standard_output;
use sales_service::shutdown::on_signals;
use serde_json::json;
use tokio::task::LocalSet;

use crate::arguments::{Arguments, Part, Plan, Subject};
use crate::ceilings::Call;
use crate::cores::Cores;
use crate::measure::Bench;
use crate::report::Report;
use crate::services::Binaries;

const WRONG_ARGUMENT: u8 = 2;

/// The exit code that shells report for SIGINT.
const INTERRUPTED: u8 = 128 + 2;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(message) => return standard_output::answer(&message, WRONG_ARGUMENT).into(),
    };
    let done = match arguments.part {
        Some(part) => be(part),
        None => measure(arguments.plan.resolved()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(Unwritten(error)) = error.downcast_ref() {
                return standard_output::unwritten(error).into();
            }
            let code = if error.is::<Interrupted>() { ExitCode::from(INTERRUPTED) } else { ExitCode::FAILURE };
            // If this fails, too, there is nowhere left to report it.
            _ = writeln!(std::io::stderr(), "sales-bench: {error:#}");
            code
        }
    }
}

fn be(part: Part) -> anyhow::Result<()> {
    match part {
        Part::Aws { latency, certificate } => canned::run(canned::Settings { latency, tls: certificate }),
        Part::Answer { port } => ceilings::answer(port),
        Part::Call { call, seconds } => {
            let cost = ceilings::call(call, Duration::from_secs_f64(seconds))?;
            Ok(serde_json::to_writer(std::io::stdout(), &cost)?)
        }
        Part::Fold { sales, directory } => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let folded = runtime.block_on(fold::fold(sales, fold::FOLDS, &directory))?;
            Ok(serde_json::to_writer(std::io::stdout(), &folded)?)
        }
    }
}

fn measure(plan: Plan) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let interrupted = on_signals()?;
        // Dropping stops whatever is running.
        tokio::select! {
            report = measure_all(&plan) => show(&plan, &report?),
            () = interrupted.cancelled() => Err(Interrupted.into()),
        }
    })
}

async fn measure_all(plan: &Plan) -> anyhow::Result<Report> {
    let binaries = match &plan.services {
        Some(directory) => Binaries::in_directory(directory)?,
        None => Binaries::build().await?,
    };
    let bench = Bench { cores: Cores::divide(plan.cores)?, plan: plan.clone(), binaries };
    let mut report = Report::default();
    for run in 1..=plan.runs {
        measure_once(&bench, run, &mut report).await?;
    }
    Ok(report)
}

/// The report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
struct Unwritten(std::io::Error);

/// The program was interrupted.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted;

/// All measurements once, so that a period of noise affects all of them alike.
async fn measure_once(bench: &Bench, run: u32, report: &mut Report) -> anyhow::Result<()> {
    let plan = &bench.plan;
    let tell = |what: &str| writeln!(std::io::stderr(), "run {run} of {}: {what}", plan.runs);
    if plan.includes(Subject::Ceilings) {
        tell("ceilings")?;
        report.add(Subject::Ceilings, bench.bare_answer().await?);
        for call in Call::value_variants() {
            report.add(Subject::Ceilings, bench.bare_call(*call).await?);
        }
    }
    if plan.includes(Subject::Api) {
        for latency in &plan.latency {
            for clients in &plan.connections {
                tell(&format!("API, {clients} clients, latency {latency}"))?;
                report.add(Subject::Api, bench.api(*clients, *latency).await?);
            }
        }
    }
    if plan.includes(Subject::Drain) {
        for (sales, events) in plan.queues() {
            for latency in &plan.latency {
                tell(&format!("worker, {}", cases::drain(sales, events, *latency)))?;
                report.add(Subject::Drain, bench.drain(sales, events, *latency).await?);
            }
            tell(&format!("worker, {}", cases::stand_by(sales, events)))?;
            report.add(Subject::Drain, bench.stand_by(sales, events).await?);
        }
    }
    if plan.includes(Subject::Pipeline) {
        for rate in &plan.rates {
            tell(&format!("both services, {}", cases::rate(*rate)))?;
            report.add(Subject::Pipeline, bench.at_rate(*rate).await?);
        }
        let clients = cases::BUSY_CLIENTS;
        tell(&format!("both services, {}", cases::busy(clients)))?;
        report.add(Subject::Pipeline, bench.busy(clients).await?);
    }
    if plan.includes(Subject::Sweep) {
        for pending in plan.pending.iter().filter(|size| plan.repeats(**size, run)) {
            tell(&format!("worker, {pending} pending sales"))?;
            report.add(Subject::Sweep, bench.sweep(*pending).await?);
        }
    }
    if plan.includes(Subject::Fold) {
        for sales in plan.hours.iter().filter(|size| plan.repeats(**size, run)) {
            tell(&format!("builder of the lake's table, {sales} sales an hour"))?;
            report.add(Subject::Fold, bench.fold(*sales).await?);
        }
    }
    Ok(())
}

fn show(plan: &Plan, report: &Report) -> anyhow::Result<()> {
    let goals = goals::goals(report);
    let text = if plan.json {
        let document = json!({
            "seconds": plan.seconds,
            "tls": plan.tls,
            "cores": plan.cores,
            "ceilings": report.rows(Subject::Ceilings),
            "api": report.rows(Subject::Api),
            "drain": report.rows(Subject::Drain),
            "pipeline": report.rows(Subject::Pipeline),
            "sweep": report.rows(Subject::Sweep),
            "fold": report.rows(Subject::Fold),
            "bill": bill::bills(report),
            "goals": goals,
        });
        format!("{}\n", serde_json::to_string_pretty(&document)?)
    } else {
        format!("{}{}{}", report.text(), bill::text(&bill::bills(report)), goals::text(&goals))
    };
    let mut out = std::io::stdout().lock();
    Ok(out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Unwritten)?)
}
