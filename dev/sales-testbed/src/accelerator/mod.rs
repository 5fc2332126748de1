//! The accelerator's stand-in, which replaces AWS Global Accelerator on this machine.
//!
//! It is one address in front of the APIs of all regions. Like Global Accelerator, it forwards TCP connections without
//! inspecting them, chooses a region for each new connection by the regions' traffic dials, leaves open connections
//! where they are, excludes a region while its health check fails, ignores the dials if no region that they favour is
//! healthy, and tries any region if none is. Global Accelerator's own API controls it, so that Terraform and the
//! operator's command line work as with AWS.
//!
//! It starts with an accelerator that has one listener and an endpoint group for each region
//! ([`AcceleratorStandIn::start`]), or empty, for accelerators to be created through the API
//! ([`AcceleratorStandIn::start_empty`]).
//!
//! It differs from AWS:
//!
//! - There is one address. It serves the endpoint groups of the oldest TCP listener of an enabled accelerator, whatever
//!   that listener's ports; without one, connections are reset.
//! - The endpoints of a group, whatever their ids, are its region's API. Of their weights, only zero or not matters,
//!   since no one can see which of them gets a connection. In a region whose API it does not know, no endpoint is
//!   healthy.
//! - All clients are equally near to all regions, so a dial is a region's share of all traffic, not of its
//!   surroundings.
//! - It checks each API's health every second. It skips a region that refuses a connection at once, before its health
//!   check fails.
//! - Stored and returned without effect: client affinity, health check settings, port overrides, client IP
//!   preservation, requested addresses, dual-stack addresses, flow logs.
//! - Changes are deployed at once; identities and permissions are not checked.

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

/// A region's API behind the accelerator's stand-in.
#[derive(Debug, Clone)]
pub struct Backend {
    /// The AWS name of the region.
    pub region: String,
    /// Address of its API.
    pub address: SocketAddr,
    /// Its initial traffic dial.
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
    /// Starts to forward connections of `listener`, and to serve Global Accelerator's API on `control`.
    pub fn start(listener: TcpListener, control: TcpListener, backends: Vec<Backend>) -> anyhow::Result<Self> {
        let regions = backends.iter().map(|backend| (backend.region.clone(), backend.address));
        let mut state = AcceleratorState::new(listener.local_addr()?, regions);
        let accelerator_arn = api::create_sales_accelerator(&mut state, &backends)?;
        Self::serve(listener, control, state, Some(accelerator_arn))
    }

    /// Starts without an accelerator, with these regions' APIs.
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

    /// Address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Address of Global Accelerator's API.
    pub fn control_endpoint(&self) -> &str {
        &self.control_endpoint
    }

    /// ARN of the initial accelerator, if any.
    pub fn accelerator_arn(&self) -> Option<&str> {
        self.accelerator_arn.as_deref()
    }

    /// Current state of the regions.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.state.borrow().endpoints()
    }

    /// Waits until the health checks of all regions succeed.
    pub async fn all_healthy(&self) {
        let are_healthy = |state: &AcceleratorState| state.apis.iter().all(|api| api.health.is_healthy());
        // This fails only if the sender is gone, which `self` holds.
        drop(self.state.subscribe().wait_for(are_healthy).await);
    }
}
