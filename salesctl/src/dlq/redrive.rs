//! `dlq redrive`: dead letters sent back to the queue, batch after batch.

use std::{ops::ControlFlow, time::Duration};

use anyhow::bail;
use clap::Args;
use sales::clock::Clock;
use serde::Serialize;

use super::reason;
use crate::{
    cloud::{
        Cloud,
        messages::{Letter, Letters},
        trouble::Trouble,
    },
    config::ConfigOptions,
    exit::Exit,
    interrupt::Interrupt,
    output::{self, Format, Meter, count, line, note},
    prompt,
};

/// Options of `dlq redrive`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  salesctl dlq redrive --region us-east-1 --reason malformed --yes\n\n\
                        Only messages present at the start are sent back, so a message that fails again is not redriven forever. \
                        A message in both queues for a moment is still processed once.")]
pub(crate) struct RedriveOptions {
    /// Only this region
    #[arg(long)]
    region: Option<String>,
    /// Only messages with this reason, as shown by `dlq list`
    #[arg(long)]
    reason: Option<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    yes: bool,
}

/// Result for one region.
#[derive(Debug, Serialize)]
struct Redriven {
    region: String,
    redriven: usize,
    /// Messages with another reason, and messages that could not be sent back.
    left: usize,
    /// Messages that arrived meanwhile, perhaps because they failed again.
    came_meanwhile: usize,
    /// Messages in flight to another consumer, perhaps another `salesctl`.
    in_other_hands: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Trouble>,
}

/// Sends dead letters back to the queue.
pub(crate) async fn redrive(
    place: &ConfigOptions,
    format: Format,
    options: &RedriveOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let config = place.read()?;
    let regions = config.selected(options.region.as_deref())?;
    let cloud = interrupt.unless_heard(Cloud::open(&config)).await??;
    if !options.yes {
        let which = options
            .reason
            .as_ref()
            .map_or_else(|| "all dead letters".to_owned(), |reason| format!("dead letters with the reason {reason:?}"));
        let question = format!("Send {which} of {} back to the queue?", regions.join(" and "));
        if !interrupt.unless_heard(prompt::confirm(&question)).await?? {
            bail!("nothing was done");
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
            Ok(letters) => {
                match redrive_region(letters, options, started, &mut redriven, interrupt).await {
                    Ok(()) => interrupted = interrupt.so_far(),
                    Err(trouble) => redriven.error = Some(trouble),
                }
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
            note("interrupted: messages already sent back are removed from the dead-letter queue; repeat to continue");
            Ok(exit)
        }
        None if failed == all.len() => bail!("nothing was sent back"),
        None if all.iter().any(|redriven| redriven.error.is_some() || redriven.in_other_hands > 0) => {
            Ok(Exit::Incomplete)
        }
        None => Ok(Exit::Done),
    }
}

/// Batch after batch; stops between two batches after a signal.
async fn redrive_region(
    letters: Letters<'_>,
    options: &RedriveOptions,
    started: Duration,
    redriven: &mut Redriven,
    interrupt: &Interrupt,
) -> Result<(), Trouble> {
    let was_there = |letter: &Letter| i128::from(letter.sent_at_ms) < started.as_millis().cast_signed();
    let is_wanted = |letter: &Letter| options.reason.as_ref().is_none_or(|wanted| wanted == reason(letter));
    let mut meter = Meter::start();
    let redriving = letters.each_batch(interrupt, async |letters, batch| {
        let (old, new): (Vec<_>, Vec<_>) = batch.into_iter().partition(was_there);
        let (wanted, others): (Vec<_>, Vec<_>) = old.into_iter().partition(is_wanted);
        redriven.came_meanwhile += new.len();
        redriven.left += others.len();
        let (sent, trouble) = letters.redrive(&wanted).await?;
        redriven.redriven += sent;
        if let Some(trouble) = trouble {
            redriven.left += wanted.len() - sent;
            return Err(trouble);
        }
        meter.at(format_args!("{}: {} sent back so far", redriven.region, redriven.redriven));
        Ok(ControlFlow::Continue(()))
    });
    redriving.await
}

fn told(redriven: &Redriven) {
    let Redriven { region, redriven, left, came_meanwhile, in_other_hands, error } = redriven;
    let sent = count(*redriven as u64, "dead letter", "dead letters");
    line(format_args!("{region}: {sent} sent back, {left} left, {came_meanwhile} arrived meanwhile"));
    if *in_other_hands > 0 {
        line(format_args!("  {in_other_hands} in flight to another consumer; retry in a minute"));
    }
    if let Some(error) = error {
        line(format_args!("  incomplete: {error}"));
    }
}
