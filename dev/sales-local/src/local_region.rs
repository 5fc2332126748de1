//! A running region: its AWS endpoint and its services, which are lost and restored together.

use std::path::Path;

use futures::{join, try_join};
use sales_testbed::{
    aws_endpoint::AwsEndpoint,
    resources::RegionResources,
    services::{ServiceProcess, Services},
};

/// Ports of a region.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalRegionPorts {
    pub(crate) aws: u16,
    pub(crate) api: u16,
    pub(crate) worker: u16,
    pub(crate) lake: u16,
}

/// The fields are in the order of shutdown.
#[derive(Debug)]
pub(crate) struct LocalRegion {
    api: ServiceProcess,
    worker: ServiceProcess,
    lake: ServiceProcess,
    endpoint: AwsEndpoint,
}

impl LocalRegion {
    /// A region's endpoint in front of the server at `aws`; its services are not started yet.
    pub(crate) async fn open(
        services: &Services,
        region: &RegionResources,
        aws: &str,
        ports: LocalRegionPorts,
        sign_in: &[(String, String)],
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let endpoint = AwsEndpoint::open(ports.aws, aws).await?;
        let log = |service: &str| logs.join(format!("{}-{service}.log", region.name));
        Ok(Self {
            api: services.api_of(region, &endpoint.url(), ports.api, &log("api"), sign_in)?,
            worker: services.worker_of(region, &endpoint.url(), ports.worker, &log("worker"))?,
            lake: services.lake_of(region, &endpoint.url(), ports.lake, &log("lake"))?,
            endpoint,
        })
    }

    /// Its AWS endpoint.
    pub(crate) fn endpoint(&self) -> &AwsEndpoint {
        &self.endpoint
    }

    /// Starts stopped services, and waits until all serve. Returns false if all were running.
    pub(crate) async fn start(&mut self) -> anyhow::Result<bool> {
        let (api, worker, lake) = try_join!(self.api.start(), self.worker.start(), self.lake.start())?;
        Ok(api || worker || lake)
    }

    /// Waits until the services that depend on it have read the region's state.
    pub(crate) async fn know_their_state(&self) -> anyhow::Result<()> {
        try_join!(self.api.knows_its_state(), self.worker.knows_its_state())?;
        Ok(())
    }

    /// Kills the services and cuts the AWS endpoint. Returns false if nothing was left to lose.
    pub(crate) async fn lose(&mut self) -> bool {
        let (endpoint, api, worker, lake) =
            join!(self.endpoint.lose(), self.api.kill(), self.worker.kill(), self.lake.kill());
        endpoint || api || worker || lake
    }

    /// Opens the AWS endpoint, starts the services, and waits until they serve. Returns false if nothing was lost.
    pub(crate) async fn restore(&mut self) -> anyhow::Result<bool> {
        let opened = self.endpoint.restore().await?;
        let started = self.start().await?;
        Ok(opened || started)
    }

    /// Asks the services to stop, without waiting.
    pub(crate) fn release(&mut self) {
        self.api.release();
        self.worker.release();
        self.lake.release();
    }
}
