//! Clients that post sales, each as fast as it is answered, on its own connection.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

const SALE: &[u8] = br#"{"product":"O Pequeno Principe","amount":14.00}"#;

/// Results of all clients within a period.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Sales answered with 201.
    pub(crate) accepted: u64,
    /// The period.
    pub(crate) elapsed: Duration,
    /// Latencies, in microseconds.
    pub(crate) latencies: Histogram<u64>,
}

/// Running clients. Dropping it ends them without waiting for responses.
pub(crate) struct Load {
    shared: Rc<Shared>,
    clients: JoinSet<anyhow::Result<()>>,
}

struct Shared {
    stopped: Cell<bool>,
    latencies: RefCell<Histogram<u64>>,
    accepted: RefCell<Vec<Instant>>,
}

/// When a client posts.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Its first sale.
    first: Instant,
    /// The time between two.
    interval: Duration,
}

impl Load {
    /// Connects `clients` clients to the port, and lets them post. Needs a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// If one of them cannot connect.
    pub(crate) async fn start(port: u16, clients: u64) -> anyhow::Result<Self> {
        let mut load = Self::new()?;
        for _ in 0..clients {
            load.add(connect(port).await?, None);
        }
        Ok(load)
    }

    /// Connects enough clients for a rate of sales a second, and lets them post at even intervals. Needs a
    /// [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// If one of them cannot connect.
    pub(crate) async fn at_rate(port: u16, per_second: u64) -> anyhow::Result<Self> {
        // Each posts twice a second or less, so that none waits for a response when its next sale is due.
        let clients = per_second.div_ceil(2);
        let interval = Duration::from_secs_f64(1.0 / per_second as f64);
        let mut senders = Vec::new();
        for _ in 0..clients {
            senders.push(connect(port).await?);
        }
        let (mut load, mut first) = (Self::new()?, Instant::now());
        for sender in senders {
            first += interval;
            load.add(sender, Some(Pace { first, interval: interval.mul_f64(clients as f64) }));
        }
        Ok(load)
    }

    fn new() -> anyhow::Result<Self> {
        let (latencies, accepted) = (RefCell::new(histogram()?), RefCell::default());
        let shared = Rc::new(Shared { stopped: Cell::new(false), latencies, accepted });
        Ok(Self { shared, clients: JoinSet::new() })
    }

    fn add(&mut self, sender: SendRequest<Full<Bytes>>, pace: Option<Pace>) {
        let shared = self.shared.clone();
        self.clients.spawn_local(async move { post(sender, pace, &shared).await });
    }

    /// The results of all clients within `time`.
    ///
    /// # Errors
    /// If one of them got a response other than 201.
    pub(crate) async fn watch(&mut self, time: Duration) -> anyhow::Result<Seen> {
        let started = Instant::now();
        self.shared.latencies.borrow_mut().reset();
        tokio::select! {
            () = sleep(time) => {}
            Some(ended) = self.clients.join_next() => ended??,
        }
        let latencies = self.shared.latencies.replace(histogram()?);
        Ok(Seen { accepted: latencies.len(), elapsed: started.elapsed(), latencies })
    }

    /// Ends each client after its next response, and returns when each sale since the start was accepted.
    ///
    /// # Errors
    /// As [`Load::watch`].
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<Instant>> {
        self.shared.stopped.set(true);
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(self.shared.accepted.take())
    }
}

/// For microseconds up to a minute.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

async fn connect(port: u16) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::task::spawn_local(connection);
    Ok(sender)
}

async fn post(mut sender: SendRequest<Full<Bytes>>, mut pace: Option<Pace>, shared: &Shared) -> anyhow::Result<()> {
    while !shared.stopped.get() {
        if let Some(Pace { first: next, interval }) = &mut pace {
            sleep_until(*next).await;
            *next += *interval;
        }
        let request = Request::builder().method(Method::POST).uri("/sales").header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Full::new(Bytes::from_static(SALE)))?;
        let started = Instant::now();
        sender.ready().await?;
        let answer = sender.send_request(request).await.context("the service closed a connection")?;
        let (status, body) = (answer.status(), answer.into_body().collect().await?.to_bytes());
        if status != StatusCode::CREATED {
            bail!("a sale was answered with {status}: {}", String::from_utf8_lossy(&body));
        }
        let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        shared.latencies.borrow_mut().saturating_record(microseconds);
        shared.accepted.borrow_mut().push(Instant::now());
    }
    Ok(())
}
