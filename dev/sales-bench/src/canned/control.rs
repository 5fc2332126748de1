//! The control routes: set the load, and read the counts.

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};

use super::answer::{Answer, JSON, NotUnderstood};
use super::endpoint::{Endpoint, read};

/// Answers a control request.
pub(super) async fn answer(endpoint: &Endpoint, request: Request<Incoming>) -> Answer {
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    match (&head.method, head.uri.path()) {
        (&Method::POST, "/load") => match load(endpoint, &body) {
            Ok(()) => Answer::status(StatusCode::NO_CONTENT),
            Err(NotUnderstood(reason)) => Answer::refusal(StatusCode::BAD_REQUEST, &reason),
        },
        (&Method::GET, "/counts") => match serde_json::to_string(&endpoint.counts()) {
            Ok(counts) => Answer::ok(JSON, counts),
            Err(error) => Answer::refusal(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        },
        _ => Answer::refusal(StatusCode::NOT_FOUND, "unknown route: expected POST /load or GET /counts"),
    }
}

fn load(endpoint: &Endpoint, body: &[u8]) -> Result<(), NotUnderstood> {
    endpoint.load(serde_json::from_slice(body)?)
}
