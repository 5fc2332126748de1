//! The shards that this task sweeps. The tasks of a region share the sweep by leases; those of a dead task expire.
//!
//! A lease is not renewed between sweeps: once it has expired, the first task to ask takes it. So a new task gets its
//! share soon, and leases cost each task two writes per shard and minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::ports::{Holder, Lease, Leases, PortResult};
use sales::shard::Shard;

/// Average duration of a lease: after this time, another task takes over from a dead one.
const LEASE: Duration = Duration::from_secs(30);

/// A long sweep renews its lease when less than this is left of it.
const PROLONGED_AT: Duration = Duration::from_secs(15);

/// What a task knows about its region's leases.
pub struct SweepLeases<S> {
    leases: S,
    holder: Holder,
    clock: Clock,
    entropy: Entropy,
    known: Mutex<BTreeMap<Shard, Lease>>,
}

/// What to do about a shard, given what is known about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Sweep,
    Leave,
    Ask,
}

impl<S: Leases> SweepLeases<S> {
    /// The leases as seen by a task that has just started.
    pub fn new(leases: S, clock: Clock, entropy: Entropy) -> Self {
        let holder = Holder::new(entropy.uuid_v7(&clock));
        Self { leases, holder, clock, entropy, known: Mutex::default() }
    }

    /// Whether a sweep of `shard` may begin.
    pub async fn take(&self, shard: Shard) -> PortResult<bool> {
        self.hold(shard, Duration::ZERO).await
    }

    /// Whether a sweep of `shard` that has begun may go on.
    pub async fn keep(&self, shard: Shard) -> PortResult<bool> {
        self.hold(shard, PROLONGED_AT).await
    }

    /// Releases all leases, so that no task has to wait until they expire. If a release fails, the lease expires.
    pub async fn release_all(&self) {
        let now = self.clock.now();
        let known = std::mem::take(&mut *self.known());
        let own = known.into_iter().filter(|(_, lease)| matches!(lease, Lease::Own(until) if *until > now));
        join_all(own.map(|(shard, _)| self.leases.release(shard, self.holder))).await;
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Shard, Lease>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn hold(&self, shard: Shard, left: Duration) -> PortResult<bool> {
        let now = self.clock.now();
        let known = self.known().get(&shard).copied();
        match next(known, now, left) {
            Next::Sweep => Ok(true),
            Next::Leave => Ok(false),
            Next::Ask => {
                // With jitter: leases that expire one by one are shared, those that expire together all go to one task.
                let until = now.plus(self.entropy.jitter(LEASE));
                let lease = self.leases.acquire(shard, self.holder, now, until).await?;
                self.known().insert(shard, lease);
                Ok(matches!(lease, Lease::Own(_)))
            }
        }
    }
}

fn next(known: Option<Lease>, now: Timestamp, left: Duration) -> Next {
    match known {
        Some(Lease::Own(until)) if until.minus(left) > now => Next::Sweep,
        Some(Lease::Other(until)) if until > now => Next::Leave,
        Some(Lease::Own(_) | Lease::Other(_)) | None => Next::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_has_lapsed_or_is_unknown_is_asked_for() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let now = at(1000);
        for (known, left, expected) in [
            (None, 0, Next::Ask),
            (Some(Lease::Own(at(1001))), 0, Next::Sweep),
            (Some(Lease::Own(at(1000))), 0, Next::Ask),
            (Some(Lease::Own(at(1001))), 15, Next::Ask),
            (Some(Lease::Own(at(1016))), 15, Next::Sweep),
            (Some(Lease::Other(at(1001))), 0, Next::Leave),
            (Some(Lease::Other(at(1001))), 15, Next::Leave),
            (Some(Lease::Other(at(1000))), 0, Next::Ask),
        ] {
            assert_eq!(next(known, now, Duration::from_secs(left)), expected, "{known:?} {left}");
        }
    }
}
