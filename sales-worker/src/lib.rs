//! Brings each accepted sale to the lake exactly once.
//!
//! Path of a message: [`consume`] receives it in its turn ([`polling`]) if there is [`room`] for it, and acknowledges it
//! last; in between, [`handle`] processes each of its events: [`ownership`] decides which region processes it; then its
//! fact is brought to the lake, or [`stand_by`] ensures that this region's table holds the fact. The calls are made by
//! [`stages`], in batches of the facts of many messages. [`outcome`] is the result; what is malformed becomes a
//! [`dead_letter`]. [`reconcile`] processes what the pending index still holds after the grace period; [`leases`] divide
//! that among the tasks of a region. [`worker`] runs all of it. `design.md` next to this folder follows every step, and
//! describes the state after a crash.

pub mod app;
pub mod backlog;
pub mod backoff;
pub mod config;
pub mod consume;
pub mod dead_letter;
pub mod due;
pub mod handle;
pub mod leases;
pub mod metrics;
pub mod outcome;
pub mod ownership;
pub mod polling;
pub mod reconcile;
pub mod record;
pub mod room;
pub mod stages;
pub mod stand_by;
pub mod unreadable;
pub mod worker;
