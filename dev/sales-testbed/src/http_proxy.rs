//! Forwards HTTP requests to AWS, and allows a handler to inspect each.

use std::{io, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING},
    http::request::Parts,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use reqwest::redirect::Policy;
use tokio::{net::TcpListener, task::JoinSet, time::sleep};

/// Pause when no connection can be accepted, as when there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A complete response.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Handles the requests of all connections forever; open ones end with it.
pub(crate) async fn serve<F>(listener: TcpListener, answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static)
where
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((connection, _)) => {
                    let answer = answer.clone();
                    let service = service_fn(move |request| {
                        let answer = answer(request);
                        async move { unless_cut_off(answer.await) }
                    });
                    // A broken connection is the client's concern.
                    let serving = http1::Builder::new().serve_connection(TokioIo::new(connection), service);
                    connections.spawn(async move { drop(serving.await) });
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Stands for no response: the connection ends.
#[derive(Clone, Copy)]
struct CutOff;

/// Ends the connection instead of a response.
pub(crate) fn cut_off() -> Answer {
    let mut answer = Answer::default();
    answer.extensions_mut().insert(CutOff);
    answer
}

fn unless_cut_off(answer: Answer) -> io::Result<Answer> {
    match answer.extensions().get() {
        Some(CutOff) => Err(io::ErrorKind::ConnectionReset.into()),
        None => Ok(answer),
    }
}

/// The server that requests are forwarded to.
#[derive(Debug)]
pub(crate) struct Upstream {
    url: String,
    client: reqwest::Client,
}

impl Upstream {
    /// The server at `url`, `http://ADDRESS:PORT`.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        // Without a timeout: callers have their own, and some calls wait for a message.
        let client = crate::http_client::builder().redirect(Policy::none()).build()?;
        Ok(Self { url: url.to_owned(), client })
    }

    /// Forwards one request.
    pub(crate) async fn ask(&self, head: Parts, body: Bytes) -> anyhow::Result<Answer> {
        let url = format!("{}{}", self.url, head.uri.path_and_query().map_or("/", |path| path.as_str()));
        let headers = without_those_of_the_connection(head.headers, &[HOST, CONTENT_LENGTH, EXPECT]);
        let answer = self.client.request(head.method, url).headers(headers).body(body).send().await?;
        let mut response = Response::new(Full::default());
        *response.status_mut() = answer.status();
        *response.headers_mut() = without_those_of_the_connection(answer.headers().clone(), &[]);
        *response.body_mut() = Full::new(answer.bytes().await?);
        Ok(response)
    }
}

/// The headers without those of the connection, which ends here, and without `others`.
fn without_those_of_the_connection(mut headers: HeaderMap, others: &[hyper::header::HeaderName]) -> HeaderMap {
    for name in [CONNECTION, TRANSFER_ENCODING].iter().chain(others) {
        headers.remove(name);
    }
    headers
}

/// An error of AWS's JSON protocols.
pub(crate) fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "__type": code, "message": message });
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
    response
}
