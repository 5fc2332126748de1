//! The load that the endpoint offers.

use serde::{Deserialize, Serialize};

/// The load that the endpoint offers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Load {
    /// Number of messages to receive.
    pub(crate) messages: u64,
    /// Number of events of each message; 0 counts as 1.
    pub(crate) events: u64,
    /// Whether another region is expected to process them.
    pub(crate) elsewhere: bool,
    /// Whether published messages are delivered, too.
    pub(crate) relays: bool,
    /// Number of facts in the pending index, spread evenly over its shards.
    pub(crate) pending: u64,
}
