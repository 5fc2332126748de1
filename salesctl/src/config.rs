//! Configuration: `salesctl.toml`, and the overrides of the command line.

use std::{
    collections::BTreeMap,
    fmt,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use clap::Args;
use sales::shard::Shards;
use serde::Deserialize;
use thiserror::Error;
use url::Url;

use crate::overdue::Overdue;

/// The default configuration file.
const DEFAULT_FILE: &str = "salesctl.toml";

/// The setting of the URL that DNS resolves.
pub(crate) const DNS_KEY: &str = "dns_url";

/// The settings, as `--help` lists them.
pub(crate) const KEYS: &str = "\
Settings (salesctl.toml, written by Terraform's outputs and `cargo local`; or --set KEY=VALUE):
  url                        URL in front of all regions (Global Accelerator)
  dns_url                    URL whose host name DNS resolves to a healthy region (API Gateway)
  token_command              shell command that prints an access token, or a token endpoint's response; run again before it ends
  accelerator_arn            ARN of the Global Accelerator
  accelerator_endpoint_url   custom endpoint of Global Accelerator
  cloudtrail_endpoint_url    custom endpoint of CloudTrail; with a custom accelerator endpoint, `history` needs it for dials
  pending_shards             shards of the pending index (16)
  pending_grace_seconds      PENDING_GRACE_SECONDS of the workers (30); sales pending for 60 s longer are overdue
  regions.REGION.state_parameter         SSM parameter that holds ACTIVE or PASSIVE
  regions.REGION.sales_table             DynamoDB table of sales
  regions.REGION.idempotency_table       DynamoDB table of marks
  regions.REGION.queue_url               URL of the SQS queue
  regions.REGION.dead_letter_queue_url   URL of its dead-letter queue
  regions.REGION.lake_bucket             S3 bucket of the lake
  regions.REGION.api_url                 URL of the region's own API
  regions.REGION.worker_url              URL of its worker's health endpoints, if reachable
  regions.REGION.cluster                 ECS cluster of its services
  regions.REGION.api_service             ECS service of its API
  regions.REGION.worker_service          ECS service of its worker
  regions.REGION.api_minimum             usual minimum number of API tasks, from the environment's data
  regions.REGION.worker_minimum          usual minimum number of worker tasks
  regions.REGION.endpoint_url            custom AWS endpoint of the region";

/// Invalid configuration: one line that names the error and the next step.
#[derive(Debug, Error)]
#[error("{0}")]
pub(crate) struct InvalidConfig(String);

impl InvalidConfig {
    /// The error with this text.
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }
}

/// The configuration options of the command line.
#[derive(Debug, Default, Args)]
pub(crate) struct ConfigOptions {
    /// Configuration file [default: ./salesctl.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "SALESCTL_CONFIG", global = true, hide_env_values = true)]
    config: Option<PathBuf>,
    /// Override or add a setting; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", global = true)]
    settings: Vec<String>,
}

/// The complete configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// URL of the accelerator, in front of all regions.
    pub(crate) url: Option<Url>,
    /// URL whose host name DNS resolves to a healthy region.
    pub(crate) dns_url: Option<Url>,
    /// A shell command that prints an access token, where the API asks for one.
    pub(crate) token_command: Option<String>,
    /// The accelerator behind `url`.
    pub(crate) accelerator_arn: Option<String>,
    /// Custom endpoint of Global Accelerator.
    pub(crate) accelerator_endpoint_url: Option<Url>,
    /// Custom endpoint of CloudTrail.
    pub(crate) cloudtrail_endpoint_url: Option<Url>,
    #[serde(default = "default_shards")]
    pending_shards: u16,
    #[serde(default = "default_grace")]
    pending_grace_seconds: u16,
    /// The regions by name.
    #[serde(default)]
    pub(crate) regions: BTreeMap<String, RegionConfig>,
}

/// The resources of one region. A missing setting affects only the commands that need it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionConfig {
    /// Custom AWS endpoint.
    pub(crate) endpoint_url: Option<Url>,
    /// The region's own API.
    pub(crate) api_url: Option<Url>,
    /// URL of its worker's health endpoints.
    pub(crate) worker_url: Option<Url>,
    /// The SSM parameter that holds `ACTIVE` or `PASSIVE`.
    pub(crate) state_parameter: Option<String>,
    /// The table of sales.
    pub(crate) sales_table: Option<String>,
    /// The table of marks.
    pub(crate) idempotency_table: Option<String>,
    /// The queue of the worker.
    pub(crate) queue_url: Option<Url>,
    /// The queue of messages that could not be processed.
    pub(crate) dead_letter_queue_url: Option<Url>,
    /// The lake's bucket.
    pub(crate) lake_bucket: Option<String>,
    /// The ECS cluster of its services.
    pub(crate) cluster: Option<String>,
    /// The ECS service of its API.
    pub(crate) api_service: Option<String>,
    /// The ECS service of its worker.
    pub(crate) worker_service: Option<String>,
    /// Usual minimum number of API tasks, when no switch has raised it.
    pub(crate) api_minimum: Option<u32>,
    /// Usual minimum number of worker tasks.
    pub(crate) worker_minimum: Option<u32>,
}

fn default_shards() -> u16 {
    16
}

fn default_grace() -> u16 {
    30
}

/// The range that the workers accept.
const GRACE: RangeInclusive<u16> = 1..=3600;

impl ConfigOptions {
    /// Reads the file, if there is one, and applies the command line's overrides.
    ///
    /// # Errors
    /// If there is no configuration, or it is invalid.
    pub(crate) fn read(&self) -> Result<Config, InvalidConfig> {
        let (file, mut table) = match &self.config {
            Some(path) => (Some(path.as_path()), read_file(path)?),
            None if Path::new(DEFAULT_FILE).exists() => {
                (Some(Path::new(DEFAULT_FILE)), read_file(Path::new(DEFAULT_FILE))?)
            }
            None => (None, toml::Table::new()),
        };
        for setting in &self.settings {
            set(&mut table, setting)?;
        }
        let config = Config::parse(table).map_err(|error| match file {
            Some(path) => InvalidConfig::new(format_args!("{}: {error}", path.display())),
            None => error,
        })?;
        if file.is_none() && self.settings.is_empty() {
            return Err(InvalidConfig::new(
                "no configuration: pass --config or set SALESCTL_CONFIG (`cargo local` and Terraform's outputs write the \
                 file), or use --set",
            ));
        }
        Ok(config)
    }
}

impl Config {
    fn parse(table: toml::Table) -> Result<Self, InvalidConfig> {
        // Of several lines, only the error and its position.
        let told = |error: toml::de::Error| error.to_string().lines().collect::<Vec<_>>().join(" ");
        let config: Self = table.try_into().map_err(|error| InvalidConfig::new(told(error)))?;
        if Shards::new(config.pending_shards).is_none() {
            return Err(InvalidConfig::new(format_args!("pending_shards cannot be {}", config.pending_shards)));
        }
        if !GRACE.contains(&config.pending_grace_seconds) {
            return Err(InvalidConfig::new(format_args!(
                "pending_grace_seconds must be a number from {} to {}, not {}",
                GRACE.start(),
                GRACE.end(),
                config.pending_grace_seconds
            )));
        }
        for (name, region) in &config.regions {
            region.check(name)?;
        }
        Ok(config)
    }

    /// The shards of the pending index.
    pub(crate) fn shards(&self) -> Shards {
        Shards::new(self.pending_shards).unwrap_or(Shards::DEFAULT)
    }

    /// The rule for overdue items.
    pub(crate) fn overdue(&self) -> Overdue {
        Overdue::with_grace(self.pending_grace_seconds)
    }

    /// The names of all regions.
    ///
    /// # Errors
    /// If no region is configured.
    pub(crate) fn region_names(&self) -> Result<Vec<&str>, InvalidConfig> {
        if self.regions.is_empty() {
            return Err(InvalidConfig::new("no region configured: set at least one regions.REGION.KEY"));
        }
        Ok(self.regions.keys().map(String::as_str).collect())
    }

    /// The named region, or all of them when none is named.
    ///
    /// # Errors
    /// If no region has this name.
    pub(crate) fn selected(&self, name: Option<&str>) -> Result<Vec<&str>, InvalidConfig> {
        let all = self.region_names()?;
        match name {
            None => Ok(all),
            Some(name) if all.contains(&name) => Ok(all.into_iter().filter(|known| *known == name).collect()),
            Some(name) => Err(unknown_region(name, &all)),
        }
    }
}

impl RegionConfig {
    /// Checks the settings that belong together.
    fn check(&self, name: &str) -> Result<(), InvalidConfig> {
        let services = [
            ("cluster", self.cluster.is_some()),
            ("api_service", self.api_service.is_some()),
            ("worker_service", self.worker_service.is_some()),
        ];
        let (set, missing): (Vec<_>, Vec<_>) = services.into_iter().partition(|(_, is_set)| *is_set);
        if let ([(set, _), ..], [(missing, _), ..]) = (set.as_slice(), missing.as_slice()) {
            return Err(InvalidConfig::new(format_args!(
                "regions.{name}.{set} is set, and regions.{name}.{missing} is not: set cluster, api_service and worker_service, \
                 or none of them"
            )));
        }
        for (key, minimum) in [("api_minimum", self.api_minimum), ("worker_minimum", self.worker_minimum)] {
            if minimum == Some(0) {
                return Err(InvalidConfig::new(format_args!("regions.{name}.{key} cannot be 0: expected 1 or more")));
            }
        }
        Ok(())
    }
}

fn unknown_region(name: &str, known: &[&str]) -> InvalidConfig {
    InvalidConfig::new(format_args!("unknown region {name:?}: expected one of {}", known.join(", ")))
}

fn read_file(path: &Path) -> Result<toml::Table, InvalidConfig> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| InvalidConfig::new(format_args!("cannot read {}: {error}", path.display())))?;
    // The error shows the line and a pointer to what is wrong in it.
    text.parse().map_err(|error| InvalidConfig::new(format_args!("invalid TOML in {}: {error}", path.display())))
}

/// Puts a `KEY=VALUE` into the table; the key's parts are separated by dots.
fn set(table: &mut toml::Table, setting: &str) -> Result<(), InvalidConfig> {
    let wrong = || InvalidConfig::new(format_args!("invalid --set {setting:?}: expected KEY=VALUE"));
    let (key, value) = setting.split_once('=').filter(|(key, _)| !key.trim().is_empty()).ok_or_else(wrong)?;
    let parts: Vec<&str> = key.trim().split('.').collect();
    let (last, path) = parts.split_last().ok_or_else(wrong)?;
    let mut table = table;
    for part in path {
        let inner = table.entry((*part).to_owned()).or_insert_with(|| toml::Table::new().into());
        table = inner.as_table_mut().ok_or_else(wrong)?;
    }
    let value = match (*last, value.parse::<i64>()) {
        ("pending_shards" | "pending_grace_seconds" | "api_minimum" | "worker_minimum", Ok(number)) => number.into(),
        _ => toml::Value::from(value),
    };
    table.insert((*last).to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, settings: &[&str]) -> Result<Config, String> {
        let mut table: toml::Table = text.parse().unwrap();
        for setting in settings {
            set(&mut table, setting).map_err(|error| error.to_string())?;
        }
        Config::parse(table).map_err(|error| error.to_string())
    }

    #[test]
    fn a_setting_stands_beside_the_file_or_in_its_place() {
        let file = "url = 'http://one/'\n[regions.sa-east-1]\nsales_table = 'sales'";
        let config = parse(
            file,
            &[
                "url=http://other",
                "regions.us-east-1.sales_table=sales",
                "pending_shards=4",
                "pending_grace_seconds=300",
                "regions.sa-east-1.lake_bucket=lake",
            ],
        )
        .unwrap();
        assert_eq!(config.url.as_ref().map(Url::as_str), Some("http://other/"));
        assert_eq!(config.region_names().unwrap(), ["sa-east-1", "us-east-1"]);
        assert_eq!(config.regions["sa-east-1"].sales_table.as_deref(), Some("sales"));
        assert_eq!(config.regions["sa-east-1"].lake_bucket.as_deref(), Some("lake"));
        assert_eq!(config.shards(), Shards::new(4).unwrap());
        assert_eq!(config.overdue(), Overdue::with_grace(300));
        assert_eq!(parse(file, &[]).unwrap().overdue(), Overdue::with_grace(30), "as the workers' own default");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (file, setting, part) in [
            ("", "bucket=x", "unknown field `bucket`"),
            ("", "regions.sa-east-1.bucket=x", "unknown field `bucket`"),
            ("", "url=nowhere", "relative URL"),
            ("", "url", "expected KEY=VALUE"),
            ("", "=x", "expected KEY=VALUE"),
            ("url = 'http://one'", "url.x=y", "expected KEY=VALUE"),
            ("", "pending_shards=0", "pending_shards cannot be 0"),
            ("", "pending_shards=many", "pending_shards"),
            ("", "regions.a.cluster=sales", "regions.a.cluster is set, and regions.a.api_service is not"),
            ("", "regions.a.api_minimum=0", "regions.a.api_minimum cannot be 0"),
            ("", "regions.a.api_minimum=-1", "invalid value"),
            ("", "pending_grace_seconds=0", "pending_grace_seconds must be a number from 1 to 3600"),
            ("", "pending_grace_seconds=3601", "pending_grace_seconds must be a number from 1 to 3600"),
        ] {
            let error = parse(file, &[setting]).unwrap_err();
            assert!(error.contains(part), "{setting}: {error}");
        }
    }

    #[test]
    fn a_region_is_selected_by_its_name() {
        let config = parse("[regions.a]\n[regions.b]", &[]).unwrap();
        assert_eq!(config.selected(None).unwrap(), ["a", "b"]);
        assert_eq!(config.selected(Some("b")).unwrap(), ["b"]);
        let error = config.selected(Some("c")).unwrap_err();
        assert_eq!(error.to_string(), r#"unknown region "c": expected one of a, b"#);
        assert!(parse("", &[]).unwrap().selected(None).is_err());
    }
}
