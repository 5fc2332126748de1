//! Shared parts of black-box tests: a stage of two regions, a proxy that makes AWS fail, the complete instance, and
//! Terraform with an account to apply to.

mod credentials_endpoint;
mod fault_proxy;
mod fleet;
mod local_aws;
mod local_instance;
mod recorder;
pub mod runbook;
mod sandbox;
mod stage;
mod standard_output;
mod terraform;
mod test_issuer;

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use tokio::time::sleep;

use crate::{process::Process, resources::ACCOUNT};

pub use credentials_endpoint::{ContainerCredentials, CredentialsEndpoint};
pub use fault_proxy::{Fault, FaultProxy};
pub use fleet::{FakeFleet, FakeService};
pub use local_aws::LocalAws;
pub use local_instance::LocalInstance;
pub use recorder::{Permission, Recorder};
pub use sandbox::Sandbox;
pub use stage::{Launch, Running, Stage};
pub use standard_output::check_standard_output;
pub use terraform::{Root, Terraform};
pub use test_issuer::{IssuerBehaviour, TestIssuer, TestKey, unsigned};

/// Deadline for expected effects, on a machine that may be busy.
const DEADLINE: Duration = Duration::from_secs(120);

/// A client without proxies, with a test's timeout.
pub fn client() -> reqwest::Client {
    crate::http_client::builder().timeout(DEADLINE).build().unwrap_or_default()
}

/// For AWS clients of a test.
pub fn sdk(endpoint: &str, region: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(ACCOUNT, "test", None, None, "test")))
        .region(aws_config::Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .build()
}

/// Waits until `cargo local`, or `cargo local aws`, has printed its complete startup message.
async fn serves(process: &Process, said: impl Fn() -> String) -> anyhow::Result<()> {
    let serving = async {
        while !said().contains("Ctrl-C stops everything") {
            anyhow::ensure!(!process.has_ended(), "it ended: {}", said());
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    let served = tokio::time::timeout(DEADLINE, serving).await;
    served.unwrap_or_else(|_| Err(anyhow::anyhow!("it does not serve: {}", said())))
}

/// Polls until there is a result, up to a test's deadline.
///
/// # Panics
/// If there is none in time: `what` did not happen.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("{what}: it did not happen"))
}
