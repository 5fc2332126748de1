//! The resources of the use cases, assembled once: by the service, and by the simulation.

use std::time::Duration;

use sales::clock::Clock;
use sales::entropy::Entropy;
use sales::ports::{SaleTable, SaleTopic};
use sales::site::Site;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::announcer::Announcer;
use crate::grouped_writes::GroupedWrites;
use crate::metrics::Metrics;

/// Time to publish the remaining announcements at shutdown; the other sales are swept.
const FLUSH_TIME: Duration = Duration::from_secs(6);

/// The resources of the use cases, on one server thread.
pub struct Sales<T> {
    /// The sales table.
    pub table: T,
    /// Puts new sales into the table, grouped.
    pub writes: GroupedWrites,
    /// Announces accepted facts.
    pub announcer: Announcer,
    /// This region.
    pub site: Site,
    /// The time.
    pub clock: Clock,
    /// Ids.
    pub entropy: Entropy,
    /// Counters.
    pub metrics: Metrics,
}

/// The resources shared by all server threads. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    announcer: Announcer,
    site: Site,
    clock: Clock,
    entropy: Entropy,
    metrics: Metrics,
}

impl Shared {
    /// Announces through `topic`, until the second part of the result is finished.
    pub fn start<P: SaleTopic>(
        topic: P,
        site: Site,
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
    ) -> (Self, Announcing) {
        let closed = CancellationToken::new();
        let (announcer, publishing) = Announcer::new(topic, metrics.clone(), closed.clone());
        let task = actix_web::rt::spawn(publishing);
        (Self { announcer, site, clock, entropy, metrics }, Announcing { closed, task })
    }

    /// The use cases on this thread, with a table client of its own.
    pub fn sales<T: SaleTable>(self, table: T) -> Sales<T> {
        let Self { announcer, site, clock, entropy, metrics } = self;
        let writes = GroupedWrites::start(table.clone(), metrics.clone());
        Sales { table, writes, announcer, site, clock, entropy, metrics }
    }
}

/// Announcements in flight.
pub struct Announcing {
    closed: CancellationToken,
    task: JoinHandle<()>,
}

impl Announcing {
    /// Waits until all events handed over are published, for at most six seconds.
    pub async fn finish(self) {
        self.closed.cancel();
        if tokio::time::timeout(FLUSH_TIME, self.task).await.is_err() {
            tracing::warn!("shutdown deadline reached: unpublished sales are pending and will be swept");
        }
    }
}
