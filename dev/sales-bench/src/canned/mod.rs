//! An AWS endpoint with canned answers: it answers the calls that the services make as AWS does, keeps nothing, costs as
//! little as it can, and counts.
//!
//! It is as AWS on the wire, and not in what it means:
//!
//! - What is written is counted and forgotten. No condition ever fails, no mark is ever found.
//! - A load ([`Load`]) offers messages and pending facts. Both are computed from a number, none is stored: a message is
//!   received once and never comes back, a pending fact is in the index until an update takes it out.
//! - Who calls, and for which table, queue, topic, bucket or parameter, is not looked at; the one exception is a table
//!   whose name contains `idempotency`, in which nothing is found.
//!
//! One thread serves all, so that it stays on one core and needs no locks.

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

/// How the endpoint answers.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// How long each service takes.
    pub(crate) latency: Latency,
    /// Where to write the certificate, as PEM, that clients are to trust. With it, the calls of AWS come by TLS.
    pub(crate) tls: Option<PathBuf>,
}

/// How long each service takes to answer, counted from when it has read the request.
///
/// The runtime's timer counts in milliseconds: an answer that is not immediate comes up to half of one earlier or later
/// than asked, and on average as asked. An unknown request is answered at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Latency {
    /// DynamoDB.
    pub(crate) dynamodb: Duration,
    /// SNS.
    pub(crate) sns: Duration,
    /// SQS; the time for which an empty queue is waited at begins at the same moment.
    pub(crate) sqs: Duration,
    /// S3.
    pub(crate) s3: Duration,
    /// SSM.
    pub(crate) ssm: Duration,
}

impl Latency {
    /// Every answer is immediate.
    pub(crate) const NONE: Self = Self::all(Duration::ZERO);

    /// As AWS answers within a region.
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

    /// Each service's, with its name.
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

/// Serves on free ports of 127.0.0.1 until standard input closes, so that it never outlives who started it.
///
/// Writes one line to standard output once it listens: the port for the calls of AWS, a space, and the port for control,
/// which is always plain HTTP. There, `POST /load` takes a [`Load`], and `GET /counts` answers with the [`Counts`] since.
///
/// # Errors
/// When it can not listen, write its ports, or write its certificate.
pub(crate) fn run(settings: Settings) -> anyhow::Result<()> {
    serve(settings, write_ports, leash::let_go())
}

/// Where the endpoint listens.
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

/// Serves until `stopped` resolves. Tells its ports once it listens.
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
        // A sender that is gone has stopped too.
        drop(stopped.await);
        Ok(())
    })
}

async fn listen() -> anyhow::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot listen on 127.0.0.1")
}
