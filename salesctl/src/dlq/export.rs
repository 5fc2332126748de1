//! `dlq export`: dead letters as JSON, one per line.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use anyhow::Context;
use clap::Args;
use thiserror::Error;

use super::{Exported, Failed};
use crate::{
    cloud::Cloud,
    config::ConfigOptions,
    exit::Exit,
    interrupt::Interrupt,
    output::{Meter, count, end_unwritten, note, try_line},
};

/// Options of `dlq export`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl dlq export --region us-east-1 --file letters.jsonl")]
pub(crate) struct ExportOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Write to this new file instead of standard output
    #[arg(long)]
    file: Option<PathBuf>,
}

/// Standard output cannot be written.
#[derive(Debug, Error)]
#[error(transparent)]
struct Unwritten(io::Error);

/// Writes dead letters, one per line.
pub(crate) async fn export(
    place: &ConfigOptions,
    options: &ExportOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let regions = config.selected(options.region.as_deref())?;
    let cloud = interrupt.unless_heard(Cloud::open(&config)).await??;
    let mut file = options.file.as_ref().map(|path| {
        File::create_new(path).map(BufWriter::new).with_context(|| format!("cannot create {}", path.display()))
    });
    let mut file = file.take().transpose()?;
    let (mut failed, mut exported, mut read_regions) = (Failed::default(), 0, 0);
    let mut meter = Meter::start();
    for name in regions {
        let region = &cloud.regions[name];
        // No message is received yet, so this may be cancelled.
        let Ok(letters) = interrupt.unless_heard(region.letters()).await else { break };
        let letters = match letters {
            Ok(letters) => letters,
            Err(trouble) => {
                failed.note(name, &trouble);
                continue;
            }
        };
        let writing = letters.each_batch(interrupt, async |_, batch| {
            for letter in &batch {
                let text = serde_json::to_string(&Exported::of(name, letter))?;
                match &mut file {
                    Some(file) => writeln!(file, "{text}")?,
                    None => try_line(text).map_err(Unwritten)?,
                }
                exported += 1;
            }
            meter.at(format_args!("{exported} exported so far"));
            anyhow::Ok(ControlFlow::Continue(()))
        });
        match writing.await {
            Ok(()) => read_regions += 1,
            Err(error) => match error.downcast::<Unwritten>() {
                Ok(Unwritten(error)) => end_unwritten(&error),
                Err(error) => failed.note(name, &error),
            },
        }
    }
    if let Some(file) = &mut file {
        file.flush()?;
    }
    note(format_args!("{} exported", count(exported as u64, "dead letter", "dead letters")));
    match interrupt.so_far() {
        Some(exit) => Ok(exit),
        None => failed.exit(read_regions),
    }
}
