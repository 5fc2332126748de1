//! Posting at a fixed rate: each request when it is due, however long earlier ones take.

use std::{
    fs::File,
    io::{BufWriter, Write},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    sync::{Semaphore, mpsc},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    orders::Orders,
    post::Poster,
    tally::{PostOutcome, Tally},
};
use crate::{exit::Exit, interrupt::Interrupt, output::note};

/// Interval of progress reports.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// The rate, and the maximum of requests in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Requests per second.
    pub(super) rate: f64,
    /// Maximum requests in flight.
    pub(super) concurrency: usize,
}

impl Pace {
    /// When a request is due after the first one, counted from zero.
    fn due(&self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate)
    }
}

/// Posts all orders; after a signal, waits for the requests in flight, and returns how to exit.
pub(super) async fn post_all(
    poster: &Poster,
    orders: &Orders,
    pace: Pace,
    ids: &mut Option<BufWriter<File>>,
    interrupt: &Interrupt,
) -> anyhow::Result<(Tally, Option<Exit>)> {
    let mut tally = Tally::new()?;
    let mut interrupted = None;
    let slots = Arc::new(Semaphore::new(pace.concurrency));
    let (answer, mut answers) = mpsc::unbounded_channel();
    let mut answer = Some(answer);
    let start = Instant::now();
    let mut ticks = interval(TOLD_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks.tick().await;
    loop {
        let next = if interrupted.is_none() { orders.body(tally.sent) } else { None };
        if next.is_none() {
            // The tasks in flight have their own; the last of them closes the channel.
            answer = None;
        }
        let due = start + pace.due(tally.sent);
        let slot = async {
            sleep_until(due).await;
            slots.clone().acquire_owned().await
        };
        tokio::select! {
            slot = slot, if next.is_some() => {
                let (Ok(slot), Some(body), Some(answer)) = (slot, next, answer.clone()) else { continue };
                tally.sent += 1;
                let (poster, late) = (poster.clone(), due.elapsed());
                tokio::spawn(async move {
                    let result = poster.post(body).await;
                    // The receiver is gone: the command has ended.
                    drop(answer.send(PostOutcome { at: start.elapsed(), took: due.elapsed(), late, result }));
                    drop(slot);
                });
            }
            outcome = answers.recv() => match outcome {
                None => break,
                Some(outcome) => {
                    if let (Some(id), Some(ids)) = (tally.note(outcome), ids.as_mut()) {
                        writeln!(ids, "{id}").context("cannot write the ids")?;
                    }
                }
            },
            _ = ticks.tick() => tell(&mut tally, start.elapsed()),
            exit = interrupt.heard(), if interrupted.is_none() => {
                note("interrupted: waiting for requests in flight; interrupt again to exit immediately");
                interrupted = Some(exit);
            }
        }
    }
    if let Some(ids) = ids {
        ids.flush().context("cannot write the ids")?;
    }
    Ok((tally, interrupted))
}

fn tell(tally: &mut Tally, elapsed: Duration) {
    let (answers, latency) = tally.take_recent();
    let latency =
        latency.map_or_else(String::new, |latency| format!(", p50 {:.0} ms, p99 {:.0} ms", latency.p50, latency.p99));
    note(format_args!(
        "{:.0}s: {} sent, {} answered, {} failed; last second: {answers} answers{latency}",
        elapsed.as_secs_f64(),
        tally.sent,
        tally.answered(),
        tally.failed,
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_due_by_its_number_alone() {
        let pace = Pace { rate: 50.0, concurrency: 1 };
        assert_eq!(pace.due(0), Duration::ZERO);
        assert_eq!(pace.due(3_000), Duration::from_secs(60));
        assert_eq!(Pace { rate: 0.5, concurrency: 1 }.due(3), Duration::from_secs(6));
    }
}
