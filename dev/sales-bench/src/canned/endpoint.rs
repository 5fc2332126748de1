//! Requests: read completely, delayed by their service's latency, and answered.

use std::cell::RefCell;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::{Request, StatusCode};
use sales::clock::Clock;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Latency;
use super::answer::{Answer, NotUnderstood};
use super::canned_aws::{CannedAws, Progress};
use super::counts::Counts;
use super::load::Load;
use super::operation::{self, Operation};
use super::sqs::Receive;

/// Maximum length of a body: that of an object of the journal with thousands of lines.
pub(super) const LONGEST_BODY: usize = 8 * 1024 * 1024;

/// The header with the operation in JSON protocols.
const TARGET: &str = "x-amz-target";

/// The timer rounds up to the next millisecond: with half of one less, it is right on average.
pub(super) const HALF_A_TICK: Duration = Duration::from_micros(500);

/// State shared by all connections. No borrow of it outlives a step of the single thread.
pub(super) struct Endpoint {
    latency: Latency,
    clock: Clock,
    aws: RefCell<CannedAws>,
    loaded: Notify,
}

impl Endpoint {
    /// Offers nothing yet.
    pub(super) fn new(latency: Latency, clock: Clock) -> Self {
        Self { latency, clock, aws: RefCell::new(CannedAws::empty()), loaded: Notify::new() }
    }

    /// Offers the load, also to receivers that already wait.
    pub(super) fn load(&self, load: Load) -> Result<(), NotUnderstood> {
        self.aws.borrow_mut().load(load, self.clock.since_epoch())?;
        self.loaded.notify_waiters();
        Ok(())
    }

    /// The counts since the load.
    pub(super) fn counts(&self) -> Counts {
        self.aws.borrow().counts()
    }

    /// Counts a connection for calls of AWS.
    pub(super) fn connected(&self) {
        self.aws.borrow_mut().connected();
    }

    /// Answers a call of AWS.
    pub(super) async fn call(&self, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let body = match read(body).await {
            Ok(body) => body,
            Err(refusal) => return self.unknown(&head, &[], "an unreadable body", refusal),
        };
        let read_at = Instant::now();
        let Some(operation) = Operation::of(&head.method, &head.uri, target(&head), &body) else {
            return self.not_understood(&head, &body, "");
        };
        let latency = self.latency.of(operation.service());
        if !latency.is_zero() {
            sleep_until(read_at + latency.saturating_sub(HALF_A_TICK)).await;
        }
        // Outside of the match, which would keep it borrowed while a receiver waits.
        let outcome = self.aws.borrow_mut().answer(operation, &body);
        match outcome {
            Ok(Progress::Answer(answer)) => {
                if operation == Operation::Publish {
                    self.loaded.notify_waiters();
                }
                answer
            }
            Ok(Progress::Wait(receive)) => self.wait(receive, read_at + receive.wait()).await,
            Err(NotUnderstood(reason)) => self.not_understood(&head, &body, &reason),
        }
    }

    /// Lets a receiver wait for messages. If it disconnects, its connection ends, and this with it.
    async fn wait(&self, receive: Receive, until: Instant) -> Answer {
        loop {
            // A load between the check of the queue and the wait is not missed: there is one thread.
            if timeout_at(until, self.loaded.notified()).await.is_err() {
                return self.aws.borrow_mut().receive_nothing();
            }
            if let Some(answer) = self.aws.borrow_mut().receive(receive) {
                return answer;
            }
        }
    }

    fn not_understood(&self, head: &Parts, body: &[u8], reason: &str) -> Answer {
        let refusal = Answer::refusal(StatusCode::BAD_REQUEST, "unknown request");
        self.unknown(head, body, reason, refusal)
    }

    fn unknown(&self, head: &Parts, body: &[u8], reason: &str, refusal: Answer) -> Answer {
        self.aws.borrow_mut().unknown(|| {
            let target = target(head).or_else(|| operation::action(body)).unwrap_or_default();
            format!("{} {} {target} {reason}", head.method, head.uri).trim_end().to_owned()
        });
        refusal
    }
}

fn target(head: &Parts) -> Option<&str> {
    head.headers.get(TARGET)?.to_str().ok()
}

/// Reads a body, of limited length.
pub(super) async fn read(body: Incoming) -> Result<Bytes, Answer> {
    let body = Limited::new(body, LONGEST_BODY).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string()))
}
