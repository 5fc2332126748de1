//! The age of the oldest message in each queue, as reported by CloudWatch.
//!
//! AWS measures its queues; the emulator does not. This replaces that part: it reads the queues from the emulator, and
//! writes the ages to the emulator's CloudWatch.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use serde::Deserialize;

use super::{ACCOUNT, RegionResources, last_part};

const NAMESPACE: &str = "AWS/SQS";
const METRIC: &str = "ApproximateAgeOfOldestMessage";

/// The emulator's queues: by account, region and queue.
#[derive(Deserialize)]
struct Queues {
    messages: HashMap<String, HashMap<String, HashMap<String, Vec<Message>>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    sent_timestamp: u64,
}

impl Queues {
    fn oldest(self) -> Option<u64> {
        let queues = self.messages.into_values().flat_map(HashMap::into_values).flat_map(HashMap::into_values);
        queues.flatten().map(|message| message.sent_timestamp).min()
    }
}

impl RegionResources {
    /// Writes the age of the oldest message in the queue and in the dead-letter queue to this region's CloudWatch: zero
    /// for an empty one.
    pub async fn publish_queue_ages(&self, client: &reqwest::Client) -> anyhow::Result<()> {
        let mut request = self.clients.cloudwatch.put_metric_data().namespace(NAMESPACE);
        for url in [&self.queue_url, &self.dead_letter_queue_url] {
            let age = self.age_of_oldest(client, url).await?;
            let queue = Dimension::builder().name("QueueName").value(last_part(url, '/')).build();
            let seconds = StandardUnit::Seconds;
            let datum = MetricDatum::builder().metric_name(METRIC).dimensions(queue).unit(seconds).value(age);
            request = request.metric_data(datum.build());
        }
        request.send().await.with_context(|| format!("the ages of the queues of {}", self.name))?;
        Ok(())
    }

    async fn age_of_oldest(&self, client: &reqwest::Client, queue: &str) -> anyhow::Result<f64> {
        let Self { endpoint, name, .. } = self;
        let url = format!("{endpoint}/_ministack/sqs/messages?account={ACCOUNT}&region={name}&QueueUrl={queue}");
        let queues: Queues = client.get(url).send().await?.error_for_status()?.json().await?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = queues.oldest().map(|sent| now.saturating_sub(Duration::from_secs(sent)));
        Ok(age.unwrap_or_default().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_message_is_the_one_sent_first() {
        let queues = |messages: &str| {
            let text = format!(r#"{{"messages":{{"111122223333":{{"sa-east-1":{{"http://queue":{messages}}}}}}}}}"#);
            serde_json::from_str::<Queues>(&text).expect("an answer of the emulator").oldest()
        };
        assert_eq!(queues("[]"), None);
        let two = r#"[{"SentTimestamp":1700000002,"Body":""},{"SentTimestamp":1700000001,"Body":""}]"#;
        assert_eq!(queues(two), Some(1_700_000_001));
    }
}
