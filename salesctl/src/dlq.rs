//! `dlq`: messages that nobody could process.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use sales::clock::{Clock, Timestamp};
use serde::Serialize;

use crate::{
    cloud::{
        Cloud, RegionCloud,
        messages::{Attribute, Letter, Letters},
        trouble::Trouble,
    },
    config::Place,
    exit::Exit,
    interrupt::Interrupt,
    output::{self, Format, Table, age, count, line, note, progress},
    prompt,
};

/// How often progress is told.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// So much of a body is shown in a table.
const BODY_SHOWN: usize = 60;

/// Which dead letters.
#[derive(Debug, Args)]
#[command(
    after_help = "Messages that are listed are hidden from others meanwhile: for a second or two, or for a minute if the \
                        command is killed."
)]
pub(crate) struct LettersOptions {
    /// Only those of this region
    #[arg(long)]
    region: Option<String>,
    /// At most so many of each region; 0 for all
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

/// Which dead letters to send back.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl dlq redrive --region us-east-1 --reason malformed --yes\n\n\
                        Only messages that are there at the start are sent back, so that one that fails again is not sent back for \
                        ever. One that is in both queues for a moment is processed once nevertheless.")]
pub(crate) struct RedriveOptions {
    /// Only those of this region
    #[arg(long)]
    region: Option<String>,
    /// Only those with this reason, as `dlq list` shows it
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

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

/// A dead letter as programs read it.
#[derive(Debug, Serialize)]
struct Exported<'a> {
    region: &'a str,
    id: &'a str,
    /// Seconds since 1970.
    sent_at: i64,
    received: u32,
    reason: &'a str,
    attributes: std::collections::BTreeMap<&'a str, Attribute>,
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
pub(crate) async fn list(place: &Place, format: Format, options: &LettersOptions) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let cloud = Cloud::open(&config).await?;
    let limit = if options.limit == 0 { usize::MAX } else { options.limit };
    let mut failed = Failed::default();
    let mut all = Vec::new();
    for name in config.selected(options.region.as_deref())? {
        match read(&cloud.regions[name], limit).await {
            Ok(letters) => all.push((name, letters)),
            Err(trouble) => failed.note(name, &trouble),
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

/// The letters of a region, up to `limit`, given back already.
async fn read(region: &RegionCloud, limit: usize) -> Result<Vec<Letter>, Trouble> {
    let mut letters = region.letters().await?;
    let mut read = Vec::new();
    while read.len() < limit
        && let Some(more) = letters.next().await?
    {
        read.extend(more);
    }
    letters.give_back().await;
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
    if all.iter().all(|(_, letters)| letters.is_empty()) {
        return line("no dead letters");
    }
    line(table);
    if all.iter().any(|(_, letters)| letters.len() == limit) {
        line(format_args!("... at most {limit} of each region; --limit 0 lists all"));
    }
}

/// The beginning of a body, with nothing in it that a terminal could obey.
fn shown(body: &str) -> String {
    let start: String = body.chars().take(BODY_SHOWN).collect();
    let dots = if start.len() < body.len() { "..." } else { "" };
    format!("{}{dots}", start.escape_debug().to_string().replace("\\\"", "\""))
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

/// What became of a region's dead letters.
#[derive(Debug, Serialize)]
struct Redriven {
    region: String,
    redriven: usize,
    /// Those with another reason, and those that could not be sent back.
    left: usize,
    /// Those that came meanwhile, perhaps because they have failed again.
    came_meanwhile: usize,
    /// Those that somebody else holds, who may be another `salesctl`.
    in_other_hands: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

/// Sends dead letters back to the queue.
pub(crate) async fn redrive(
    place: &Place,
    format: Format,
    options: &RedriveOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let regions = config.selected(options.region.as_deref())?;
    let cloud = interrupted_or(interrupt, Cloud::open(&config)).await?;
    let Some(cloud) = cloud else { return Ok(interrupt.heard().await) };
    if !options.yes {
        let which = options
            .reason
            .as_ref()
            .map_or_else(|| "all dead letters".to_owned(), |reason| format!("dead letters with the reason {reason:?}"));
        let question = format!("Send {which} of {} back to the queue?", regions.join(" and "));
        match interrupted_or(interrupt, prompt::confirm(&question)).await? {
            None => return Ok(interrupt.heard().await),
            Some(false) => bail!("nothing was done"),
            Some(true) => {}
        }
    }
    let started = Clock::system().since_epoch();
    let mut all = Vec::new();
    let mut interrupted = None;
    for name in regions {
        let region = &cloud.regions[name];
        let mut redriven = Redriven {
            region: name.to_owned(),
            redriven: 0,
            left: 0,
            came_meanwhile: 0,
            in_other_hands: 0,
            error: None,
        };
        match region.letters().await {
            Ok(mut letters) => {
                let run = redrive_region(&mut letters, options, started, format, &mut redriven, interrupt);
                match run.await {
                    Ok(exit) => interrupted = exit,
                    Err(trouble) => redriven.error = Some(trouble),
                }
                letters.give_back().await;
                redriven.in_other_hands = region.dead_letters().await.map_or(0, |depth| depth.in_flight);
            }
            Err(trouble) => redriven.error = Some(trouble),
        }
        all.push(redriven);
        if interrupted.is_some() {
            break;
        }
    }
    match format {
        Format::Json => output::json(&all)?,
        Format::Table => all.iter().for_each(told),
    }
    let failed = all.iter().filter(|redriven| redriven.error.is_some() && redriven.redriven == 0).count();
    match interrupted {
        Some(exit) => {
            note(
                "interrupted: what was sent back is off the dead-letter queue; the same command goes on with the rest",
            );
            Ok(exit)
        }
        None if failed == all.len() => bail!("nothing was sent back"),
        None if all.iter().any(|redriven| redriven.error.is_some() || redriven.in_other_hands > 0) => {
            Ok(Exit::Incomplete)
        }
        None => Ok(Exit::Done),
    }
}

/// What `work` gives, or none if a signal comes first.
async fn interrupted_or<T>(
    interrupt: &Interrupt,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<Option<T>> {
    tokio::select! {
        result = work => result.map(Some),
        _ = interrupt.heard() => Ok(None),
    }
}

/// Batch after batch; a signal is heard between two of them, and how to exit then is the answer.
async fn redrive_region(
    letters: &mut Letters<'_>,
    options: &RedriveOptions,
    started: Duration,
    format: Format,
    redriven: &mut Redriven,
    interrupt: &Interrupt,
) -> Result<Option<Exit>, Trouble> {
    let mut told_at = Instant::now();
    loop {
        let batch = tokio::select! {
            batch = letters.next() => batch?,
            exit = interrupt.heard() => return Ok(Some(exit)),
        };
        let Some(batch) = batch else { return Ok(None) };
        let was_there = |letter: &Letter| i128::from(letter.sent_at_ms) < started.as_millis().cast_signed();
        let (old, new): (Vec<_>, Vec<_>) = batch.into_iter().partition(was_there);
        let is_wanted = |letter: &Letter| options.reason.as_ref().is_none_or(|wanted| wanted == reason(letter));
        let (wanted, others): (Vec<_>, Vec<_>) = old.into_iter().partition(is_wanted);
        redriven.came_meanwhile += new.len();
        redriven.left += others.len();
        let (sent, trouble) = letters.redrive(&wanted).await?;
        redriven.redriven += sent;
        if let Some(trouble) = trouble {
            redriven.left += wanted.len() - sent;
            return Err(trouble);
        }
        if told_at.elapsed() >= TOLD_EVERY {
            progress(format, format_args!("{}: {} sent back so far", redriven.region, redriven.redriven));
            told_at = Instant::now();
        }
    }
}

fn told(redriven: &Redriven) {
    let Redriven { region, redriven, left, came_meanwhile, in_other_hands, error } = redriven;
    let sent = count(*redriven as u64, "dead letter", "dead letters");
    line(format_args!("{region}: {sent} sent back, {left} left, {came_meanwhile} came meanwhile"));
    if *in_other_hands > 0 {
        line(format_args!("  {in_other_hands} are being looked at by somebody else: repeat in a minute"));
    }
    if let Some(error) = error {
        line(format_args!("  not all of them: {error}"));
    }
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
