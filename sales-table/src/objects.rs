//! Reads the objects below the table: its files, and the state of its fold.

use sales::ports::LakeStore;

use crate::data_file::{self, DataFile};
use crate::delta::Table;
use crate::error::TableError;
use crate::log_store::TABLE;
use crate::row::{Row, RowId, Texts};
use crate::state::{Day, Root, StateId};

/// The rows of a file, in its order.
///
/// # Errors
/// If a call fails, or the file is damaged or missing.
pub async fn rows(store: &impl LakeStore, file: &DataFile, texts: &mut Texts) -> Result<Vec<Row>, TableError> {
    let name = file.to_string();
    let content = read(store, &name).await?;
    data_file::decode(content, texts).map_err(|error| TableError::File(name, error))
}

/// The ids of a file's rows.
///
/// # Errors
/// If a call fails, or the file is damaged or missing.
pub async fn ids(store: &impl LakeStore, file: &DataFile) -> Result<Vec<RowId>, TableError> {
    let name = file.to_string();
    let content = read(store, &name).await?;
    data_file::decode_ids(content).map_err(|error| TableError::File(name, error))
}

/// The state of the fold at a version of the table.
///
/// # Errors
/// If a call fails, or the state is damaged or missing.
pub async fn root(store: &impl LakeStore, table: &Table) -> Result<Root, TableError> {
    let Some(id) = table.state().map(StateId) else { return Ok(Root::default()) };
    Root::decode(&read(store, &id.name()).await?).ok_or_else(|| TableError::State(id.name()))
}

/// What of a day's journal is in the table.
///
/// # Errors
/// If a call fails, or the state is damaged or missing.
pub async fn day(store: &impl LakeStore, id: StateId) -> Result<Day, TableError> {
    Day::decode(&read(store, &id.name()).await?).ok_or_else(|| TableError::State(id.name()))
}

async fn read(store: &impl LakeStore, name: &str) -> Result<Vec<u8>, TableError> {
    let key = format!("{TABLE}{name}");
    store.read(&key, None).await?.ok_or(TableError::Gone(key))
}
