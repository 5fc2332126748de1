//! The domain of the sales pipeline, without any servers.
//!
//! Begin with [`sale`], what a sale is, and [`event`], how it is transmitted and stored in the lake; a [`message`]
//! carries one event or many. [`ports`] are the services' external dependencies, [`aws`] implements them on AWS.
//! [`site`] follows the region's own state, [`health`] records how calls of each dependency ended. The feature `memory`
//! adds the ports in memory, and the conformance suite that every implementation of the ports passes.

pub mod attributes;
pub mod aws;
pub mod clock;
#[cfg(feature = "memory")]
pub mod conformance;
pub mod entropy;
pub mod event;
pub mod health;
pub mod journal;
#[cfg(feature = "memory")]
pub mod memory;
pub mod message;
pub mod ports;
pub mod region;
pub mod sale;
pub mod shard;
pub mod signals;
pub mod site;
pub mod site_state;
pub mod standard_output;
pub mod trace;
