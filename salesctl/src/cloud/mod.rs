//! AWS as the operator sees it: each region by itself, so that one that is gone takes nothing else with it.

pub(crate) mod accelerator;
pub(crate) mod connections;
pub(crate) mod fleet;
pub(crate) mod history;
pub(crate) mod items;
mod json_api;
pub(crate) mod lake;
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

/// Which region the control plane of Global Accelerator is in, and CloudTrail's records of it.
const ACCELERATOR_REGION: &str = "us-west-2";

/// How long signing in may take: a file is read, or a program or service asked.
const SIGN_IN_DEADLINE: Duration = Duration::from_secs(10);

const SIGN_IN: &str = "sign in (`aws sso login`), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// How long a look at a region that may be gone may take.
const GLANCE: Duration = Duration::from_secs(2);

/// How patient a client is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience {
    /// For a look at a region that may be gone: a second or two.
    Glance,
    /// For a change that is worth another try.
    Change,
    /// For reading much, which throttling may slow down.
    Bulk,
}

impl Patience {
    /// How many attempts there may be, how long each may take, and how long all of them.
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
    /// Who turned its dials.
    pub(crate) trail: Trail,
    /// The name in front of all regions that DNS answers.
    pub(crate) dns_url: Option<Url>,
    /// When what is pending is overdue.
    pub(crate) overdue: Overdue,
}

/// What is in one region, and who asks it.
#[derive(Debug, Clone)]
pub(crate) struct RegionCloud {
    /// The AWS name of the region.
    pub(crate) name: String,
    /// The names of its resources.
    pub(crate) resources: RegionConfig,
    /// The shards of the pending index.
    pub(crate) shards: Shards,
    /// When what is pending is overdue.
    pub(crate) overdue: Overdue,
    sdk: SdkConfig,
    settings: Settings,
}

impl Cloud {
    /// Signs in with the usual credentials; asks no region yet.
    ///
    /// # Errors
    /// When there are no credentials.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        config.region_names()?;
        let loader = aws_config::defaults(BehaviorVersion::latest()).http_client(connections::of_sdk());
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
    /// What clients of this patience are made from.
    fn sdk(&self, patience: Patience) -> SdkConfig {
        patience.apply(&self.sdk)
    }

    /// The clients of the services themselves for the sales table.
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

    /// The clients of the services themselves for the marks.
    pub(crate) fn marks(&self) -> Result<DynamoMarks, Trouble> {
        let table = self.named("idempotency_table", self.resources.idempotency_table.as_ref())?;
        let dependency = Dependency::unreported("idempotency-table");
        Ok(DynamoMarks::new(&Connection::from(self.sdk.clone()), table.clone(), dependency))
    }

    /// A resource's name or address, which has to be configured.
    fn named<'a, T>(&self, key: &str, value: Option<&'a T>) -> Result<&'a T, Trouble> {
        value.ok_or_else(|| Trouble::not_set(&self.key(key)))
    }

    /// How a setting of this region is called.
    pub(crate) fn key(&self, key: &str) -> Key {
        Key { name: format!("regions.{}.{key}", self.name), settings: self.settings.clone() }
    }
}

/// The clients' configuration for a region. An address that salesctl's configuration says is the one that is asked, whatever the
/// operator's own settings for AWS say.
fn at(sdk: &SdkConfig, region: &str, endpoint: Option<&Url>) -> SdkConfig {
    let mut builder = sdk.to_builder().region(aws_config::Region::new(region.to_owned()));
    if let Some(endpoint) = endpoint {
        builder.set_endpoint_url(Some(endpoint.to_string()));
        // Else a variable of one service comes before it.
        builder.insert_origin("endpoint_url", Origin::shared_config());
        // These choose among AWS's own addresses, and contradict any other.
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

/// What a look at a region gives that may be gone.
pub(crate) async fn in_time<T>(operation: &str, look: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(GLANCE, look)
        .await
        .unwrap_or_else(|_| Err(Trouble::new(format_args!("{operation}: no answer within {} s", GLANCE.as_secs()))))
}

/// Once and before anything else, so that it is one error and not one for each figure.
async fn sign_in(sdk: &SdkConfig) -> anyhow::Result<()> {
    let Some(provider) = sdk.credentials_provider() else { bail!("no AWS credentials: {SIGN_IN}") };
    match timeout(SIGN_IN_DEADLINE, provider.provide_credentials()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => bail!("no AWS credentials were found: {SIGN_IN}"),
        Ok(Err(error)) => Err(error).context(format!("no AWS credentials ({SIGN_IN})")),
        Err(_) => bail!("no AWS credentials within {} s: {SIGN_IN}", SIGN_IN_DEADLINE.as_secs()),
    }
}
