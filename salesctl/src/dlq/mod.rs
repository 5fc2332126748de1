//! `dlq`: messages that could not be processed.

mod export;
mod redrive;

use std::{collections::BTreeMap, ops::ControlFlow};

use anyhow::bail;
use clap::Args;
use sales::clock::{Clock, Timestamp};
use serde::Serialize;

pub(crate) use export::{ExportOptions, export};
pub(crate) use redrive::{RedriveOptions, redrive};

use crate::{
    cloud::{
        Cloud, RegionCloud,
        messages::{Attribute, Letter},
        trouble::Trouble,
    },
    config::ConfigOptions,
    exit::Exit,
    interrupt::Interrupt,
    output::{self, Format, Meter, Table, age, line, note},
};

/// Characters of a body shown in a table.
const BODY_SHOWN: usize = 60;

/// Options of `dlq list`.
#[derive(Debug, Args)]
#[command(after_help = "Listing hides messages from other consumers for a second or two, or for a minute if the \
                        command is killed.")]
pub(crate) struct LettersOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Maximum number per region; 0 for all
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// A dead letter in JSON output.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    region: &'a str,
    id: &'a str,
    /// Seconds since 1970.
    sent_at: i64,
    received: u32,
    reason: &'a str,
    attributes: BTreeMap<&'a str, Attribute<'a>>,
    body: &'a str,
}

impl<'a> Exported<'a> {
    fn of(region: &'a str, letter: &'a Letter) -> Self {
        Self {
            region,
            id: &letter.id,
            sent_at: letter.sent_at(),
            received: letter.received,
            reason: reason(letter),
            attributes: letter.attributes(),
            body: &letter.body,
        }
    }
}

/// Why a message is a dead letter.
fn reason(letter: &Letter) -> &str {
    letter.reason.as_deref().unwrap_or("failed too often")
}

/// Lists dead letters.
pub(crate) async fn list(
    place: &ConfigOptions,
    format: Format,
    options: &LettersOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let cloud = interrupt.unless_heard(Cloud::open(&config)).await??;
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let mut failed = Failed::default();
    let mut all = Vec::new();
    for name in config.selected(options.region.as_deref())? {
        match read(&cloud.regions[name], limit, interrupt).await {
            Ok(letters) => all.push((name, letters)),
            Err(trouble) => failed.note(name, &trouble),
        }
        if let Some(exit) = interrupt.so_far() {
            return Ok(exit);
        }
    }
    match format {
        Format::Json => {
            let letters =
                all.iter().flat_map(|(region, letters)| letters.iter().map(|letter| Exported::of(region, letter)));
            output::json(&letters.collect::<Vec<_>>())?;
        }
        Format::Table => show(&all, limit),
    }
    failed.exit(all.len())
}

/// The letters of a region, up to `limit`, already released.
async fn read(region: &RegionCloud, limit: usize, interrupt: &Interrupt) -> Result<Vec<Letter>, Trouble> {
    // No message is received yet, so this may be cancelled.
    let Ok(letters) = interrupt.unless_heard(region.letters()).await else { return Ok(Vec::new()) };
    let (mut read, mut meter) = (Vec::new(), Meter::start());
    let reading = letters?.each_batch(interrupt, async |_, batch| {
        read.extend(batch);
        meter.at(format_args!("{}: {} read so far", region.name, read.len()));
        Ok::<_, Trouble>(if read.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    });
    reading.await?;
    read.truncate(limit);
    read.sort_by(|one, other| (one.sent_at_ms, &one.id).cmp(&(other.sent_at_ms, &other.id)));
    Ok(read)
}

fn show(all: &[(&str, Vec<Letter>)], limit: usize) {
    let now = Clock::system().now();
    let mut table = Table::new(&["REGION", "MESSAGE", "AGE", "RECEIVED", "REASON", "BODY"]);
    for (region, letters) in all {
        for letter in letters {
            let sent = Timestamp::from_unix_seconds(letter.sent_at());
            table.row([
                (*region).into(),
                (&letter.id).into(),
                sent.map_or_else(|| "?".to_owned(), |sent| age(sent, now)).into(),
                letter.received.into(),
                reason(letter).into(),
                shown(&letter.body).into(),
            ]);
        }
    }
    if all.is_empty() {
        return;
    }
    if all.iter().all(|(_, letters)| letters.is_empty()) {
        return line("no dead letters");
    }
    line(table);
    if all.iter().any(|(_, letters)| letters.len() == limit) {
        line(format_args!("... at most {limit} per region; --limit 0 lists all"));
    }
}

/// The beginning of a body, without characters that control a terminal.
fn shown(body: &str) -> String {
    let start: String = body.chars().take(BODY_SHOWN).collect();
    let dots = if start.len() < body.len() { "..." } else { "" };
    format!("{}{dots}", start.escape_debug().to_string().replace("\\\"", "\""))
}

/// Regions whose dead letters could not be read.
#[derive(Debug, Default)]
struct Failed(usize);

impl Failed {
    fn note(&mut self, region: &str, error: &dyn std::fmt::Display) {
        self.0 += 1;
        note(format_args!("{region}: {error}"));
    }

    fn exit(&self, read: usize) -> anyhow::Result<Exit> {
        match (self.0, read) {
            (0, _) => Ok(Exit::Done),
            (_, 0) => bail!("no dead-letter queue could be read"),
            _ => Ok(Exit::Incomplete),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_cut_and_cannot_command_a_terminal() {
        assert_eq!(shown("{\"id\":1}"), "{\"id\":1}");
        assert_eq!(shown("\u{1b}[2Jx\n"), "\\u{1b}[2Jx\\n");
        assert_eq!(shown(&"x".repeat(100)), format!("{}...", "x".repeat(60)));
    }
}
