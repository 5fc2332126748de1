//! What the services of the sales pipeline agree on.
//!
//! A sale's way through this crate: [`sale`] says what a sale is, [`event`] how it travels and lies in the
//! lake, [`ports`] what the services need from the outside, [`aws`] how AWS provides it. [`site`] keeps the
//! region's own state, [`health`] what is known of each dependency, [`http`] what both services answer alike.
//! With the feature `memory` there are the ports in memory, and the checks that every implementation of them passes.

pub mod attributes;
pub mod aws;
pub mod clock;
pub mod command_line;
#[cfg(feature = "memory")]
pub mod contract;
pub mod entropy;
pub mod environment;
pub mod event;
pub mod gathering;
pub mod health;
pub mod http;
#[cfg(feature = "memory")]
pub mod memory;
pub mod ports;
pub mod sale;
pub mod shutdown;
pub mod site;
pub mod telemetry;
pub mod trace;
pub mod vital_signs;
