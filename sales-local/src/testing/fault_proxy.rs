//! A test double of the network: it stands between a service and AWS, counts the calls, and makes some fail.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, time::sleep};

use super::client;

/// What a call meets instead of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An answer with this status.
    Status(u16),
    /// The answer of a service that is asked too much.
    Throttled,
    /// No answer for this long; then AWS is asked after all.
    Delay(Duration),
    /// AWS does its work, but the answer takes this long.
    LateAnswer(Duration),
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
    rules: Mutex<Vec<Rule>>,
    calls: Mutex<BTreeMap<String, Count>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    made: usize,
    done: usize,
}

#[derive(Debug)]
struct Rule {
    what: &'static str,
    fault: Fault,
    /// One call in so many meets the fault.
    every: usize,
    seen: usize,
}

/// An operation and its service; a service whose protocol does not tell has no name here.
struct Call {
    service: String,
    operation: String,
}

impl FaultProxy {
    pub(super) async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            client: client(),
            rules: Mutex::default(),
            calls: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { endpoint, state, serving })
    }

    /// The address to give to a service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on calls of `what` meet `fault`: an operation (such as `PutItem` or `PutObject`), all of a service with
    /// a JSON protocol (such as `DynamoDB`), or all (`*`). What was said first about a call holds.
    pub fn fail(&self, what: &'static str, fault: Fault) {
        self.fail_every(1, what, fault);
    }

    /// The same for the first, third, fifth... of these calls, so that the next try gets through.
    pub fn fail_every_other(&self, what: &'static str, fault: Fault) {
        self.fail_every(2, what, fault);
    }

    fn fail_every(&self, every: usize, what: &'static str, fault: Fault) {
        lock(&self.state.rules).push(Rule { what, fault, every, seen: 0 });
    }

    /// From now on all calls reach AWS.
    pub fn heal(&self) {
        lock(&self.state.rules).clear();
    }

    /// How often `operation`, or with `*` any, has been called.
    pub fn calls(&self, operation: &str) -> usize {
        self.count(operation, |count| count.made)
    }

    /// How often AWS has done the work of `operation`, whether its answer got through or not.
    pub fn done(&self, operation: &str) -> usize {
        self.count(operation, |count| count.done)
    }

    fn count(&self, operation: &str, of: impl Fn(&Count) -> usize) -> usize {
        let calls = lock(&self.state.calls);
        calls.iter().filter(|(name, _)| operation == "*" || *name == operation).map(|(_, count)| of(count)).sum()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut rules = lock(&self.rules);
        let rule = rules.iter_mut().find(|rule| ["*", &call.service, &call.operation].contains(&rule.what))?;
        rule.seen += 1;
        ((rule.seen - 1) % rule.every == 0).then_some(rule.fault)
    }

    fn note(&self, call: &Call, what: impl Fn(&mut Count)) {
        what(lock(&self.calls).entry(call.operation.clone()).or_default());
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
    Ok(forward(&state, request).await.unwrap_or_else(|_| refusal(502, "BadGateway")))
}

async fn forward(state: &State, request: Request<Incoming>) -> anyhow::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let call = Call::of(&head, &body);
    state.note(&call, |count| count.made += 1);
    let fault = state.fault(&call);
    match fault {
        Some(Fault::Status(status)) => return Ok(refusal(status, "InternalServerError")),
        Some(Fault::Throttled) => return Ok(refusal(400, "ThrottlingException")),
        Some(Fault::Delay(time)) => sleep(time).await,
        Some(Fault::LateAnswer(_) | Fault::LostAnswer) | None => {}
    }

    let response = ask(state, head, body).await?;
    state.note(&call, |count| count.done += 1);
    match fault {
        Some(Fault::LostAnswer) => return Ok(refusal(500, "InternalServerError")),
        Some(Fault::LateAnswer(time)) => sleep(time).await,
        Some(Fault::Status(_) | Fault::Throttled | Fault::Delay(_)) | None => {}
    }
    Ok(response)
}

async fn ask(state: &State, head: Parts, body: Bytes) -> anyhow::Result<Response<Full<Bytes>>> {
    let mut headers = head.headers;
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let url = format!("{}{}", state.upstream, head.uri.path_and_query().map_or("/", |path| path.as_str()));
    let answer = state.client.request(head.method, url).headers(headers).body(body).send().await?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != TRANSFER_ENCODING && *name != CONNECTION) {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(answer.bytes().await?))?)
}

impl Call {
    /// The operation's name is wherever the service's protocol has it.
    fn of(head: &Parts, body: &[u8]) -> Self {
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some((service, operation)) = target.and_then(|target| target.rsplit_once('.')) {
            // DynamoDB's has its version behind the name.
            let service = service.split('_').next().unwrap_or(service);
            return Self { service: service.to_owned(), operation: operation.to_owned() };
        }
        let form = String::from_utf8_lossy(body);
        let action = form.split('&').find_map(|field| field.strip_prefix("Action="));
        let operation = action.unwrap_or(match head.method.as_str() {
            "PUT" => "PutObject",
            "HEAD" => "HeadBucket",
            other => other,
        });
        Self { service: String::new(), operation: operation.to_owned() }
    }
}

fn refusal(status: u16, code: &str) -> Response<Full<Bytes>> {
    let body = format!(r#"{{"__type":"{code}","message":"injected: arn:aws:x"}}"#);
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
}
