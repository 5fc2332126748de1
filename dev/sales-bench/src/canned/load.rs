//! The load that the endpoint offers.

use serde::{Deserialize, Serialize};

/// The load that the endpoint offers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// Number of messages to receive.
    pub(crate) messages: u64,
    /// Number of facts in the pending index, spread evenly over its shards.
    pub(crate) pending: u64,
}
