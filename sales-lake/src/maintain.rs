//! Keeps the table small: checkpoints, the log's old commits, days in many files, files that nobody needs.
//!
//! Only the holder of the lease does this. One who has lost it and goes on does no harm: a merge is a commit like any other, a
//! checkpoint of a version says the same whoever makes it, and what is deleted here no kept version and no builder needs.

use std::collections::BTreeSet;
use std::time::Duration;

use sales::clock::Timestamp;
use sales::ports::LakeStore;
use sales_table::data_file::DataFile;
use sales_table::delta::{Changes, LogFile, Table};
use sales_table::error::TableError;
use sales_table::log_store::{self, Entry, TABLE, list_all};
use sales_table::row::DAY;
use sales_table::state::{self, StateId};
use serde_json::Value;

use crate::builder::{Builder, Current};
use crate::merge::mergeable;

/// Commits after which a checkpoint is due: a reader reads one file instead of them.
const CHECKPOINT: u64 = 20;

/// How long a version is kept after it was replaced.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Time between two rounds of merges.
const MERGE_INTERVAL: i64 = 60 * 60;

/// Time between two rounds of removal.
const REMOVAL_INTERVAL: i64 = DAY;

/// A day is merged this long after its end.
const SETTLED: i64 = 60 * 60;

/// What has been done when, in unix seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Maintenance {
    merged: Option<i64>,
    removed: Option<i64>,
}

impl Maintenance {
    /// Does what is due.
    ///
    /// # Errors
    /// If a call fails, or something in the bucket is damaged.
    pub async fn run<S: LakeStore>(&mut self, builder: &mut Builder<S>) -> Result<(), TableError> {
        let now = builder.clock.now();
        let seconds = now.unix_seconds();
        let is_due = |last: Option<i64>, interval| last.is_none_or(|last| seconds - last >= interval);
        if is_due(self.merged, MERGE_INTERVAL) {
            builder.merge_days().await?;
            self.merged = Some(seconds);
        }
        let removal_is_due = is_due(self.removed, REMOVAL_INTERVAL);
        builder.checkpoint(removal_is_due).await?;
        if removal_is_due {
            builder.remove_old(now).await?;
            self.removed = Some(seconds);
        }
        Ok(())
    }
}

impl<S: LakeStore> Builder<S> {
    /// Merges the files of days that are over, a commit for each merge.
    async fn merge_days(&mut self) -> Result<(), TableError> {
        let mut current = self.open().await?;
        let now = self.clock.now().unix_seconds();
        let days: BTreeSet<i64> = current.table.files().keys().map(|file| file.day).collect();
        for day in days.into_iter().filter(|day| (day + 1) * DAY + SETTLED <= now) {
            loop {
                let merged = mergeable(current.table.files().keys().filter(|file| file.day == day));
                if merged.is_empty() {
                    break;
                }
                match self.merge(current, merged, now).await? {
                    Some(next) => current = next,
                    None => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// Merges some files into one; `None` if another builder's commit came first.
    async fn merge(
        &mut self,
        Current { table, root }: Current,
        merged: BTreeSet<DataFile>,
        now: i64,
    ) -> Result<Option<Current>, TableError> {
        let mut rows = Vec::new();
        for file in &merged {
            rows.extend(self.read_rows(file).await?);
        }
        let mut changes = Changes { remove: merged, ..Changes::default() };
        self.write_rows(&table, rows, &mut changes).await?;
        let content = table.commit(&changes, now)?;
        let table = self.log.commit(&self.store, table.version() + 1, content).await?;
        Ok(table.map(|table| Current { table, root }))
    }

    /// Puts a checkpoint, if enough commits have come since the last one, or any and it is time for one.
    async fn checkpoint(&mut self, is_time: bool) -> Result<(), TableError> {
        let Some(table) = self.log.open(&self.store).await? else { return Ok(()) };
        let since = table.version() - self.log.checkpoint().unwrap_or(0);
        if since >= CHECKPOINT || (is_time && since > 0) {
            return self.log.put_checkpoint(&self.store, &table).await;
        }
        self.log.keep(table);
        Ok(())
    }

    /// Removes what no kept version needs: commits before the newest checkpoint that is old enough, then files.
    async fn remove_old(&mut self, now: Timestamp) -> Result<(), TableError> {
        let current = self.open().await?;
        let entries = log_store::entries(&self.store, 0).await?;
        let kept_from = kept_from(&entries, now);
        let old = entries.iter().map(|entry| entry.file).filter(|file| file.version() < kept_from);
        log_store::delete(&self.store, old).await?;
        let mut needed: BTreeSet<DataFile> = current.table.files().keys().cloned().collect();
        let commits: Vec<u64> = entries.iter().filter_map(|entry| kept_commit(*entry, kept_from)).collect();
        log_store::read_commits(&self.store, &commits, |content| needed.extend(named(content))).await?;
        self.remove_files(&current.table, &needed).await?;
        self.remove_state(&current).await
    }

    /// Deletes the data files that no kept version needs, nor any that may still come.
    async fn remove_files(&self, table: &Table, needed: &BTreeSet<DataFile>) -> Result<(), TableError> {
        let is_old = |file: &DataFile| file.base < table.version() && !needed.contains(file);
        let objects = list_all(&self.store, &format!("{TABLE}dt="), None).await?;
        let files = objects.into_iter().map(|object| object.key);
        let old = files.filter(|key| key.strip_prefix(TABLE).and_then(DataFile::parse).as_ref().is_some_and(is_old));
        let old: Vec<String> = old.collect();
        for group in old.chunks(1_000) {
            self.store.delete(group).await?;
            self.metrics.removed_files.inc_by(group.len() as u64);
        }
        Ok(())
    }

    /// Deletes what is left of earlier states of the fold: only the newest is ever read.
    async fn remove_state(&self, Current { table, root }: &Current) -> Result<(), TableError> {
        let needed: BTreeSet<StateId> = root.days.values().copied().chain(table.state().map(StateId)).collect();
        let is_old = |id: StateId| id.base() < table.version() && !needed.contains(&id);
        let objects = list_all(&self.store, &format!("{TABLE}{}", state::FOLDER), None).await?;
        let keys = objects.into_iter().map(|object| object.key);
        let old = keys.filter(|key| key.strip_prefix(TABLE).and_then(StateId::parse_name).is_some_and(is_old));
        let old: Vec<String> = old.collect();
        for group in old.chunks(1_000) {
            self.store.delete(group).await?;
        }
        Ok(())
    }
}

/// The oldest version that is kept: that of the newest checkpoint which was made before the retention began.
fn kept_from(entries: &[Entry], now: Timestamp) -> u64 {
    let old_enough = |entry: &&Entry| now.since(entry.modified) >= RETENTION;
    let checkpoints = entries.iter().filter(old_enough).filter_map(|entry| match entry.file {
        LogFile::Checkpoint(version) => Some(version),
        LogFile::Commit(_) => None,
    });
    checkpoints.max().unwrap_or(0)
}

/// The version of a commit after the oldest kept version.
fn kept_commit(entry: Entry, kept_from: u64) -> Option<u64> {
    match entry.file {
        LogFile::Commit(version) if version > kept_from => Some(version),
        LogFile::Commit(_) | LogFile::Checkpoint(_) => None,
    }
}

/// The files that a commit adds or removes: one of the versions around it has them.
fn named(commit: &[u8]) -> Vec<DataFile> {
    let lines = commit.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let path = |action: Value| {
        let file = action.get("add").or_else(|| action.get("remove"))?;
        DataFile::parse(file.get("path")?.as_str()?)
    };
    lines.filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_kept_from_the_newest_checkpoint_that_is_old_enough() {
        let now = Timestamp::from_unix_seconds(1_764_547_199).unwrap();
        let entry = |file, days: u64| Entry { file, modified: now.minus(Duration::from_secs(days * 86_400)) };
        let entries = [
            entry(LogFile::Checkpoint(20), 30),
            entry(LogFile::Commit(30), 9),
            entry(LogFile::Checkpoint(40), 8),
            entry(LogFile::Commit(41), 6),
            entry(LogFile::Checkpoint(60), 6),
        ];
        let kept = kept_from(&entries, now);
        assert_eq!(kept, 40);
        assert_eq!(entries.map(|entry| kept_commit(entry, kept)), [None, None, None, Some(41), None]);
        assert_eq!(kept_from(&entries[4..], now), 0);
    }

    #[test]
    fn a_commit_names_what_it_adds_and_what_it_removes() {
        let file = |rows| DataFile { day: 20_000, from: 1, to: 2, rows, base: 3, hash: 4 };
        let commit = format!(
            "{{\"commitInfo\":{{}}}}\n{{\"add\":{{\"path\":\"{}\"}}}}\n{{\"remove\":{{\"path\":\"{}\"}}}}\n",
            file(1),
            file(2)
        );
        assert_eq!(named(commit.as_bytes()), [file(1), file(2)]);
    }
}
