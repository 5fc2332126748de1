//! An AWS endpoint with canned responses: it answers the services' calls like AWS, stores nothing, costs as little as
//! possible, and counts.
//!
//! It is like AWS on the wire, but not in its semantics:
//!
//! - Writes are counted and discarded. No condition ever fails, no mark is ever found.
//! - A load ([`Load`]) offers messages and pending facts. Both are computed from a number, none is stored: a message is
//!   delivered once, and a pending fact is in the index until an update removes it. What is published is delivered if the
//!   load says so, once, and no fact of it is held.
//! - The caller, and the table, queue, topic, bucket or parameter, do not matter; except that nothing is found in a
//!   table whose name contains `idempotency`.
//!
//! One thread serves everything, so it stays on one core and needs no locks.

mod answer;
mod canned_aws;
mod control;
mod counts;
mod dynamodb;
mod endpoint;
mod facts;
mod ids;
mod listener;
mod load;
mod operation;
mod queue;
mod s3;
mod sns;
mod sqs;
#[cfg(test)]
mod tests;
mod tls;

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use sales::clock::Clock;
use tokio::net::TcpListener;
use tokio::runtime::LocalOptions;
use tokio::sync::oneshot;

pub(crate) use counts::Counts;
pub(crate) use load::Load;

use crate::leash;

use endpoint::Endpoint;
use operation::AwsService;

/// Settings of the endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Latency of each service.
    pub(crate) latency: Latency,
    /// File for the certificate, as PEM, that clients must trust. If set, AWS calls use TLS.
    pub(crate) tls: Option<PathBuf>,
}

/// Latency of each service, from the end of the request.
///
/// The runtime's timer counts in milliseconds: a delayed response is up to half of one early or late, and right on
/// average. An unknown request is answered at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latency {
    /// DynamoDB.
    pub(crate) dynamodb: Duration,
    /// SNS.
    pub(crate) sns: Duration,
    /// SQS; the wait at an empty queue begins at the same moment.
    pub(crate) sqs: Duration,
    /// S3.
    pub(crate) s3: Duration,
    /// SSM.
    pub(crate) ssm: Duration,
}

impl Latency {
    /// Immediate responses.
    pub(crate) const NONE: Self = Self::all(Duration::ZERO);

    /// Latencies of AWS within a region.
    pub(crate) const AWS: Self = Self {
        dynamodb: Duration::from_millis(5),
        sns: Duration::from_millis(15),
        sqs: Duration::from_millis(10),
        s3: Duration::from_millis(25),
        ssm: Duration::from_millis(10),
    };

    /// The same for every service.
    #[must_use]
    pub(crate) const fn all(latency: Duration) -> Self {
        Self { dynamodb: latency, sns: latency, sqs: latency, s3: latency, ssm: latency }
    }

    /// Each service's latency, by name.
    pub(crate) fn by_name(&mut self) -> [(&'static str, &mut Duration); 5] {
        let Self { dynamodb, sns, sqs, s3, ssm } = self;
        [("dynamodb", dynamodb), ("sns", sns), ("sqs", sqs), ("s3", s3), ("ssm", ssm)]
    }

    fn of(&self, service: AwsService) -> Duration {
        match service {
            AwsService::DynamoDb => self.dynamodb,
            AwsService::Sns => self.sns,
            AwsService::Sqs => self.sqs,
            AwsService::S3 => self.s3,
            AwsService::Ssm => self.ssm,
        }
    }
}

/// Serves on free ports of 127.0.0.1 until standard input closes, so that it never outlives its parent.
///
/// Prints one line once it listens: the port for AWS calls, a space, and the control port, which is always plain HTTP.
/// There, `POST /load` takes a [`Load`], and `GET /counts` returns the [`Counts`] since.
///
/// # Errors
/// If it cannot listen, print its ports, or write its certificate.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    serve(settings, write_ports, leash::let_go())
}

/// Ports of the endpoint.
#[derive(Clone, Copy, Debug)]
struct Ports {
    aws: u16,
    control: u16,
}

fn write_ports(ports: Ports) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{} {}", ports.aws, ports.control)?;
    output.flush()
}

/// Serves until `stopped` resolves. Reports its ports once it listens.
fn serve(
    settings: Settings,
    tell: impl FnOnce(Ports) -> io::Result<()>,
    stopped: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let acceptor = settings.tls.as_deref().map(tls::acceptor).transpose()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let endpoint = Rc::new(Endpoint::new(settings.latency, Clock::system()));
        let (aws, control) = (listen().await?, listen().await?);
        tell(Ports { aws: aws.local_addr()?.port(), control: control.local_addr()?.port() })?;
        tokio::task::spawn_local(listener::serve_aws(aws, Rc::clone(&endpoint), acceptor));
        tokio::task::spawn_local(listener::serve_control(control, endpoint));
        // A dropped sender means stopped, too.
        drop(stopped.await);
        Ok(())
    })
}

async fn listen() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on 127.0.0.1")
}
