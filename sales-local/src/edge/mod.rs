//! The edge: what stands for AWS Global Accelerator on this machine.
//!
//! One address in front of the APIs of all regions. Like Global Accelerator it passes TCP connections on without
//! looking into them, chooses a region for each new connection by the regions' traffic dials, leaves connections that
//! are open where they are, takes a region out while its health check fails, and ignores the dials when no region that
//! they favour is healthy. It is driven through Global Accelerator's own API, so that what switches regions in AWS
//! switches them here.
//!
//! Not as in AWS: all clients are equally near to all regions, so a dial is a region's share and not the share of its
//! own surroundings; and a region that refuses a connection is passed over at once, before its health check fails.

mod accelerator;
mod control;
mod health;
mod proxy;
mod traffic;

use std::net::SocketAddr;

use tokio::{net::TcpListener, task::JoinSet};

use traffic::Traffic;
pub use traffic::{Dial, Endpoint};

/// A region's API as the edge sees it.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The AWS name of the region.
    pub region: String,
    /// Where its API listens.
    pub address: SocketAddr,
    /// The traffic dial that it starts with.
    pub dial: Dial,
}

/// A running edge; it stops, with all connections through it, when dropped.
#[derive(Debug)]
pub struct Edge {
    address: SocketAddr,
    control_endpoint: String,
    traffic: Traffic,
    _tasks: JoinSet<()>,
}

impl Edge {
    /// Starts to pass connections of `listener` on, and to serve Global Accelerator's API on `control`.
    pub fn start(listener: TcpListener, control: TcpListener, backends: Vec<Backend>) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let control_endpoint = format!("http://{}", control.local_addr()?);
        let traffic = Traffic::new(backends);
        let mut tasks = JoinSet::new();
        for position in 0..traffic.endpoints().len() {
            tasks.spawn(health::watch(traffic.clone(), position)?);
        }
        tasks.spawn(control::serve(control, accelerator::Accelerator::new(traffic.clone(), address.port())));
        tasks.spawn(proxy::serve(listener, traffic.clone()));
        Ok(Self { address, control_endpoint, traffic, _tasks: tasks })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of Global Accelerator's API.
    pub fn control_endpoint(&self) -> &str {
        &self.control_endpoint
    }

    /// The regions as they are now.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.traffic.endpoints()
    }

    /// Waits until the health checks of all regions succeed.
    pub async fn all_healthy(&self) {
        self.traffic.wait_for(|endpoints| endpoints.iter().all(Endpoint::is_healthy)).await;
    }
}
