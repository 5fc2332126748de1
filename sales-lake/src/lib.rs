//! Folds the journal of the lake into a Delta Lake table.
//!
//! Begin with [`row`]: how the facts of a sale become one row, whatever their order. [`builder`] folds what is new: a
//! [`schedule`] says where to look, [`lines`] reads objects, [`keys`] finds the files that may hold a sale, [`merge`]
//! decides what changes in them, [`data_file`] is what they are, and [`state`] remembers what has been folded. [`delta`] is
//! the log of the table by the format's own library, without a call; [`log_store`] keeps it in the bucket. [`maintain`]
//! keeps the table small, [`service`] does all of it at every interval.

pub mod app;
pub mod builder;
pub mod config;
pub mod data_file;
pub mod delta;
pub mod error;
pub mod keys;
pub mod lease;
pub mod lines;
pub mod log_store;
pub mod maintain;
pub mod merge;
pub mod metrics;
pub mod row;
pub mod schedule;
pub mod service;
pub mod state;
