//! Brings each accepted sale into the lake exactly once.
//!
//! A message's way: [`consume`] takes it off the queue in its turn ([`polling`]) and acknowledges it last; in between,
//! [`handle`] works on it: [`ownership`] decides whose it is, [`bring_to_lake`] brings its fact to the lake, or [`stand_by`]
//! sees to it that the fact is not forgotten. [`outcome`] is what becomes of it; what cannot be understood is a [`dead_letter`].
//! [`reconcile`] brings to the lake what the pending index still holds after a while; [`leases`] share that among the tasks of a
//! region. [`worker`] runs all of it. `design.md` beside this folder follows every step, and says what a crash after it leaves
//! behind.

pub mod app;
pub mod backlog;
pub mod backoff;
pub mod bring_to_lake;
pub mod config;
pub mod consume;
pub mod dead_letter;
pub mod handle;
pub mod leases;
pub mod metrics;
pub mod outcome;
pub mod ownership;
pub mod polling;
pub mod reconcile;
pub mod record;
pub mod stand_by;
pub mod unreadable;
pub mod worker;
