//! Creates the resources, in order of their references.

use anyhow::Context;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateReplicationGroupMemberAction, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ReplicationGroupUpdate, ScalarAttributeType, StreamSpecification,
    StreamViewType, TimeToLiveSpecification,
};
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, DeleteMarkerReplication,
    DeleteMarkerReplicationStatus, Destination, ReplicationConfiguration, ReplicationRule, ReplicationRuleFilter,
    ReplicationRuleStatus, VersioningConfiguration,
};
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::{try_join, try_join_all};
use serde_json::json;

use super::{ACCOUNT, Deployment, RegionResources, last_part, observe::RegionState};

const DAY: u32 = 24 * 60 * 60;

/// In bytes; never reached: an event is far smaller than the API's 64 KiB, but ten are published together.
const LARGEST_MESSAGE: u32 = 256 * 1024;

pub(super) async fn create(deployment: &Deployment) -> anyhow::Result<()> {
    let [first, second] = &deployment.regions;
    try_join(sales_table(first, second), idempotency_table(first, second)).await?;
    for region in [first, second] {
        topic(region).await?;
        queues(region, &deployment.regions).await?;
        bucket(region).await?;
    }
    try_join_all([(first, first), (first, second), (second, first), (second, second)].map(subscription)).await?;
    try_join(replication(first, second), replication(second, first)).await?;
    try_join(first.set_state(RegionState::Active), second.set_state(RegionState::Passive)).await?;
    Ok(())
}

async fn sales_table(home: &RegionResources, replica: &RegionResources) -> anyhow::Result<()> {
    let pending = GlobalSecondaryIndex::builder()
        .index_name(super::observe::PENDING_INDEX)
        .key_schema(key("pending", KeyType::Hash)?)
        .key_schema(key("timestamp", KeyType::Range)?)
        .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
        .build()?;
    let table = home
        .clients
        .dynamodb
        .create_table()
        .table_name(&home.sales_table)
        .key_schema(key("id", KeyType::Hash)?)
        .attribute_definitions(attribute("id", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("pending", ScalarAttributeType::S)?)
        .attribute_definitions(attribute("timestamp", ScalarAttributeType::N)?)
        .global_secondary_indexes(pending)
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream()?);
    table.send().await.with_context(|| format!("table {}", home.sales_table))?;
    replicate(&home.sales_table, home, replica).await
}

async fn idempotency_table(home: &RegionResources, replica: &RegionResources) -> anyhow::Result<()> {
    let name = &home.idempotency_table;
    let dynamodb = &home.clients.dynamodb;
    let table = dynamodb
        .create_table()
        .table_name(name)
        .key_schema(key("id", KeyType::Hash)?)
        .attribute_definitions(attribute("id", ScalarAttributeType::S)?)
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream()?);
    table.send().await.with_context(|| format!("table {name}"))?;
    let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires_at").build()?;
    let update = dynamodb.update_time_to_live().table_name(name).time_to_live_specification(expiry);
    update.send().await.with_context(|| format!("expiry of table {name}"))?;
    replicate(name, home, replica).await
}

async fn replicate(table: &str, home: &RegionResources, replica: &RegionResources) -> anyhow::Result<()> {
    let member = CreateReplicationGroupMemberAction::builder().region_name(&replica.name).build()?;
    let update = ReplicationGroupUpdate::builder().create(member).build();
    let request = home.clients.dynamodb.update_table().table_name(table).replica_updates(update);
    request.send().await.with_context(|| format!("replica of table {table} in {}", replica.name))?;
    Ok(())
}

fn key(name: &str, role: KeyType) -> anyhow::Result<KeySchemaElement> {
    Ok(KeySchemaElement::builder().attribute_name(name).key_type(role).build()?)
}

fn attribute(name: &str, kind: ScalarAttributeType) -> anyhow::Result<AttributeDefinition> {
    Ok(AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build()?)
}

/// Requirements for the replication of a table.
fn stream() -> anyhow::Result<StreamSpecification> {
    let images = StreamViewType::NewAndOldImages;
    Ok(StreamSpecification::builder().stream_enabled(true).stream_view_type(images).build()?)
}

async fn topic(region: &RegionResources) -> anyhow::Result<()> {
    let name = last_part(&region.topic_arn, ':');
    region.clients.sns.create_topic().name(name).send().await.with_context(|| format!("topic {name}"))?;
    Ok(())
}

/// The queue and its dead-letter queue, which keeps messages for longer: their age counts from the first queue on.
async fn queues(region: &RegionResources, senders: &[RegionResources; 2]) -> anyhow::Result<()> {
    let dead_letters = &region.dead_letter_queue_url;
    let retention = (QueueAttributeName::MessageRetentionPeriod, (14 * DAY).to_string());
    queue(region, dead_letters, [retention]).await?;

    let redrive = json!({ "deadLetterTargetArn": queue_arn(region, dead_letters), "maxReceiveCount": 10 });
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": "sns.amazonaws.com" },
            "Action": "sqs:SendMessage",
            "Resource": queue_arn(region, &region.queue_url),
            "Condition": { "ArnEquals": { "aws:SourceArn": senders.each_ref().map(|sender| &sender.topic_arn) } },
        }],
    });
    let attributes = [
        (QueueAttributeName::MessageRetentionPeriod, (4 * DAY).to_string()),
        (QueueAttributeName::VisibilityTimeout, "30".to_owned()),
        (QueueAttributeName::RedrivePolicy, redrive.to_string()),
        (QueueAttributeName::Policy, policy.to_string()),
    ];
    queue(region, &region.queue_url, attributes).await
}

async fn queue(
    region: &RegionResources,
    url: &str,
    attributes: impl IntoIterator<Item = (QueueAttributeName, String)>,
) -> anyhow::Result<()> {
    let name = last_part(url, '/');
    let largest = (QueueAttributeName::MaximumMessageSize, LARGEST_MESSAGE.to_string());
    let attributes = attributes.into_iter().chain([largest]).collect();
    let request = region.clients.sqs.create_queue().queue_name(name).set_attributes(Some(attributes));
    request.send().await.with_context(|| format!("queue {name} in {}", region.name))?;
    Ok(())
}

/// Raw delivery, so that the message's attributes arrive as attributes.
async fn subscription((from, to): (&RegionResources, &RegionResources)) -> anyhow::Result<()> {
    let request = from
        .clients
        .sns
        .subscribe()
        .topic_arn(&from.topic_arn)
        .protocol("sqs")
        .endpoint(queue_arn(to, &to.queue_url))
        .attributes("RawMessageDelivery", "true");
    request.send().await.with_context(|| format!("subscription from {} to {}", from.name, to.name))?;
    Ok(())
}

async fn bucket(region: &RegionResources) -> anyhow::Result<()> {
    let (s3, name) = (&region.clients.s3, &region.bucket);
    // us-east-1 is the default without a constraint, and must not be named in one.
    let constraint = (region.name != "us-east-1").then(|| {
        let place = BucketLocationConstraint::from(region.name.as_str());
        CreateBucketConfiguration::builder().location_constraint(place).build()
    });
    let request = s3.create_bucket().bucket(name).set_create_bucket_configuration(constraint);
    request.send().await.with_context(|| format!("bucket {name}"))?;
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let request = s3.put_bucket_versioning().bucket(name).versioning_configuration(versioning);
    request.send().await.with_context(|| format!("versioning of bucket {name}"))?;
    Ok(())
}

async fn replication(from: &RegionResources, to: &RegionResources) -> anyhow::Result<()> {
    let keeps_deleted = DeleteMarkerReplicationStatus::Disabled;
    let rule = ReplicationRule::builder()
        .id(format!("to-{}", to.name))
        .priority(1)
        .status(ReplicationRuleStatus::Enabled)
        .filter(ReplicationRuleFilter::builder().prefix(super::journal::FOLDER).build())
        .delete_marker_replication(DeleteMarkerReplication::builder().status(keeps_deleted).build())
        .destination(Destination::builder().bucket(format!("arn:aws:s3:::{}", to.bucket)).build()?)
        .build()?;
    let configuration = ReplicationConfiguration::builder()
        .role(format!("arn:aws:iam::{ACCOUNT}:role/{}-replication", from.bucket))
        .rules(rule)
        .build()?;
    let request = from.clients.s3.put_bucket_replication().bucket(&from.bucket);
    let request = request.replication_configuration(configuration);
    request.send().await.with_context(|| format!("replication from {} to {}", from.bucket, to.bucket))?;
    Ok(())
}

fn queue_arn(region: &RegionResources, url: &str) -> String {
    format!("arn:aws:sqs:{}:{ACCOUNT}:{}", region.name, last_part(url, '/'))
}
