//! The pending index: what is owed to the lake, as one region's replica of the table knows it.

use futures::future::try_join_all;
use sales::{clock::Timestamp, ports::SaleTable};
use serde::Serialize;

use super::{RegionCloud, in_time, trouble::Trouble};

const KEY: &str = "sales_table";

/// What is owed to the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Backlog {
    /// How many sales and cancellations.
    pub(crate) items: u64,
    /// When the oldest was accepted, in seconds since 1970.
    pub(crate) oldest: Option<i64>,
}

impl Backlog {
    /// When the oldest was accepted.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.oldest.and_then(Timestamp::from_unix_seconds)
    }
}

impl RegionCloud {
    /// How much is owed to the lake. It is counted, which takes a while when it is much.
    pub(crate) async fn backlog(&self) -> Result<Backlog, Trouble> {
        let table = self.sale_table()?;
        // Whether there is any answer at all shows in a moment; counting may take as long as it takes.
        let probe = async { table.probe().await.map_err(|error| Trouble::of_call(&self.key(KEY), &error)) };
        in_time("GetItem", probe).await?;
        let shards = try_join_all(self.shards.iter().map(|shard| table.backlog(shard))).await;
        let shards = shards.map_err(|error| Trouble::of_call(&self.key(KEY), &error))?;
        Ok(Backlog {
            items: shards.iter().map(|backlog| backlog.facts).sum(),
            oldest: shards.iter().filter_map(|backlog| backlog.oldest).min().map(Timestamp::unix_seconds),
        })
    }
}
