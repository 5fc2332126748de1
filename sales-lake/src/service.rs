//! The builder's work: a fold at every interval, and what keeps the table small.

use std::time::Duration;

use sales::clock::Clock;
use sales::ports::{LakeStore, Leases};
use sales_table::error::TableError;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::builder::{Builder, Ending, Reach, Work};
use crate::lease::TableLease;
use crate::maintain::Maintenance;
use crate::metrics::Metrics;

/// Folds that are begun anew at once because another builder's commit came first.
const ATTEMPTS: usize = 5;

/// Time to finish a fold after the signal; ECS stops a task after 30 s. What is not committed then is folded again.
const DRAIN_TIME: Duration = Duration::from_secs(25);

/// Interval of the vital signs: the alarms' period.
const VITAL_SIGNS: Duration = Duration::from_secs(60);

/// By then the first fold is over, if all is well.
const FIRST_VITAL_SIGNS: Duration = Duration::from_secs(5);

/// What works on the table.
pub struct Worker<S, L> {
    /// Folds.
    pub builder: Builder<S>,
    /// Keeps other tasks from it.
    pub lease: TableLease<L>,
    /// What else there is to do.
    pub maintenance: Maintenance,
    /// Counts.
    pub metrics: Metrics,
}

impl<S: LakeStore, L: Leases> Worker<S, L> {
    /// Folds at every interval until `shutdown`. A fold that has begun ends, unless it takes too long.
    pub async fn run(self, interval: Duration, shutdown: CancellationToken) {
        let deadline = async {
            shutdown.cancelled().await;
            tokio::time::sleep(DRAIN_TIME).await;
        };
        tokio::select! {
            () = self.fold_until(interval, &shutdown) => {}
            () = deadline => tracing::warn!("shutdown deadline reached: the fold in progress is left to the next task"),
        }
    }

    async fn fold_until(mut self, interval: Duration, shutdown: &CancellationToken) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let outcome = match self.turn().await {
                Ok(outcome) => outcome,
                Err(error) => {
                    tracing::warn!(error.detail = %error, "fold failed: it is tried again at the next interval");
                    "failed"
                }
            };
            self.metrics.count_fold(outcome);
        }
        self.lease.release().await;
    }

    async fn turn(&mut self) -> Result<&'static str, TableError> {
        // Without an answer about the lease the fold goes on: what is late is worse than what is done twice.
        let lease = self.lease.take().await;
        if matches!(lease, Ok(false)) {
            return Ok("left-to-another");
        }
        if fold(&mut self.builder, Reach::Due, |_| {}).await? == Ending::Overtaken {
            return Ok("overtaken");
        }
        // A long fold may have outlived the lease.
        if lease.is_ok() && self.lease.take().await? {
            self.maintenance.run(&mut self.builder).await?;
        }
        Ok("complete")
    }
}

/// Folds, and begins anew a few times if another builder's commit comes first.
///
/// # Errors
/// If a call fails, or something in the bucket is damaged.
pub async fn fold<S: LakeStore>(
    builder: &mut Builder<S>,
    reach: Reach,
    progress: impl Fn(Work),
) -> Result<Ending, TableError> {
    for _ in 1..ATTEMPTS {
        if builder.fold(reach, &progress).await? == Ending::Complete {
            return Ok(Ending::Complete);
        }
    }
    builder.fold(reach, &progress).await
}

/// Logs a line a minute, the source of alarms, until `shutdown`. The age is left out before the first complete fold.
pub async fn log_vital_signs(metrics: Metrics, clock: Clock, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + FIRST_VITAL_SIGNS, VITAL_SIGNS);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let folded_at = metrics.folded_at.get();
        let age = (folded_at > 0).then(|| clock.since_epoch().as_secs().saturating_sub(folded_at));
        // The metric filters of the log use these names.
        tracing::info!(
            table_age_seconds = age,
            table_rows = metrics.rows.get(),
            table_version = metrics.version.get(),
            "vital signs"
        );
    }
}
