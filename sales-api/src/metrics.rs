//! The API's metrics of sales.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, linear_buckets};
use prometheus_client::registry::Registry;

/// Counters of sales by outcome. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Sales answered with 201.
    pub accepted: Counter,
    /// Requests answered with the sale that their key had already registered.
    pub repeated: Counter,
    /// Cancellations written.
    pub cancelled: Counter,
    /// Sales per put call.
    pub group_size: Histogram,
    announced: Family<Announced, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Announced {
    outcome: &'static str,
}

/// Outcome of an announcement. In any case, the fact stays pending until it is in the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announcement {
    /// Published to the topic.
    Published,
    /// Rejected by the topic.
    Failed,
    /// The buffer was full.
    Dropped,
}

impl Metrics {
    /// Metrics registered in `registry`.
    pub fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            accepted: Counter::default(),
            repeated: Counter::default(),
            cancelled: Counter::default(),
            group_size: Histogram::new(linear_buckets(1.0, 4.0, 7)),
            announced: Family::default(),
        };
        registry.register("sales_accepted", "Sales accepted", metrics.accepted.clone());
        registry.register("sales_repeated", "Requests that repeated an accepted sale", metrics.repeated.clone());
        registry.register("sales_cancelled", "Cancellations accepted", metrics.cancelled.clone());
        registry.register("sales_write_group_size", "Sales put by one call", metrics.group_size.clone());
        registry.register("sales_announced", "Announcements by outcome", metrics.announced.clone());
        metrics
    }

    /// Counts an announcement.
    pub fn count_announcement(&self, announcement: Announcement) {
        let outcome = match announcement {
            Announcement::Published => "published",
            Announcement::Failed => "failed",
            Announcement::Dropped => "dropped",
        };
        self.announced.get_or_create(&Announced { outcome }).inc();
    }
}
