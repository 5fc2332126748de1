//! Two regions as in production, each process behind its own proxy.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use futures::future::join_all;
use sales_testbed::{
    openmetrics::counter,
    resources::{RegionResources, RegionState},
    services::Services,
    testing::{FaultProxy, Launch, Running, Stage, client, eventually},
    workspace::Build,
};
use serde_json::Value;

use crate::clients::Promised;

/// Longer than any scenario: calls delayed by it never complete.
pub(crate) const NEVER: Duration = Duration::from_secs(600);

/// Faster than the defaults, and lighter on the one emulator that all scenarios share. Scenarios may override them.
const SETTINGS: [(&str, &str); 4] = [
    ("PENDING_GRACE_SECONDS", "3"),
    ("SWEEP_INTERVAL_SECONDS", "1"),
    ("PENDING_SHARDS", "4"),
    ("WORKER_CONCURRENCY", "4"),
];

/// The services of this program's build. An error explains how to build them.
pub(crate) fn services_built() -> anyhow::Result<Services> {
    let built = Services::built(&Build::current()?);
    built.context("the services are missing: run `cargo test --workspace`, which builds them")
}

/// A service that can be killed and restarted at the same address.
pub(crate) struct ProxiedService {
    /// The proxy for its calls only.
    pub(crate) proxy: FaultProxy,
    launch: Launch,
    running: tokio::sync::Mutex<Option<Running>>,
}

/// A region with its services.
pub(crate) struct TestRegion {
    pub(crate) region: RegionResources,
    pub(crate) api: ProxiedService,
    pub(crate) worker: ProxiedService,
}

/// Both regions, and the responses to their clients.
pub(crate) struct Pipeline {
    /// The resources, and clients of the test.
    pub(crate) stage: Stage,
    /// In deployment order: the first one is initially ACTIVE.
    pub(crate) sites: [TestRegion; 2],
    pub(crate) client: reqwest::Client,
    pub(crate) promised: Mutex<Promised>,
}

impl Pipeline {
    /// Both regions, with their services running and aware of their states.
    pub(crate) async fn running(settings: &[(&str, &str)]) -> Self {
        let pipeline = Self::set(settings).await;
        pipeline.start().await;
        for (site, state) in pipeline.sites.iter().zip([RegionState::Active, RegionState::Passive]) {
            site.knows(state).await;
        }
        pipeline
    }

    /// Both regions, with their services not started yet.
    pub(crate) async fn set(settings: &[(&str, &str)]) -> Self {
        static SET: AtomicUsize = AtomicUsize::new(0);
        let stage = Stage::set(&format!("faults-{}", SET.fetch_add(1, Ordering::Relaxed))).await.unwrap();
        let [first, second] = &stage.deployment.regions;
        let binaries = services_built().unwrap();
        let settings = [&SETTINGS, settings].concat();
        let sites = [
            TestRegion::new(&stage, first, &binaries, &settings).await,
            TestRegion::new(&stage, second, &binaries, &settings).await,
        ];
        Self { stage, sites, client: client(), promised: Mutex::default() }
    }

    /// Starts all services.
    pub(crate) async fn start(&self) {
        join_all(self.services().map(ProxiedService::start)).await;
    }

    pub(crate) fn services(&self) -> impl Iterator<Item = &ProxiedService> {
        self.sites.iter().flat_map(|site| [&site.api, &site.worker])
    }

    /// The region that is initially ACTIVE.
    pub(crate) fn first(&self) -> &TestRegion {
        &self.sites[0]
    }

    /// The region that is initially PASSIVE.
    pub(crate) fn second(&self) -> &TestRegion {
        &self.sites[1]
    }

    /// Number of calls of `operation` that AWS executed for any service.
    pub(crate) fn done(&self, operation: &str) -> usize {
        self.services().map(|service| service.proxy.done(operation)).sum()
    }
}

impl TestRegion {
    async fn new(stage: &Stage, region: &RegionResources, binaries: &Services, settings: &[(&str, &str)]) -> Self {
        let (api, worker) = (stage.own_proxy().await.unwrap(), stage.own_proxy().await.unwrap());
        let launch = Launch::new(binaries.api(), &api, region.api_environment(), settings).unwrap();
        let api = ProxiedService { proxy: api, launch, running: tokio::sync::Mutex::default() };
        let launch = Launch::new(binaries.worker(), &worker, region.worker_environment(), settings).unwrap();
        let worker = ProxiedService { proxy: worker, launch, running: tokio::sync::Mutex::default() };
        Self { region: region.clone(), api, worker }
    }

    /// Sets the region's state and waits until its services know it.
    pub(crate) async fn switch(&self, state: RegionState) {
        self.region.set_state(state).await.unwrap();
        self.knows(state).await;
    }

    /// Waits until both services report this state.
    pub(crate) async fn knows(&self, state: RegionState) {
        self.api.says_of_its_site(&state.to_string()).await;
        self.worker.says_of_its_site(&state.to_string()).await;
    }

    /// Kills both services at once.
    pub(crate) async fn kill(&self) {
        tokio::join!(self.api.kill(), self.worker.kill());
    }

    pub(crate) async fn start(&self) {
        tokio::join!(self.api.start(), self.worker.start());
    }

    /// Waits until the queue is empty, without messages in flight.
    pub(crate) async fn queue_is_empty(&self) {
        let empty = async || (self.region.queued_count().await.unwrap() == 0).then_some(());
        eventually(&format!("the queue of {} is empty", self.region.name), empty).await;
    }
}

impl ProxiedService {
    /// Starts it and waits until it serves.
    pub(crate) async fn start(&self) {
        *self.running.lock().await = Some(self.launch.start().await.unwrap());
    }

    /// Sends SIGKILL.
    pub(crate) async fn kill(&self) {
        if let Some(mut running) = self.running.lock().await.take() {
            running.process.kill().await.unwrap();
        }
    }

    /// Sends SIGTERM; returns the exit code.
    pub(crate) async fn stop(&self) -> i32 {
        let mut running = self.running.lock().await.take().unwrap();
        running.process.terminate().unwrap();
        running.process.wait().await
    }

    /// Its address while it runs.
    pub(crate) fn url(&self) -> String {
        self.launch.url()
    }

    pub(crate) async fn says_of_its_site(&self, state: &str) {
        eventually(&format!("it is known that the site is {state}"), async || {
            if let Some(running) = self.running.lock().await.as_mut() {
                assert!(!running.process.has_ended(), "a service exited unexpectedly: {}", running.log());
            }
            let answer = client().get(format!("{}/readiness", self.url())).send().await.ok()?;
            (answer.json::<Value>().await.ok()?["state"] == state).then_some(())
        })
        .await;
    }

    /// The value of a counter, over all labels.
    pub(crate) async fn counted(&self, metric: &str) -> u64 {
        counter(&client(), &self.url(), metric).await.unwrap().unwrap_or_default()
    }

    /// Its warnings and errors in the log, newest last.
    pub(crate) async fn warnings(&self) -> Vec<String> {
        let mut running = self.running.lock().await;
        let log = running.as_mut().map(Running::log).unwrap_or_default();
        log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).map(str::to_owned).collect()
    }
}
