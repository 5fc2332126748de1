//! AWS clients of one region, all with the emulator's endpoint.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// The account of all resources; the emulator takes it from the access key.
pub const ACCOUNT: &str = "111122223333";

#[derive(Debug, Clone)]
pub(super) struct Clients {
    pub(super) cloudwatch: aws_sdk_cloudwatch::Client,
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) s3: aws_sdk_s3::Client,
    pub(super) sns: aws_sdk_sns::Client,
    pub(super) sqs: aws_sdk_sqs::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
}

impl Clients {
    pub(super) fn new(endpoint: &str, region: &str) -> Self {
        let config = configuration(endpoint, region);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            ssm: aws_sdk_ssm::Client::new(&config),
        }
    }
}

/// The configuration of all clients here: nothing of the user's own AWS configuration, which is for another account.
fn configuration(endpoint: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::new(ACCOUNT, "local", None, None, "sales-local");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(aws_config::Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .build()
}
