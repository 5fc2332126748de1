//! The ports on AWS. Only this folder uses the SDK's clients.

#![expect(clippy::disallowed_types, reason = "this is the one place for the SDK's clients")]

mod certificates;
mod credentials;
mod dynamo;
pub mod failure;
pub mod item;
mod journal;
mod key_store;
mod lake_store;
mod leases;
mod marks;
pub mod sale_queue;
mod sale_table;
mod sale_topic;
mod site_switch;

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{IdentityCache, SharedHttpClient};
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio_util::sync::CancellationToken;

pub use certificates::invalid_certificates;
pub use journal::{S3Addressing, S3Journal};
pub use key_store::DynamoKeyStore;
pub use lake_store::S3LakeStore;
pub use leases::DynamoLeases;
pub use marks::DynamoMarks;
pub use sale_queue::SqsSaleQueue;
pub use sale_table::DynamoSaleTable;
pub use sale_topic::SnsSaleTopic;
pub use site_switch::SsmSiteSwitch;

use self::credentials::KeptCredentials;
use crate::clock::Clock;
use crate::health::Dependency;
use crate::region::Region;

/// The configuration shared by all clients: region, credentials and their cache, endpoints.
#[derive(Clone, Debug)]
pub struct Connection(SdkConfig, Option<KeptCredentials>);

impl Connection {
    /// Reads the usual sources (environment, profile, container credentials), without a call yet.
    pub async fn open(region: &Region, application: &'static str) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(aws_config::Region::new(region.as_str().to_owned()))
            // Each client has its own; the SDK panics at a wrong AWS_MAX_ATTEMPTS or AWS_RETRY_MODE, which it reads otherwise.
            .retry_config(RetryConfig::standard())
            .http_client(connections());
        if let Ok(name) = AppName::new(application) {
            loader = loader.app_name(name);
        }
        Self::from(loader.load().await).with_kept_credentials()
    }

    /// The same connection, with credentials that are loaded outside of its calls.
    #[must_use]
    pub fn with_kept_credentials(self) -> Self {
        let Self(config, _) = self;
        let Some(source) = config.credentials_provider() else { return Self(config, None) };
        let kept = KeptCredentials::new(source, Clock::system());
        let provider = SharedCredentialsProvider::new(kept.clone());
        // One shared cache, instead of one per client.
        let config = config.to_builder().credentials_provider(provider).identity_cache(IdentityCache::no_cache());
        Self(config.build(), Some(kept))
    }

    /// Loads credentials ahead of time until `shutdown`, and reports to `dependency` whether there are any.
    pub fn keep_credentials(&self, dependency: Dependency, shutdown: CancellationToken) {
        if let Some(kept) = &self.1 {
            tokio::spawn(kept.clone().keep(dependency, shutdown));
        }
    }

    /// The same connection with its own connection pool: a thread that polls its own connections needs a third less
    /// time per call than one that wakes another.
    #[must_use]
    pub fn with_own_pool(&self) -> Self {
        Self(self.0.to_builder().http_client(connections()).build(), self.1.clone())
    }
}

/// A configuration whose credentials are loaded once for all clients, outside of their calls.
#[must_use]
pub fn with_kept_credentials(config: SdkConfig) -> SdkConfig {
    Connection::from(config).with_kept_credentials().0
}

impl From<SdkConfig> for Connection {
    /// A configuration from sources other than the usual ones.
    fn from(config: SdkConfig) -> Self {
        Self(config, None)
    }
}

/// How long a connection stays open that no call uses: what a peak has opened is closed soon after it.
const IDLE: Duration = Duration::from_secs(30);

fn connections() -> SharedHttpClient {
    let client = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
        .pool_idle_timeout(IDLE)
        .build_https();
    SharedHttpClient::new(Patient(client))
}

/// How long a container agent may take for credentials: three attempts fit into the time of a load.
const AGENT_TIME: Duration = Duration::from_secs(20);

/// A client whose connections wait longer than the 5 s that aws_config gives a container agent for credentials; it has no
/// setting for that. Service calls have deadlines of their own, and shorter waits, such as for EC2's metadata, stay.
#[derive(Debug)]
struct Patient(SharedHttpClient);

impl HttpClient for Patient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let mut patient = HttpConnectorSettings::builder();
        patient.set_connect_timeout(settings.connect_timeout());
        let is_of_an_agent = |timeout: &Duration| *timeout >= Duration::from_secs(5);
        let stretched = |timeout| if is_of_an_agent(&timeout) { AGENT_TIME } else { timeout };
        patient.set_read_timeout(settings.read_timeout().map(stretched));
        self.0.http_connector(&patient.build(), components)
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.0.connector_metadata()
    }
}

/// Deadline of a call, including retries and pauses, and its maximum attempts.
struct Deadline {
    attempts: u32,
    attempt: Duration,
    operation: Duration,
}

impl Deadline {
    fn retries(&self) -> RetryConfig {
        // The first pause is short, since the deadlines are.
        RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(Duration::from_millis(200))
    }

    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1).min(self.attempt))
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

/// A client waits about 5 s at most: three attempts fit.
const TABLE: Deadline =
    Deadline { attempts: 3, attempt: Duration::from_millis(1_300), operation: Duration::from_millis(4_200) };

/// The same for the table of marks and leases, where no client waits.
const MARKS: Deadline = Deadline { attempts: 3, attempt: Duration::from_secs(2), operation: Duration::from_secs(5) };
