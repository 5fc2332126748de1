//! Brings each accepted sale into the lake exactly once.
//!
//! A message's way: [`consume`] takes it off the queue in its turn ([`polling`]), [`ownership`] decides whose work it is, [`bring_to_lake`] does it or
//! [`stand_by`] sees to it that it is not forgotten. [`reconcile`] brings to the lake what the pending index still holds
//! after a while, however its message fared; [`leases`] share that among the tasks of a region. [`worker`] runs all of it.
//! `design.md` beside this folder follows every step, and says what a crash after it leaves behind.

pub mod app;
pub mod backlog;
pub mod backoff;
pub mod bring_to_lake;
pub mod config;
pub mod consume;
pub mod leases;
pub mod metrics;
pub mod outcome;
pub mod ownership;
pub mod polling;
pub mod reconcile;
pub mod stand_by;
pub mod unreadable;
pub mod worker;
