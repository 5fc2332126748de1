//! The lease of the table: it saves the work of a second builder, and nothing rests on it.

use std::time::Duration;

use sales::clock::{Clock, Timestamp};
use sales::entropy::Entropy;
use sales::ports::{Duty, Holder, Lease, Leases, PortResult};

/// Longer than a fold takes as a rule: after this time, another task takes over from a dead one.
const LEASE: Duration = Duration::from_secs(120);

/// What this task knows about the lease.
pub struct TableLease<L> {
    leases: L,
    holder: Holder,
    clock: Clock,
    other_until: Option<Timestamp>,
}

impl<L: Leases> TableLease<L> {
    /// The lease as seen by a task that has just started.
    pub fn new(leases: L, clock: Clock, entropy: &Entropy) -> Self {
        let holder = Holder::new(entropy.uuid_v7(&clock));
        Self { leases, holder, clock, other_until: None }
    }

    /// Takes or renews the lease; whether this task has it.
    ///
    /// # Errors
    /// If the call fails.
    pub async fn take(&mut self) -> PortResult<bool> {
        let now = self.clock.now();
        if self.other_until.is_some_and(|until| until > now) {
            return Ok(false);
        }
        match self.leases.acquire(Duty::Table, self.holder, now, now.plus(LEASE)).await? {
            Lease::Own(_) => Ok(true),
            Lease::Other(until) => {
                self.other_until = Some(until);
                Ok(false)
            }
        }
    }

    /// Releases the lease. If that fails, it expires.
    pub async fn release(&self) {
        // The adapter has logged and counted a failure.
        drop(self.leases.release(Duty::Table, self.holder).await);
    }
}
