//! Reads the journal of a region's lake.

use std::collections::{BTreeSet, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;

use super::RegionResources;

/// The folder of the journal in the bucket.
pub(super) const FOLDER: &str = "journal/";

/// Concurrent reads.
const FETCHES: usize = 16;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct JournalLine {
    /// Id of its sale or cancellation; empty if it has none.
    pub id: String,
    /// The whole line.
    pub line: String,
    /// Key of its object.
    pub object: String,
}

impl RegionResources {
    /// All lines of the journal, sorted: those of one fact follow each other.
    pub async fn journal(&self) -> anyhow::Result<Vec<JournalLine>> {
        let keys = self.lake_keys_under(FOLDER).await?;
        let mut lines = self.lines_of(keys).await?;
        lines.sort_unstable();
        Ok(lines)
    }

    /// The ids of all sales and cancellations in the journal.
    pub async fn facts_in_lake(&self) -> anyhow::Result<BTreeSet<String>> {
        Ok(self.journal().await?.into_iter().map(|line| line.id).collect())
    }

    async fn lines_of(&self, keys: Vec<String>) -> anyhow::Result<Vec<JournalLine>> {
        let read = stream::iter(keys).map(async |object| {
            let bytes = self.lake_object(&object).await?;
            anyhow::Ok(lines(&object, &String::from_utf8_lossy(&bytes)))
        });
        Ok(read.buffer_unordered(FETCHES).try_collect::<Vec<_>>().await?.concat())
    }
}

/// The facts in a region's journal, which it counts time and again: it reads each object once, since they never change.
#[derive(Debug, Default)]
pub struct FactsInLake {
    ids: HashSet<String>,
    read: HashSet<String>,
}

impl FactsInLake {
    /// The number of sales and cancellations.
    pub async fn count(&mut self, region: &RegionResources) -> anyhow::Result<usize> {
        let mut keys = region.lake_keys_under(FOLDER).await?;
        keys.retain(|key| !self.read.contains(key));
        let lines = region.lines_of(keys.clone()).await?;
        self.ids.extend(lines.into_iter().map(|line| line.id));
        self.read.extend(keys);
        Ok(self.ids.len())
    }
}

fn lines(object: &str, text: &str) -> Vec<JournalLine> {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let line = |line: &str| JournalLine {
        id: serde_json::from_str::<Identified>(line).map_or_else(|_| String::new(), |fact| fact.id),
        line: line.to_owned(),
        object: object.to_owned(),
    };
    text.lines().map(line).collect()
}
