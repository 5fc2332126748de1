//! What the endpoint offers.

use serde::{Deserialize, Serialize};

/// What the endpoint offers from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// How many messages there are to receive.
    pub(crate) messages: u64,
    /// How many facts are in the pending index, spread evenly over its shards.
    pub(crate) pending: u64,
}
