//! The measurements: each starts what it needs, and leaves nothing running.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use tokio::process::Command;
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
use crate::services::{Binaries, Kind, MeasuredService};
use crate::sign_in::TokenKind;
use crate::usage;

/// Interval of checks of the worker's progress.
const LOOK: Duration = Duration::from_millis(20);

/// A worker without progress for so long has failed.
pub(crate) const STALLED: Duration = Duration::from_secs(60);

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
        let cost: Cost = self.result_of(command, &format!("the bare call {name}")).await?;
        endpoint.counts().await?;
        let calls = cost.calls.max(1) as f64;
        let mut measured = Measurement::new(cases::call(call));
        measured.figure("cpu_us", cost.cpu_seconds * 1e6 / calls).figure("per_second", calls / self.plan.seconds);
        Ok(measured)
    }

    /// Admitting requests with tokens.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) async fn sign_in(&self, kind: TokenKind) -> anyhow::Result<Measurement> {
        let name = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let command = leash::own(["token", &name, "--seconds", &self.plan.seconds.to_string()])?;
        let cost: Cost = self.result_of(command, &format!("the check of the token {name}")).await?;
        let mut measured = Measurement::new(name);
        measured.figure("cpu_us", cost.cpu_seconds * 1e6 / cost.calls.max(1) as f64);
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

    /// What a part of this program prints as JSON, run on the cores of the services. `what` names it in errors.
    ///
    /// # Errors
    /// If it fails.
    pub(crate) async fn result_of<T: DeserializeOwned>(&self, mut command: Command, what: &str) -> anyhow::Result<T> {
        let running = self.cores.for_service(|| Ok(command.output()))?;
        let output = running.await?;
        if !output.status.success() {
            bail!("{what} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        serde_json::from_slice(&output.stdout).with_context(|| format!("invalid output of {what}"))
    }

    /// Starts a service with additional variables.
    ///
    /// # Errors
    /// If it does not respond.
    pub(crate) async fn start(
        &self,
        kind: Kind,
        endpoint: &Endpoint,
        variables: &[(&'static str, &str)],
    ) -> anyhow::Result<MeasuredService> {
        MeasuredService::start(&self.binaries, kind, endpoint, &self.cores, variables).await
    }
}

/// Receives so far.
pub(crate) fn received(counts: &Counts) -> u64 {
    counts.calls.get("SQS.ReceiveMessage").copied().unwrap_or(0)
}

/// Waits until the count of `done` has reached `size`.
///
/// # Errors
/// If it does not grow.
pub(crate) async fn reach(endpoint: &Endpoint, done: impl Fn(&Counts) -> u64, size: u64) -> anyhow::Result<Counts> {
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

    /// Adds what AWS was asked for, by the sale.
    pub(crate) fn counts(&mut self, counts: &Counts, size: f64) -> &mut Self {
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
