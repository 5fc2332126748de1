//! The lake's table of one region, as its readers see it.

use std::time::Duration;

use futures::future::{join_all, try_join_all};
use sales::{
    aws::{Connection, S3Addressing, S3LakeStore},
    clock::{Clock, Timestamp},
    health::Dependency,
    journal::Hour,
    ports::StoredObject,
};
use sales_table::{
    data_file::DataFile,
    delta::Table,
    error::TableError,
    log_store::{LogStore, list_all},
    objects,
    row::{DAY, Row, Texts},
};
use serde::Serialize;
use tokio::time::timeout;

use super::{
    RegionCloud,
    lake::KEY,
    trouble::{Key, Trouble},
};

/// Maximum time to see how far a table is.
const LOOK: Duration = Duration::from_secs(5);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Hours of the journal that are compared with the table for its age: the current one and those before it.
const HOURS: u32 = 3;

/// One version of a table.
pub(crate) struct LakeTable {
    store: S3LakeStore,
    table: Table,
    /// When it was opened.
    pub(crate) opened_at: Timestamp,
    key: Key,
}

/// How far a table is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Reached {
    /// Number of rows.
    pub(crate) rows: u64,
    /// Its version; `None` if there is no table yet.
    pub(crate) version: Option<u64>,
    /// Objects of the journal's newest hours that are not in it.
    pub(crate) waiting_objects: u64,
    /// When the oldest of these was written, in seconds since 1970.
    pub(crate) waiting_since: Option<i64>,
}

impl RegionCloud {
    /// The newest version of the table; `None` if there is none.
    pub(crate) async fn lake_table(&self) -> Result<Option<LakeTable>, Trouble> {
        let (store, key) = (self.lake_store()?, self.key(KEY));
        let opened_at = Clock::system().now();
        let table = LogStore::default().open(&store).await.map_err(|error| trouble(&key, error))?;
        Ok(table.map(|table| LakeTable { store, table, opened_at, key }))
    }

    /// How far the table is, within a moment.
    pub(crate) async fn lake_table_reached(&self) -> Result<Reached, Trouble> {
        self.lake_answers().await?;
        let reached = timeout(LOOK, self.reached()).await;
        reached
            .unwrap_or_else(|_| Err(Trouble::new(format_args!("the lake's table: not read in {} s", LOOK.as_secs()))))
    }

    async fn reached(&self) -> Result<Reached, Trouble> {
        let now = Clock::system().now();
        let hours: Vec<Hour> = (0..HOURS).map(|back| Hour::of(now.minus(HOUR * back))).collect();
        let (store, key) = (self.lake_store()?, self.key(KEY));
        let listed = hours.iter().map(async |hour| list_all(&store, &hour.prefix(), None).await);
        let listed = try_join_all(listed).await.map_err(|error| Trouble::of_call(&key, &error))?;
        // After the journal: what is folded meanwhile does not wait.
        let table = self.lake_table().await?;
        let waiting = match &table {
            Some(table) => table.without_folded(&hours, listed).await?,
            None => listed.concat(),
        };
        let waiting = waiting.iter().filter(|object| Hour::of_key(&object.key).is_some());
        Ok(Reached {
            rows: table.as_ref().map_or(0, LakeTable::rows),
            version: table.as_ref().map(|table| table.table.version()),
            waiting_objects: waiting.clone().count() as u64,
            waiting_since: waiting.map(|object| object.modified.unix_seconds()).min(),
        })
    }

    fn lake_store(&self) -> Result<S3LakeStore, Trouble> {
        let bucket = self.named(KEY, self.resources.lake_bucket.as_ref())?;
        // Custom endpoints have no bucket host names.
        let addressing = if self.sdk.endpoint_url().is_some() { S3Addressing::Path } else { S3Addressing::VirtualHost };
        let dependency = Dependency::unreported("lake");
        Ok(S3LakeStore::new(&Connection::from(self.sdk.clone()), bucket.clone(), addressing, dependency))
    }
}

impl LakeTable {
    /// Number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.table.rows()
    }

    /// The files that may hold rows of these moments, in unix seconds.
    pub(crate) fn files(&self, earliest: i64, latest: i64) -> impl Iterator<Item = &DataFile> {
        self.table.files().keys().filter(move |file| file.touches(earliest, latest))
    }

    /// The rows of a file.
    pub(crate) async fn rows_of(&self, file: &DataFile) -> Result<Vec<Row>, Trouble> {
        let rows = objects::rows(&self.store, file, &mut Texts::default()).await;
        rows.map_err(|error| trouble(&self.key, error))
    }

    /// Those of the objects of these hours that are not in the table.
    async fn without_folded(
        &self,
        hours: &[Hour],
        listed: Vec<Vec<StoredObject>>,
    ) -> Result<Vec<StoredObject>, Trouble> {
        let root = objects::root(&self.store, &self.table).await.map_err(|error| trouble(&self.key, error))?;
        let mut days: Vec<i64> = hours.iter().map(|hour| hour.start().unix_seconds().div_euclid(DAY)).collect();
        days.dedup();
        let ids = days.iter().filter_map(|day| root.days.get(day));
        let folded = join_all(ids.map(async |id| objects::day(&self.store, *id).await)).await;
        let folded = folded.into_iter().collect::<Result<Vec<_>, _>>().map_err(|error| trouble(&self.key, error))?;
        let is_waiting = |object: &StoredObject| !folded.iter().any(|day| day.contains(&object.key));
        Ok(listed.concat().into_iter().filter(is_waiting).collect())
    }
}

fn trouble(key: &Key, error: TableError) -> Trouble {
    match error {
        TableError::Port(error) => Trouble::of_call(key, &error),
        other => Trouble::new(format_args!("the lake's table: {other}")),
    }
}
