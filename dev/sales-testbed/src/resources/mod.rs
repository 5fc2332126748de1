//! All AWS resources of the services, in two regions, with a prefix of their own.
//!
//! Several deployments may share one emulator, as in tests, since every name has the prefix.

mod clients;
mod create;
mod journal;
mod observe;
mod queue_age;

use anyhow::Context;
use serde::{Deserialize, Serialize};

pub use clients::ACCOUNT;
use clients::Clients;
pub use journal::{FactsInLake, JournalLine};
pub use observe::{Object, RegionState};

/// The regions, in their order everywhere; the first is initially ACTIVE.
pub const REGIONS: [&str; 2] = ["sa-east-1", "us-east-1"];

/// The location of a deployment: all that another process needs to open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Address of every AWS service.
    pub endpoint: String,
    /// Prefix of all names.
    pub prefix: String,
}

/// Both regions.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// In the order of [`REGIONS`].
    pub regions: [RegionResources; 2],
}

/// One region: the names of its resources, and its clients.
#[derive(Debug, Clone)]
pub struct RegionResources {
    /// The AWS name of the region.
    pub name: String,
    /// The topic that the API publishes to, as an ARN.
    pub topic_arn: String,
    /// The queue that the worker receives from.
    pub queue_url: String,
    /// The queue of messages that could not be processed.
    pub dead_letter_queue_url: String,
    /// The global table of sales, the same name in both regions.
    pub sales_table: String,
    /// The global table of marks, the same name in both regions.
    pub idempotency_table: String,
    /// The lake's bucket.
    pub bucket: String,
    /// The parameter that holds `ACTIVE` or `PASSIVE`.
    pub state_parameter: String,
    endpoint: String,
    clients: Clients,
}

impl Deployment {
    /// Creates all resources of both regions; the first region is ACTIVE, the second PASSIVE.
    pub async fn create(endpoint: &str, prefix: &str) -> anyhow::Result<Self> {
        let place = Location { endpoint: endpoint.to_owned(), prefix: prefix.to_owned() };
        let deployment = Self::named(&place);
        create::create(&deployment).await.with_context(|| format!("cannot create the resources of {prefix}"))?;
        Ok(deployment)
    }

    /// A deployment that exists already.
    pub fn open(place: &Location) -> Self {
        Self::named(place)
    }

    /// The region of that name.
    pub fn region(&self, name: &str) -> Option<&RegionResources> {
        self.regions.iter().find(|region| region.name == name)
    }

    fn named(place: &Location) -> Self {
        Self { regions: REGIONS.map(|name| RegionResources::named(place, name)) }
    }
}

impl RegionResources {
    /// All names follow from the location and the region, as in AWS.
    fn named(Location { endpoint, prefix }: &Location, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            topic_arn: format!("arn:aws:sns:{name}:{ACCOUNT}:{prefix}-sales"),
            queue_url: format!("{endpoint}/{ACCOUNT}/{prefix}-sales"),
            dead_letter_queue_url: format!("{endpoint}/{ACCOUNT}/{prefix}-sales-dead-letters"),
            sales_table: format!("{prefix}-sales"),
            idempotency_table: format!("{prefix}-sales-idempotency"),
            bucket: format!("{prefix}-lake-{ACCOUNT}-{name}"),
            state_parameter: format!("/{prefix}/site/state"),
            endpoint: endpoint.clone(),
            clients: Clients::new(endpoint, name),
        }
    }

    /// Environment variables of the API, except for its port.
    pub fn api_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.common_environment();
        variables.push(pair("SNS_SALES_PROCESSING_TOPIC", &self.topic_arn));
        variables
    }

    /// Environment variables of the worker, except for its port.
    pub fn worker_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.common_environment();
        variables.extend([
            pair("SQS_SALES_QUEUE", &self.queue_url),
            pair("DYNAMO_SALES_IDEMPOTENCY_TABLE", &self.idempotency_table),
            pair("S3_SALES_BUCKET", &self.bucket),
        ]);
        variables
    }

    /// Environment variables of the builder of the table, except for its port.
    pub fn lake_environment(&self) -> Vec<(String, String)> {
        let mut variables = self.common_environment();
        variables.extend([
            pair("DYNAMO_SALES_IDEMPOTENCY_TABLE", &self.idempotency_table),
            pair("S3_SALES_BUCKET", &self.bucket),
        ]);
        variables
    }

    fn common_environment(&self) -> Vec<(String, String)> {
        vec![
            pair("AWS_REGION", &self.name),
            pair("SSM_PARAMETER_STORE_STATE", &self.state_parameter),
            pair("DYNAMO_SALES_TABLE", &self.sales_table),
            pair("AWS_ENDPOINT_URL", &self.endpoint),
            // The emulator uses an access key of twelve digits as the account.
            pair("AWS_ACCESS_KEY_ID", ACCOUNT),
            pair("AWS_SECRET_ACCESS_KEY", "local"),
            pair("AWS_EC2_METADATA_DISABLED", "true"),
        ]
    }
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn last_part(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(environment: Vec<(String, String)>) -> Vec<String> {
        environment.into_iter().map(|(name, _)| name).filter(|name| !name.starts_with("AWS_")).collect()
    }

    #[test]
    fn each_service_gets_the_variables_of_the_guide() {
        let place = Location { endpoint: "http://127.0.0.1:1".to_owned(), prefix: "test".to_owned() };
        let region = &Deployment::open(&place).regions[0];
        assert_eq!(
            names(region.api_environment()),
            ["SSM_PARAMETER_STORE_STATE", "DYNAMO_SALES_TABLE", "SNS_SALES_PROCESSING_TOPIC"]
        );
        assert_eq!(
            names(region.worker_environment()),
            [
                "SSM_PARAMETER_STORE_STATE",
                "DYNAMO_SALES_TABLE",
                "SQS_SALES_QUEUE",
                "DYNAMO_SALES_IDEMPOTENCY_TABLE",
                "S3_SALES_BUCKET"
            ]
        );
    }
}
