//! Bare loops of SDK calls, of the kinds and sizes that the services make.

#![expect(clippy::disallowed_types, reason = "what is measured here is the SDK itself")]

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_dynamodb::types::{AttributeValue, BatchStatementRequest, KeysAndAttributes, PutRequest, WriteRequest};
use aws_sdk_sns::types::MessageAttributeValue;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName};
use aws_smithy_http_client::tls;
use clap::ValueEnum;
use futures::future::try_join_all;
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::event::Event;
use sales::journal::{Hour, JournalObject};
use sales::message::{self, Message};
use sales::sale::{Fact, SaleId};
use sales::trace::TraceParent;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::sample::{self, AMOUNT, PRODUCT, REGION};
use crate::services::{IDEMPOTENCY_TABLE, LAKE, QUEUE, SALES_TABLE, TOPIC};
use crate::usage::cpu_time;

/// Calls in flight.
const IN_FLIGHT: usize = 8;

/// The object that marks name.
const OBJECT: &str = "journal/dt=2025-11-30/hour=23/sa-east-1-0192f5c0-7c1d-7a3e-8f11-0123456789ab.ndjson";

/// The statement that settles a sale.
const SETTLE: &str =
    r#"UPDATE "sales" SET "sale_processed" = ? SET "processed_at" = ? REMOVE "pending" WHERE "id" = ?"#;

/// A call of the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    /// `PutItem` of a sale with a condition, as the API does for a lone one.
    PutSale,
    /// `BatchWriteItem` of 25 sales.
    WriteSales,
    /// `Publish` of one event.
    PublishEvent,
    /// `Publish` of 50 events in one message.
    PublishEvents,
    /// `ReceiveMessage` of ten with an event each.
    ReceiveMessages,
    /// `BatchGetItem` of a hundred missing marks.
    ReadMarks,
    /// `PutObject` of a hundred sales.
    PutObject,
    /// `BatchWriteItem` of 25 marks.
    WriteMarks,
    /// `UpdateItem` of a sale that is in the lake.
    SettleSale,
    /// `BatchExecuteStatement` of 25 of them.
    SettleSales,
    /// `DeleteMessageBatch` of ten.
    DeleteMessages,
}

/// Cost of the calls.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Cost {
    /// Number of calls.
    pub(crate) calls: u64,
    /// Total CPU time.
    pub(crate) cpu_seconds: f64,
}

/// Repeats a call for `time`, after half of it for warm-up, several in flight at once, on one thread, and returns the
/// cost to this process.
///
/// # Errors
/// If a call fails.
pub(crate) fn call(call: Call, time: Duration) -> anyhow::Result<Cost> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let caller = Caller::new().await?;
        caller.repeat(call, time / 2).await?;
        let before = cpu_time(std::process::id())?;
        let calls = caller.repeat(call, time).await?;
        let cpu_seconds = (cpu_time(std::process::id())? - before).as_secs_f64();
        Ok(Cost { calls, cpu_seconds })
    })
}

struct Caller {
    dynamodb: aws_sdk_dynamodb::Client,
    sns: aws_sdk_sns::Client,
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    events: Vec<Event>,
}

impl Caller {
    async fn new() -> anyhow::Result<Self> {
        let http = aws_smithy_http_client::Builder::new();
        let http = http.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc)).build_https();
        let config: SdkConfig = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            events: (0..100).map(|_| event()).collect::<anyhow::Result<_>>()?,
        })
    }

    async fn repeat(&self, call: Call, time: Duration) -> anyhow::Result<u64> {
        let until = Instant::now() + time;
        let loops = (0..IN_FLIGHT).map(async |_| {
            let mut calls = 0;
            while Instant::now() < until {
                self.make(call).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
        Ok(try_join_all(loops).await?.into_iter().sum())
    }

    async fn make(&self, call: Call) -> anyhow::Result<()> {
        match call {
            Call::PutSale => {
                let put = self.dynamodb.put_item().table_name(SALES_TABLE).set_item(Some(item(&self.events[0])));
                put.condition_expression("attribute_not_exists(id)").send().await?;
            }
            Call::WriteSales => self.write(SALES_TABLE, self.events[..25].iter().map(item)).await?,
            Call::PublishEvent => self.publish(&self.events[..1]).await?,
            Call::PublishEvents => self.publish(&self.events[..50]).await?,
            Call::ReceiveMessages => {
                let receive = self.sqs.receive_message().queue_url(QUEUE).max_number_of_messages(10);
                let receive = receive
                    .message_attribute_names("All")
                    .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
                    .message_system_attribute_names(MessageSystemAttributeName::ApproximateFirstReceiveTimestamp);
                let received = receive.wait_time_seconds(20).visibility_timeout(30).send().await?;
                received
                    .messages
                    .filter(|messages| messages.len() == 10)
                    .context("the queue did not give ten messages")?;
            }
            Call::ReadMarks => {
                let keys = self.events.iter().map(|event| HashMap::from([("id".to_owned(), id(event))])).collect();
                let keys =
                    KeysAndAttributes::builder().consistent_read(true).projection_expression("id").set_keys(Some(keys));
                self.dynamodb.batch_get_item().request_items(IDEMPOTENCY_TABLE, keys.build()?).send().await?;
            }
            Call::PutObject => {
                let JournalObject { key, lines } = self.object()?;
                let put = self.s3.put_object().bucket(LAKE).key(key).content_type("application/x-ndjson");
                put.if_none_match("*").body(lines.into_bytes().into()).send().await?;
            }
            Call::WriteMarks => {
                let mark = |event: &Event| {
                    let expires_at = ("expires_at".to_owned(), AttributeValue::N("1764547199".to_owned()));
                    let object = ("object".to_owned(), AttributeValue::S(OBJECT.to_owned()));
                    HashMap::from([("id".to_owned(), id(event)), expires_at, object])
                };
                self.write(IDEMPOTENCY_TABLE, self.events[..25].iter().map(mark)).await?;
            }
            Call::SettleSale => self.settle(&self.events[0]).await?,
            Call::SettleSales => self.settle_all(&self.events[..25]).await?,
            Call::DeleteMessages => {
                let entries = (0..10).map(|place| {
                    let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
                    entry.receipt_handle("0192f5c0-7c1d-7a3e-8f11-0123456789ab").build()
                });
                let entries = entries.collect::<Result<_, _>>()?;
                self.sqs.delete_message_batch().queue_url(QUEUE).set_entries(Some(entries)).send().await?;
            }
        }
        Ok(())
    }

    async fn write(&self, table: &str, items: impl Iterator<Item = Item>) -> anyhow::Result<()> {
        let writes = items.map(|item| {
            let put = PutRequest::builder().set_item(Some(item)).build()?;
            anyhow::Ok(WriteRequest::builder().put_request(put).build())
        });
        let writes = writes.collect::<Result<Vec<_>, _>>()?;
        self.dynamodb.batch_write_item().request_items(table, writes).send().await?;
        Ok(())
    }

    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        for (Message { body, attributes }, _) in message::pack(events) {
            let mut publish = self.sns.publish().topic_arn(TOPIC).message(body);
            for (name, value) in attributes {
                let text = value.text().unwrap_or_default();
                let value = MessageAttributeValue::builder().data_type("String").string_value(text).build()?;
                publish = publish.message_attributes(name, value);
            }
            publish.send().await?;
        }
        Ok(())
    }

    fn object(&self) -> anyhow::Result<JournalObject> {
        let region = sample::region().context("a region")?;
        let id = Entropy::system().uuid_v7(&Clock::system());
        let facts = self.events.iter().map(|event| &event.fact);
        Ok(JournalObject::new(Hour::of_fact(&self.events[0].fact), &region, id, facts))
    }

    async fn settle_all(&self, events: &[Event]) -> anyhow::Result<()> {
        let statements = events.iter().map(|event| {
            let flags = [AttributeValue::Bool(true), AttributeValue::N("1764547199".to_owned()), id(event)];
            BatchStatementRequest::builder().statement(SETTLE).set_parameters(Some(flags.into())).build()
        });
        let statements = statements.collect::<Result<_, _>>()?;
        self.dynamodb.batch_execute_statement().set_statements(Some(statements)).send().await?;
        Ok(())
    }

    async fn settle(&self, event: &Event) -> anyhow::Result<()> {
        let mut update = self.dynamodb.update_item().table_name(SALES_TABLE).key("id", id(event));
        let mut expression = "SET sale_processed = :processed, processed_at = :processed_at".to_owned();
        update = update
            .expression_attribute_values(":processed", AttributeValue::Bool(true))
            .expression_attribute_values(":processed_at", AttributeValue::N("1764547199".to_owned()));
        for (name, value) in item(event) {
            if ["product", "amount", "timestamp", "region"].contains(&name.as_str()) {
                expression.push_str(&format!(", #{name} = if_not_exists(#{name}, :{name})"));
                update = update.expression_attribute_values(format!(":{name}"), value);
                update = update.expression_attribute_names(format!("#{name}"), name);
            }
        }
        expression.push_str(" REMOVE pending");
        update.update_expression(expression).send().await?;
        Ok(())
    }
}

type Item = HashMap<String, AttributeValue>;

fn event() -> anyhow::Result<Event> {
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let timestamp = Timestamp::from_unix_seconds(1_764_547_199).context("a moment")?;
    let sale = sample::sale(SaleId::new(entropy.uuid_v7(&clock)), timestamp)?;
    let home = sale.region.clone();
    Ok(Event { fact: Fact::Sale(sale), home, trace: Some(TraceParent::new(&entropy)) })
}

fn id(event: &Event) -> AttributeValue {
    AttributeValue::S(event.fact.id().to_string())
}

/// With the attributes that the API writes.
fn item(event: &Event) -> Item {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: &str| AttributeValue::N(number.to_owned());
    let attributes = [
        ("id", id(event)),
        ("product", text(PRODUCT)),
        ("amount", number(AMOUNT)),
        ("timestamp", number("1764547199")),
        ("region", text(REGION)),
        ("pending", text("11")),
        ("sale_processed", AttributeValue::Bool(false)),
    ];
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
