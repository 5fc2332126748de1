//! Names of measurements, for outputs and lookups.

use crate::canned::Latency;
use crate::ceilings::Call;

/// Number of clients that measure a bare response.
pub(crate) const ANSWERED_CLIENTS: u64 = 256;

/// Number of clients that keep both services busy.
pub(crate) const BUSY_CLIENTS: u64 = 256;

/// How the names of cases begin in which another region processes.
pub(crate) const STANDING_BY: &str = "standing by";

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

/// The worker on a queue, in messages with this number of sales.
pub(crate) fn drain(sales: u64, events: u64, latency: Latency) -> String {
    format!("{sales} sales, {events} a message, latency {latency}")
}

/// The same without latency, for sales that another region is expected to process.
pub(crate) fn stand_by(sales: u64, events: u64) -> String {
    format!("{STANDING_BY}, {}", drain(sales, events, Latency::NONE))
}

/// Both services, as clients post as fast as they are answered.
pub(crate) fn busy(clients: u64) -> String {
    format!("{clients} clients")
}

/// Both services at a rate.
pub(crate) fn rate(per_second: u64) -> String {
    format!("{per_second} sales a second")
}

/// The fold of an hour.
pub(crate) fn fold(sales: u64) -> String {
    format!("{sales} sales an hour")
}

/// The worker on a backlog.
pub(crate) fn sweep(pending: u64) -> String {
    format!("{pending} pending")
}
