//! The command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use crate::canned::Latency;
use crate::ceilings::Call;
use crate::sign_in::TokenKind;

/// Measure what a sale costs: start release builds of the services on an AWS endpoint with canned answers, and print
/// rates, latencies, CPU time, AWS calls, write units, log bytes and memory, beside the cost of bare calls in the same
/// run
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = HELP)]
pub(crate) struct Arguments {
    /// The measurements and their settings.
    #[command(flatten)]
    pub(crate) plan: Plan,
    /// The processes that this program starts of itself.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,
}

const HELP: &str = "\
CPU time and memory are read from Linux's /proc. The services get one core, everything else the others. The machine's
speed affects every figure: only ratios within one run are meaningful.

Exit codes: 0 measured, 1 a measurement failed or got an invalid response, 2 wrong argument,
130 interrupted

Examples:
  cargo sales-bench --quick
  cargo sales-bench --only api --connections 256 --latency aws
  cargo sales-bench --json > before.json";

/// The measurements and their settings.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Plan {
    /// Runs per measurement; reports median, minimum and maximum. Backlogs of more than 10,000 run once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: u32,
    /// Seconds of load per measurement of the API and of bare calls, after half of that for warm-up
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Numbers of concurrent clients that post sales, each on its own connection
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64, 256, 1024])]
    pub(crate) connections: Vec<u64>,
    /// Latencies of AWS: none, aws (DynamoDB 5 ms, SNS 15 ms, SQS 10 ms, S3 25 ms), milliseconds for all services, or
    /// aws with exceptions in milliseconds (dynamodb=20+s3=0)
    #[arg(long, value_delimiter = ',', default_values_t = [Latency::NONE, Latency::all(Duration::from_millis(5)), Latency::AWS])]
    pub(crate) latency: Vec<Latency>,
    /// Use TLS between the services and AWS
    #[arg(long)]
    pub(crate) tls: bool,
    /// Numbers of sales in the queue that the worker drains
    #[arg(long, value_delimiter = ',', default_values_t = [100_000])]
    pub(crate) sales: Vec<u64>,
    /// Numbers of sales of each message: 1 for messages of one event, or as many as the API gathers
    #[arg(long, value_delimiter = ',', default_values_t = [1, 20, 400], value_parser = clap::value_parser!(u64).range(1..=400))]
    pub(crate) events: Vec<u64>,
    /// Rates of sales a second that pass through both services, with AWS's latency
    #[arg(long, value_delimiter = ',', default_values_t = [12, 500], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rates: Vec<u64>,
    /// Numbers of pending sales that the worker sweeps, without latency
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    pub(crate) pending: Vec<u64>,
    /// Numbers of sales of an hour that the builder of the lake's table folds, minute by minute
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 100_000, 1_000_000, 10_000_000], value_parser = clap::value_parser!(u64).range(60..=20_000_000))]
    pub(crate) hours: Vec<u64>,
    /// Measure only these
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Subject::value_variants().to_vec())]
    pub(crate) only: Vec<Subject>,
    /// Cores for the services; all cores: no pinning
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) cores: u16,
    /// Quick run (one minute): one run, 16 and 256 clients for a second, no latency, small queues
    #[arg(long, conflicts_with_all = ["runs", "seconds", "connections", "latency", "sales", "events", "rates", "pending", "hours"])]
    pub(crate) quick: bool,
    /// Directory of the sales-api and sales-worker to measure [default: builds them as for their images]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) services: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl Plan {
    /// Applies `--quick`.
    #[must_use]
    pub(crate) fn resolved(mut self) -> Self {
        if self.quick {
            (self.runs, self.seconds) = (1, 1.0);
            (self.connections, self.latency) = (vec![16, 256], vec![Latency::NONE]);
            (self.sales, self.events, self.rates, self.pending) = (vec![10_000], vec![1, 400], vec![12], vec![1_000]);
            self.hours = vec![1_000, 100_000];
        }
        self
    }

    /// Duration of a measurement of the API and of bare calls.
    #[must_use]
    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Time to open connections and warm up code.
    #[must_use]
    pub(crate) fn warm_up(&self) -> Duration {
        self.window() / 2
    }

    /// Whether a backlog, or an hour, of `size` is measured in this run, counted from 1.
    #[must_use]
    pub(crate) fn repeats(&self, size: u64, run: u32) -> bool {
        run == 1 || size <= 10_000
    }

    /// The queues to drain: numbers of sales, and of those in a message.
    pub(crate) fn queues(&self) -> impl Iterator<Item = (u64, u64)> {
        self.sales.iter().flat_map(|sales| self.events.iter().map(|events| (*sales, *events)))
    }

    /// Whether this is measured.
    #[must_use]
    pub(crate) fn includes(&self, subject: Subject) -> bool {
        self.only.contains(&subject)
    }
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.ok_or("expected a number of seconds from 0.1 to 600")
}

/// Parts that can be measured separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Subject {
    /// Bare responses and bare AWS calls.
    Ceilings,
    /// Posting sales.
    Api,
    /// The worker on a full queue, where it processes and where it stands by.
    Drain,
    /// Both services, from a sale's response to its flag.
    Pipeline,
    /// The worker on a backlog of pending sales.
    Sweep,
    /// The builder of the lake's table on an hour of sales.
    Fold,
    /// The API's check of a token.
    SignIn,
}

/// Maximum latency of a service, in milliseconds.
const LONGEST: u64 = 10_000;

/// The form on the command line and in outputs.
impl FromStr for Latency {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self::NONE),
            "aws" => Ok(Self::AWS),
            _ if text.contains('=') => aws_but(text),
            _ => {
                let time = text.parse().ok().filter(|time| (1..=LONGEST).contains(time));
                time.map(|time| Self::all(Duration::from_millis(time)))
                    .ok_or("expected none, aws, 1 to 10000 milliseconds, or SERVICE=MILLISECONDS")
            }
        }
    }
}

/// The latencies of AWS, except for the named services.
fn aws_but(text: &str) -> Result<Latency, &'static str> {
    let mut latency = Latency::AWS;
    for part in text.split('+') {
        let (name, time) = part.split_once('=').ok_or("expected SERVICE=MILLISECONDS")?;
        let mut services = latency.by_name();
        let service = services.iter_mut().find(|(service, _)| *service == name);
        let (_, service) = service.ok_or("unknown service: expected dynamodb, sns, sqs, s3 or ssm")?;
        let time = time.parse().ok().filter(|time| *time <= LONGEST);
        **service = time.map(Duration::from_millis).ok_or("expected 0 to 10000 milliseconds for a service")?;
    }
    Ok(latency)
}

impl fmt::Display for Latency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NONE => formatter.write_str("none"),
            Self::AWS => formatter.write_str("aws"),
            same if same == Self::all(same.dynamodb) => write!(formatter, "{}", same.dynamodb.as_millis()),
            mut latency => {
                let services = latency.by_name().map(|(name, time)| format!("{name}={}", time.as_millis()));
                formatter.write_str(&services.join("+"))
            }
        }
    }
}

/// Child processes of this program, whose CPU time is measured separately.
#[derive(Debug, Subcommand)]
pub(crate) enum Part {
    /// Requests with tokens
    #[command(hide = true)]
    Token {
        /// The token
        kind: TokenKind,
        /// Seconds
        #[arg(long, value_parser = seconds)]
        seconds: f64,
    },
    /// The AWS endpoint
    #[command(hide = true)]
    Aws {
        /// Its latency
        #[arg(long)]
        latency: Latency,
        /// File for its certificate; enables TLS
        #[arg(long)]
        certificate: Option<PathBuf>,
    },
    /// An actix server that only responds
    #[command(hide = true)]
    Answer {
        /// Its port
        #[arg(long)]
        port: u16,
    },
    /// One AWS call, repeated
    #[command(hide = true)]
    Call {
        /// The call
        #[arg(value_enum)]
        call: Call,
        /// Duration
        #[arg(long)]
        seconds: f64,
    },
    /// The fold of an hour
    #[command(hide = true)]
    Fold {
        /// Number of sales
        #[arg(long)]
        sales: u64,
        /// An empty directory
        #[arg(long)]
        directory: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_read_as_it_is_told() {
        let latency = Latency { dynamodb: Duration::from_millis(20), s3: Duration::ZERO, ..Latency::AWS };
        assert_eq!("s3=0+dynamodb=20".parse(), Ok(latency));
        for (latency, text) in [
            (Latency::NONE, "none"),
            (Latency::AWS, "aws"),
            (Latency::all(Duration::from_millis(5)), "5"),
            (latency, "dynamodb=20+sns=15+sqs=10+s3=0+ssm=10"),
        ] {
            assert_eq!((latency.to_string().as_str(), text.parse()), (text, Ok(latency)));
        }
        for text in ["", "0", "10001", "-5", "5ms", "AWS", "s3=", "s3=10001", "s3=1ms", "kms=5", "s3=5+", "5+s3=5", "="]
        {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_large_is_measured_once() {
        let plan = Arguments::parse_from(["sales-bench"]).plan.resolved();
        assert!(plan.repeats(10_000, 2) && plan.repeats(1_000_000, 1) && !plan.repeats(10_001, 2));
    }
}
