//! State of the accelerator's stand-in: its regions with the health of their APIs, and the accelerators.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    str::FromStr,
};

use anyhow::Context;

use super::{
    health::EndpointHealth,
    resources::Accelerators,
    traffic::{Candidate, Dial, order},
};

/// Address of a region's API, and whether it uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiAddress {
    /// Its address.
    pub address: SocketAddr,
    /// Whether it uses TLS, with any certificate, since load balancers do not verify it.
    pub tls: bool,
}

impl ApiAddress {
    /// The URL of a path, which begins with a slash.
    pub(crate) fn url(self, path: &str) -> String {
        format!("{}://{}{path}", if self.tls { "https" } else { "http" }, self.address)
    }
}

impl From<SocketAddr> for ApiAddress {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: false }
    }
}

/// Parses `http://HOST:PORT` or `https://HOST:PORT`.
impl FromStr for ApiAddress {
    type Err = anyhow::Error;

    fn from_str(url: &str) -> anyhow::Result<Self> {
        let (host, tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(host), _) => Some((host, false)),
            (_, Some(host)) => Some((host, true)),
            (None, None) => None,
        }
        .with_context(|| format!("invalid URL {url:?}: expected http(s)://HOST:PORT"))?;
        let host = host.trim_end_matches('/');
        let mut addresses =
            host.to_socket_addrs().with_context(|| format!("invalid address {host:?}: expected HOST:PORT"))?;
        let address = addresses.next().with_context(|| format!("{host:?} has no address"))?;
        Ok(Self { address, tls })
    }
}

/// State of one region.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The AWS name of the region.
    pub region: String,
    /// Address of its API.
    pub address: SocketAddr,
    /// Its traffic dial; off if it has no endpoint group.
    pub dial: Dial,
    health: EndpointHealth,
}

impl Endpoint {
    /// Whether its health check succeeds.
    pub fn is_healthy(&self) -> bool {
        self.health.is_healthy()
    }
}

/// The API of one region.
#[derive(Debug)]
pub(super) struct RegionApi {
    pub(super) region: String,
    pub(super) place: ApiAddress,
    pub(super) health: EndpointHealth,
}

#[derive(Debug)]
pub(super) struct AcceleratorState {
    /// Address for clients.
    pub(super) address: SocketAddr,
    pub(super) apis: Vec<RegionApi>,
    pub(super) accelerators: Accelerators,
}

impl AcceleratorState {
    pub(super) fn new<Place: Into<ApiAddress>>(
        address: SocketAddr,
        regions: impl IntoIterator<Item = (String, Place)>,
    ) -> Self {
        let api = |(region, place): (String, Place)| RegionApi {
            region,
            place: place.into(),
            health: EndpointHealth::Initial,
        };
        let apis = regions.into_iter().map(api);
        Self { address, apis: apis.collect(), accelerators: Accelerators::default() }
    }

    /// The regions in the order of configuration.
    pub(super) fn endpoints(&self) -> Vec<Endpoint> {
        let groups = self.accelerators.serving_groups();
        let endpoint = |api: &RegionApi| Endpoint {
            region: api.region.clone(),
            address: api.place.address,
            dial: groups.iter().find(|group| group.region == api.region).map_or(Dial::OFF, |group| group.dial),
            health: api.health,
        };
        self.apis.iter().map(endpoint).collect()
    }

    /// The addresses to try for a new connection, in order.
    pub(super) fn route(&self, draw: impl FnMut() -> f32) -> Vec<SocketAddr> {
        let groups = self.accelerators.serving_groups().iter().filter(|group| !group.endpoints.is_empty());
        let apis = groups.filter_map(|group| {
            let api = self.apis.iter().find(|api| api.region == group.region)?;
            let is_usable = api.health.is_healthy() && group.has_weight();
            Some((api.place.address, Candidate { is_usable, dial: group.dial }))
        });
        let (addresses, candidates): (Vec<_>, Vec<_>) = apis.unzip();
        order(&candidates, draw).into_iter().map(|position| addresses[position]).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::{super::api, *};

    const SA: &str = "sa-east-1";
    const US: &str = "us-east-1";

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Two regions, with their APIs on the ports 1 and 2, both healthy.
    fn state() -> AcceleratorState {
        let mut state = AcceleratorState::new(address(80), [(SA.to_owned(), address(1)), (US.to_owned(), address(2))]);
        state.apis.iter_mut().for_each(|api| api.health = EndpointHealth::Healthy { failures: 0 });
        state
    }

    fn call(state: &mut AcceleratorState, operation: &str, mut input: Value) -> Value {
        input["IdempotencyToken"] = Uuid::new_v4().to_string().into();
        api::call(state, operation, input).unwrap_or_else(|fault| panic!("{operation}: {fault}"))
    }

    /// An accelerator with a listener for this protocol and an endpoint group in this region, whose endpoints have
    /// these weights.
    fn create(state: &mut AcceleratorState, protocol: &str, region: &str, weights: &[u8]) -> Value {
        let accelerator = call(state, "CreateAccelerator", json!({ "Name": "test" }))["Accelerator"].clone();
        let arn = &accelerator["AcceleratorArn"];
        let ports = json!([{ "FromPort": 80, "ToPort": 80 }]);
        let listener = json!({ "AcceleratorArn": arn, "Protocol": protocol, "PortRanges": ports });
        let listener = call(state, "CreateListener", listener)["Listener"]["ListenerArn"].clone();
        let endpoint = |(id, weight): (usize, &u8)| json!({ "EndpointId": id.to_string(), "Weight": weight });
        let endpoints: Vec<_> = weights.iter().enumerate().map(endpoint).collect();
        let group = json!({
            "ListenerArn": listener, "EndpointGroupRegion": region, "EndpointConfigurations": endpoints,
        });
        call(state, "CreateEndpointGroup", group);
        arn.clone()
    }

    fn ports(state: &AcceleratorState) -> Vec<u16> {
        state.route(|| 0.0).iter().map(SocketAddr::port).collect()
    }

    #[test]
    fn without_an_accelerator_there_is_no_route() {
        assert_eq!(ports(&state()), [0; 0]);
    }

    #[test]
    fn the_oldest_tcp_listener_of_an_enabled_accelerator_serves() {
        let mut state = state();
        create(&mut state, "UDP", SA, &[1]);
        let oldest = create(&mut state, "TCP", SA, &[1]);
        create(&mut state, "TCP", US, &[1]);
        assert_eq!(ports(&state), [1]);
        let dials =
            |state: &AcceleratorState| state.endpoints().iter().map(|endpoint| endpoint.dial).collect::<Vec<_>>();
        assert_eq!(dials(&state), [Dial::FULL, Dial::OFF]);
        call(&mut state, "UpdateAccelerator", json!({ "AcceleratorArn": oldest, "Enabled": false }));
        assert_eq!(ports(&state), [2]);
        assert_eq!(dials(&state), [Dial::OFF, Dial::FULL]);
    }

    #[test]
    fn a_group_without_endpoints_gets_nothing_even_if_it_is_the_only_one() {
        let mut state = state();
        create(&mut state, "TCP", SA, &[]);
        assert_eq!(ports(&state), [0; 0]);
    }

    #[test]
    fn a_group_is_as_usable_as_its_weights_and_its_region() {
        for (weights, health, is_first) in [
            (&[0, 1][..], EndpointHealth::Healthy { failures: 1 }, true),
            (&[0, 0], EndpointHealth::Healthy { failures: 0 }, false),
            (&[1, 1], EndpointHealth::Unhealthy, false),
            (&[1, 1], EndpointHealth::Initial, false),
        ] {
            let mut state = state();
            create(&mut state, "TCP", SA, weights);
            let listener = state.accelerators.all[0].listeners[0].identity.arn.clone();
            let group = json!({
                "ListenerArn": listener, "EndpointGroupRegion": US, "EndpointConfigurations": [{ "EndpointId": "us" }],
                "TrafficDialPercentage": 0,
            });
            call(&mut state, "CreateEndpointGroup", group);
            state.apis[0].health = health;
            assert_eq!(ports(&state), if is_first { [1, 2] } else { [2, 1] }, "{weights:?} {health:?}");
        }
    }
}
