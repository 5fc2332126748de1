//! Compares the resources that this crate creates with those of Terraform: equal, except for intended differences.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::KeySchemaElement;
use aws_sdk_s3::types::{CreateBucketConfiguration, ReplicationRule, ReplicationRuleFilter};
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::try_join;
use sales_testbed::{
    resources::{Deployment, Location, REGIONS, RegionResources},
    testing::{LocalAws, Root, Terraform, sdk},
    workspace,
};
use serde_json::Value;

/// Prefix of all names in infra/environment/dev.
const TERRAFORMED: &str = "sales-dev";
const OURS: &str = "local";
/// Region of Terraform's state: none of the pipeline's.
const STATE_REGION: &str = "us-west-2";

/// Intended differences, with the reason. All other attributes compared here must be equal.
const MEANT: [(&str, &str, &str); 8] = [
    ("sales table", "encryption", "nothing on this machine is worth a key"),
    ("idempotency table", "encryption", "nothing on this machine is worth a key"),
    ("queue", "encryption", "nothing on this machine is worth a key"),
    ("dead-letter queue", "encryption", "nothing on this machine is worth a key"),
    ("lake", "encrypted objects", "nothing on this machine is worth a key"),
    ("sales table", "point-in-time recovery", "what is on this machine is gone with it"),
    ("idempotency table", "point-in-time recovery", "what is on this machine is gone with it"),
    ("topic", "undeliverable", "SNS reaches either the queues of one emulator or none"),
];

/// A region, a resource, and an attribute.
type Fact = (String, &'static str, &'static str);
type Facts = BTreeMap<Fact, String>;

#[tokio::test]
async fn what_runs_on_this_machine_is_what_terraform_creates() {
    let Some(terraform) = Terraform::or_skip("what Terraform creates for the services") else { return };
    let aws = LocalAws::start(&[]).await.unwrap();
    let endpoint = aws.endpoint("DYNAMODB").to_owned();
    let place = |prefix: &str| Location { endpoint: endpoint.clone(), prefix: prefix.to_owned() };
    try_join(apply(terraform, &aws), Deployment::create(&endpoint, OURS)).await.unwrap();

    let ours = facts(&place(OURS)).await;
    let terraformed = facts(&place(TERRAFORMED)).await;
    assert!(ours.len() > 60, "everything is looked at: {ours:#?}");
    let is_meant = |fact: &Fact| MEANT.iter().any(|(subject, what, _)| (*subject, *what) == (fact.1, fact.2));
    let all: BTreeSet<_> = ours.keys().chain(terraformed.keys()).collect();
    let differing: Vec<_> = all.into_iter().filter(|fact| ours.get(*fact) != terraformed.get(*fact)).collect();
    let surprises: Vec<_> = differing.iter().filter(|fact| !is_meant(fact)).collect();
    let told =
        surprises.iter().map(|fact| format!("{fact:?}: {:?}, not {:?}", ours.get(**fact), terraformed.get(**fact)));
    assert!(surprises.is_empty(), "other here than by Terraform: {:#?}", told.collect::<Vec<_>>());
    let differing: BTreeSet<_> = differing.iter().map(|fact| (fact.1, fact.2)).collect();
    let listed: BTreeSet<_> = MEANT.iter().map(|(subject, what, _)| (*subject, *what)).collect();
    assert_eq!(differing, listed, "the list has no more than what differs");
}

/// Applies what the services depend on: the data resources of the stages, one after the other.
async fn apply(terraform: Terraform, aws: &LocalAws) -> anyhow::Result<()> {
    let bucket = format!("{TERRAFORMED}-terraform");
    let s3 = s3(&sdk(aws.endpoint("S3"), STATE_REGION));
    let place = CreateBucketConfiguration::builder().location_constraint(STATE_REGION.into()).build();
    s3.create_bucket().bucket(&bucket).create_bucket_configuration(place).send().await?;
    let data = tempfile::tempdir()?;
    let stage = async |stage: &str, region: Option<&str>, targets: &[&str]| {
        let key = region.map_or(stage.to_owned(), |region| format!("{stage}/{region}"));
        let root = Root {
            terraform: terraform.clone(),
            directory: workspace::root().join("infra").join(stage),
            data: data.path().join(key.replace('/', "-")),
            environment: aws.variables().clone().into_iter().collect(),
        };
        init(&root, &bucket, &key).await?;
        let mut words = vec!["apply".to_owned(), "-auto-approve".to_owned()];
        words.push("-var-file=../environment/dev/pipeline.tfvars".to_owned());
        words.push("-var=emulated=true".to_owned());
        words.push(format!("-var=state_store={{bucket=\"{bucket}\",region=\"{STATE_REGION}\"}}"));
        words.extend(region.map(|region| format!("-var=region={region}")));
        words.extend(targets.iter().map(|target| format!("-target=module.{target}")));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        root.run(&words, 0).await
    };
    stage("pre-deployment", None, &["sales_table", "idempotency_table"]).await?;
    // The lake without its lifecycle, for which the provider waits for most of a minute.
    let of_a_region = ["table_replica", "messaging", "lake.aws_s3_bucket_versioning.this"];
    let [first, second] = REGIONS.map(|region| stage("deployment", Some(region), &of_a_region));
    try_join(first, second).await?;
    let [first, second] = REGIONS.map(|region| stage("wiring", Some(region), &[]));
    try_join(first, second).await?;
    Ok(())
}

async fn init(root: &Root, bucket: &str, key: &str) -> anyhow::Result<()> {
    let bucket = format!("-backend-config=bucket={bucket}");
    let key = format!("-backend-config=key={key}.tfstate");
    let region = format!("-backend-config=region={STATE_REGION}");
    let emulated = [
        "-backend-config=use_path_style=true",
        "-backend-config=skip_credentials_validation=true",
        "-backend-config=skip_metadata_api_check=true",
        "-backend-config=skip_region_validation=true",
    ];
    root.init(&[&["-lockfile=readonly", &bucket, &key, &region], &emulated[..]].concat()).await
}

fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

async fn facts(place: &Location) -> Facts {
    let mut facts = Facts::new();
    for region in &Deployment::open(place).regions {
        let config = sdk(&place.endpoint, &region.name);
        let mut note = |subject: &'static str, what: &'static str, is: String| {
            facts.insert((region.name.clone(), subject, what), is.replace(&place.prefix, "PREFIX"));
        };
        table(&config, "sales table", &region.sales_table, &mut note).await;
        table(&config, "idempotency table", &region.idempotency_table, &mut note).await;
        queue(&config, "queue", &region.queue_url, &mut note).await;
        queue(&config, "dead-letter queue", &region.dead_letter_queue_url, &mut note).await;
        topic(&config, region, &mut note).await;
        lake(&config, region, &mut note).await;
        state(&config, region, &mut note).await;
    }
    facts
}

async fn table(
    config: &SdkConfig,
    subject: &'static str,
    name: &str,
    note: &mut impl FnMut(&'static str, &'static str, String),
) {
    let dynamodb = aws_sdk_dynamodb::Client::new(config);
    let table = dynamodb.describe_table().table_name(name).send().await.unwrap().table.unwrap();
    note(subject, "key", keys(table.key_schema()));
    let attributes = table.attribute_definitions().iter();
    note(subject, "attributes", sorted(attributes.map(|own| format!("{} {}", own.attribute_name, own.attribute_type))));
    let indexes = table.global_secondary_indexes().iter().map(|index| {
        let projection = index.projection().and_then(|projection| projection.projection_type());
        format!("{} {} {}", index.index_name().unwrap(), keys(index.key_schema()), projection.unwrap())
    });
    note(subject, "indexes", sorted(indexes));
    note(subject, "billing", text(table.billing_mode_summary().and_then(|summary| summary.billing_mode())));
    note(subject, "stream", text(table.stream_specification().and_then(|stream| stream.stream_view_type())));
    let others = table.replicas().iter().filter_map(|replica| replica.region_name().map(str::to_owned));
    note(subject, "other regions", sorted(others));
    note(subject, "deletion protection", text(table.deletion_protection_enabled()));
    note(subject, "encryption", text(table.sse_description().and_then(|encryption| encryption.sse_type())));

    let expiry = dynamodb.describe_time_to_live().table_name(name).send().await.unwrap();
    let expiry = expiry.time_to_live_description().and_then(|expiry| expiry.attribute_name());
    note(subject, "expiry", text(expiry));
    let backups = dynamodb.describe_continuous_backups().table_name(name).send().await.unwrap();
    let backups = backups.continuous_backups_description.unwrap().point_in_time_recovery_description;
    let status = backups.as_ref().and_then(|recovery| recovery.point_in_time_recovery_status());
    note(subject, "point-in-time recovery", text(status.filter(|status| status.as_str() == "ENABLED")));
}

fn keys(schema: &[KeySchemaElement]) -> String {
    schema.iter().map(|key| format!("{} {}", key.attribute_name, key.key_type)).collect::<Vec<_>>().join(", ")
}

async fn queue(
    config: &SdkConfig,
    subject: &'static str,
    url: &str,
    note: &mut impl FnMut(&'static str, &'static str, String),
) {
    let sqs = aws_sdk_sqs::Client::new(config);
    let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
    let attributes = request.send().await.unwrap().attributes.unwrap();
    for (what, name) in [
        ("visibility", QueueAttributeName::VisibilityTimeout),
        ("retention", QueueAttributeName::MessageRetentionPeriod),
        ("delay", QueueAttributeName::DelaySeconds),
        ("wait", QueueAttributeName::ReceiveMessageWaitTimeSeconds),
        ("largest message", QueueAttributeName::MaximumMessageSize),
        ("order", QueueAttributeName::FifoQueue),
    ] {
        note(subject, what, text(attributes.get(&name)));
    }
    note(subject, "encryption", text(attributes.get(&QueueAttributeName::KmsMasterKeyId).map(|_| "KMS")));
    if subject == "queue" {
        let redrive: Value = serde_json::from_str(&attributes[&QueueAttributeName::RedrivePolicy]).unwrap();
        note(subject, "dead letters", redrive["deadLetterTargetArn"].as_str().unwrap().to_owned());
        note(subject, "tries", redrive["maxReceiveCount"].to_string());
        let policy: Value = serde_json::from_str(&attributes[&QueueAttributeName::Policy]).unwrap();
        let allowed = policy["Statement"].as_array().unwrap().iter().find(|own| own["Effect"] == "Allow").unwrap();
        let senders = allowed["Condition"]["ArnEquals"]["aws:SourceArn"].as_array().unwrap();
        note(subject, "senders", sorted(senders.iter().map(ToString::to_string)));
    }
}

async fn topic(
    config: &SdkConfig,
    region: &RegionResources,
    note: &mut impl FnMut(&'static str, &'static str, String),
) {
    let sns = aws_sdk_sns::Client::new(config);
    let subscriptions = sns.list_subscriptions_by_topic().topic_arn(&region.topic_arn).send().await.unwrap();
    let (mut told, mut undeliverable) = (Vec::new(), Vec::new());
    for subscription in subscriptions.subscriptions() {
        let request = sns.get_subscription_attributes().subscription_arn(subscription.subscription_arn().unwrap());
        let attributes = request.send().await.unwrap().attributes.unwrap();
        let attribute = |name: &str| text(attributes.get(name));
        let (raw, filter) = (attribute("RawMessageDelivery"), attribute("FilterPolicy"));
        told.push(format!("{} {} raw {raw} filter {filter}", attribute("Protocol"), attribute("Endpoint")));
        undeliverable.push(attribute("RedrivePolicy"));
    }
    note("topic", "subscriptions", sorted(told));
    note("topic", "undeliverable", sorted(undeliverable));
}

async fn lake(config: &SdkConfig, region: &RegionResources, note: &mut impl FnMut(&'static str, &'static str, String)) {
    let s3 = s3(config);
    let versioning = s3.get_bucket_versioning().bucket(&region.bucket).send().await.unwrap();
    note("lake", "versioning", text(versioning.status()));
    let replication = s3.get_bucket_replication().bucket(&region.bucket).send().await.unwrap();
    let rules = replication.replication_configuration.unwrap().rules;
    note("lake", "replication", sorted(rules.iter().map(rule)));
    let encrypted = rules.iter().map(|rule| {
        let objects = rule.source_selection_criteria().and_then(|criteria| criteria.sse_kms_encrypted_objects());
        text(objects.map(|objects| objects.status()))
    });
    note("lake", "encrypted objects", sorted(encrypted));
}

fn rule(rule: &ReplicationRule) -> String {
    let destination = rule.destination().map(|destination| destination.bucket()).unwrap_or_default();
    let prefix = rule.filter().and_then(ReplicationRuleFilter::prefix).unwrap_or_default();
    let deleted = rule.delete_marker_replication().and_then(|markers| markers.status());
    let (id, priority) = (text(rule.id()), text(rule.priority()));
    format!("{id} to {destination}, {}, priority {priority}, prefix {prefix:?}, deleted {deleted:?}", rule.status())
}

async fn state(
    config: &SdkConfig,
    region: &RegionResources,
    note: &mut impl FnMut(&'static str, &'static str, String),
) {
    let ssm = aws_sdk_ssm::Client::new(config);
    let state = ssm.get_parameter().name(&region.state_parameter).send().await.unwrap().parameter.unwrap();
    note("state", "type", text(state.r#type()));
    note("state", "value", text(state.value()));
}

fn sorted(facts: impl IntoIterator<Item = String>) -> String {
    let mut facts: Vec<_> = facts.into_iter().collect();
    facts.sort_unstable();
    facts.join("; ")
}

fn text(value: Option<impl Debug>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"))
}
