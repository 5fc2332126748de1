//! `Expect: 100-continue` (RFC 9110, section 10.1.1): the service requests the body only when a handler reads it.
//!
//! actix-http requests it before the handler starts, so a client would send a body that is then rejected for its
//! length, coding or path. Here the handler starts first: [`ask`] returns its response if it needs no body, and
//! otherwise lets `100 Continue` be sent and leaves the started handler to [`Continuing`].

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_http::body::{BoxBody, MessageBody};
use actix_http::{ConnectionType, HttpMessage, Payload, Request, Response};
use actix_web::dev::{Service, ServiceRequest, forward_ready};
use actix_web::error::PayloadError;
use actix_web::http::header::EXPECT;
use actix_web::http::{StatusCode, Version};
use actix_web::web::Bytes;
use futures::Stream;
use futures::future::Either;

use super::Problem;

/// A handler that has started.
struct Begun<S: Service<Request>>(Pin<Box<S::Future>>);

/// Starts to answer a request whose client waits for `100 Continue`.
///
/// Returns a request in whose place `100 Continue` is sent, for [`Continuing`]; or, as the error, the final response.
pub(super) async fn ask<S, B>(app: &S, mut request: Request) -> Result<Request, Response<BoxBody>>
where
    S: Service<Request, Future: 'static, Response: Into<Response<B>>, Error: Into<Response<BoxBody>>> + 'static,
    B: MessageBody + 'static,
{
    let body = Rc::new(Cell::new(Body::Read));
    let payload = request.take_payload();
    if !matches!(payload, Payload::None) {
        body.set(Body::NotWanted);
        *request.payload() = Payload::Stream { payload: Box::pin(Awaited { payload, body: body.clone() }) };
    }
    let mut begun = Box::pin(app.call(request));
    let answer = poll_fn(|context| match begun.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending if body.get() == Body::Wanted => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    let Some(answer) = answer.await else {
        let request = Request::new();
        request.extensions_mut().insert(Begun::<S>(begun));
        return Ok(request);
    };
    let mut answer: Response<BoxBody> = match answer {
        Ok(answer) => {
            let answer: Response<B> = answer.into();
            answer.map_into_boxed_body()
        }
        Err(error) => error.into(),
    };
    if body.get() != Body::Read {
        // It is unknown whether the client still sends it.
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    Err(answer)
}

/// State of a body that the client has not been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// No one has tried to read it.
    NotWanted,
    /// Someone waits for it.
    Wanted,
    /// It has ended.
    Read,
}

/// A body that records when someone waits for it.
struct Awaited {
    payload: Payload,
    body: Rc<Cell<Body>>,
}

impl Stream for Awaited {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A client may send it without having been asked.
        self.body.set(Body::Wanted);
        let read = ready!(Pin::new(&mut self.payload).poll_next(context));
        self.body.set(if read.is_some() { Body::NotWanted } else { Body::Read });
        Poll::Ready(read)
    }
}

/// Answers requests, and continues those that [`ask`] has started.
pub(super) struct Continuing<S> {
    app: Rc<S>,
}

impl<S> Continuing<S> {
    /// Answers with `app`, the same one that [`ask`] gets.
    pub(super) fn new(app: Rc<S>) -> Self {
        Self { app }
    }
}

impl<S: Service<Request> + 'static> Service<Request> for Continuing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Pin<Box<S::Future>>>;

    forward_ready!(app);

    fn call(&self, request: Request) -> Self::Future {
        let begun = request.extensions_mut().remove::<Begun<S>>();
        begun.map_or_else(|| Either::Left(self.app.call(request)), |Begun(begun)| Either::Right(begun))
    }
}

/// The answer to a request with any other expectation: the service cannot meet it.
pub(super) fn unmet(request: &ServiceRequest) -> Option<Problem> {
    let mut fields = request.headers().get_all(EXPECT).map(|value| value.as_bytes());
    let known = |expectation: &[u8]| {
        let expectation = expectation.trim_ascii();
        expectation.is_empty() || expectation.eq_ignore_ascii_case(b"100-continue")
    };
    // HTTP/1.0 does not have the field, and its servers ignore it.
    if request.version() < Version::HTTP_11 || fields.all(|value| value.split(|&byte| byte == b',').all(known)) {
        return None;
    }
    Some(Problem::new(StatusCode::EXPECTATION_FAILED, "the only expectation that can be met is 100-continue"))
}
