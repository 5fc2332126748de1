//! The sweep: an ACTIVE region processes what its pending index still holds after the grace period.
//!
//! This one mechanism covers a failed publish, a lost message, a dead home region, a switch and a restored region. Its
//! cost is bounded: a page of ids at a time, a few facts concurrently, and each shard by one task of the region. A shard
//! that can hold nothing old enough, by its last measurement, costs nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::ports::{FailureKind, Leases, PortResult, SaleTable};
use sales::sale::{Fact, FactId};
use sales::shard::{Shard, Shards};
use sales::site::Site;
use sales::site_state::SiteState;
use tokio_util::sync::CancellationToken;

use crate::backoff::Backoff;
use crate::due::Due;
use crate::leases::SweepLeases;
use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::unreadable::{Look, Unreadable};

/// Shards swept concurrently.
const SIDE_BY_SIDE: usize = 8;

/// Facts of a shard processed concurrently: a page of the index.
const IN_WORK: usize = 100;

/// Pause between failing sweeps.
const REST: Backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(20) };

/// The resources of the sweep.
pub struct Reconciler<T, S> {
    /// The sales table, with the pending index.
    pub table: T,
    /// The calls for each fact.
    pub stages: Stages,
    /// The clock.
    pub clock: Clock,
    /// The metrics.
    pub metrics: Metrics,
    /// The shards that this task sweeps.
    pub leases: SweepLeases<S>,
    /// This region.
    pub site: Site,
    /// Jitter.
    pub entropy: Entropy,
    /// The shards of the pending index.
    pub shards: Shards,
    /// Age from which the sweep, rather than the message, processes a pending fact.
    pub grace: Duration,
    /// The time between two sweeps.
    pub interval: Duration,
    /// The unreadable items.
    pub unreadable: Unreadable,
    /// What each shard may hold.
    pub due: Due,
}

/// What a sweep did for a fact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reconciled {
    /// It was brought to the lake.
    Brought,
    /// It was there, and still pending.
    Settled,
}

/// Consecutive rejections with unknown codes after which a shard's sweep ends: single facts may be the cause, and must
/// not keep the others from the lake; if all calls are rejected, trying each fact is of no use.
const REFUSED_IN_A_ROW: u32 = 10;

impl<T: SaleTable, S: Leases> Reconciler<T, S> {
    /// Sweeps until `shutdown`; work in flight is then finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let (mut activations, mut failures) = (self.site.activations(), 0);
        loop {
            let pause = self.entropy.jitter(self.interval.max(REST.after(failures)));
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = self.site.activated_since(activations) => {}
                () = tokio::time::sleep(pause) => {}
            }
            activations = self.site.activations();
            if self.site.state() != Some(SiteState::Active) {
                continue;
            }
            let grace = grace(self.grace, self.site.activated_for());
            let swept = self.sweep(self.clock.now().minus(grace), &shutdown).await;
            self.metrics.count_sweep(swept.is_ok());
            failures = if swept.is_ok() { 0 } else { failures + 1 };
        }
        self.leases.release_all().await;
    }

    /// Brings facts to the lake that were accepted before `before` and are still pending. A shard's sweep ends if
    /// nothing could be done; the next sweep starts over.
    async fn sweep(&self, before: Timestamp, shutdown: &CancellationToken) -> PortResult<()> {
        let mut shards: Vec<Shard> = self.shards.iter().collect();
        // Tasks that start at the same time must not request the same shards in the same order.
        let first = usize::from(u16::from_le_bytes(self.entropy.bytes())) % shards.len();
        shards.rotate_left(first);
        let shards = futures::stream::iter(shards);
        let mut swept = shards.map(|shard| self.sweep_shard(shard, before, shutdown)).buffer_unordered(SIDE_BY_SIDE);
        let mut result = Ok(());
        while let Some(shard) = swept.next().await {
            result = result.and(shard);
        }
        result
    }

    async fn sweep_shard(&self, shard: Shard, before: Timestamp, shutdown: &CancellationToken) -> PortResult<()> {
        if !self.due.may_hold(shard, before) || !self.leases.take(shard).await? {
            self.unreadable.note(Look::Sweep, shard, BTreeSet::new());
            return Ok(());
        }
        let (mut page, mut unreadable, mut refused) = (None, BTreeSet::new(), 0);
        loop {
            let found = self.table.pending(shard, before, page).await?;
            unreadable.extend(found.unreadable);
            for ids in found.ids.chunks(IN_WORK) {
                if shutdown.is_cancelled() || self.site.state() != Some(SiteState::Active) {
                    return Ok(());
                }
                // The index trails the table: items that are already settled are left out here.
                let loaded = self.table.load_pending(ids).await?;
                unreadable.extend(loaded.unreadable.iter().map(ToString::to_string));
                refused = match self.reconcile(&loaded.facts).await {
                    Err(error) if error.kind != FailureKind::Unrecognized || refused >= REFUSED_IN_A_ROW => {
                        return Err(error);
                    }
                    Err(_) => refused + 1,
                    Ok(()) => 0,
                };
            }
            page = found.next;
            if page.is_none() {
                self.unreadable.note(Look::Sweep, shard, unreadable);
                return Ok(());
            }
            if !self.leases.keep(shard).await? {
                return Ok(());
            }
        }
    }

    /// Fails if nothing could be done: the next facts would fail, too.
    async fn reconcile(&self, facts: &[Fact]) -> PortResult<()> {
        let reconciled = facts.iter().map(async |fact| {
            let outcome = match self.stages.is_marked(fact.id()).await {
                Ok(true) => self.stages.settle(fact).await.map(|()| Reconciled::Settled),
                Ok(false) => self.stages.sweep_to_lake(fact).await.map(|()| Reconciled::Brought),
                Err(error) => Err(error),
            };
            (fact.id(), outcome)
        });
        self.tell(join_all(reconciled).await.into_iter())
    }

    fn tell(&self, outcomes: impl Iterator<Item = (FactId, PortResult<Reconciled>)>) -> PortResult<()> {
        let (mut worked, mut failure) = (false, Ok(()));
        for (id, outcome) in outcomes {
            match outcome {
                Ok(done) => {
                    worked = true;
                    if done == Reconciled::Brought {
                        self.metrics.reconciled.inc();
                        tracing::info!(sale.id = %id, "sale reconciled");
                    } else {
                        self.metrics.settled.inc();
                    }
                }
                // The adapter reports a failing dependency.
                Err(error) if error.kind.concerns_all_calls() => failure = Err(error),
                Err(error) if error.kind == FailureKind::Unrecognized => {
                    let (operation, detail) = (error.operation, error.detail.as_str());
                    tracing::info!(sale.id = %id, operation, detail, "sale not reconciled");
                    failure = failure.and(Err(error));
                }
                Err(error) => {
                    worked = true;
                    let (operation, detail) = (error.operation, error.detail.as_str());
                    tracing::warn!(sale.id = %id, operation, detail, "sale not reconciled");
                }
            }
        }
        if worked { Ok(()) } else { failure }
    }
}

/// Age from which the sweep, rather than the message, processes a pending fact. No region is left to process the
/// messages of facts accepted before this region became ACTIVE, so the sweep does not wait for those.
fn grace(grace: Duration, activated_for: Option<Duration>) -> Duration {
    activated_for.map_or(grace, |time| grace.min(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_accepted_before_a_switch_has_no_grace() {
        let seconds = Duration::from_secs;
        for (activated_for, expected) in [(None, 30), (Some(0), 0), (Some(12), 12), (Some(30), 30), (Some(900), 30)] {
            assert_eq!(grace(seconds(30), activated_for.map(seconds)), seconds(expected), "{activated_for:?}");
        }
    }
}
