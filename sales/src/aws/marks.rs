//! The marks, in a DynamoDB global table whose items expire.

use std::collections::HashSet;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};

use super::{Connection, MARKS, dynamo, item};
use crate::clock::Timestamp;
use crate::health::Dependency;
use crate::ports::{Mark, Marks, PortResult};
use crate::sale::FactId;

/// [`Marks`] on DynamoDB.
#[derive(Clone, Debug)]
pub struct DynamoMarks {
    client: Client,
    table: String,
    dependency: Dependency,
}

impl DynamoMarks {
    /// The marks in the table of this name.
    #[must_use]
    pub fn new(connection: &Connection, table: String, dependency: Dependency) -> Self {
        Self { client: dynamo::client(connection, &MARKS), table, dependency }
    }

    /// The items of the marks of these facts, in any order; missing ones are left out.
    ///
    /// # Errors
    /// If the table is unavailable.
    pub async fn items(&self, ids: &[FactId]) -> PortResult<Vec<item::Item>> {
        let found = dynamo::get(&self.client, &self.table, KeysAndAttributes::builder().consistent_read(true), ids);
        self.dependency.observe("BatchGetItem", found.await)
    }
}

impl Marks for DynamoMarks {
    async fn present(&self, ids: &[FactId]) -> PortResult<HashSet<FactId>> {
        let keys = KeysAndAttributes::builder().consistent_read(true).projection_expression("id");
        let found = dynamo::get(&self.client, &self.table, keys, ids).await;
        Ok(self.dependency.observe("BatchGetItem", found)?.iter().filter_map(item::fact_id).collect())
    }

    async fn record(&self, marks: &[Mark], expires_at: Timestamp) -> Vec<PortResult<()>> {
        let items = marks.iter().map(|Mark { id, object }| {
            let expires_at = AttributeValue::N(expires_at.unix_seconds().to_string());
            let object = AttributeValue::S(object.to_string());
            (*id, item::Item::from([item::id(*id), ("expires_at".into(), expires_at), ("object".into(), object)]))
        });
        let results = dynamo::put(&self.client, &self.table, items.collect()).await;
        self.dependency.observe_entries("BatchWriteItem", results)
    }

    async fn probe(&self) -> PortResult<()> {
        self.dependency.observe("GetItem", dynamo::probe(&self.client, &self.table).await)
    }
}
