//! A test double of the network: a proxy between a service and AWS that counts calls, and makes some fail.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::BodyExt;
use hyper::{Request, StatusCode, body::Incoming, http::request::Parts};
use tokio::{net::TcpListener, time::sleep};

use crate::http_proxy::{Answer, Upstream, cut_off, refusal, serve};

/// What a call gets instead of AWS's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A response with this status.
    Status(u16),
    /// A rejection with this status and code, in the form of the service's protocol.
    Refusal(u16, &'static str),
    /// The response of a throttling service.
    Throttled,
    /// No response for this long; then the call is forwarded after all.
    Delay(Duration),
    /// AWS executes the call, but the response takes this long.
    LateAnswer(Duration),
    /// AWS executes the call, but the response is 500.
    LostAnswer,
    /// AWS executes the call, but the connection ends without a response.
    CutAnswer,
}

/// A proxy between a service and AWS that counts calls, and makes some fail.
#[derive(Debug)]
pub struct FaultProxy {
    endpoint: String,
    state: Arc<ProxyState>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
struct ProxyState {
    upstream: Upstream,
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
    /// One call in this many gets the fault.
    every: usize,
    seen: usize,
    /// The fault ends after this many calls.
    times: usize,
}

/// An operation and its service; `None` if the protocol does not name the service.
struct Call {
    service: String,
    operation: String,
}

impl FaultProxy {
    /// A proxy in front of `upstream`, such as an emulator.
    pub async fn start(upstream: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let upstream = Upstream::new(upstream)?;
        let state = Arc::new(ProxyState { upstream, rules: Mutex::default(), calls: Mutex::default() });
        let asked = Arc::clone(&state);
        let serving = tokio::spawn(serve(listener, move |request| answer(Arc::clone(&asked), request)));
        Ok(Self { endpoint, state, serving })
    }

    /// The address for a service.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on, calls of `what` get `fault`: an operation (such as `PutItem` or `PutObject`), all of a service with
    /// a JSON protocol (such as `DynamoDB`), or all (`*`). The first matching rule applies.
    pub fn fail(&self, what: &'static str, fault: Fault) {
        self.fail_every(1, usize::MAX, what, fault);
    }

    /// The same for the next such call only.
    pub fn fail_once(&self, what: &'static str, fault: Fault) {
        self.fail_every(1, 1, what, fault);
    }

    /// The same for the first, third, fifth... such call, so that retries succeed.
    pub fn fail_every_other(&self, what: &'static str, fault: Fault) {
        self.fail_every(2, usize::MAX, what, fault);
    }

    fn fail_every(&self, every: usize, times: usize, what: &'static str, fault: Fault) {
        lock(&self.state.rules).push(Rule { what, fault, every, seen: 0, times });
    }

    /// From now on, all calls reach AWS.
    pub fn heal(&self) {
        lock(&self.state.rules).clear();
    }

    /// Number of calls of `operation`, or of all with `*`.
    pub fn calls(&self, operation: &str) -> usize {
        self.count(operation, |count| count.made)
    }

    /// Number of calls of `operation` that AWS executed, whether the response got through or not.
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

impl ProxyState {
    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut rules = lock(&self.rules);
        let meets = |rule: &&mut Rule| ["*", &call.service, &call.operation].contains(&rule.what);
        let rule = rules.iter_mut().filter(|rule| rule.seen < rule.times).find(meets)?;
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

async fn answer(state: Arc<ProxyState>, request: Request<Incoming>) -> Answer {
    forward(&state, request).await.unwrap_or_else(|_| injected(502, "BadGateway"))
}

async fn forward(state: &ProxyState, request: Request<Incoming>) -> anyhow::Result<Answer> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let call = Call::of(&head, &body);
    state.note(&call, |count| count.made += 1);
    let fault = state.fault(&call);
    match fault {
        Some(Fault::Status(status)) => return Ok(injected(status, "InternalServerError")),
        Some(Fault::Throttled) => return Ok(injected(400, "ThrottlingException")),
        Some(Fault::Refusal(status, code)) => return Ok(call.refused(status, code)),
        Some(Fault::Delay(time)) => sleep(time).await,
        Some(Fault::LateAnswer(_) | Fault::LostAnswer | Fault::CutAnswer) | None => {}
    }

    let response = state.upstream.ask(head, body).await?;
    state.note(&call, |count| count.done += 1);
    match fault {
        Some(Fault::LostAnswer) => return Ok(injected(500, "InternalServerError")),
        Some(Fault::CutAnswer) => return Ok(cut_off()),
        Some(Fault::LateAnswer(time)) => sleep(time).await,
        Some(Fault::Status(_) | Fault::Refusal(..) | Fault::Throttled | Fault::Delay(_)) | None => {}
    }
    Ok(response)
}

impl Call {
    /// The operation's name, in the place of the service's protocol.
    fn of(head: &Parts, body: &[u8]) -> Self {
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        if let Some((service, operation)) = target.and_then(|target| target.rsplit_once('.')) {
            // DynamoDB's target has a version after the service's name.
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

    /// S3 and SNS use XML, the others JSON.
    fn refused(&self, status: u16, code: &str) -> Answer {
        if !self.service.is_empty() {
            return injected(status, code);
        }
        let error = format!("<Code>{code}</Code><Message>injected: arn:aws:x</Message>");
        let body = match self.operation.as_str() {
            "PutObject" | "HeadBucket" | "GET" => format!("<Error>{error}</Error>"),
            _ => format!("<ErrorResponse><Error><Type>Sender</Type>{error}</Error></ErrorResponse>"),
        };
        let mut answer = Answer::new(body.into());
        *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        answer
    }
}

fn injected(status: u16, code: &str) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refusal(status, code, "injected: arn:aws:x")
}
