//! `dlq export`: dead letters as JSON, one a line.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::Args;

use super::{Exported, Failed};
use crate::{
    cloud::Cloud,
    config::Place,
    exit::Exit,
    output::{Meter, count, line, note},
};

/// Which dead letters to write, and where.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl dlq export --region us-east-1 --file letters.jsonl")]
pub(crate) struct ExportOptions {
    /// Only those of this region
    #[arg(long)]
    region: Option<String>,
    /// Write them to this new file instead of standard output
    #[arg(long)]
    file: Option<PathBuf>,
}

/// Writes dead letters, one a line.
pub(crate) async fn export(place: &Place, options: &ExportOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let regions = config.selected(options.region.as_deref())?;
    let cloud = Cloud::open(&config).await?;
    let mut file = options.file.as_ref().map(|path| {
        File::create_new(path).map(BufWriter::new).with_context(|| format!("{} cannot be written", path.display()))
    });
    let mut file = file.take().transpose()?;
    let (mut failed, mut exported, mut read_regions) = (Failed::default(), 0, 0);
    let mut meter = Meter::start();
    for name in regions {
        let region = &cloud.regions[name];
        let written = async {
            let mut letters = region.letters().await?;
            while let Some(batch) = letters.next().await? {
                for letter in &batch {
                    let text = serde_json::to_string(&Exported::of(name, letter))?;
                    match &mut file {
                        Some(file) => writeln!(file, "{text}")?,
                        None => line(text),
                    }
                    exported += 1;
                }
                meter.at(format_args!("{exported} exported so far"));
            }
            letters.give_back().await;
            anyhow::Ok(())
        };
        match written.await {
            Ok(()) => read_regions += 1,
            Err(error) => failed.note(name, &error),
        }
    }
    if let Some(file) = &mut file {
        file.flush()?;
    }
    note(format_args!("{} exported", count(exported as u64, "dead letter", "dead letters")));
    failed.exit(read_regions)
}
