//! Both regions' resources on a real emulator, through the AWS SDK, by the names that the services get.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use futures::future::join_all;
use sales_testbed::{
    emulator::Emulator,
    resources::{Deployment, FactsInLake, RegionResources, RegionState},
    testing::eventually,
};
use tokio::sync::OnceCell;

/// One for all tests; its keeper stops it when this test process ends.
static EMULATOR: OnceCell<Emulator> = OnceCell::const_new();

async fn deploy(prefix: &str) -> (Deployment, String) {
    let emulator = EMULATOR.get_or_init(async || Emulator::start(None).await.expect("an emulator")).await;
    let deployment = Deployment::create(emulator.endpoint(), prefix).await.expect("a deployment");
    (deployment, emulator.endpoint().to_owned())
}

fn configuration(endpoint: &str, region: &RegionResources) -> SdkConfig {
    sales_testbed::testing::sdk(endpoint, &region.name)
}

fn s3(endpoint: &str, region: &RegionResources) -> aws_sdk_s3::Client {
    let config = configuration(endpoint, region);
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build())
}

async fn receive(endpoint: &str, region: &RegionResources) -> Message {
    let sqs = aws_sdk_sqs::Client::new(&configuration(endpoint, region));
    eventually("a delivery", async || {
        let request = sqs.receive_message().queue_url(&region.queue_url).message_attribute_names("All");
        request.send().await.expect("an answer").messages.unwrap_or_default().pop()
    })
    .await
}

#[tokio::test]
async fn the_emulator_ends_with_its_owner() {
    let emulator = Emulator::start(None).await.expect("an emulator");
    let id = rustix::process::Pid::from_raw(emulator.id().cast_signed()).expect("not zero");
    let client = sales_testbed::http_client::builder().build().expect("a client");
    let health = format!("{}/_ministack/health", emulator.endpoint());
    assert!(client.get(&health).send().await.expect("it serves").status().is_success());
    drop(emulator);
    assert!(rustix::process::test_kill_process(id).is_err(), "the process is still there");
    assert!(client.get(&health).send().await.is_err(), "it still serves");
}

#[tokio::test]
async fn a_port_in_use_is_not_waited_for() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let error = Emulator::start(Some(port)).await.expect_err("the port is taken").to_string();
    assert!(error.starts_with("the emulator exited at startup"), "{error}");
}

#[tokio::test]
async fn a_sale_written_in_one_region_is_read_and_pending_in_the_other() {
    let (deployment, endpoint) = deploy("tables").await;
    for (from, to) in [(0, 1), (1, 0)].map(|(from, to)| (&deployment.regions[from], &deployment.regions[to])) {
        let id = AttributeValue::S(format!("sale-of-{}", from.name));
        let [writer, reader] =
            [from, to].map(|region| aws_sdk_dynamodb::Client::new(&configuration(&endpoint, region)));
        let put = writer.put_item().table_name(&from.sales_table).item("id", id.clone());
        let put = put.item("region", AttributeValue::S(from.name.clone()));
        let put = put.item("pending", AttributeValue::S("7".to_owned()));
        put.item("timestamp", AttributeValue::N("1".to_owned())).send().await.expect("a write");
        eventually("replication", async || {
            reader.get_item().table_name(&to.sales_table).key("id", id.clone()).send().await.expect("a read").item
        })
        .await;
        eventually("the index", async || (to.pending_count().await.expect("a count") > 0).then_some(())).await;
    }
    for region in &deployment.regions {
        let accepted = region.accepted_by_region().await.expect("a count");
        assert_eq!(accepted, [("sa-east-1".to_owned(), 1), ("us-east-1".to_owned(), 1)].into());
    }
}

#[tokio::test]
async fn a_record_of_the_idempotency_table_is_seen_in_both_regions_and_expires() {
    let (deployment, endpoint) = deploy("marks").await;
    let [first, second] =
        deployment.regions.each_ref().map(|region| aws_sdk_dynamodb::Client::new(&configuration(&endpoint, region)));
    let table = &deployment.regions[0].idempotency_table;
    let id = AttributeValue::S("mark".to_owned());
    first.put_item().table_name(table).item("id", id.clone()).send().await.expect("a write");
    eventually("replication", async || {
        second.get_item().table_name(table).key("id", id.clone()).send().await.expect("a read").item
    })
    .await;
    let expiry = first.describe_time_to_live().table_name(table).send().await.expect("an answer");
    assert_eq!(expiry.time_to_live_description.expect("a setting").attribute_name.as_deref(), Some("expires_at"));
}

#[tokio::test]
async fn a_message_reaches_the_queues_of_both_regions_raw_with_its_attributes() {
    let (deployment, endpoint) = deploy("messages").await;
    for from in &deployment.regions {
        let sns = aws_sdk_sns::Client::new(&configuration(&endpoint, from));
        let kind = MessageAttributeValue::builder().data_type("String").string_value("sale.registered");
        let publish = sns.publish().topic_arn(&from.topic_arn).message(r#"{"id":"1"}"#);
        let publish = publish.message_attributes("ce-type", kind.build().expect("complete"));
        publish.send().await.expect("it is published");
        for to in &deployment.regions {
            let message = receive(&endpoint, to).await;
            assert_eq!(message.body.as_deref(), Some(r#"{"id":"1"}"#), "{} to {}", from.name, to.name);
            let attributes = message.message_attributes.expect("attributes");
            assert_eq!(attributes["ce-type"].string_value.as_deref(), Some("sale.registered"));
            let sqs = aws_sdk_sqs::Client::new(&configuration(&endpoint, to));
            let receipt = message.receipt_handle.expect("a receipt");
            sqs.delete_message().queue_url(&to.queue_url).receipt_handle(receipt).send().await.expect("deleted");
        }
    }
}

#[tokio::test]
async fn a_queue_gives_up_after_ten_receives_into_a_queue_that_keeps_longer() {
    let (deployment, endpoint) = deploy("queues").await;
    for region in &deployment.regions {
        let sqs = aws_sdk_sqs::Client::new(&configuration(&endpoint, region));
        let attributes = async |url: &str| {
            let request = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All);
            request.send().await.expect("an answer").attributes.expect("attributes")
        };
        let queue = attributes(&region.queue_url).await;
        let dead_letters = attributes(&region.dead_letter_queue_url).await;

        let redrive: serde_json::Value =
            serde_json::from_str(&queue[&QueueAttributeName::RedrivePolicy]).expect("JSON");
        assert_eq!(redrive["maxReceiveCount"], 10);
        assert_eq!(redrive["deadLetterTargetArn"], dead_letters[&QueueAttributeName::QueueArn].as_str());
        assert_eq!(queue[&QueueAttributeName::VisibilityTimeout], "30");
        let retention = |queue: &std::collections::HashMap<QueueAttributeName, String>| {
            queue[&QueueAttributeName::MessageRetentionPeriod].parse::<u32>().expect("a number")
        };
        assert!(retention(&dead_letters) > retention(&queue));

        let policy: serde_json::Value = serde_json::from_str(&queue[&QueueAttributeName::Policy]).expect("JSON");
        let senders = deployment.regions.each_ref().map(|region| region.topic_arn.as_str());
        assert_eq!(
            policy["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"],
            serde_json::json!(senders),
            "only the two topics may send"
        );
    }
}

#[tokio::test]
async fn an_object_of_the_journal_put_in_either_region_is_in_both_lakes_once_and_no_other_one_is() {
    let (deployment, endpoint) = deploy("lakes").await;
    let key = |name: &str| format!("journal/dt=2025-01-01/hour=00/{name}.ndjson");
    let put = async |region: &RegionResources, key: String, body: String| {
        let put = s3(&endpoint, region).put_object().bucket(&region.bucket).key(key);
        put.body(body.into_bytes().into()).send().await.expect("a put");
    };
    for region in &deployment.regions {
        put(region, "table/sales/own.parquet".to_owned(), region.name.clone()).await;
        put(region, key(&region.name), format!("{{\"id\":\"{0}\"}}\n{{\"id\":\"of both\"}}\n", region.name)).await;
    }
    let expected = ["sa-east-1", "us-east-1"].map(key);
    for region in &deployment.regions {
        let all = [expected.as_slice(), &["table/sales/own.parquet".to_owned()]].concat();
        eventually("replication", async || (region.lake_keys().await.expect("a list") == all).then_some(())).await;
        let versions = region.lake_versions().await.expect("a list");
        assert_eq!(versions.iter().map(|version| version.key.clone()).collect::<Vec<_>>(), all);
        assert_eq!(region.lake_object(&all[2]).await.expect("an object"), region.name.as_bytes(), "its own");
        let lines = region.journal().await.expect("lines");
        let lines: Vec<_> = lines.iter().map(|line| (line.id.as_str(), line.object.as_str())).collect();
        let [first, second] = expected.each_ref().map(String::as_str);
        assert_eq!(lines, [("of both", first), ("of both", second), ("sa-east-1", first), ("us-east-1", second)]);
    }
    let region = &deployment.regions[0];
    let mut facts = FactsInLake::default();
    assert_eq!(facts.count(region).await.expect("a count"), 3);
    put(region, key("later"), "{\"id\":\"later\"}\n{\"id\":\"of both\"}\n".to_owned()).await;
    assert_eq!(facts.count(region).await.expect("a count"), 4);
}

#[tokio::test]
async fn a_lake_of_more_than_a_page_is_listed_whole() {
    let (deployment, endpoint) = deploy("pages").await;
    let region = &deployment.regions[0];
    let s3 = s3(&endpoint, region);
    let put = async |number: u32| {
        let key = format!("journal/dt=2025-01-01/hour=00/{number:04}.ndjson");
        let line = format!("{{\"id\":\"{number}\"}}\n");
        s3.put_object().bucket(&region.bucket).key(key).body(line.into_bytes().into()).send().await.expect("a put");
    };
    for hundred in 0..11 {
        join_all((0..100).map(|number| put(hundred * 100 + number))).await;
    }
    assert_eq!(region.lake_keys().await.expect("a list").len(), 1_100);
    assert_eq!(region.lake_versions().await.expect("a list").len(), 1_100);
    assert_eq!(region.facts_in_lake().await.expect("ids").len(), 1_100);
}

#[tokio::test]
async fn only_the_first_region_is_active_at_first_and_each_has_its_own_state() {
    let (deployment, _) = deploy("states").await;
    let [first, second] = &deployment.regions;
    let states = async || [first.state().await.expect("a state"), second.state().await.expect("a state")];
    assert_eq!(states().await, [RegionState::Active, RegionState::Passive]);
    second.set_state(RegionState::Active).await.expect("a write");
    assert_eq!(states().await, [RegionState::Active, RegionState::Active]);
    first.set_state(RegionState::Passive).await.expect("a write");
    assert_eq!(states().await, [RegionState::Passive, RegionState::Active]);
}

#[tokio::test]
async fn cloudwatch_knows_how_old_the_oldest_message_of_each_queue_is() {
    let (deployment, endpoint) = deploy("ages").await;
    let region = &deployment.regions[0];
    let sqs = aws_sdk_sqs::Client::new(&configuration(&endpoint, region));
    sqs.send_message().queue_url(&region.queue_url).message_body("{}").send().await.expect("it is sent");
    let client = sales_testbed::http_client::builder().build().expect("a client");
    // More than two seconds, since sending and reading use whole seconds.
    let grown = async || {
        region.publish_queue_ages(&client).await.expect("it is published");
        let age = age_of_oldest(&endpoint, region, "ages-sales").await.expect("it is known");
        (age > 2.0).then_some(age)
    };
    let age = eventually("the oldest message gets older", grown).await;
    assert!(age < 60.0, "{age} s");
    assert_eq!(age_of_oldest(&endpoint, region, "ages-sales-dead-letters").await, Some(0.0));
    assert_eq!(age_of_oldest(&endpoint, &deployment.regions[1], "ages-sales").await, None);
}

/// The maximum of the last minutes.
async fn age_of_oldest(endpoint: &str, region: &RegionResources, queue: &str) -> Option<f64> {
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&configuration(endpoint, region));
    let dimension = Dimension::builder().name("QueueName").value(queue).build();
    let metric = Metric::builder().namespace("AWS/SQS").metric_name("ApproximateAgeOfOldestMessage");
    let maximum = MetricStat::builder().metric(metric.dimensions(dimension).build()).period(60).stat("Maximum");
    let query = MetricDataQuery::builder().id("age").metric_stat(maximum.build()).build();
    let now = SystemTime::now();
    let minutes = |count: u64| Duration::from_secs(60 * count);
    let request = cloudwatch.get_metric_data().metric_data_queries(query);
    let request = request.start_time((now - minutes(5)).into()).end_time((now + minutes(1)).into());
    let results = request.send().await.expect("an answer").metric_data_results.unwrap_or_default();
    results.first()?.values().iter().copied().reduce(f64::max)
}
