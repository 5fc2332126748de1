//! Folds the journal of the lake into a Delta Lake table.
//!
//! Begin with `sales_table`, what a row and a file of the table are. [`builder`] folds what is new: a [`schedule`] says where
//! to look, [`lines`] reads objects, [`keys`] finds the files that may hold a sale, and [`merge`] decides what changes in them.
//! [`maintain`] keeps the table small, [`service`] does all of it at every interval.

pub mod app;
pub mod builder;
pub mod config;
pub mod keys;
pub mod lease;
pub mod lines;
pub mod maintain;
pub mod merge;
pub mod metrics;
pub mod schedule;
pub mod service;
