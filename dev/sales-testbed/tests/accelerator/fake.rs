//! Fakes of the regions' APIs, a stand-in for the accelerator in front of them, and its control API.

use std::{
    fmt::Debug,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_globalaccelerator::{
    Client,
    config::{Credentials, SharedCredentialsProvider},
    error::{ProvideErrorMetadata, SdkError},
    types::{EndpointConfiguration, EndpointGroup, PortRange, Protocol},
};
use sales_testbed::accelerator::{AcceleratorStandIn, Backend, Dial, Endpoint};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

pub(crate) const REGIONS: [&str; 2] = ["sa-east-1", "us-east-1"];

/// A fake of a region's API: it answers every request with its region's name, and health checks as configured.
pub(crate) struct FakeApi {
    pub(crate) address: SocketAddr,
    pub(crate) healthy: Arc<AtomicBool>,
    pub(crate) active: Arc<AtomicBool>,
    pub(crate) ready: Arc<AtomicBool>,
    /// Requests of `GET /slow` that have arrived and not been awaited yet.
    pub(crate) slow: Arc<Semaphore>,
    /// Number of them that may be answered.
    pub(crate) released: Arc<Semaphore>,
    _task: JoinSet<()>,
}

impl FakeApi {
    pub(crate) async fn start(region: &'static str) -> Self {
        let listener = listener().await;
        let address = listener.local_addr().expect("bound");
        let checks = Checks::default();
        let (slow, released) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let fake = (checks.clone(), Arc::clone(&slow), Arc::clone(&released));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.expect("a connection");
                let (checks, slow, released) = fake.clone();
                connections.spawn(serve(connection, region, checks, slow, released));
            }
        });
        let Checks { healthy, active, ready } = checks;
        Self { address, healthy, active, ready, slow, released, _task: task }
    }

    /// Waits until a request of `GET /slow` has arrived.
    pub(crate) async fn slow_request(&self) {
        self.slow.acquire().await.expect("never closed").forget();
    }
}

/// Sets the response to health checks: initially success.
#[derive(Clone)]
struct Checks {
    healthy: Arc<AtomicBool>,
    active: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
}

impl Default for Checks {
    fn default() -> Self {
        let [healthy, active, ready] = [(); 3].map(|()| Arc::new(AtomicBool::new(true)));
        Self { healthy, active, ready }
    }
}

impl Checks {
    fn answer(&self, path: &str) -> Option<&'static str> {
        let check = match path {
            "/healthcheck" => &self.healthy,
            "/active" => &self.active,
            "/readiness" => &self.ready,
            _ => return None,
        };
        Some(if check.load(Ordering::SeqCst) {
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        } else {
            "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        })
    }
}

/// One line is one request; further header lines need no response.
async fn serve(
    connection: TcpStream,
    region: &'static str,
    checks: Checks,
    slow: Arc<Semaphore>,
    released: Arc<Semaphore>,
) {
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    while connection.read_line(&mut line).await.is_ok_and(|length| length > 0) {
        let page = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{region}", region.len());
        let path = line.trim().strip_prefix("GET ").and_then(|line| line.strip_suffix(" HTTP/1.1"));
        let check = path.and_then(|path| checks.answer(path));
        let answer = match line.trim() {
            _ if check.is_some() => check.unwrap_or_default(),
            "GET /region HTTP/1.1" => &page,
            "GET /slow HTTP/1.1" => {
                slow.add_permits(1);
                released.acquire().await.expect("never closed").forget();
                &page
            }
            "who" => region,
            _ => "",
        };
        if connection.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
        line.clear();
    }
    drop(connection.get_mut().write_all(b" end").await);
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

/// A stand-in for the accelerator with an endpoint group per region, in front of these addresses.
pub(crate) async fn start(addresses: [SocketAddr; 2], dials: [f32; 2]) -> AcceleratorStandIn {
    let backends = REGIONS.into_iter().zip(addresses).zip(dials).map(|((region, address), dial)| Backend {
        region: region.to_owned(),
        address,
        dial: Dial::new(dial).expect("a percentage"),
    });
    AcceleratorStandIn::start(listener().await, listener().await, backends.collect()).expect("a stand-in")
}

pub(crate) async fn start_with_fakes(dials: [f32; 2]) -> (AcceleratorStandIn, FakeApi, FakeApi) {
    let (first, second) = (FakeApi::start(REGIONS[0]).await, FakeApi::start(REGIONS[1]).await);
    let stand_in = start([first.address, second.address], dials).await;
    stand_in.all_healthy().await;
    (stand_in, first, second)
}

/// A stand-in for the accelerator without any accelerator.
pub(crate) async fn start_empty() -> (AcceleratorStandIn, FakeApi, FakeApi) {
    let (first, second) = (FakeApi::start(REGIONS[0]).await, FakeApi::start(REGIONS[1]).await);
    let addresses = [first.address, second.address];
    let regions = REGIONS.map(str::to_owned).into_iter().zip(addresses);
    let stand_in = AcceleratorStandIn::start_empty(listener().await, listener().await, regions).expect("a stand-in");
    stand_in.all_healthy().await;
    (stand_in, first, second)
}

/// The region that answers on an open connection.
pub(crate) async fn ask(connection: &mut TcpStream) -> String {
    try_ask(connection).await.expect("an answer")
}

pub(crate) async fn try_ask(connection: &mut TcpStream) -> std::io::Result<String> {
    connection.write_all(b"who\n").await?;
    let mut answer = [0; 9];
    connection.read_exact(&mut answer).await?;
    Ok(String::from_utf8(answer.to_vec()).expect("text"))
}

pub(crate) async fn connect(stand_in: &AcceleratorStandIn) -> TcpStream {
    TcpStream::connect(stand_in.address()).await.expect("the accelerator's stand-in listens")
}

pub(crate) async fn ask_anew(stand_in: &AcceleratorStandIn) -> String {
    ask(&mut connect(stand_in).await).await
}

/// Whether a new connection reaches no region.
pub(crate) async fn is_reset(stand_in: &AcceleratorStandIn) -> bool {
    try_ask(&mut connect(stand_in).await).await.is_err()
}

pub(crate) async fn wait_for(stand_in: &AcceleratorStandIn, condition: impl Fn(&[Endpoint]) -> bool) {
    let waiting = async {
        while !condition(&stand_in.endpoints()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the health checks notice");
}

pub(crate) fn client(stand_in: &AcceleratorStandIn) -> Client {
    let credentials = Credentials::new("111122223333", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new("us-west-2"))
        .endpoint_url(stand_in.control_endpoint())
        .build();
    Client::new(&config)
}

/// The endpoint groups of the one accelerator's one listener.
pub(crate) async fn groups(client: &Client) -> Vec<EndpointGroup> {
    let accelerators = client.list_accelerators().send().await.expect("accelerators");
    let [accelerator] = accelerators.accelerators() else { panic!("not one accelerator: {accelerators:?}") };
    let request = client.list_listeners().accelerator_arn(accelerator.accelerator_arn().expect("an ARN"));
    let listeners = request.send().await.expect("listeners");
    let [listener] = listeners.listeners() else { panic!("not one listener: {listeners:?}") };
    let request = client.list_endpoint_groups().listener_arn(listener.listener_arn().expect("an ARN"));
    request.send().await.expect("endpoint groups").endpoint_groups.expect("a list")
}

pub(crate) fn arn(group: &EndpointGroup) -> &str {
    group.endpoint_group_arn().expect("an ARN")
}

pub(crate) async fn turn(client: &Client, group: &EndpointGroup, percent: f32) {
    let request = client.update_endpoint_group().endpoint_group_arn(arn(group));
    request.traffic_dial_percentage(percent).send().await.expect("it is turned");
}

pub(crate) async fn create_accelerator(client: &Client) -> String {
    let created = client.create_accelerator().name("test").send().await.expect("an accelerator");
    created.accelerator.and_then(|accelerator| accelerator.accelerator_arn).expect("an ARN")
}

pub(crate) async fn create_listener(client: &Client, accelerator: &str, ports: PortRange) -> String {
    let request = client.create_listener().accelerator_arn(accelerator).protocol(Protocol::Tcp);
    let created = request.port_ranges(ports).send().await.expect("a listener");
    created.listener.and_then(|listener| listener.listener_arn).expect("an ARN")
}

pub(crate) async fn create_group(client: &Client, listener: &str, region: &str, dial: f32) -> EndpointGroup {
    let request = client.create_endpoint_group().listener_arn(listener).endpoint_group_region(region);
    let request = request.traffic_dial_percentage(dial).endpoint_configurations(endpoint(&balancer(region), 128));
    request.send().await.expect("a group").endpoint_group.expect("a group")
}

pub(crate) fn ports(from: i32, to: i32) -> PortRange {
    PortRange::builder().from_port(from).to_port(to).build()
}

pub(crate) fn endpoint(id: &str, weight: i32) -> EndpointConfiguration {
    EndpointConfiguration::builder().endpoint_id(id).weight(weight).build()
}

/// The endpoint of a region on AWS.
pub(crate) fn balancer(region: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{region}:111122223333:loadbalancer/net/sales/0123456789abcdef")
}

/// Name of the error of a failed request.
pub(crate) fn fault<T: Debug, E: ProvideErrorMetadata + Debug, R: Debug>(answer: Result<T, SdkError<E, R>>) -> String {
    let error = answer.expect_err("a fault");
    error.as_service_error().and_then(|error| error.code()).unwrap_or_else(|| panic!("{error:?}")).to_owned()
}
