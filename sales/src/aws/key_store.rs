//! The keys of issuers, in the sales table: the API has no other. An item without `pending` and `timestamp` is in no index,
//! and no fact.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;

use super::{Connection, TABLE, dynamo, failure};
use crate::health::Dependency;
use crate::ports::{KeyStore, PortResult};
use crate::region::Region;

/// [`KeyStore`] on DynamoDB.
///
/// The table is global: each region has its own items, so that no two regions write the same one.
#[derive(Clone, Debug)]
pub struct DynamoKeyStore {
    client: Client,
    table: String,
    region: Region,
    dependency: Dependency,
}

impl DynamoKeyStore {
    /// The keys that the tasks of `region` know, in the table of this name.
    #[must_use]
    pub fn new(connection: &Connection, table: String, region: Region, dependency: Dependency) -> Self {
        Self { client: dynamo::client(connection, &TABLE), table, region, dependency }
    }

    fn id(&self, issuer: &str) -> AttributeValue {
        AttributeValue::S(format!("keys#{}#{issuer}", self.region))
    }
}

impl KeyStore for DynamoKeyStore {
    async fn load(&self, issuer: &str) -> PortResult<Option<String>> {
        let get = self.client.get_item().table_name(&self.table).key("id", self.id(issuer)).consistent_read(true);
        let answer = get.send().await.map_err(|error| failure::of_resource("GetItem", error));
        let item = self.dependency.observe("GetItem", answer)?.item;
        Ok(item.and_then(|item| item.get("keys")?.as_s().ok().cloned()))
    }

    async fn save(&self, issuer: &str, keys: &str) -> PortResult<()> {
        let put = self.client.put_item().table_name(&self.table).item("id", self.id(issuer));
        let put = put.item("keys", AttributeValue::S(keys.to_owned()));
        let answer = put.send().await.map_err(|error| failure::of("PutItem", error));
        self.dependency.observe("PutItem", answer.map(drop))
    }
}
