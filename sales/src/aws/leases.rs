//! The leases, in the table of marks: an expired lease is deleted by the same TTL attribute as an old mark.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};

use super::{Connection, MARKS, dynamo, failure};
use crate::clock::Timestamp;
use crate::health::Dependency;
use crate::ports::{Duty, Holder, Lease, Leases, PortResult};
use crate::region::Region;

/// [`Leases`] on DynamoDB.
///
/// The table is global, and a condition is not a lock across regions: each region has its own leases.
#[derive(Clone, Debug)]
pub struct DynamoLeases {
    client: Client,
    table: String,
    region: Region,
    dependency: Dependency,
}

impl DynamoLeases {
    /// The leases of `region` in the table of this name.
    #[must_use]
    pub fn new(connection: &Connection, table: String, region: Region, dependency: Dependency) -> Self {
        Self { client: dynamo::client(connection, &MARKS), table, region, dependency }
    }

    fn id(&self, duty: Duty) -> AttributeValue {
        let region = &self.region;
        AttributeValue::S(match duty {
            Duty::Sweep(shard) => format!("lease#{region}#{shard}"),
            Duty::Table => format!("lease#{region}#table"),
        })
    }

    async fn put(&self, duty: Duty, holder: Holder, now: Timestamp, until: Timestamp) -> PortResult<Lease> {
        let moment = |moment: Timestamp| AttributeValue::N(moment.unix_seconds().to_string());
        let put = self.client.put_item().table_name(&self.table);
        let put = put.item("id", self.id(duty)).item("holder", AttributeValue::S(holder.to_string()));
        let put = put
            .item("expires_at", moment(until))
            .condition_expression("attribute_not_exists(id) OR holder = :holder OR expires_at <= :now")
            .expression_attribute_values(":holder", AttributeValue::S(holder.to_string()))
            .expression_attribute_values(":now", moment(now))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match put.send().await {
            Ok(_) => Ok(Lease::Own(until)),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                let held = match answer.into_err() {
                    PutItemError::ConditionalCheckFailedException(held) => held.item.unwrap_or_default(),
                    _ => HashMap::new(),
                };
                let expires_at = held.get("expires_at").and_then(|value| value.as_n().ok()?.parse().ok());
                Ok(Lease::Other(expires_at.and_then(Timestamp::from_unix_seconds).unwrap_or(until)))
            }
            Err(error) => Err(failure::of("PutItem", error)),
        }
    }

    async fn delete(&self, duty: Duty, holder: Holder) -> PortResult<()> {
        let delete = self.client.delete_item().table_name(&self.table).key("id", self.id(duty));
        let delete = delete.condition_expression("holder = :holder");
        let delete = delete.expression_attribute_values(":holder", AttributeValue::S(holder.to_string()));
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => Ok(()),
            Err(error) => Err(failure::of("DeleteItem", error)),
        }
    }
}

impl Leases for DynamoLeases {
    async fn acquire(
        &self,
        duty: impl Into<Duty> + Send,
        holder: Holder,
        now: Timestamp,
        until: Timestamp,
    ) -> PortResult<Lease> {
        self.dependency.observe("PutItem", self.put(duty.into(), holder, now, until).await)
    }

    async fn release(&self, duty: impl Into<Duty> + Send, holder: Holder) -> PortResult<()> {
        self.dependency.observe("DeleteItem", self.delete(duty.into(), holder).await)
    }
}
