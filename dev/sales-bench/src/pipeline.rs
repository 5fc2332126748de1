//! Both services together: sales are posted, announced, received, and followed until they are processed.

use std::time::Duration;

use anyhow::bail;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use crate::canned::{Counts, Latency, Load as Offer};
use crate::cases;
use crate::endpoint::Endpoint;
use crate::load::Load;
use crate::measure::{Bench, STALLED, reach, received};
use crate::report::Measurement;
use crate::services::{Kind, Used};

/// Interval of checks that measure a time.
const OFTEN: Duration = Duration::from_millis(5);

impl Bench {
    /// Both services, with AWS's latency, as `clients` post as fast as they are answered.
    ///
    /// # Errors
    /// If a sale is not accepted, or one that was announced is not processed.
    pub(crate) async fn busy(&self, clients: u64) -> anyhow::Result<Measurement> {
        self.pipeline(cases::busy(clients), self.plan.window(), async |port| Load::start(port, clients).await).await
    }

    /// Both services, with AWS's latency, at a rate of sales a second. Takes several times as long, for enough sales.
    ///
    /// # Errors
    /// As [`Bench::busy`].
    pub(crate) async fn at_rate(&self, per_second: u64) -> anyhow::Result<Measurement> {
        let time = self.plan.window() * 7;
        self.pipeline(cases::rate(per_second), time, async |port| Load::at_rate(port, per_second).await).await
    }

    async fn pipeline(
        &self,
        name: String,
        time: Duration,
        load: impl AsyncFn(u16) -> anyhow::Result<Load>,
    ) -> anyhow::Result<Measurement> {
        let endpoint = Endpoint::start(Latency::AWS, self.plan.tls).await?;
        let mut worker = self.start(Kind::Worker, &endpoint, &[]).await?;
        let mut api = self.start(Kind::Api, &endpoint, &[]).await?;
        reach(&endpoint, received, 1).await?;

        endpoint.load(&Offer { relays: true, ..Offer::default() }).await?;
        let (api_before, worker_before) = (api.used()?, worker.used()?);
        let mut flagged = Flagged::default();
        let posting = async {
            let mut load = load(api.port).await?;
            let seen = load.watch(time).await?;
            let accepted = load.stop().await?;
            let used = api.used()?.since(api_before);
            // What it has accepted is announced before it ends.
            api.stop().await?;
            anyhow::Ok((seen, accepted, used))
        };
        let mut posting = std::pin::pin!(posting);
        let (seen, accepted, api_used) = loop {
            tokio::select! {
                biased;
                posted = &mut posting => break posted?,
                noted = flagged.note(&endpoint) => noted.map(drop)?,
            }
        };
        let (mut changed, mut last) = (Instant::now(), 0);
        let counts = loop {
            let counts = flagged.note(&endpoint).await?;
            if counts.flagged >= counts.events_published {
                break counts;
            }
            if counts.flagged != last {
                (last, changed) = (counts.flagged, Instant::now());
            } else if changed.elapsed() > STALLED {
                bail!("{}: the worker makes no progress at {last} of {}", worker.last_line(), counts.events_published);
            }
        };
        let worker_used = worker.used()?.since(worker_before);
        worker.stop().await?;

        let sales = accepted.len().max(1) as f64;
        let each = |count: u64| count as f64 / sales;
        let microseconds = |used: Used| used.cpu.as_secs_f64() * 1e6 / sales;
        let delays = flagged.delays(&accepted)?;
        let mut measured = Measurement::new(name);
        measured
            .figure("per_second", seen.accepted as f64 / seen.elapsed.as_secs_f64())
            .figure("processed_p50_ms", delays.value_at_quantile(0.5) as f64)
            .figure("processed_p99_ms", delays.value_at_quantile(0.99) as f64)
            .figure("announced_percent", each(counts.events_published) * 100.0)
            .figure("api_cpu_us", microseconds(api_used))
            .figure("worker_cpu_us", microseconds(worker_used))
            .figure("log_bytes", each(api_used.logged + worker_used.logged));
        let calls = |name: &str| counts.calls.get(name).copied().unwrap_or(0).max(1) as f64;
        measured
            .counts(&counts, sales)
            .figure("events_a_message", counts.events_published as f64 / calls("SNS.Publish"));
        measured
            .detail("sales_table_units", each(counts.sales_table_units))
            .detail("index_units", each(counts.index_units))
            .detail("mark_units", each(counts.mark_units))
            .detail("item_read_units", (counts.read_units - counts.query_units) / sales)
            .detail("sns_units", each(counts.sns_units))
            .detail("sqs_units", each(counts.sqs_units));
        Ok(measured)
    }
}

/// How many sales were processed at which moments.
#[derive(Debug, Default)]
struct Flagged(Vec<(Instant, u64)>);

impl Flagged {
    async fn note(&mut self, endpoint: &Endpoint) -> anyhow::Result<Counts> {
        sleep(OFTEN).await;
        let counts = endpoint.counts().await?;
        if self.0.last().is_none_or(|(_, flagged)| *flagged < counts.flagged) {
            self.0.push((Instant::now(), counts.flagged));
        }
        Ok(counts)
    }

    /// Milliseconds from each sale's response to its flag. Sales are processed in about the order in which they are
    /// accepted, so the n-th flag counts as that of the n-th sale.
    fn delays(&self, accepted: &[Instant]) -> anyhow::Result<Histogram<u64>> {
        let mut delays = Histogram::new_with_bounds(1, 600_000, 3)?;
        let mut seen = self.0.iter().peekable();
        for (number, accepted) in (1..).zip(accepted) {
            while seen.next_if(|(_, flagged)| *flagged < number).is_some() {}
            let Some((flagged, _)) = seen.peek() else { break };
            let delay = flagged.saturating_duration_since(*accepted).as_millis();
            delays.saturating_record(u64::try_from(delay).unwrap_or(u64::MAX));
        }
        Ok(delays)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_the_time_from_a_response_to_the_flag_of_the_same_number() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let flagged = Flagged(vec![(at(0), 0), (at(600), 2), (at(900), 3)]);
        let delays = flagged.delays(&[at(100), at(200), at(300), at(400)]).unwrap();
        let found: Vec<u64> = delays.iter_recorded().map(|value| value.value_iterated_to()).collect();
        assert_eq!((found, delays.len()), (vec![400, 500, 600], 3));
    }
}
