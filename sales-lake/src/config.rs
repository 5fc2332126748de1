//! Configuration of the builder: the only place that reads its variables.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use sales::region::Region;
use sales_service::command_line::{self, Errand};
use sales_service::environment::{Environment, Read, S3Addressing};
use sales_service::http::Transport;
use sales_service::telemetry::Logging;

/// Folds the journal of the lake into a Delta Lake table.
#[derive(Parser)]
#[command(version, after_help = VARIABLES)]
pub struct Arguments {
    /// Fold everything that is in the journal now, print what was done, and exit
    #[arg(long, conflicts_with = "healthcheck")]
    once: bool,

    /// Check the builder on this machine at BIND_HOST:PORT; exits with 0 or 1
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
  S3_SALES_BUCKET                 name of the lake's bucket
  DYNAMO_SALES_IDEMPOTENCY_TABLE  name of the table of marks, which holds the lease

Optional:
  PORT                            port to listen on [default: 8080]
  BIND_HOST                       IP address to listen on [default: 0.0.0.0]
  FOLD_INTERVAL_SECONDS           interval between folds, 1 to 3600 [default: 60]
  IMAGE                           digest or tag of the running image, shown by /version
  LOG_FORMAT                      json or text [default: text on a terminal, else json]
  RUST_LOG                        log filter [default: info]
  AWS_ENDPOINT_URL                AWS endpoint, also per service (AWS_ENDPOINT_URL_S3, ...)
  AWS_ACCESS_KEY_ID, ...          credentials, from any source that AWS SDKs support

SIGTERM and SIGINT end the process after the fold in progress, within 25 s; after a second signal, or if it is killed, the
table stays as the last commit has left it.

Exit codes: 0 stopped by a signal, or folded once, 1 cannot work, 64 invalid or missing variable or argument, 128 + signal
number after a second signal";

/// The validated variables and arguments.
#[derive(Clone, Debug)]
pub struct Config {
    /// `--once`
    pub once: bool,
    /// `AWS_REGION`
    pub region: Region,
    /// `S3_SALES_BUCKET`
    pub bucket: String,
    /// `DYNAMO_SALES_IDEMPOTENCY_TABLE`
    pub idempotency_table: String,
    /// Addressing style of the bucket, by `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_S3`
    pub s3_addressing: S3Addressing,
    /// `PORT` and `BIND_HOST`
    pub listen: SocketAddr,
    /// `IMAGE`
    pub image: Option<String>,
    /// `FOLD_INTERVAL_SECONDS`
    pub interval: Duration,
}

impl Config {
    /// Reads and checks all variables.
    pub fn read(arguments: &Arguments, environment: &Environment) -> Read<(Logging, Self)> {
        environment.certificates()?;
        let config = Self {
            once: arguments.once,
            region: environment.region()?,
            bucket: environment.bucket("S3_SALES_BUCKET")?,
            idempotency_table: environment.table("DYNAMO_SALES_IDEMPOTENCY_TABLE")?,
            s3_addressing: environment.aws_endpoints()?,
            listen: environment.listen_address()?,
            image: environment.image()?,
            interval: environment.number("FOLD_INTERVAL_SECONDS", 1, 60, 3600).map(Duration::from_secs)?,
        };
        Ok((environment.logging()?, config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [(&str, &str); 3] = [
        ("AWS_REGION", "sa-east-1"),
        ("S3_SALES_BUCKET", "sales-lake"),
        ("DYNAMO_SALES_IDEMPOTENCY_TABLE", "sales-idempotency"),
    ];

    fn read(changed: &'static [(&str, &str)]) -> Read<Config> {
        let find = |variables: &[(&str, &str)], name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let environment = Environment::new(move |name| find(changed, name).or_else(|| find(&REQUIRED, name)));
        Config::read(&Arguments::parse_from(["sales-lake", "--once"]), &environment).map(|(_, config)| config)
    }

    #[test]
    fn variables_have_defaults_and_limits() {
        let config = read(&[]).unwrap();
        assert_eq!((config.once, config.interval, config.listen.port()), (true, Duration::from_secs(60), 8080));
        assert_eq!(read(&[("FOLD_INTERVAL_SECONDS", "5")]).unwrap().interval, Duration::from_secs(5));
        for wrong in [
            &[("FOLD_INTERVAL_SECONDS", "0")],
            &[("S3_SALES_BUCKET", "")],
            &[("AWS_REGION", "here")],
            &[("DYNAMO_SALES_IDEMPOTENCY_TABLE", "a table")],
        ] as [&'static [(&str, &str)]; 4]
        {
            assert!(read(wrong).unwrap_err().to_string().starts_with(wrong[0].0), "{wrong:?}");
        }
    }
}
