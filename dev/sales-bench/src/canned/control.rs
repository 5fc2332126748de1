//! The control routes: what is offered, and what was counted.

use hyper::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, JSON, NotUnderstood};
use super::endpoint::Endpoint;

/// What the endpoint offers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// How many messages there are to receive.
    pub(crate) messages: u64,
    /// How many facts are in the pending index, spread evenly over its shards.
    pub(crate) pending: u64,
}

/// The answer to a request for control.
pub(super) fn answer(endpoint: &Endpoint, method: &Method, path: &str, body: &[u8]) -> Answer {
    match (method, path) {
        (&Method::POST, "/load") => match load(endpoint, body) {
            Ok(()) => Answer::status(StatusCode::NO_CONTENT),
            Err(NotUnderstood(reason)) => Answer::refusal(StatusCode::BAD_REQUEST, &reason),
        },
        (&Method::GET, "/counts") => match serde_json::to_string(&endpoint.counts()) {
            Ok(counts) => Answer::ok(JSON, counts),
            Err(error) => Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        _ => Answer::refusal(StatusCode::NOT_FOUND, "POST /load, or GET /counts"),
    }
}

fn load(endpoint: &Endpoint, body: &[u8]) -> Result<(), NotUnderstood> {
    endpoint.load(serde_json::from_slice(body)?)
}
