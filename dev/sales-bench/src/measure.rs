//! The measurements: each starts what it needs, and leaves nothing running.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use hdrhistogram::Histogram;
use tokio::time::{Instant, sleep};

use crate::arguments::Plan;
use crate::canned::{Counts, Latency, Load as Offer};
use crate::cases;
use crate::ceilings::{Call, Cost};
use crate::cores::Cores;
use crate::endpoint::Endpoint;
use crate::leash;
use crate::load::Load;
use crate::report::Measurement;
use crate::services::{Binaries, Kind, MeasuredService, Used};
use crate::usage;

/// Interval of checks of the worker's progress.
const LOOK: Duration = Duration::from_millis(20);

/// Interval of checks that measure a time.
const OFTEN: Duration = Duration::from_millis(5);

/// A worker without progress for so long has failed.
const STALLED: Duration = Duration::from_secs(60);

/// What measurements need.
pub(crate) struct Bench {
    /// The measurements and their settings.
    pub(crate) plan: Plan,
    /// The measured binaries.
    pub(crate) binaries: Binaries,
    /// The cores.
    pub(crate) cores: Cores,
}

impl Bench {
    /// Cost of one call.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) async fn bare_call(&self, call: Call) -> anyhow::Result<Measurement> {
        let name = call.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let endpoint = Endpoint::start(Latency::NONE, self.plan.tls).await?;
        endpoint.load(&Offer { messages: u64::from(u32::MAX), ..Offer::default() }).await?;
        let mut command = leash::own(["call", &name, "--seconds", &self.plan.seconds.to_string()])?;
        command.env_clear().envs(endpoint.environment());
        let running = self.cores.for_service(|| Ok(command.output()))?;
        let output = running.await?;
        if !output.status.success() {
            bail!("the bare call {name} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let cost: Cost = serde_json::from_slice(&output.stdout).context("invalid output of a bare call")?;
        endpoint.counts().await?;
        let calls = cost.calls.max(1) as f64;
        let mut measured = Measurement::new(cases::call(call));
        measured.figure("cpu_us", cost.cpu_seconds * 1e6 / calls).figure("per_second", calls / self.plan.seconds);
        Ok(measured)
    }

    /// Cost of an actix response without any work.
    ///
    /// # Errors
    /// If the server does not respond.
    pub(crate) async fn bare_answer(&self) -> anyhow::Result<Measurement> {
        let [port] = sales_testbed::tcp_ports::free()?;
        let mut command = leash::own(["answer", "--port", &port.to_string()])?;
        let process = self.cores.for_service(|| Ok(command.spawn()?))?;
        let id = process.id().context("the bare server exited at startup")?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if started.elapsed() > STALLED {
                bail!("the bare server does not listen on port {port}");
            }
            sleep(Duration::from_millis(1)).await;
        }
        let mut load = Load::start(port, cases::ANSWERED_CLIENTS).await?;
        load.watch(self.plan.warm_up()).await?;
        let before = usage::cpu_time(id)?;
        let seen = load.watch(self.plan.window()).await?;
        let cpu = usage::cpu_time(id)? - before;
        load.stop().await?;
        let mut measured = Measurement::new(cases::answer());
        let answers = seen.accepted.max(1) as f64;
        measured.figure("cpu_us", cpu.as_secs_f64() * 1e6 / answers);
        measured.figure("per_second", answers / seen.elapsed.as_secs_f64());
        Ok(measured)
    }

    /// Posting sales.
    ///
    /// # Errors
    /// If a sale is not accepted.
    pub(crate) async fn api(&self, clients: u64, latency: Latency) -> anyhow::Result<Measurement> {
        let endpoint = Endpoint::start(latency, self.plan.tls).await?;
        let mut api = self.start(Kind::Api, &endpoint, &[]).await?;
        let mut load = Load::start(api.port, clients).await?;
        load.watch(self.plan.warm_up()).await?;

        endpoint.load(&Offer::default()).await?;
        let before = api.used()?;
        let seen = load.watch(self.plan.window()).await?;
        let used = api.used()?.since(before);
        let counts = endpoint.counts().await?;
        load.stop().await?;
        let (memory, first_answer) = (api.peak_memory()?, api.first_answer);
        api.stop().await?;

        let sales = seen.accepted.max(1) as f64;
        let milliseconds = |quantile| seen.latencies.value_at_quantile(quantile) as f64 / 1e3;
        let mut measured = Measurement::new(cases::api(clients, latency));
        measured
            .figure("per_second", sales / seen.elapsed.as_secs_f64())
            .figure("p50_ms", milliseconds(0.5))
            .figure("p99_ms", milliseconds(0.99))
            .cpu(used.cpu, seen.elapsed, sales)
            .figure("announced_percent", counts.events_published as f64 * 100.0 / sales)
            .figure("log_bytes", used.logged as f64 / sales);
        measured.counts(&counts, sales).memory(memory).figure("first_answer_ms", first_answer.as_secs_f64() * 1e3);
        Ok(measured)
    }

    /// The worker on a queue of `sales`, in messages of `events`.
    ///
    /// # Errors
    /// If it does not process them.
    pub(crate) async fn drain(&self, sales: u64, events: u64, latency: Latency) -> anyhow::Result<Measurement> {
        let offer = Offer { messages: sales.div_ceil(events), events, ..Offer::default() };
        self.work(cases::drain(sales, events, latency), latency, &offer, &[]).await
    }

    /// The worker on the same queue, where another region is expected to process the sales.
    ///
    /// # Errors
    /// If it does not process them.
    pub(crate) async fn stand_by(&self, sales: u64, events: u64) -> anyhow::Result<Measurement> {
        let offer = Offer { messages: sales.div_ceil(events), events, elsewhere: true, ..Offer::default() };
        self.work(cases::stand_by(sales, events), Latency::NONE, &offer, &[]).await
    }

    /// The worker on a backlog of `pending` sales.
    ///
    /// # Errors
    /// If it does not process them.
    pub(crate) async fn sweep(&self, pending: u64) -> anyhow::Result<Measurement> {
        let offer = Offer { pending, ..Offer::default() };
        self.work(cases::sweep(pending), Latency::NONE, &offer, &[("SWEEP_INTERVAL_SECONDS", "1")]).await
    }

    async fn work(
        &self,
        name: String,
        latency: Latency,
        offer: &Offer,
        variables: &[(&'static str, &str)],
    ) -> anyhow::Result<Measurement> {
        let endpoint = Endpoint::start(latency, self.plan.tls).await?;
        let mut worker = self.start(Kind::Worker, &endpoint, variables).await?;
        reach(&endpoint, received, 1).await?;

        endpoint.load(offer).await?;
        let (started, before) = (Instant::now(), worker.used()?);
        let counts = if offer.pending > 0 {
            reach(&endpoint, |counts| counts.settled, offer.pending).await
        } else {
            reach(&endpoint, |counts| counts.messages_deleted, offer.messages).await
        };
        let counts = counts.with_context(|| worker.last_line())?;
        let (elapsed, used) = (started.elapsed(), worker.used()?.since(before));
        let memory = worker.peak_memory()?;
        let first_answer = worker.first_answer;
        worker.stop().await?;

        let size = offer.pending.max(offer.messages * offer.events).max(1) as f64;
        let mut measured = Measurement::new(name);
        measured
            .figure("seconds", elapsed.as_secs_f64())
            .figure("per_second", size / elapsed.as_secs_f64())
            .cpu(used.cpu, elapsed, size)
            .figure("log_bytes", used.logged as f64 / size);
        measured.counts(&counts, size).memory(memory).figure("first_answer_ms", first_answer.as_secs_f64() * 1e3);
        Ok(measured)
    }

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

    async fn start(
        &self,
        kind: Kind,
        endpoint: &Endpoint,
        variables: &[(&'static str, &str)],
    ) -> anyhow::Result<MeasuredService> {
        MeasuredService::start(&self.binaries, kind, endpoint, &self.cores, variables).await
    }
}

fn received(counts: &Counts) -> u64 {
    counts.calls.get("SQS.ReceiveMessage").copied().unwrap_or(0)
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

/// Waits until the count of `done` has reached `size`.
async fn reach(endpoint: &Endpoint, done: impl Fn(&Counts) -> u64, size: u64) -> anyhow::Result<Counts> {
    let (mut last, mut changed) = (0, Instant::now());
    loop {
        let counts = endpoint.counts().await?;
        let now = done(&counts);
        if now >= size {
            return Ok(counts);
        }
        if now != last {
            (last, changed) = (now, Instant::now());
        } else if changed.elapsed() > STALLED {
            // A message that it puts back because a call failed is not delivered again.
            bail!("the worker makes no progress at {now} of {size} after {:?}", counts.calls);
        }
        sleep(LOOK).await;
    }
}

impl Measurement {
    fn cpu(&mut self, cpu: Duration, elapsed: Duration, size: f64) -> &mut Self {
        self.figure("cpu_us", cpu.as_secs_f64() * 1e6 / size).figure("cores", cpu.as_secs_f64() / elapsed.as_secs_f64())
    }

    fn counts(&mut self, counts: &Counts, size: f64) -> &mut Self {
        let calls: u64 = counts.calls.values().sum();
        let each = |count: u64| count as f64 / size;
        self.calls = counts.calls.iter().map(|(name, count)| (name.clone(), each(*count))).collect::<BTreeMap<_, _>>();
        self.figure("calls", each(calls))
            .figure("objects", each(counts.objects_put))
            .figure("lines", each(counts.lines_put))
            .figure("write_units", each(counts.write_units))
    }

    fn memory(&mut self, bytes: u64) -> &mut Self {
        self.figure("peak_memory_mib", bytes as f64 / f64::from(1 << 20))
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
