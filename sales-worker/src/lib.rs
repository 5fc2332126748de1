//! Brings each accepted sale into the lake exactly once.
//!
//! A message's way: [`consume`] takes it off the queue, [`ownership`] decides whose work it is, [`process`] does it.
//! [`reconcile`] does the same for what the pending index still holds after a while, however its message fared.

pub mod backoff;
pub mod config;
pub mod consume;
pub mod metrics;
pub mod ownership;
pub mod process;
pub mod reconcile;
pub mod server;
