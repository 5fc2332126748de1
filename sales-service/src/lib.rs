//! What each service of the sales pipeline is made of, apart from its work.
//!
//! [`command_line::run`] is how a service begins and ends: it reads variables ([`environment`]), starts the log
//! ([`telemetry`]) and returns the exit code. [`http`] serves the routes that all services have, [`shutdown`] turns signals
//! into a token, [`vital_signs`] logs what alarms are made from, [`gathering`] sends what waits together in one call.

pub mod command_line;
pub mod environment;
pub mod gathering;
pub mod http;
pub mod shutdown;
pub mod telemetry;
pub mod vital_signs;
