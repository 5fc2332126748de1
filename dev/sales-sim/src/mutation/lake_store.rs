//! The lake as a builder of its table sees it, with or without a bug.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::PoisonError;
use std::time::Duration;

use sales::journal;
use sales::memory::MemoryLakeStore;
use sales::ports::{Create, LakeStore, Listing, ObjectPage, PortResult};
use sales::sale::{Fact, SaleId};
use sales_table::data_file;
use sales_table::delta::LOG;
use sales_table::log_store::TABLE;
use sales_table::state;
use serde_json::{Value, json};

use super::{Mutated, Mutation};

/// Longer than versions of the table are kept.
const EIGHT_DAYS: Duration = Duration::from_secs(8 * 24 * 60 * 60);

impl LakeStore for Mutated<MemoryLakeStore> {
    async fn list(&self, prefix: &str, after: Option<&str>, listing: Listing) -> PortResult<ObjectPage> {
        let mut page = self.port.list(prefix, after, listing).await?;
        if self.is(Mutation::RemovesTooSoon) {
            page.objects.iter_mut().for_each(|object| object.modified = object.modified.minus(EIGHT_DAYS));
        }
        Ok(page)
    }

    async fn read(&self, key: &str, part: Option<Range<u64>>) -> PortResult<Option<Vec<u8>>> {
        let content = self.port.read(key, part).await?;
        if self.is(Mutation::ForgetsRows) && key.starts_with(&format!("{TABLE}dt=")) {
            return Ok(content.and_then(|_| data_file::encode(&[]).ok()));
        }
        if self.is(Mutation::KeepsFirstVersion) && key.starts_with(journal::FOLDER) {
            return Ok(content.map(|content| self.with_first_versions(&content)));
        }
        Ok(content)
    }

    async fn create(&self, key: &str, mut content: Vec<u8>) -> PortResult<Create> {
        if self.is(Mutation::OverwritesCommits) && key.starts_with(&format!("{TABLE}{LOG}")) {
            self.port.replace(key, content).await?;
            return Ok(Create::Created);
        }
        if self.is(Mutation::ForgetsWaiting)
            && key.starts_with(&format!("{TABLE}{}", state::FOLDER))
            && let Ok(Value::Object(mut root)) = serde_json::from_slice(&content)
        {
            root.insert("waiting".to_owned(), json!([]));
            content = Value::Object(root).to_string().into_bytes();
        }
        self.port.create(key, content).await
    }

    async fn replace(&self, key: &str, content: Vec<u8>) -> PortResult<()> {
        self.port.replace(key, content).await
    }

    async fn delete(&self, keys: &[String]) -> PortResult<()> {
        self.port.delete(keys).await
    }
}

/// The line of each sale that was read first.
pub(super) type FirstLines = HashMap<SaleId, String>;

impl Mutated<MemoryLakeStore> {
    /// An object with the version of each sale that was read first.
    fn with_first_versions(&self, content: &[u8]) -> Vec<u8> {
        let mut first = self.first_lines.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(content);
        let line = |line: &str| match journal::parse(line) {
            Ok(Fact::Sale(sale)) => first.entry(sale.id).or_insert_with(|| line.to_owned()).clone(),
            Ok(Fact::Cancellation(_)) | Err(_) => line.to_owned(),
        };
        text.lines().map(line).flat_map(|line| (line + "\n").into_bytes()).collect()
    }
}
