//! Configuration of the worker: the only place that reads its variables.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use sales::region::Region;
use sales_service::command_line::{self, Errand};
use sales_service::environment::{Environment, Read, S3Addressing};
use sales_service::http::Transport;
use sales_service::telemetry::Logging;

use crate::worker::Settings;

/// Brings each accepted sale to the lake exactly once.
#[derive(Parser)]
#[command(version, after_help = VARIABLES)]
pub struct Arguments {
    /// Check the worker on this machine at BIND_HOST:PORT; exits with 0 or 1
    #[arg(long)]
    healthcheck: bool,
}

impl command_line::Arguments for Arguments {
    fn errand(&self, environment: &Environment) -> Read<Option<Errand>> {
        if !self.healthcheck {
            return Ok(None);
        }
        Ok(Some(Errand::Healthcheck(environment.listen_address()?, Transport::Plain)))
    }
}

const VARIABLES: &str = "\
Configuration is by environment variables only.

Required:
  AWS_REGION                      region that this process runs in, such as sa-east-1
  SQS_SALES_QUEUE                 URL of the queue of sales
  SSM_PARAMETER_STORE_STATE       name of the parameter that holds ACTIVE or PASSIVE
  DYNAMO_SALES_TABLE              name of the table of sales
  DYNAMO_SALES_IDEMPOTENCY_TABLE  name of the table of marks
  S3_SALES_BUCKET                 name of the lake's bucket

Optional:
  PORT                            port to listen on [default: 8080]
  BIND_HOST                       IP address to listen on [default: 0.0.0.0]
  WORKER_CONCURRENCY              concurrent receives of up to ten messages, 1 to 64 [default: 16]
  PENDING_SHARDS                  shards of the pending index, equal in all services and regions [default: 16]
  PENDING_GRACE_SECONDS           age at which a pending sale is swept, and one that has not replicated is
                                  adopted, 1 to 3600 [default: 30]
  SWEEP_INTERVAL_SECONDS          interval between sweeps, 1 to 3600 [default: 5]
  JOURNAL_LINGER_MILLISECONDS     how long a journal object waits for more facts, 0 to 10000 [default: 500]
  IMAGE                           digest or tag of the running image, shown by /version
  LOG_FORMAT                      json or text [default: text on a terminal, else json]
  RUST_LOG                        log filter [default: info]
  AWS_ENDPOINT_URL                AWS endpoint, also per service (AWS_ENDPOINT_URL_S3, ...)
  AWS_ACCESS_KEY_ID, ...          credentials, from any source that AWS SDKs support

SIGTERM and SIGINT stop the intake and finish work in flight within 25 s; after a second signal, unfinished messages stay
hidden for up to 30 s and are then redelivered.

Exit codes: 0 stopped by a signal, 1 cannot work, 64 invalid or missing variable or argument, 128 + signal number
after a second signal";

/// The validated variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// `AWS_REGION`
    pub region: Region,
    /// `SQS_SALES_QUEUE`
    pub queue_url: String,
    /// `SSM_PARAMETER_STORE_STATE`
    pub state_parameter: String,
    /// `DYNAMO_SALES_TABLE`
    pub sales_table: String,
    /// `DYNAMO_SALES_IDEMPOTENCY_TABLE`
    pub idempotency_table: String,
    /// `S3_SALES_BUCKET`
    pub bucket: String,
    /// Addressing style of the bucket, by `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_S3`
    pub s3_addressing: S3Addressing,
    /// `PORT` and `BIND_HOST`
    pub listen: SocketAddr,
    /// `IMAGE`
    pub image: Option<String>,
    /// `WORKER_CONCURRENCY`, `PENDING_SHARDS`, `PENDING_GRACE_SECONDS`, `SWEEP_INTERVAL_SECONDS` and
    /// `JOURNAL_LINGER_MILLISECONDS`
    pub work: Settings,
}

impl Config {
    /// Reads and checks all variables.
    pub fn read(environment: &Environment) -> Read<(Logging, Self)> {
        environment.certificates()?;
        let seconds = |variable, default| environment.number(variable, 1, default, 3600).map(Duration::from_secs);
        let region = environment.region()?;
        let sales_table = environment.table("DYNAMO_SALES_TABLE")?;
        let marks = "DYNAMO_SALES_IDEMPOTENCY_TABLE";
        let config = Self {
            region,
            queue_url: environment.queue_url("SQS_SALES_QUEUE")?,
            state_parameter: environment.parameter("SSM_PARAMETER_STORE_STATE")?,
            idempotency_table: environment.table_other_than(marks, "DYNAMO_SALES_TABLE", &sales_table)?,
            sales_table,
            bucket: environment.bucket("S3_SALES_BUCKET")?,
            s3_addressing: environment.aws_endpoints()?,
            listen: environment.listen_address()?,
            image: environment.image()?,
            work: Settings {
                concurrency: environment.number("WORKER_CONCURRENCY", 1, 16, 64)?,
                shards: environment.shards()?,
                grace: seconds("PENDING_GRACE_SECONDS", 30)?,
                sweep_interval: seconds("SWEEP_INTERVAL_SECONDS", 5)?,
                linger: environment.number("JOURNAL_LINGER_MILLISECONDS", 0, 500, 10_000).map(Duration::from_millis)?,
            },
        };
        Ok((environment.logging()?, config))
    }
}
