//! The operator's command line for the sales pipeline: its status, and switching between regions.
//!
//! Begin with `arguments`, the commands, each of which has a module of its name: `status`, `switch`, `history`,
//! `capacity`, `trace`, `pending`, `dlq`, `verify`, `load`. They decide purely and print through `output`; `cloud`
//! calls the regions, each independently, so that a lost one does not delay the others. `config` reads `salesctl.toml`,
//! `exit` has the exit codes.

mod arguments;
mod capacity;
mod cloud;
mod config;
mod day;
mod dlq;
mod exit;
mod history;
mod interrupt;
mod journal_line;
mod load;
mod output;
mod overdue;
mod pending;
mod prompt;
mod status;
mod switch;
mod trace;
mod verify;

use std::process::ExitCode;

use arguments::{Arguments, CapacityCommand, Command, DlqCommand, LakeCommand, PendingCommand, SaleCommand};
use clap::Parser;
use exit::Exit;
use interrupt::Interrupt;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(help_or_error) => return exit::of_usage(&help_or_error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::of_result(Err(error.into())),
    };
    let result = runtime.block_on(async {
        let interrupt = Interrupt::listen()?;
        run(arguments, &interrupt).await
    });
    // A call that hangs, such as a name lookup, does not delay the exit.
    runtime.shutdown_background();
    exit::of_result(result)
}

async fn run(Arguments { place, output, command }: Arguments, interrupt: &Interrupt) -> anyhow::Result<Exit> {
    match command {
        Command::Status(options) => interrupt.unless_heard(status::status(&place, output.format(), &options)).await?,
        Command::Switch(options) => switch::switch(&place, output.format(), &options, interrupt).await,
        Command::Capacity(CapacityCommand::Release(options)) => {
            interrupt.unless_heard(capacity::release(&place, output.format(), &options)).await?
        }
        Command::History(options) => {
            interrupt.unless_heard(history::history(&place, output.format(), &options)).await?
        }
        Command::Pending(PendingCommand::List(options)) => {
            interrupt.unless_heard(pending::list(&place, output.format(), &options)).await?
        }
        Command::Dlq(DlqCommand::List(options)) => dlq::list(&place, output.format(), &options, interrupt).await,
        Command::Dlq(DlqCommand::Redrive(options)) => dlq::redrive(&place, output.format(), &options, interrupt).await,
        Command::Dlq(DlqCommand::Export(options)) => dlq::export(&place, &options, interrupt).await,
        Command::Sale(SaleCommand::Trace(options)) => {
            interrupt.unless_heard(trace::trace(&place, output.format(), &options)).await?
        }
        Command::Lake(LakeCommand::Verify(options)) => {
            interrupt.unless_heard(verify::verify(&place, output.format(), &options)).await?
        }
        Command::Load(options) => load::load(&place, output.format(), &options, interrupt).await,
        Command::Completions(options) => {
            arguments::write_completions(options.shell);
            Ok(Exit::Done)
        }
    }
}
