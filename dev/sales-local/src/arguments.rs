//! The command line.

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use sales_testbed::{
    accelerator::ApiAddress,
    local_ports::{LocalPorts, port},
    resources::REGIONS,
    tcp_ports::PortUse,
};

use crate::part::Part;

const EXAMPLES: &str = "\
Examples:
  sales-local                       start everything; Ctrl-C stops it
  sales-local --port 9000           the same on another port
  sales-local --sign-in             the same, with clients that sign in
  sales-local sql                   sales and amount by hour and region, from the lake's table
  sales-local sql \"select * from sales where cancelled_at is null\" --csv
  sales-local lake                  list the journal in the lake
  sales-local lose sa-east-1        lose a region: its services, and AWS in it
  sales-local restore sa-east-1     restore it
  sales-local demo --sales 1000     post sales, switch regions half-way, check the lakes
  sales-local aws                   start an empty AWS account only, for Terraform

Exit codes: 0 done, or stopped while serving; 1 failed; 64 wrong usage;
128 + the signal's number if interrupted earlier (130 for Ctrl-C).";

/// Run the sales pipeline in two regions on this machine, without an AWS account.
#[derive(Debug, Parser)]
#[command(name = "sales-local", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    up: UpOptions,
}

impl Arguments {
    /// The command, `up` by default.
    pub(crate) fn into_command(self) -> Command {
        self.command.unwrap_or(Command::Up(self.up))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start both regions and show their activity until Ctrl-C (the default)
    Up(UpOptions),
    /// List the lake of the running instance: the objects of its journal, and their lines
    Lake(LakeOptions),
    /// Ask the lake's table of a region, `sales`, with DuckDB; without a query: sales and amount by hour and region
    Sql(SqlOptions),
    /// Make a region, or a service that regions use, fail in the running instance
    Lose(DrillOptions),
    /// Restore what `lose` has made fail
    Restore(DrillOptions),
    /// Start both regions on free ports, post sales, switch half-way, check the lakes, stop
    Demo(DemoOptions),
    /// Start an empty AWS account only, for Terraform, until Ctrl-C
    Aws(AwsOptions),
}

/// Ports of the instance, and the build of the services.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpOptions {
    #[command(flatten)]
    pub(crate) ports: LocalPorts,
    /// Start release builds of the services; compiling takes a quarter of an hour on two cores
    #[arg(long)]
    pub(crate) release: bool,
    /// Let clients sign in: a Cognito pool in each region, with clients for two shops and the operator
    #[arg(long)]
    pub(crate) sign_in: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LakeOptions {
    /// Only this region
    #[arg(long, value_parser = REGIONS)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SqlOptions {
    /// A query in SQL, of the table `sales`
    pub(crate) query: Option<String>,
    /// The region whose table is asked
    #[arg(long, value_parser = REGIONS, default_value = REGIONS[0])]
    pub(crate) region: String,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print a JSON array, with decimals as exact text
    #[arg(long)]
    json: bool,
}

impl SqlOptions {
    /// The name of the format.
    pub(crate) fn format(&self) -> &'static str {
        match (self.csv, self.json) {
            (true, _) => "csv",
            (_, true) => "json",
            (false, false) => "table",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct DrillOptions {
    /// What to lose or restore
    pub(crate) part: Part,
}

#[derive(Debug, Args)]
pub(crate) struct DemoOptions {
    /// Number of sales to post
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub(crate) sales: u32,
    /// Sales per second
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// Maximum concurrent requests
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) concurrency: u32,
    /// Start release builds of the services; compiling takes a quarter of an hour on two cores
    #[arg(long)]
    pub(crate) release: bool,
    /// Post and cancel with tokens
    #[arg(long)]
    pub(crate) sign_in: bool,
}

/// Ports of AWS, and URLs of the APIs behind Terraform's accelerator.
#[derive(Debug, Clone, Args)]
pub(crate) struct AwsOptions {
    /// Port of the accelerator
    #[arg(long, default_value_t = 8080, value_parser = port())]
    pub(crate) port: u16,
    /// Port of Global Accelerator's API
    #[arg(long, value_name = "PORT", default_value_t = 8090, value_parser = port())]
    pub(crate) accelerator_port: u16,
    /// Port of MiniStack, which emulates most of AWS
    #[arg(long, value_name = "PORT", default_value_t = 4566, value_parser = port())]
    pub(crate) emulator_port: u16,
    /// Port of moto, which emulates what MiniStack lacks
    #[arg(long, value_name = "PORT", default_value_t = 4569, value_parser = port())]
    pub(crate) moto_port: u16,
    /// URL of each region's API, running or not; other regions have none
    #[arg(long, value_name = "REGION=URL,...", value_delimiter = ',', value_parser = api,
          default_value = "sa-east-1=http://127.0.0.1:8081,us-east-1=http://127.0.0.1:8082")]
    pub(crate) apis: Vec<(String, ApiAddress)>,
}

impl AwsOptions {
    /// All ports with their purposes.
    pub(crate) fn roles(&self) -> Vec<PortUse> {
        [
            (self.port, "accelerator", "--port"),
            (self.accelerator_port, "API of Global Accelerator", "--accelerator-port"),
            (self.emulator_port, "AWS emulator", "--emulator-port"),
            (self.moto_port, "other AWS emulator", "--moto-port"),
        ]
        .map(|(port, purpose, option)| PortUse { port, purpose: purpose.to_owned(), option })
        .into()
    }
}

fn api(text: &str) -> anyhow::Result<(String, ApiAddress)> {
    let (region, url) = text.split_once('=').context("expected REGION=URL, such as eu-west-1=http://127.0.0.1:8083")?;
    Ok((region.to_owned(), url.parse()?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Command, clap::Error> {
        let arguments = std::iter::once(&"sales-local").chain(arguments);
        Arguments::try_parse_from(arguments).map(Arguments::into_command)
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn up_is_the_default_and_takes_its_options_with_and_without_its_name() {
        for arguments in [&["--port", "9000"][..], &["up", "--port", "9000"]] {
            let Ok(Command::Up(options)) = parse(arguments) else { panic!("not up: {arguments:?}") };
            assert_eq!((options.ports.front, options.ports.apis), (9000, [8081, 8082]));
        }
    }

    #[test]
    fn a_region_a_service_and_the_accelerator_can_be_lost_and_nothing_else() {
        for (name, expected) in [
            ("sa-east-1", Part::Region(0)),
            ("us-east-1", Part::Region(1)),
            ("ssm", Part::Ssm),
            ("accelerator", Part::Accelerator),
        ] {
            assert!(matches!(parse(&["lose", name]), Ok(Command::Lose(options)) if options.part == expected), "{name}");
            let restored = parse(&["restore", name]);
            assert!(matches!(restored, Ok(Command::Restore(options)) if options.part == expected), "{name}");
        }
        assert!(parse(&["lose", "mars-east-1"]).is_err());
        assert!(parse(&["lose"]).is_err());
    }

    #[test]
    fn apis_are_any_number_of_regions_with_their_urls() {
        let apis = |arguments: &[&str]| match parse(arguments) {
            Ok(Command::Aws(options)) => Some(options.apis),
            _ => None,
        };
        let names = |apis: Vec<(String, ApiAddress)>| apis.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(apis(&["aws"]).map(names), Some(REGIONS.map(str::to_owned).into()));
        let two = apis(&["aws", "--apis", "eu-west-1=https://127.0.0.1:9000,us-west-2=http://127.0.0.1:9001/"]);
        let place = |port, tls| ApiAddress { address: ([127, 0, 0, 1], port).into(), tls };
        assert_eq!(two, Some(vec![("eu-west-1".into(), place(9000, true)), ("us-west-2".into(), place(9001, false))]));
        for wrong in ["eu-west-1", "eu-west-1=9000", "eu-west-1=ftp://127.0.0.1:9000", "eu-west-1=http://127.0.0.1"] {
            assert_eq!(apis(&["aws", "--apis", wrong]), None, "{wrong}");
        }
    }
}
