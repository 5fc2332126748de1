//! The accelerator's stand-in: what stands for AWS Global Accelerator on this machine.
//!
//! One address in front of the APIs of all regions. Like Global Accelerator it passes TCP connections on without
//! looking into them, chooses a region for each new connection by the regions' traffic dials, leaves connections that
//! are open where they are, takes a region out while its health check fails, ignores the dials when no region that
//! they favour is healthy, and tries any region when none is. It is driven through Global Accelerator's own API, so
//! that what switches regions in AWS, be it Terraform or an operator's command line, switches them here.
//!
//! It starts with an accelerator that has one listener and an endpoint group for each region ([`AcceleratorStandIn::start`]), or with
//! nothing, for accelerators to be created through the API ([`AcceleratorStandIn::start_empty`]).
//!
//! It is a stand-in, and not as AWS in this:
//!
//! - There is one address. It serves the endpoint groups of the oldest TCP listener of an accelerator that is enabled,
//!   whatever ports that listener has; without one, connections are reset.
//! - The endpoints of a group, whatever their ids say, are its region's API. Their weights matter only in being above
//!   zero or not, as no one can see which of them gets a connection. In a region whose API it does not know there is
//!   nothing healthy.
//! - All clients are equally near to all regions, so a dial is a region's share and not the share of its own
//!   surroundings.
//! - EndpointHealth is asked every second at the API's health check. A region that refuses a connection is passed over at once,
//!   before its health check fails.
//! - Kept and told back without any effect: client affinity, health check settings, port overrides, client IP
//!   preservation, addresses that are asked for, dual-stack addresses, flow logs.
//! - Changes are deployed at once; nobody's identity or permission is looked at.

mod api;
mod control;
mod fault;
pub(crate) mod health;
pub(crate) mod proxy;
mod resources;
mod state;
mod traffic;

use std::net::SocketAddr;

use tokio::{net::TcpListener, sync::watch, task::JoinSet};

use state::AcceleratorState;
pub use state::{ApiAddress, Endpoint};
pub use traffic::Dial;

/// A region's API as the accelerator's stand-in sees it.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The AWS name of the region.
    pub region: String,
    /// Where its API listens.
    pub address: SocketAddr,
    /// The traffic dial that it starts with.
    pub dial: Dial,
}

/// A running stand-in; it stops, with all connections through it, when dropped.
#[derive(Debug)]
pub struct AcceleratorStandIn {
    address: SocketAddr,
    control_endpoint: String,
    accelerator_arn: Option<String>,
    state: watch::Sender<AcceleratorState>,
    _tasks: JoinSet<()>,
}

impl AcceleratorStandIn {
    /// Starts to pass connections of `listener` on, and to serve Global Accelerator's API on `control`.
    pub fn start(listener: TcpListener, control: TcpListener, backends: Vec<Backend>) -> anyhow::Result<Self> {
        let regions = backends.iter().map(|backend| (backend.region.clone(), backend.address));
        let mut state = AcceleratorState::new(listener.local_addr()?, regions);
        let accelerator_arn = api::create_sales_accelerator(&mut state, &backends)?;
        Self::serve(listener, control, state, Some(accelerator_arn))
    }

    /// Starts without any accelerator, with these regions' APIs.
    pub fn start_empty(
        listener: TcpListener,
        control: TcpListener,
        regions: impl IntoIterator<Item = (String, impl Into<ApiAddress>)>,
    ) -> anyhow::Result<Self> {
        let state = AcceleratorState::new(listener.local_addr()?, regions);
        Self::serve(listener, control, state, None)
    }

    fn serve(
        listener: TcpListener,
        control: TcpListener,
        state: AcceleratorState,
        accelerator_arn: Option<String>,
    ) -> anyhow::Result<Self> {
        let address = state.address;
        let control_endpoint = format!("http://{}", control.local_addr()?);
        let apis = state.apis.len();
        let state = watch::Sender::new(state);
        let mut tasks = JoinSet::new();
        for position in 0..apis {
            let url = state.borrow().apis[position].place.url(health::PATH);
            let apis = state.clone();
            tasks.spawn(health::check(url, move |succeeded| {
                apis.send_modify(|state| {
                    let health = &mut state.apis[position].health;
                    *health = health.after(succeeded);
                });
            })?);
        }
        tasks.spawn(control::serve(control, state.clone()));
        let routes = state.clone();
        tasks.spawn(proxy::serve(listener, move || routes.borrow().route(|| rand::random_range(0.0..1.0))));
        Ok(Self { address, control_endpoint, accelerator_arn, state, _tasks: tasks })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of Global Accelerator's API.
    pub fn control_endpoint(&self) -> &str {
        &self.control_endpoint
    }

    /// The ARN of the accelerator that it started with, if it did not start empty.
    pub fn accelerator_arn(&self) -> Option<&str> {
        self.accelerator_arn.as_deref()
    }

    /// The regions as they are now.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.state.borrow().endpoints()
    }

    /// Waits until the health checks of all regions succeed.
    pub async fn all_healthy(&self) {
        let are_healthy = |state: &AcceleratorState| state.apis.iter().all(|api| api.health.is_healthy());
        // It fails only when the sender is gone, which `self` has.
        drop(self.state.subscribe().wait_for(are_healthy).await);
    }
}
