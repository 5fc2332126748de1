//! The pending index: what is owed to the lake, as one region's replica of the table knows it.

use std::time::Duration;

use futures::future::try_join_all;
use sales::{
    clock::Timestamp,
    ports::{PortResult, SaleTable},
};
use serde::Serialize;
use tokio::time::timeout;

use super::{RegionCloud, trouble::Trouble};

const KEY: &str = "sales_table";

/// How long a look may take.
const GLANCE: Duration = Duration::from_secs(2);

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
        self.reachable(table.probe()).await?;
        let shards = try_join_all(self.shards.iter().map(|shard| table.backlog(shard))).await;
        let shards = shards.map_err(|error| Trouble::of_call(&self.key(KEY), &error))?;
        Ok(Backlog {
            items: shards.iter().map(|backlog| backlog.facts).sum(),
            oldest: shards.iter().filter_map(|backlog| backlog.oldest).min().map(Timestamp::unix_seconds),
        })
    }

    /// Whether something that was accepted before `before` is owed to the lake.
    pub(crate) async fn owes_since_before(&self, before: Timestamp) -> Result<bool, Trouble> {
        let table = self.sale_table()?;
        self.reachable(table.probe()).await?;
        for shard in self.shards.iter() {
            let page = table.pending(shard, before, None).await;
            let page = page.map_err(|error| Trouble::of_call(&self.key(KEY), &error))?;
            if !page.ids.is_empty() || page.unreadable > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn reachable(&self, call: impl Future<Output = PortResult<()>>) -> Result<(), Trouble> {
        let answer = timeout(GLANCE, call).await.map_err(|_| Trouble::new("GetItem: no answer in time"))?;
        answer.map_err(|error| Trouble::of_call(&self.key(KEY), &error))
    }
}
