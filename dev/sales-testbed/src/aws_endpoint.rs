//! AWS endpoints that can be lost: a region's services and its operator reach AWS through one.
//!
//! The emulator is one server for all regions, which could only be lost for all. An endpoint is a separate address in
//! front of it: when it is lost, new connections are refused and open ones are cut.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use http_body_util::BodyExt;
use hyper::{Request, StatusCode, body::Incoming};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::http_proxy::{Answer, Upstream, refusal, serve};

/// The prefix of SSM's operations in the target header.
const SSM: &str = "AmazonSSM.";

/// An address in front of AWS. It closes when dropped.
#[derive(Debug)]
pub struct AwsEndpoint {
    address: SocketAddr,
    passage: Arc<Passage>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Passage {
    upstream: Upstream,
    without_ssm: AtomicBool,
}

impl AwsEndpoint {
    /// An endpoint on `port`, or on a free one if it is 0, in front of the server at `upstream`.
    pub async fn open(port: u16, upstream: &str) -> anyhow::Result<Self> {
        let listener = listen((Ipv4Addr::LOCALHOST, port).into()).await?;
        let passage = Passage { upstream: Upstream::new(upstream)?, without_ssm: AtomicBool::new(false) };
        let mut endpoint = Self { address: listener.local_addr()?, passage: Arc::new(passage), serving: None };
        endpoint.serve(listener);
        Ok(endpoint)
    }

    /// Its address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses connections from now on, and cuts open ones. Returns false if it was lost before.
    pub async fn lose(&mut self) -> bool {
        let Some(serving) = self.serving.take() else { return false };
        serving.abort();
        // It can only end by the abort; after that, nothing listens.
        drop(serving.await);
        true
    }

    /// Accepts connections again. Returns false if it was not lost.
    pub async fn restore(&mut self) -> anyhow::Result<bool> {
        if self.serving.is_some() {
            return Ok(false);
        }
        self.serve(listen(self.address).await?);
        Ok(true)
    }

    /// Answers calls of SSM with 503 from now on, and forwards all others. Returns false if it already did.
    pub fn lose_ssm(&self) -> bool {
        !self.passage.without_ssm.swap(true, Ordering::Relaxed)
    }

    /// Forwards calls of SSM again. Returns false if it already did.
    pub fn restore_ssm(&self) -> bool {
        self.passage.without_ssm.swap(false, Ordering::Relaxed)
    }

    fn serve(&mut self, listener: TcpListener) {
        let passage = Arc::clone(&self.passage);
        self.serving = Some(tokio::spawn(serve(listener, move |request| pass_on(Arc::clone(&passage), request))));
    }
}

impl Drop for AwsEndpoint {
    fn drop(&mut self) {
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on port {}", address.port()))
}

async fn pass_on(passage: Arc<Passage>, request: Request<Incoming>) -> Answer {
    if passage.without_ssm.load(Ordering::Relaxed) && is_for_ssm(&request) {
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", "SSM is lost");
    }
    let answer = async {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        passage.upstream.ask(head, body).await
    };
    let answer = answer.await;
    answer.unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY, "BadGateway", "the AWS emulator did not respond"))
}

fn is_for_ssm<B>(request: &Request<B>) -> bool {
    let target = request.headers().get("x-amz-target").map(|target| target.as_bytes());
    target.is_some_and(|target| target.starts_with(SSM.as_bytes()))
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::{Response, body::Bytes};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    /// An endpoint in front of a server that echoes requests.
    async fn endpoint() -> AwsEndpoint {
        let listener = listen((Ipv4Addr::LOCALHOST, 0).into()).await.expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(serve(listener, async |request: Request<Incoming>| {
            let said = format!("{} {}", request.method(), request.uri());
            let body = request.into_body().collect().await.expect("a body").to_bytes();
            Response::new(Full::from(Bytes::from([said.as_bytes(), b" ", &body].concat())))
        }));
        AwsEndpoint::open(0, &server).await.expect("an endpoint")
    }

    async fn call(endpoint: &AwsEndpoint, target: &str) -> reqwest::Result<reqwest::Response> {
        let client = crate::http_client::builder().build()?;
        let url = format!("{}/path?query=a%20b", endpoint.url());
        client.post(url).header("X-Amz-Target", target).body("body").send().await
    }

    #[tokio::test]
    async fn calls_are_passed_on_as_they_are() {
        let answer = call(&endpoint().await, "AmazonSSM.GetParameter").await.expect("an answer");
        assert_eq!(answer.text().await.expect("text"), "POST /path?query=a%20b body");
    }

    #[tokio::test]
    async fn an_endpoint_that_is_lost_refuses_connections_cuts_open_ones_and_returns_at_its_address() {
        let mut endpoint = endpoint().await;
        let mut open = TcpStream::connect(endpoint.address).await.expect("a connection");
        open.write_all(b"GET / HTTP/1.1\r\n").await.expect("half a request");

        assert!(endpoint.lose().await);
        assert!(call(&endpoint, "SQS.SendMessage").await.expect_err("it is lost").is_connect());
        // An end or a reset, but no data.
        assert_eq!(open.read(&mut [0]).await.unwrap_or_default(), 0);
        assert!(!endpoint.lose().await, "it was lost before");

        assert!(endpoint.restore().await.expect("its port is free"));
        assert!(call(&endpoint, "SQS.SendMessage").await.expect("an answer").status().is_success());
        assert!(!endpoint.restore().await.expect("nothing to do"), "it was restored before");
    }

    #[tokio::test]
    async fn without_ssm_its_calls_alone_fail() {
        let endpoint = endpoint().await;
        assert!(endpoint.lose_ssm());
        assert!(!endpoint.lose_ssm(), "it was lost before");
        let status = async |target| call(&endpoint, target).await.expect("an answer").status();
        assert_eq!(status("AmazonSSM.GetParameter").await, 503);
        assert_eq!(status("AmazonSQS.ReceiveMessage").await, 200);
        assert!(endpoint.restore_ssm());
        assert_eq!(status("AmazonSSM.GetParameter").await, 200);
        assert!(!endpoint.restore_ssm(), "it was restored before");
    }
}
