//! Reconciling: an active region brings to the lake whatever its pending index still holds after a while.
//!
//! This one mechanism covers a failed publish, a lost message, a dead home region and a switch.

use std::time::Duration;

use futures::StreamExt;
use sales::clock::Timestamp;
use sales::entropy::Entropy;
use sales::ports::{Lake, Marks, PortResult, SaleTable};
use sales::sale::{Fact, FactId, Shard, Shards};
use sales::site::{Site, SiteState};
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::process::Processing;

/// How many shards are swept side by side.
const SIDE_BY_SIDE: usize = 4;

/// How many facts of a shard are in work at a time.
const IN_WORK: usize = 25;

/// Between sweeps while they fail.
const REST: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(60) };

/// What is needed to sweep.
pub struct Reconciler<T, L, M> {
    /// How facts get to the lake.
    pub processing: Processing<T, L, M>,
    /// This region.
    pub site: Site,
    /// Jitter.
    pub entropy: Entropy,
    /// The shards of the pending index.
    pub shards: Shards,
    /// From which age on a pending fact is not left to its message.
    pub grace: Duration,
    /// The time between two sweeps.
    pub interval: Duration,
}

impl<T: SaleTable, L: Lake, M: Marks> Reconciler<T, L, M> {
    /// Sweeps until `shutdown`; what is in work then is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let (mut activations, mut failures) = (self.site.activations(), 0);
        loop {
            let pause = self.entropy.jitter(self.interval.max(REST.after(failures)));
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.site.activated_since(activations) => {}
                () = tokio::time::sleep(pause) => {}
            }
            let activated = self.site.activations() > activations;
            activations = self.site.activations();
            if self.site.state() != Some(SiteState::Active) {
                continue;
            }
            // Right after a switch there is nobody to leave it to.
            let grace = if activated { Duration::ZERO } else { self.grace };
            let swept = self.sweep(self.processing.clock.now().minus(grace), &shutdown).await;
            self.processing.metrics.count_sweep(swept.is_ok());
            failures = if swept.is_ok() { 0 } else { failures + 1 };
        }
    }

    /// Brings to the lake what was accepted before `before` and is still pending. The first failure of a shard ends
    /// its sweep; the next sweep begins anew.
    async fn sweep(&self, before: Timestamp, shutdown: &CancellationToken) -> PortResult<()> {
        let shards = futures::stream::iter(self.shards.iter());
        let mut swept = shards.map(|shard| self.sweep_shard(shard, before, shutdown)).buffer_unordered(SIDE_BY_SIDE);
        let mut result = Ok(());
        while let Some(shard) = swept.next().await {
            result = result.and(shard);
        }
        result
    }

    async fn sweep_shard(&self, shard: Shard, before: Timestamp, shutdown: &CancellationToken) -> PortResult<()> {
        let mut page = None;
        loop {
            if shutdown.is_cancelled() || self.site.state() != Some(SiteState::Active) {
                return Ok(());
            }
            let found = self.processing.table.pending(shard, before, page).await?;
            for ids in found.ids.chunks(IN_WORK) {
                self.reconcile(ids).await?;
            }
            page = found.next;
            if page.is_none() {
                return Ok(());
            }
        }
    }

    async fn reconcile(&self, ids: &[FactId]) -> PortResult<()> {
        // The index trails the table: what is settled already is left out here.
        let facts = self.processing.table.load_pending(ids).await?;
        if facts.is_empty() {
            return Ok(());
        }
        let ids: Vec<FactId> = facts.iter().map(Fact::id).collect();
        let marked = self.processing.marks.present(&ids).await?;
        let (in_lake, owed): (Vec<&Fact>, Vec<&Fact>) = facts.iter().partition(|fact| marked.contains(&fact.id()));
        for settled in self.processing.settle(&in_lake).await {
            settled?;
        }
        let mut result = Ok(());
        for (id, outcome) in self.processing.bring_to_lake(&owed).await {
            match outcome {
                Ok(_) => {
                    self.processing.metrics.reconciled.inc();
                    tracing::info!(sale.id = %id, "sale reconciled");
                }
                // One fact that is refused must not keep the others of its shard from the lake.
                Err(error) if !error.kind.concerns_all_calls() => {
                    let (operation, detail) = (error.operation, error.detail.as_str());
                    tracing::warn!(sale.id = %id, operation, detail, "sale not reconciled");
                }
                Err(error) => result = Err(error),
            }
        }
        result
    }
}
