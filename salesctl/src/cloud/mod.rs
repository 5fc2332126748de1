//! AWS as the operator sees it: each region independently, so that a lost one affects no other.

pub(crate) mod accelerator;
pub(crate) mod connections;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod items;
mod json_api;
pub(crate) mod lake;
pub(crate) mod lake_table;
pub(crate) mod messages;
pub(crate) mod queue;
pub(crate) mod reason;
pub(crate) mod services;
mod settings;
pub(crate) mod state;
pub(crate) mod table;
pub(crate) mod trail;
pub(crate) mod trouble;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_types::origin::Origin;
use sales::{
    aws::{Connection, DynamoMarks, DynamoSaleTable},
    entropy::Entropy,
    health::Dependency,
    shard::Shards,
};
use tokio::time::timeout;
use url::Url;

use crate::{
    config::{Config, RegionConfig},
    overdue::Overdue,
};
use accelerator::Accelerator;
use settings::Settings;
use trail::Trail;
use trouble::{Key, Trouble};

/// Region of Global Accelerator's control plane, and of its CloudTrail records.
const ACCELERATOR_REGION: &str = "us-west-2";

/// Maximum time to sign in: it may read a file, run a program or call a service.
const SIGN_IN_DEADLINE: Duration = Duration::from_secs(10);

const SIGN_IN: &str = "sign in (`aws sso login`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// Maximum time of a read from a region that may be lost.
const GLANCE: Duration = Duration::from_secs(2);

/// Timeouts and retries of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// For a read from a region that may be lost: a second or two.
    Glance,
    /// For a change that is worth a retry.
    Change,
    /// For large reads, which may be throttled.
    Bulk,
}

impl Patience {
    /// Maximum attempts, the timeout of each, and the timeout of all.
    fn limits(self) -> (u32, Duration, Duration) {
        let (attempts, attempt, operation) = match self {
            Self::Glance => (2, 1_800, 2_000),
            Self::Change => (3, 1_800, 4_000),
            Self::Bulk => (6, 15_000, 60_000),
        };
        (attempts, Duration::from_millis(attempt), Duration::from_millis(operation))
    }

    fn apply(self, config: &SdkConfig) -> SdkConfig {
        let (attempts, attempt, operation) = self.limits();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(attempt)
            .operation_timeout(operation);
        let retries =
            RetryConfig::standard().with_max_attempts(attempts).with_initial_backoff(Duration::from_millis(100));
        config.to_builder().timeout_config(timeouts.build()).retry_config(retries).build()
    }
}

/// The pipeline's regions, and the accelerator in front of them.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// The regions by name.
    pub(crate) regions: BTreeMap<String, RegionCloud>,
    /// The accelerator.
    pub(crate) accelerator: Accelerator,
    /// Who changed the dials.
    pub(crate) trail: Trail,
    /// The URL whose host name DNS resolves to a healthy region.
    pub(crate) dns_url: Option<Url>,
    /// The rule for overdue items.
    pub(crate) overdue: Overdue,
}

/// The resources of one region, and the clients that call it.
#[derive(Debug, Clone)]
pub(crate) struct RegionCloud {
    /// AWS name of the region.
    pub(crate) name: String,
    /// The resource names.
    pub(crate) resources: RegionConfig,
    /// The shards of the pending index.
    pub(crate) shards: Shards,
    /// The rule for overdue items.
    pub(crate) overdue: Overdue,
    sdk: SdkConfig,
    settings: Settings,
}

impl Cloud {
    /// Signs in with the usual credentials; calls no region yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        config.region_names()?;
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(connections::of_sdk());
        // Each client has its own; the SDK panics at a wrong AWS_MAX_ATTEMPTS or AWS_RETRY_MODE, which it reads otherwise.
        let loader = loader.retry_config(RetryConfig::standard());
        let loader = loader.region(aws_config::Region::new(ACCELERATOR_REGION));
        let sdk = sales::aws::with_kept_credentials(loader.load().await);
        let settings = Settings::of(&sdk).await;
        sign_in(&sdk).await?;

        let overdue = config.overdue();
        let regions = config.regions.iter().map(|(name, resources)| {
            let (key, endpoint) = (format!("regions.{name}.endpoint_url"), resources.endpoint_url.as_ref());
            let region = RegionCloud {
                name: name.clone(),
                sdk: at(&sdk, name, endpoint),
                resources: resources.clone(),
                shards: config.shards(),
                overdue,
                settings: decisive(&settings, &key, endpoint),
            };
            (name.clone(), region)
        });
        let endpoint = config.accelerator_endpoint_url.as_ref();
        let accelerator = Accelerator::new(
            &at(&sdk, ACCELERATOR_REGION, endpoint),
            config.accelerator_arn.clone(),
            decisive(&settings, "accelerator_endpoint_url", endpoint),
        );
        let trail = Trail::new(
            &at(&sdk, ACCELERATOR_REGION, None),
            config.accelerator_arn.clone(),
            config.accelerator_endpoint_url.is_some(),
            config.cloudtrail_endpoint_url.as_ref().map(ToString::to_string),
        );
        let dns_url = config.dns_url.clone();
        Ok(Self { regions: regions.collect(), accelerator, trail, dns_url, overdue })
    }
}

impl RegionCloud {
    /// The configuration of clients with these timeouts.
    fn sdk(&self, patience: Patience) -> SdkConfig {
        patience.apply(&self.sdk)
    }

    /// The services' own client of the sales table.
    pub(crate) fn sale_table(&self) -> Result<DynamoSaleTable, Trouble> {
        let table = self.named("sales_table", self.resources.sales_table.as_ref())?;
        let dependency = Dependency::unreported("sales-table");
        Ok(DynamoSaleTable::new(
            &Connection::from(self.sdk.clone()),
            table.clone(),
            self.shards,
            dependency,
            Entropy::system(),
        ))
    }

    /// The services' own client of the marks.
    pub(crate) fn marks(&self) -> Result<DynamoMarks, Trouble> {
        let table = self.named("idempotency_table", self.resources.idempotency_table.as_ref())?;
        let dependency = Dependency::unreported("idempotency-table");
        Ok(DynamoMarks::new(&Connection::from(self.sdk.clone()), table.clone(), dependency))
    }

    /// A resource's name or URL, which must be configured.
    fn named<'a, T>(&self, key: &str, value: Option<&'a T>) -> Result<&'a T, Trouble> {
        value.ok_or_else(|| Trouble::not_set(&self.key(key)))
    }

    /// Full name of a setting of this region.
    pub(crate) fn key(&self, key: &str) -> Key {
        Key { name: format!("regions.{}.{key}", self.name), settings: self.settings.clone() }
    }
}

/// The clients' configuration for a region. An endpoint in salesctl's configuration overrides the operator's own AWS
/// settings.
fn at(sdk: &SdkConfig, region: &str, endpoint: Option<&Url>) -> SdkConfig {
    let mut builder = sdk.to_builder().region(aws_config::Region::new(region.to_owned()));
    if let Some(endpoint) = endpoint {
        builder.set_endpoint_url(Some(endpoint.to_string()));
        // Otherwise, a variable for one service would take precedence.
        builder.insert_origin("endpoint_url", Origin::shared_config());
        // These select among AWS's own endpoints, and contradict any other.
        builder = builder.use_fips(false).use_dual_stack(false);
    }
    builder.build()
}

fn decisive(settings: &Settings, key: &str, endpoint: Option<&Url>) -> Settings {
    match endpoint {
        Some(endpoint) => settings.clone().with_endpoint(key, endpoint),
        None => settings.clone(),
    }
}

/// The result of a read from a region that may be lost.
pub(crate) async fn in_time<T>(operation: &str, look: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(GLANCE, look)
        .await
        .unwrap_or_else(|_| Err(Trouble::new(format_args!("{operation}: no answer within {} s", GLANCE.as_secs()))))
}

/// Once, before anything else, so that it is one error instead of one for each value.
async fn sign_in(sdk: &SdkConfig) -> anyhow::Result<()> {
    let Some(provider) = sdk.credentials_provider() else { bail!("no AWS credentials: {SIGN_IN}") };
    match timeout(SIGN_IN_DEADLINE, provider.provide_credentials()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => match std::env::var("AWS_PROFILE") {
            Ok(profile) => bail!("the profile {profile:?} that AWS_PROFILE names has no credentials: {SIGN_IN}"),
            Err(_) => bail!("no AWS credentials were found: {SIGN_IN}"),
        },
        Ok(Err(error)) => Err(error).context(format!("no AWS credentials ({SIGN_IN})")),
        Err(_) => bail!("no AWS credentials within {} s: {SIGN_IN}", SIGN_IN_DEADLINE.as_secs()),
    }
}
