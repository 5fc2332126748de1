//! `load`: posts sales at a fixed rate, counts the responses, and waits until accepted sales are in the lakes.

mod arrival;
mod open_files;
mod orders;
mod post;
mod report;
mod run;
mod tally;
mod token;

use std::{
    fs::File,
    io::BufWriter,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::bail;
use clap::{ArgGroup, Args};
use url::Url;

use crate::{
    cloud::Cloud,
    config::{Config, ConfigOptions, InvalidConfig},
    exit::Exit,
    interrupt::Interrupt,
    output::{Format, note},
};
use orders::Orders;
use post::Poster;
use report::{Lake, Summary};
use run::Pace;
use tally::Tally;
use token::Tokens;

const EXAMPLES: &str = "\
Examples:
  salesctl load --rate 50 --seconds 60
  salesctl load --count 1000 --rate 200 --ids ids.txt
  salesctl load --file sales.csv --url http://localhost:8080 --no-lake

A request is sent when it is due, however long earlier ones take, over a new connection, as curl does, so that
traffic dials take effect. Requests are not retried: each that is not answered with 201 within 10 s is a failure.
Latencies count from the moment at which a request was due.

Then it waits until all accepted sales are in the lake of each region that responds.

Exit codes: 0 every request was answered with 201, and all sales are in the lakes, if these were checked; 2 otherwise;
1 no sale was accepted; 64 a line of the file is not a sale, and nothing was posted; 130 interrupted with Ctrl-C, and
the requests so far are reported.";

/// Options of `load`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("amount").required(true).args(["seconds", "count", "file"])))]
pub(crate) struct LoadOptions {
    /// Sales per second
    #[arg(long, value_name = "NUMBER", default_value_t = 10.0, value_parser = rate)]
    rate: f64,
    /// Duration of the load
    #[arg(long)]
    seconds: Option<u32>,
    /// Number of sales
    #[arg(long, value_name = "NUMBER")]
    count: Option<u32>,
    /// Post the sales of a CSV file with the header product,amount
    #[arg(long)]
    file: Option<PathBuf>,
    /// Maximum requests in flight; others are sent late [default: 256, or what the limit of open files allows]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    /// URL to post to [default: url of the configuration]; needs no configuration
    #[arg(long, value_parser = web_address)]
    url: Option<Url>,
    /// Access token, where the API asks for one; better in the environment [default: what token_command prints]
    #[arg(long, value_name = "TOKEN", env = "SALES_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Write the ids of accepted sales to this new file, one per line
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Do not check the lakes
    #[arg(long)]
    no_lake: bool,
    /// Maximum time to wait for the lakes
    #[arg(long, value_name = "SECONDS", default_value_t = 120, conflicts_with = "no_lake")]
    lake_timeout: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.001..=100_000.0).contains(rate));
    rate.ok_or_else(|| "expected a number from 0.001 to 100000".to_owned())
}

fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("expected http:// or https://, not {other}")),
    }
}

impl LoadOptions {
    fn orders(&self) -> Result<Orders, InvalidConfig> {
        match (&self.file, self.count, self.seconds) {
            (Some(file), _, _) => Orders::of_file(file),
            (None, Some(count), _) => Ok(Orders::MadeUp(count.into())),
            (None, None, seconds) => {
                Ok(Orders::MadeUp((f64::from(seconds.unwrap_or_default()) * self.rate).round() as u64))
            }
        }
    }
}

/// Access to the lakes.
enum Witness {
    /// These regions' lakes.
    Regions(Box<Cloud>),
    /// None, as requested.
    NotWanted(String),
    /// None, although configured.
    Missing(String),
}

impl Witness {
    async fn find(options: &LoadOptions, config: Result<Config, InvalidConfig>) -> Self {
        if options.no_lake {
            return Self::NotWanted("--no-lake".to_owned());
        }
        match config {
            Err(error) => Self::NotWanted(error.to_string()),
            Ok(config) if config.regions.is_empty() => Self::NotWanted("no region is configured".to_owned()),
            Ok(config) => match Cloud::open(&config).await {
                Ok(cloud) => Self::Regions(cloud.into()),
                Err(error) => Self::Missing(format!("{error:#}")),
            },
        }
    }
}

/// Posts, counts, waits, and reports.
pub(crate) async fn load(
    place: &ConfigOptions,
    format: Format,
    options: &LoadOptions,
    interrupt: &Interrupt,
) -> anyhow::Result<Exit> {
    let orders = options.orders()?;
    if orders.count() == 0 {
        return Err(InvalidConfig::new("there is nothing to post: the count is 0").into());
    }
    let concurrency = open_files::concurrency(options.concurrency)?;
    let config = place.read();
    let url = match (&options.url, &config) {
        (Some(url), _) => url.clone(),
        (None, Ok(Config { url: Some(url), .. })) => url.clone(),
        (None, Ok(_)) => {
            return Err(InvalidConfig::new("no url configured: set url in salesctl.toml or pass --url").into());
        }
        (None, Err(error)) => return Err(InvalidConfig::new(format_args!("{error}; or pass --url")).into()),
    };
    let command = config.as_ref().ok().and_then(|config| config.token_command.as_deref());
    let tokens = Tokens::new(options.token.as_deref(), command);
    // Whoever cannot get a token is told so before anything is posted.
    interrupt.unless_heard(tokens.current()).await??;
    let poster = Poster::new(url, tokens)?;
    let witness = interrupt.unless_heard(Witness::find(options, config)).await?;
    if let Witness::Missing(reason) = &witness {
        note(format_args!("the lakes will not be checked: {reason}"));
    }
    let mut ids = options.ids.as_deref().map(new_file).transpose()?;

    let pace = Pace { rate: options.rate, concurrency };
    let (tally, mut interrupted) = run::post_all(&poster, &orders, pace, &mut ids, interrupt).await?;
    let lake = match &witness {
        Witness::NotWanted(reason) | Witness::Missing(reason) => Lake::NotAsked(reason.clone()),
        Witness::Regions(_) if tally.accepted == 0 => Lake::NotAsked("no sale was accepted".to_owned()),
        Witness::Regions(cloud) => {
            let patience = Duration::from_secs(if interrupted.is_some() { 0 } else { options.lake_timeout });
            let (arrived, exit) = arrival::wait(cloud, &tally.sales, patience, interrupt).await;
            interrupted = interrupted.or(exit);
            Lake::Asked(arrived)
        }
    };
    Summary::new(&tally, &lake).show(format)?;
    match interrupted {
        Some(exit) => Ok(exit),
        None => exit(&tally, &witness, &lake),
    }
}

fn exit(tally: &Tally, witness: &Witness, lake: &Lake) -> anyhow::Result<Exit> {
    if tally.accepted == 0 {
        bail!("no sale was accepted");
    }
    let arrived = match (witness, lake) {
        (Witness::Missing(_), _) => false,
        (_, Lake::NotAsked(_)) => true,
        (_, Lake::Asked(regions)) => regions.iter().all(|region| region.error.is_none() && region.missing == 0),
    };
    Ok(if tally.failed == 0 && arrived { Exit::Done } else { Exit::Incomplete })
}

fn new_file(path: &Path) -> Result<BufWriter<File>, InvalidConfig> {
    let file = File::create_new(path);
    file.map(BufWriter::new)
        .map_err(|error| InvalidConfig::new(format_args!("cannot create {}: {error}", path.display())))
}
