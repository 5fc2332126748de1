//! `cargo local`: two regions of the sales pipeline on one machine, in one command.
//!
//! Begin with `arguments`, the command line, and `commands`, one module per command. `stack` is everything that `up`
//! and `demo` start, assembled from `sales_testbed`; `summary` is the table that they show; by `discovery_file` and
//! `instance`, the other commands find the running instance.

mod arguments;
mod commands;
mod discovery_file;
mod instance;
mod local_region;
mod part;
mod salesctl_config;
mod stack;
mod summary;
mod terminal;

use std::{
    io::{Write, stderr, stdout},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use arguments::{Arguments, Command};
use clap::Parser;
use commands::{
    aws, demo,
    drill::{Change, control},
    lake, sql, up,
};
use instance::Instance;
use sales::signals::{EndSignal, Signals};
use sales::standard_output::EXIT_USAGE;
use terminal::line;

fn main() -> ExitCode {
    let command = match Arguments::try_parse() {
        Ok(arguments) => arguments.into_command(),
        Err(help_or_error) => {
            let written = help_or_error.print().and_then(|()| stdout().flush());
            if help_or_error.use_stderr() {
                return EXIT_USAGE.into();
            }
            terminal::note_failure(written);
            return ended();
        }
    };
    // Several threads, so that a second signal is noticed while shutdown runs.
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    runtime.block_on(until_interrupted(command))
}

/// Runs the command to its end or to a signal. Whatever it has started stops when it is dropped.
async fn until_interrupted(command: Command) -> ExitCode {
    // Before anything is started, so that no signal is missed.
    let mut signals = match Signals::listen(&[EndSignal::Interrupt, EndSignal::Terminate, EndSignal::Hangup]) {
        Ok(signals) => signals,
        Err(error) => return failed(&error.into()),
    };
    let serving = AtomicBool::new(false);
    tokio::select! {
        result = run(command, &serving) => match result {
            Ok(()) => ended(),
            Err(error) => failed(&error),
        },
        signal = signals.next() => {
            line("\nstopping");
            tokio::spawn(exit_at_next(signals));
            // Stopping is the normal end of `up` and `aws`.
            if serving.load(Ordering::Relaxed) { ended() } else { signal.exit_code().into() }
        }
    }
}

async fn run(command: Command, serving: &AtomicBool) -> anyhow::Result<()> {
    match command {
        Command::Up(options) => up::up(options, serving).await,
        Command::Lose(options) => change(Change::Lose(options.part)).await,
        Command::Restore(options) => change(Change::Restore(options.part)).await,
        Command::Lake(options) => lake::lake(&options).await,
        Command::Sql(options) => sql::sql(&options).await,
        Command::Demo(options) => demo::demo(&options).await,
        Command::Aws(options) => aws::aws(&options, serving).await,
    }
}

/// Sends a change to the running instance, and prints the result.
async fn change(change: Change) -> anyhow::Result<()> {
    let instance = Instance::running().await?;
    line(control::send(instance.control, change).await?);
    Ok(())
}

/// For users who do not wait for shutdown; the keepers stop whatever still runs.
async fn exit_at_next(mut signals: Signals) {
    let signal = signals.next().await;
    std::process::exit(signal.exit_code().into());
}

/// The result of the command, or the failure to print it.
fn ended() -> ExitCode {
    terminal::check().map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
}

fn failed(error: &anyhow::Error) -> ExitCode {
    drop(writeln!(stderr(), "sales-local: {error:#}"));
    ExitCode::FAILURE
}
