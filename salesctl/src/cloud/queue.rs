//! A queue's depth, from SQS, and the age of its oldest message, which only CloudWatch knows.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde::Serialize;
use url::Url;

use super::{Patience, RegionCloud, trouble::Trouble};

/// Maximum age of CloudWatch's data.
const WINDOW: Duration = Duration::from_secs(15 * 60);
const PERIOD_SECONDS: i32 = 60;

/// Depth of a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Depth {
    /// Visible messages.
    pub(crate) waiting: u64,
    /// Messages in flight.
    pub(crate) in_flight: u64,
    /// Age of the oldest message in seconds, from CloudWatch; `None` in an empty queue.
    pub(crate) oldest_age_seconds: Option<u64>,
    /// Why that age is unknown, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) oldest_age_error: Option<Trouble>,
}

impl Depth {
    /// All messages.
    pub(crate) fn messages(&self) -> u64 {
        self.waiting + self.in_flight
    }
}

impl RegionCloud {
    /// The depth of the worker's queue.
    pub(crate) async fn queue(&self) -> Result<Depth, Trouble> {
        self.depth("queue_url", self.resources.queue_url.as_ref()).await
    }

    /// The depth of the dead-letter queue.
    pub(crate) async fn dead_letters(&self) -> Result<Depth, Trouble> {
        self.depth("dead_letter_queue_url", self.resources.dead_letter_queue_url.as_ref()).await
    }

    async fn depth(&self, key: &str, url: Option<&Url>) -> Result<Depth, Trouble> {
        let url = self.named(key, url)?;
        let (mut depth, age) = tokio::join!(self.counts(key, url), self.oldest_age(url));
        if let Ok(depth) = &mut depth
            && depth.messages() > 0
        {
            match age {
                Ok(Some(age)) => depth.oldest_age_seconds = Some(age),
                Ok(None) => depth.oldest_age_error = Some(Trouble::new("no CloudWatch data yet")),
                Err(trouble) => depth.oldest_age_error = Some(trouble),
            }
        }
        depth
    }

    pub(super) async fn counts(&self, key: &str, url: &Url) -> Result<Depth, Trouble> {
        let client = aws_sdk_sqs::Client::new(&self.sdk(Patience::Glance));
        let counted = [
            Attribute::ApproximateNumberOfMessages,
            Attribute::ApproximateNumberOfMessagesDelayed,
            Attribute::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = client.get_queue_attributes().queue_url(url.as_str());
        let answer = request.set_attribute_names(Some(counted.to_vec())).send().await;
        let answer = answer.map_err(|error| Trouble::of_sdk(&self.key(key), "GetQueueAttributes", error))?;
        let values = answer.attributes.unwrap_or_default();
        let [waiting, delayed, in_flight] =
            counted.map(|name| values.get(&name).and_then(|value| value.parse::<u64>().ok()).unwrap_or_default());
        Ok(Depth { waiting: waiting + delayed, in_flight, oldest_age_seconds: None, oldest_age_error: None })
    }

    /// The latest data point of CloudWatch.
    async fn oldest_age(&self, url: &Url) -> Result<Option<u64>, Trouble> {
        let name = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
        let metric = Metric::builder()
            .namespace("AWS/SQS")
            .metric_name("ApproximateAgeOfOldestMessage")
            .dimensions(Dimension::builder().name("QueueName").value(name).build());
        let stat = MetricStat::builder().metric(metric.build()).period(PERIOD_SECONDS).stat("Maximum").build();
        let query = MetricDataQuery::builder().id("age").metric_stat(stat).build();
        let now = SystemTime::now();
        let client = aws_sdk_cloudwatch::Client::new(&self.sdk(Patience::Glance));
        let request = client.get_metric_data().metric_data_queries(query);
        let answer = request.start_time((now - WINDOW).into()).end_time(now.into()).send().await;
        let answer = answer
            .map_err(|error| Trouble::of_sdk("the permission cloudwatch:GetMetricData", "GetMetricData", error))?;
        let newest = answer.metric_data_results().first().and_then(newest);
        Ok(newest.map(|seconds| seconds.max(0.0) as u64))
    }
}

/// The value with the latest time, whatever their order.
fn newest(result: &MetricDataResult) -> Option<f64> {
    let figures = result.timestamps().iter().zip(result.values());
    figures.max_by_key(|(time, _)| **time).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::primitives::DateTime;

    use super::*;

    #[test]
    fn the_newest_figure_counts_in_either_order() {
        let result = |figures: &[(i64, f64)]| {
            let (times, values) = figures.iter().map(|(time, value)| (DateTime::from_secs(*time), *value)).unzip();
            MetricDataResult::builder().set_timestamps(Some(times)).set_values(Some(values)).build()
        };
        assert_eq!(newest(&result(&[(60, 500.0), (120, 7.0)])), Some(7.0));
        assert_eq!(newest(&result(&[(120, 7.0), (60, 500.0)])), Some(7.0));
        assert_eq!(newest(&result(&[])), None);
    }
}
