//! Names of measurements, for outputs and lookups.

use crate::canned::Latency;
use crate::ceilings::Call;

/// Number of clients that measure a bare response.
pub(crate) const ANSWERED_CLIENTS: u64 = 256;

/// A bare response.
pub(crate) fn answer() -> String {
    format!("Answer, {ANSWERED_CLIENTS} clients")
}

/// A bare call.
pub(crate) fn call(call: Call) -> String {
    format!("{call:?}")
}

/// Clients that post sales.
pub(crate) fn api(clients: u64, latency: Latency) -> String {
    format!("{clients} clients, latency {latency}")
}

/// The worker on a queue.
pub(crate) fn drain(messages: u64, latency: Latency) -> String {
    format!("{messages} messages, latency {latency}")
}

/// The worker on a backlog.
pub(crate) fn sweep(pending: u64) -> String {
    format!("{pending} pending")
}
