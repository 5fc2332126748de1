//! What the black-box tests of the services share: a stage of two regions, and a proxy that makes AWS fail.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::{Read, Seek},
    net::Ipv4Addr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, sync::OnceCell, time::sleep};

use crate::{
    emulator::Emulator,
    ports,
    process::{Process, Program},
    resources::{ACCOUNT, Deployment, Region},
};

/// How long a test waits for what must happen.
const DEADLINE: Duration = Duration::from_secs(60);

/// One for all tests of a process; its keeper stops it when the process ends.
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

/// Two regions of a test's own, behind a proxy of its own.
#[derive(Debug)]
pub struct Stage {
    /// The resources; what they look at goes past the proxy.
    pub deployment: Deployment,
    /// What the services' calls go through.
    pub proxy: FaultProxy,
    endpoint: String,
}

impl Stage {
    /// A stage whose resources begin with `prefix`, which no other test of the process may use.
    pub async fn set(prefix: &str) -> anyhow::Result<Self> {
        let emulator = EMULATOR.get_or_try_init(async || Emulator::start(None).await).await?;
        let deployment = Deployment::create(emulator.endpoint(), prefix).await?;
        let proxy = FaultProxy::start(emulator.endpoint()).await?;
        Ok(Self { deployment, proxy, endpoint: emulator.endpoint().to_owned() })
    }

    /// The region that is ACTIVE at first.
    pub fn active(&self) -> &Region {
        &self.deployment.regions[0]
    }

    /// The region that is PASSIVE at first.
    pub fn passive(&self) -> &Region {
        &self.deployment.regions[1]
    }

    /// For clients of the test's own, past the proxy.
    pub fn sdk(&self, region: &Region) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(ACCOUNT, "test", None, None, "test")))
            .region(aws_config::Region::new(region.name.clone()))
            .endpoint_url(&self.endpoint)
            .build()
    }

    /// Starts a service on a free port and waits until it serves. `extra` comes after, and instead of, `environment`.
    pub async fn start(
        &self,
        program: &str,
        environment: Vec<(String, String)>,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Running> {
        let [port] = ports::free()?;
        let log = tempfile::tempfile()?;
        let process = Program::new(Path::new(program))
            .environment(environment)
            .environment([("AWS_ENDPOINT_URL", self.proxy.endpoint()), ("BIND_HOST", "127.0.0.1")])
            .environment([("PORT", port.to_string())])
            .environment(extra.iter().copied())
            .grace(Duration::from_secs(25))
            .log(log.try_clone()?)
            .start()?;
        let mut running = Running { url: format!("http://127.0.0.1:{port}"), process, log };
        let client = client();
        let healthcheck = format!("{}/healthcheck", running.url);
        let serving = async {
            while client.get(&healthcheck).send().await.is_err() {
                anyhow::ensure!(!running.process.has_ended(), "it ended");
                sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let served = tokio::time::timeout(DEADLINE, serving).await.map_err(anyhow::Error::from).flatten();
        served.map_err(|error| error.context(running.log()))?;
        Ok(running)
    }
}

/// A service under test; it stops when dropped.
#[derive(Debug)]
pub struct Running {
    /// Where it serves.
    pub url: String,
    /// Its process.
    pub process: Process,
    log: std::fs::File,
}

impl Running {
    /// What it has logged so far.
    pub fn log(&mut self) -> String {
        let mut text = String::new();
        // Reading leaves the shared position at the end, which is where the service writes.
        let read = self.log.rewind().and_then(|()| self.log.read_to_string(&mut text));
        read.map_or_else(|error| error.to_string(), |_| text)
    }
}

/// A client without proxies, whose patience is a test's.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap_or_default()
}

/// Asks until there is an answer, for as long as a test waits.
///
/// # Panics
/// When there is none in time: `what` did not happen.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("{what}: it did not happen"))
}

/// What a call meets instead of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An answer with this status.
    Status(u16),
    /// No answer for this long; then AWS is asked after all.
    Delay(Duration),
    /// AWS does its work, but the answer is 500.
    LostAnswer,
}

/// Stands between a service and AWS, counts the calls, and makes some fail. A test double of the network.
#[derive(Debug)]
pub struct FaultProxy {
    endpoint: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    client: reqwest::Client,
    faults: Mutex<Vec<(&'static str, Fault)>>,
    calls: Mutex<BTreeMap<String, usize>>,
}

impl FaultProxy {
    async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            client: client(),
            faults: Mutex::default(),
            calls: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { endpoint, state, serving })
    }

    /// The address to give to a service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on calls of `operation` (such as `PutItem` or `PutObject`) meet `fault`; `*` is every operation.
    pub fn fail(&self, operation: &'static str, fault: Fault) {
        lock(&self.state.faults).push((operation, fault));
    }

    /// From now on all calls reach AWS.
    pub fn heal(&self) {
        lock(&self.state.faults).clear();
    }

    /// How often `operation` has been called.
    pub fn calls(&self, operation: &str) -> usize {
        lock(&self.state.calls).get(operation).copied().unwrap_or_default()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        let service = service_fn(move |request| answer(Arc::clone(&state), request));
        // A connection that breaks off is the service's own affair.
        connections.spawn(async move {
            drop(http1::Builder::new().serve_connection(TokioIo::new(connection), service).await);
        });
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(forward(&state, request).await.unwrap_or_else(|_| plain(502)))
}

async fn forward(state: &State, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let operation = operation(&head, &body);
    *lock(&state.calls).entry(operation.clone()).or_default() += 1;
    let faults = lock(&state.faults).clone();
    let fault = faults.into_iter().find(|(name, _)| *name == "*" || *name == operation).map(|(_, fault)| fault);
    match fault {
        Some(Fault::Status(status)) => return Ok(plain(status)),
        Some(Fault::Delay(time)) => sleep(time).await,
        Some(Fault::LostAnswer) | None => {}
    }

    let mut headers = head.headers;
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let url = format!("{}{}", state.upstream, head.uri.path_and_query().map_or("/", |path| path.as_str()));
    let answer = state.client.request(head.method, url).headers(headers).body(body).send().await?;
    if fault == Some(Fault::LostAnswer) {
        return Ok(plain(500));
    }
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != TRANSFER_ENCODING && *name != CONNECTION) {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.bytes().await?))?)
}

/// The operation's name, wherever the service's protocol has it.
fn operation(head: &hyper::http::request::Parts, body: &[u8]) -> String {
    let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some((_, operation)) = target.and_then(|target| target.rsplit_once('.')) {
        return operation.to_owned();
    }
    let form = String::from_utf8_lossy(body);
    if let Some(action) = form.split('&').find_map(|field| field.strip_prefix("Action=")) {
        return action.to_owned();
    }
    match head.method.as_str() {
        "PUT" => "PutObject".to_owned(),
        "HEAD" => "HeadBucket".to_owned(),
        other => other.to_owned(),
    }
}

fn plain(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(r#"{"__type":"InternalServerError","message":"injected: arn:aws:x"}"#));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
