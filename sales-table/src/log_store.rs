//! The files of the table's log in the lake's bucket.
//!
//! Commits and checkpoints never change, so each is read once. A commit is one put that never replaces an object: of many
//! builders at one version, one succeeds.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::future::try_join_all;
use sales::clock::Timestamp;
use sales::ports::{Create, LakeStore, Listing, PortResult, StoredObject};

use crate::delta::{LAST_CHECKPOINT, LOG, LogFile, Table, checkpoint_name, commit_name, last_checkpoint};
use crate::error::TableError;

/// The folder of the table in the bucket.
pub const TABLE: &str = "table/sales/";

/// Objects that are read at the same time.
const READS: usize = 16;

/// What has been read of the log.
#[derive(Default)]
pub struct LogStore {
    files: BTreeMap<LogFile, Bytes>,
    checkpoint: Option<u64>,
    kept: Option<Table>,
}

/// A file of the log and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub file: LogFile,
    /// When.
    pub modified: Timestamp,
}

fn key(file: LogFile) -> String {
    let name = match file {
        LogFile::Commit(version) => commit_name(version),
        LogFile::Checkpoint(version) => checkpoint_name(version),
    };
    format!("{TABLE}{LOG}{name}")
}

/// Every object with a prefix that sorts after `after`.
///
/// # Errors
/// If a call fails.
pub async fn list_all(store: &impl LakeStore, prefix: &str, after: Option<String>) -> PortResult<Vec<StoredObject>> {
    let (mut objects, mut after) = (Vec::new(), after);
    loop {
        let page = store.list(prefix, after.as_deref(), Listing::Deep).await?;
        objects.extend(page.objects);
        after = page.next;
        if after.is_none() {
            return Ok(objects);
        }
    }
}

/// The commits and checkpoints from a version on.
///
/// # Errors
/// If a call fails.
pub async fn entries(store: &impl LakeStore, from: u64) -> PortResult<Vec<Entry>> {
    let folder = format!("{TABLE}{LOG}");
    let objects = list_all(store, &folder, Some(format!("{folder}{from:020}"))).await?;
    let entry = |object: StoredObject| {
        let file = LogFile::parse(object.key.strip_prefix(&folder)?)?;
        Some(Entry { file, modified: object.modified })
    };
    Ok(objects.into_iter().filter_map(entry).collect())
}

impl LogStore {
    /// The newest version of the table; `None` if there is no table.
    ///
    /// # Errors
    /// If a call fails, or the log is damaged.
    pub async fn open(&mut self, store: &impl LakeStore) -> Result<Option<Table>, TableError> {
        if self.checkpoint.is_none() {
            let hint = store.read(&format!("{TABLE}{LOG}{LAST_CHECKPOINT}"), None).await?;
            self.checkpoint = hint.as_deref().and_then(last_checkpoint);
        }
        let mut entries = entries(store, self.checkpoint.unwrap_or(0)).await?;
        let newest = |entries: &[Entry]| {
            entries
                .iter()
                .filter_map(|entry| if let LogFile::Checkpoint(at) = entry.file { Some(at) } else { None })
                .max()
        };
        if self.checkpoint.is_some() && newest(&entries).is_none() {
            // The hint was wrong: the log itself counts.
            entries = self::entries(store, 0).await?;
        }
        self.checkpoint = newest(&entries);
        let needed: Vec<LogFile> =
            entries.into_iter().map(|entry| entry.file).filter(|file| self.needs(*file)).collect();
        if needed.is_empty() {
            return Ok(None);
        }
        self.files.retain(|file, _| needed.contains(file));
        let missing: Vec<LogFile> = needed.into_iter().filter(|file| !self.files.contains_key(file)).collect();
        let newest = self.files.keys().map(|file| file.version()).max();
        let kept = self.kept.take().filter(|kept| missing.is_empty() && Some(kept.version()) == newest);
        if kept.is_some() {
            return Ok(kept);
        }
        for group in missing.chunks(READS) {
            let keys: Vec<String> = group.iter().map(|file| key(*file)).collect();
            let contents = try_join_all(keys.iter().map(|key| store.read(key, None))).await?;
            for ((file, key), content) in group.iter().zip(keys).zip(contents) {
                let content = content.ok_or(TableError::Gone(key))?;
                self.files.insert(*file, content.into());
            }
        }
        self.table().map(Some)
    }

    /// Keeps a version that has been read for the next time, so that a table that does not change is not read again. None of
    /// its commits may have been refused.
    pub fn keep(&mut self, table: Table) {
        self.kept = Some(table);
    }

    fn needs(&self, file: LogFile) -> bool {
        match (file, self.checkpoint) {
            (LogFile::Commit(version), Some(checkpoint)) => version > checkpoint,
            (LogFile::Commit(_), None) => true,
            (LogFile::Checkpoint(version), checkpoint) => Some(version) == checkpoint,
        }
    }

    fn table(&self) -> Result<Table, TableError> {
        let name = |file: &LogFile| key(*file)[TABLE.len() + LOG.len()..].to_owned();
        let files: Vec<(String, Bytes)> =
            self.files.iter().map(|(file, content)| (name(file), content.clone())).collect();
        Ok(Table::open(files.iter().map(|(name, content)| (name.as_str(), content.clone())))?)
    }

    /// Puts the commit of a version; `None` if another builder has put one.
    ///
    /// # Errors
    /// If the call fails: the commit may be there or not.
    pub async fn commit(
        &mut self,
        store: &impl LakeStore,
        version: u64,
        content: Bytes,
    ) -> Result<Option<Table>, TableError> {
        let file = LogFile::Commit(version);
        match store.create(&key(file), content.to_vec()).await? {
            Create::AlreadyExists => Ok(None),
            Create::Created => {
                self.files.insert(file, content);
                self.table().map(Some)
            }
        }
    }

    /// The version of the last checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> Option<u64> {
        self.checkpoint
    }

    /// Puts a checkpoint of this version of the table, and then what names it.
    ///
    /// # Errors
    /// If a call fails, or the checkpoint cannot be made.
    pub async fn put_checkpoint(&mut self, store: &impl LakeStore, table: &Table) -> Result<(), TableError> {
        for (name, content) in table.checkpoint()? {
            let key = format!("{TABLE}{LOG}{name}");
            if name == LAST_CHECKPOINT {
                store.replace(&key, content.into()).await?;
            } else {
                // One that another builder has put says the same.
                store.create(&key, content.into()).await?;
            }
        }
        Ok(())
    }
}

/// Deletes files of the log.
///
/// # Errors
/// If a call fails.
pub async fn delete(store: &impl LakeStore, files: impl IntoIterator<Item = LogFile>) -> PortResult<()> {
    let keys: Vec<String> = files.into_iter().map(key).collect();
    for group in keys.chunks(1_000) {
        store.delete(group).await?;
    }
    Ok(())
}

/// Reads some commits, in groups.
///
/// # Errors
/// If a call fails.
pub async fn read_commits(
    store: &impl LakeStore,
    versions: &[u64],
    mut each: impl FnMut(&[u8]),
) -> Result<(), TableError> {
    for group in versions.chunks(READS) {
        let keys: Vec<String> = group.iter().map(|version| key(LogFile::Commit(*version))).collect();
        let contents = try_join_all(keys.iter().map(|key| store.read(key, None))).await?;
        for (key, content) in keys.into_iter().zip(contents) {
            each(&content.ok_or(TableError::Gone(key))?);
        }
    }
    Ok(())
}
