//! Size and age of the pending index, measured in every region: a PASSIVE one would have to process it after a switch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::ports::{Backlog, PortResult, SaleTable};
use sales::region::Region;
use sales::shard::Shards;
use sales_service::vital_signs::Owed;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::due::Due;
use crate::unreadable::{Look, Unreadable};

/// Minimum time between two measurements, less than the usual grace period: sweeps rely on them ([`Due`]). And at least
/// this multiple of the last measurement's duration: counting a large backlog takes a call per ten thousand facts, and
/// must remain a minor part of the index's load.
const INTERVAL: Duration = Duration::from_secs(20);
const TIMES_ITS_DURATION: u32 = 10;

/// Exports the last measurement as metrics. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct BacklogGauge {
    region: Region,
    clock: Clock,
    last: Arc<Mutex<Option<Measured>>>,
    unreadable: Unreadable,
    due: Due,
}

/// The sum over all shards.
#[derive(Clone, Copy, Debug, Default)]
struct Measured {
    facts: u64,
    oldest: Option<Timestamp>,
}

impl BacklogGauge {
    /// Exports nothing before the first measurement.
    pub fn new(registry: &mut Registry, region: Region, clock: Clock) -> Self {
        let gauge =
            Self { region, clock, last: Arc::default(), unreadable: Unreadable::default(), due: Due::default() };
        registry.register_collector(Box::new(gauge.clone()));
        gauge
    }

    /// The last measurement, with its age as of now; `None` before the first one.
    #[must_use]
    pub fn owed(&self) -> Option<Owed> {
        let Measured { facts, oldest } = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let oldest_age = oldest.map(|oldest| self.clock.now().since(oldest));
        Some(Owed { facts, oldest_age: if facts == 0 { Some(Duration::ZERO) } else { oldest_age } })
    }

    /// The unreadable items.
    #[must_use]
    pub fn unreadable(&self) -> Unreadable {
        self.unreadable.clone()
    }

    /// What each shard may hold for a sweep.
    #[must_use]
    pub fn due(&self) -> Due {
        self.due.clone()
    }

    /// Measures repeatedly until `shutdown`. If a measurement fails, the previous one remains.
    pub async fn run<T: SaleTable>(self, table: T, shards: Shards, entropy: Entropy, shutdown: CancellationToken) {
        loop {
            let started = Instant::now();
            let Some(measured) = shutdown.run_until_cancelled(self.measure(&table, shards)).await else { return };
            if let Ok(measured) = measured {
                *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
            }
            let pause = entropy.jitter(INTERVAL.max(started.elapsed() * TIMES_ITS_DURATION));
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Shard by shard: no one waits for it.
    async fn measure<T: SaleTable>(&self, table: &T, shards: Shards) -> PortResult<Measured> {
        let mut all = Measured::default();
        for shard in shards.iter() {
            let began = self.clock.now();
            let Backlog { facts, oldest, unreadable } = table.backlog(shard).await?;
            self.due.note(shard, began, oldest);
            all.facts += facts;
            all.oldest = [all.oldest, oldest].into_iter().flatten().min();
            self.unreadable.note(Look::Measurement, shard, unreadable.into_iter().collect());
        }
        Ok(all)
    }
}

impl Collector for BacklogGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(Owed { facts, oldest_age }) = self.owed() else { return Ok(()) };
        let region = [("region", self.region.as_str())];
        let unreadable = u64::try_from(self.unreadable.count()).unwrap_or(u64::MAX);
        for (name, help, value) in [
            ("sales_pending", "Pending facts, as counted in this region's index", Some(facts)),
            (
                "sales_pending_oldest_age_seconds",
                "Time since the oldest of them was accepted; 0 if there are none",
                oldest_age.map(|age| age.as_secs()),
            ),
            ("sales_pending_unreadable", "Unreadable items of the pending index, as far as known", Some(unreadable)),
        ] {
            // Unknown values are left out, not exported as zero.
            let Some(value) = value else { continue };
            let gauge = ConstGauge::new(value);
            let mut metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric.encode_family(&region)?)?;
        }
        Ok(())
    }
}
