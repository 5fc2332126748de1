//! The common parts of the services of the sales pipeline.
//!
//! [`command_line::run`] starts and ends a service: it reads variables ([`environment`]), starts the log
//! ([`telemetry`]) and returns the exit code. [`http`] serves the routes that all services have, [`shutdown`] turns
//! signals into a token, [`vital_signs`] logs the source of alarms, [`gathering`] batches items into calls, and a
//! [`batcher`] gives each caller the result of its own.

pub mod batcher;
pub mod command_line;
pub mod environment;
pub mod gathering;
pub mod http;
pub mod shutdown;
pub mod telemetry;
pub mod vital_signs;
