//! The edge in front of two fake APIs: what goes where, and its control API through the AWS SDK.

use std::{
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
    error::SdkError,
    operation::{describe_endpoint_group::DescribeEndpointGroupError, update_endpoint_group::UpdateEndpointGroupError},
    types::{EndpointGroup, HealthState},
};
use sales_local::edge::{Backend, Dial, Edge, Endpoint};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A fake of a region's API: it answers every request with its region's name, and its health check as it is told to.
struct FakeApi {
    address: SocketAddr,
    healthy: Arc<AtomicBool>,
    _task: JoinSet<()>,
}

impl FakeApi {
    async fn start(region: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let healthy = Arc::new(AtomicBool::new(true));
        let health = Arc::clone(&healthy);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.expect("a connection");
                connections.spawn(Self::serve(connection, region, Arc::clone(&health)));
            }
        });
        Self { address, healthy, _task: task }
    }

    /// One line is one request; the lines of headers that follow a request of HTTP need no answer.
    async fn serve(connection: TcpStream, region: &'static str, healthy: Arc<AtomicBool>) {
        let mut connection = BufReader::new(connection);
        let mut line = String::new();
        while connection.read_line(&mut line).await.is_ok_and(|length| length > 0) {
            let answer = match line.trim() {
                "GET /healthcheck HTTP/1.1" if healthy.load(Ordering::SeqCst) => {
                    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                }
                "GET /healthcheck HTTP/1.1" => "HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
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
}

async fn start(apis: [(&str, SocketAddr, f32); 2]) -> Edge {
    let listener = async || TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let backends = apis.map(|(region, address, dial)| Backend {
        region: region.to_owned(),
        address,
        dial: Dial::new(dial).expect("a percentage"),
    });
    Edge::start(listener().await, listener().await, backends.into()).expect("an edge")
}

async fn start_with_fakes(dials: [f32; 2]) -> (Edge, FakeApi, FakeApi) {
    let (first, second) = (FakeApi::start("sa-east-1").await, FakeApi::start("us-east-1").await);
    let [one, other] = dials;
    let edge = start([("sa-east-1", first.address, one), ("us-east-1", second.address, other)]).await;
    edge.all_healthy().await;
    (edge, first, second)
}

/// Which region answers on an open connection.
async fn ask(connection: &mut TcpStream) -> String {
    connection.write_all(b"who\n").await.expect("it is open");
    let mut answer = [0; 9];
    connection.read_exact(&mut answer).await.expect("an answer");
    String::from_utf8(answer.to_vec()).expect("text")
}

async fn connect(edge: &Edge) -> TcpStream {
    TcpStream::connect(edge.address()).await.expect("the edge listens")
}

async fn ask_anew(edge: &Edge) -> String {
    ask(&mut connect(edge).await).await
}

async fn wait_for(edge: &Edge, condition: impl Fn(&[Endpoint]) -> bool) {
    let waiting = async {
        while !condition(&edge.endpoints()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("the health checks notice");
}

fn client(edge: &Edge) -> Client {
    let credentials = Credentials::new("111122223333", "test", None, None, "test");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new("us-west-2"))
        .endpoint_url(edge.control_endpoint())
        .build();
    Client::new(&config)
}

async fn groups(client: &Client) -> Vec<EndpointGroup> {
    let accelerators = client.list_accelerators().send().await.expect("accelerators");
    let [accelerator] = accelerators.accelerators() else { panic!("not one accelerator: {accelerators:?}") };
    let request = client.list_listeners().accelerator_arn(accelerator.accelerator_arn().expect("an ARN"));
    let listeners = request.send().await.expect("listeners");
    let [listener] = listeners.listeners() else { panic!("not one listener: {listeners:?}") };
    let request = client.list_endpoint_groups().listener_arn(listener.listener_arn().expect("an ARN"));
    request.send().await.expect("endpoint groups").endpoint_groups.expect("a list")
}

async fn turn(client: &Client, group: &EndpointGroup, percent: f32) {
    let request = client.update_endpoint_group().endpoint_group_arn(group.endpoint_group_arn().expect("an ARN"));
    request.traffic_dial_percentage(percent).send().await.expect("it is turned");
}

#[tokio::test]
async fn connections_are_shared_out_by_the_dials() {
    let (edge, _first, _second) = start_with_fakes([100.0, 25.0]).await;
    let mut counts = [0, 0];
    for _ in 0..500 {
        counts[usize::from(ask_anew(&edge).await == "us-east-1")] += 1;
    }
    // A fifth is expected; a count outside of these bounds comes up less than once in 10^9 times.
    assert!((45..=160).contains(&counts[1]), "{counts:?}");
}

#[tokio::test]
async fn a_connection_stays_where_it_is_when_the_dials_are_turned() {
    let (edge, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&edge);
    let mut open = connect(&edge).await;
    assert_eq!(ask(&mut open).await, "sa-east-1");
    let groups = groups(&client).await;
    turn(&client, &groups[1], 100.0).await;
    turn(&client, &groups[0], 0.0).await;
    assert_eq!(ask(&mut open).await, "sa-east-1");
    for _ in 0..20 {
        assert_eq!(ask_anew(&edge).await, "us-east-1");
    }
}

#[tokio::test]
async fn an_unhealthy_region_is_left_and_a_healthy_one_taken_back() {
    let (edge, first, _second) = start_with_fakes([100.0, 0.0]).await;
    assert_eq!(ask_anew(&edge).await, "sa-east-1");
    first.healthy.store(false, Ordering::SeqCst);
    wait_for(&edge, |endpoints| !endpoints[0].is_healthy()).await;
    assert_eq!(ask_anew(&edge).await, "us-east-1", "its dial is off, but it is the only healthy one");
    first.healthy.store(true, Ordering::SeqCst);
    wait_for(&edge, |endpoints| endpoints[0].is_healthy()).await;
    assert_eq!(ask_anew(&edge).await, "sa-east-1");
}

#[tokio::test]
async fn a_region_that_refuses_a_connection_is_passed_over_at_once() {
    let (edge, first, _second) = start_with_fakes([100.0, 0.0]).await;
    drop(first);
    assert_eq!(ask_anew(&edge).await, "us-east-1");
}

#[tokio::test]
async fn without_a_healthy_region_connections_are_reset() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = silent.local_addr().expect("bound");
    let edge = start([("sa-east-1", address, 100.0), ("us-east-1", address, 100.0)]).await;
    let mut connection = connect(&edge).await;
    let error = connection.read(&mut [0]).await.expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_client_that_has_finished_sending_still_gets_its_answer() {
    let (edge, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let mut connection = connect(&edge).await;
    connection.write_all(b"who\n").await.expect("it is open");
    connection.shutdown().await.expect("it is open");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.expect("an answer and an end");
    assert_eq!(answer, "sa-east-1 end");
}

#[tokio::test]
async fn the_accelerator_shows_a_group_for_each_region_with_dial_and_health() {
    let (edge, first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&edge);
    let seen: Vec<_> = groups(&client)
        .await
        .iter()
        .map(|group| (group.endpoint_group_region().map(str::to_owned), group.traffic_dial_percentage()))
        .collect();
    assert_eq!(seen, [(Some("sa-east-1".to_owned()), Some(100.0)), (Some("us-east-1".to_owned()), Some(0.0))]);

    first.healthy.store(false, Ordering::SeqCst);
    wait_for(&edge, |endpoints| !endpoints[0].is_healthy()).await;
    let arn = groups(&client).await[0].endpoint_group_arn().expect("an ARN").to_owned();
    let group = client.describe_endpoint_group().endpoint_group_arn(arn).send().await.expect("a group");
    let health = group.endpoint_group.expect("a group").endpoint_descriptions()[0].health_state().cloned();
    assert_eq!(health, Some(HealthState::Unhealthy));
}

#[tokio::test]
async fn a_dial_that_is_turned_is_shown_turned() {
    let (edge, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&edge);
    let group = groups(&client).await.remove(1);
    turn(&client, &group, 33.5).await;
    assert_eq!(groups(&client).await[1].traffic_dial_percentage(), Some(33.5));
    assert_eq!(edge.endpoints()[1].dial, Dial::new(33.5).expect("a percentage"));
}

#[tokio::test]
async fn what_does_not_exist_or_is_no_percentage_is_refused_by_its_name() {
    let (edge, _first, _second) = start_with_fakes([100.0, 0.0]).await;
    let client = client(&edge);
    let arn = groups(&client).await[0].endpoint_group_arn().expect("an ARN").to_owned();

    let error = client.describe_endpoint_group().endpoint_group_arn("arn:of:nothing").send().await;
    let error = error.map_err(SdkError::into_service_error).expect_err("it does not exist");
    assert!(matches!(error, DescribeEndpointGroupError::EndpointGroupNotFoundException(_)), "{error:?}");

    let request = client.update_endpoint_group().endpoint_group_arn(&arn).traffic_dial_percentage(101.0);
    let error = request.send().await.map_err(SdkError::into_service_error).expect_err("it is too much");
    assert!(matches!(error, UpdateEndpointGroupError::InvalidArgumentException(_)), "{error:?}");

    let request = client.update_endpoint_group().endpoint_group_arn(&arn).health_check_port(1);
    let error = request.send().await.map_err(SdkError::into_service_error).expect_err("it cannot be changed");
    assert!(matches!(error, UpdateEndpointGroupError::InvalidArgumentException(_)), "{error:?}");
    assert_eq!(edge.endpoints()[0].dial, Dial::FULL);
}
