//! The table's log in Delta Lake's format, by the format's own library.
//!
//! A [`Table`] is one version of the table, made of the files of its log. What follows a version, the next commit or a
//! checkpoint, is computed here as bytes; who puts them where is the builder's affair.

mod engine;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use delta_kernel::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use delta_kernel::arrow::array::{MapBuilder, MapFieldNames, StringBuilder};
use delta_kernel::arrow::datatypes::{Field, Schema};
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::transaction::{CommitResult, UpdateTableOperation};
use delta_kernel::{FilteredEngineData, KernelError, KernelResult, Snapshot, SnapshotRef};
use serde_json::json;
use thiserror::Error;
use url::Url;
use uuid::Uuid;

use self::engine::{Files, LogEngine};
use crate::data_file::DataFile;
use crate::row::{DAY, PRECISION, SCALE, day_name};

/// The folder of the log, below the table.
pub const LOG: &str = "_delta_log/";

/// The file that names the last checkpoint, below the log.
pub const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// The application whose transaction version names the state of the fold.
const APPLICATION: &str = "sales-lake/journal";

/// Any address: it is in no file.
const ROOT: &str = "memory:///table/";

/// A log that the library rejects.
#[derive(Debug, Error)]
pub enum LogError {
    /// As the library says.
    #[error("the table's log: {0}")]
    Kernel(#[from] KernelError),
    /// A commit that conflicts although nothing else writes to memory.
    #[error("the table's log: version {0} is in it already")]
    Conflict(u64),
}

/// The name of the log file of a commit.
#[must_use]
pub fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// The name of the log file of a checkpoint.
#[must_use]
pub fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// What a file of the log is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogFile {
    /// The commit of a version.
    Commit(u64),
    /// The checkpoint of a version.
    Checkpoint(u64),
}

impl LogFile {
    /// Its version.
    #[must_use]
    pub fn version(self) -> u64 {
        match self {
            Self::Commit(version) | Self::Checkpoint(version) => version,
        }
    }

    /// The file with this name; `None` for anything else.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (version, rest) = name.split_at_checked(20)?;
        let version = version.parse().ok()?;
        match rest {
            ".json" => Some(Self::Commit(version)),
            ".checkpoint.parquet" => Some(Self::Checkpoint(version)),
            _ => None,
        }
    }
}

/// The version that `_last_checkpoint` names, if it is whole.
#[must_use]
pub fn last_checkpoint(content: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(content).ok()?.get("version")?.as_u64()
}

/// The commit that makes an empty table: nothing in it that a reader of the first Delta Lake would not know.
#[must_use]
pub fn first_commit(id: Uuid, created_at: i64) -> Vec<u8> {
    let field = |name: &str, kind: String| json!({"name": name, "type": kind, "nullable": true, "metadata": {}});
    let text = || "string".to_owned();
    let moment = || "timestamp".to_owned();
    let schema = json!({"type": "struct", "fields": [
        field("id", text()),
        field("product", text()),
        field("amount", format!("decimal({PRECISION},{SCALE})")),
        field("accepted_at", moment()),
        field("region", text()),
        field("cancelled_at", moment()),
        field("dt", "date".to_owned()),
    ]});
    let milliseconds = created_at.saturating_mul(1_000);
    let metadata = json!({
        "id": id.as_hyphenated().to_string(),
        "name": "sales",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema.to_string(),
        "partitionColumns": ["dt"],
        "configuration": {},
        "createdTime": milliseconds,
    });
    let info = json!({"timestamp": milliseconds, "operation": "CREATE TABLE", "engineInfo": engine_info()});
    let protocol = json!({"minReaderVersion": 1, "minWriterVersion": 2});
    let actions = [json!({"commitInfo": info}), json!({"protocol": protocol}), json!({"metaData": metadata})];
    actions.iter().flat_map(|action| format!("{action}\n").into_bytes()).collect()
}

fn engine_info() -> &'static str {
    concat!("sales-lake/", env!("CARGO_PKG_VERSION"))
}

/// A file of the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TableFile {
    /// Its name and what that tells.
    pub file: DataFile,
    /// Its size in bytes.
    pub size: u64,
}

/// What a commit changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New files.
    pub add: Vec<TableFile>,
    /// Files of the version before.
    pub remove: BTreeSet<DataFile>,
    /// The state of the fold after it; `None` leaves it as it is.
    pub state: Option<u64>,
    /// Whether rows change; otherwise they are only stored differently.
    pub rows_change: bool,
}

/// One version of the table.
pub struct Table {
    snapshot: SnapshotRef,
    engine: LogEngine,
    log: Arc<Files>,
    files: BTreeMap<DataFile, TableFile>,
    state: Option<u64>,
}

impl Table {
    /// The newest version in these files of its log, by name.
    ///
    /// # Errors
    /// If there is none, or the log is damaged.
    pub fn open<'a>(files: impl IntoIterator<Item = (&'a str, Bytes)>) -> Result<Self, LogError> {
        let log = Arc::new(Files::default());
        for (name, content) in files {
            log.add(log_url(name)?, content);
        }
        let engine = LogEngine::new(log.clone());
        let snapshot = Snapshot::builder_for(ROOT).build(&engine)?;
        let mut files = BTreeMap::new();
        for page in snapshot.clone().scan_builder().build()?.scan_metadata(&engine)? {
            let scanned: Vec<ScanFile> = page?.visit_scan_files(Vec::new(), |found, file| found.push(file))?;
            for scanned in scanned {
                if let (Some(file), Ok(size)) = (DataFile::parse(&scanned.path), u64::try_from(scanned.size)) {
                    files.insert(file.clone(), TableFile { file, size });
                }
            }
        }
        let state = snapshot.get_app_id_version(APPLICATION, &engine)?.map(i64::cast_unsigned);
        Ok(Self { snapshot, engine, log, files, state })
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.snapshot.version()
    }

    /// Its files.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<DataFile, TableFile> {
        &self.files
    }

    /// The state of the fold.
    #[must_use]
    pub fn state(&self) -> Option<u64> {
        self.state
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.keys().map(|file| file.rows).sum()
    }

    /// The content of the next commit, at this moment in unix seconds.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn commit(&self, changes: &Changes, now: i64) -> Result<Bytes, LogError> {
        let operation = if changes.rows_change { UpdateTableOperation::Merge } else { UpdateTableOperation::Optimize };
        let update = self.snapshot.clone().update_table(operation, engine_info(), changes.rows_change);
        let mut transaction = update.build(&self.engine, Box::new(FileSystemCommitter::new()))?;
        if let Some(state) = changes.state {
            transaction = transaction.with_transaction_id(APPLICATION.to_owned(), state.cast_signed());
        }
        if !changes.add.is_empty() {
            transaction.add_files(Box::new(ArrowEngineData::new(adds(&changes.add, now)?)));
        }
        if !changes.remove.is_empty() {
            for page in self.snapshot.clone().scan_builder().build()?.scan_metadata(&self.engine)? {
                let (data, selected) = page?.scan_files.into_parts();
                let chosen = self.chosen(&*data, selected, &changes.remove)?;
                if chosen.contains(&true) {
                    transaction.remove_files(FilteredEngineData::try_new(data, chosen)?);
                }
            }
        }
        let version = self.version() + 1;
        match transaction.commit(&self.engine)? {
            CommitResult::Committed(_) => {}
            CommitResult::Conflicted(_) => return Err(LogError::Conflict(version)),
            CommitResult::Retryable(failed) => return Err(failed.error.into()),
        }
        let name = log_url(&commit_name(version))?;
        let written = self.log.take_written().into_iter().find(|(location, _)| *location == name);
        written.map(|(_, content)| content).ok_or(LogError::Conflict(version))
    }

    /// Which rows of a page of the scan are of these files.
    fn chosen(
        &self,
        data: &dyn delta_kernel::EngineData,
        mut selected: Vec<bool>,
        remove: &BTreeSet<DataFile>,
    ) -> KernelResult<Vec<bool>> {
        let data = data.any_ref().downcast_ref::<ArrowEngineData>();
        let data = data.ok_or_else(|| KernelError::generic("a scan that is not in Arrow"))?.record_batch();
        let paths = data.column_by_name("path").and_then(|paths| paths.as_any().downcast_ref::<StringArray>());
        let paths = paths.ok_or_else(|| KernelError::generic("a scan without paths"))?;
        selected.resize(data.num_rows(), true);
        for (row, chosen) in selected.iter_mut().enumerate() {
            *chosen = *chosen && DataFile::parse(paths.value(row)).is_some_and(|file| remove.contains(&file));
        }
        Ok(selected)
    }

    /// The files of a checkpoint of this version by name, in the order in which they are to be put.
    ///
    /// # Errors
    /// If the library refuses it.
    pub fn checkpoint(&self) -> Result<Vec<(String, Bytes)>, LogError> {
        self.snapshot.checkpoint(&self.engine, None)?;
        let name = |location: &Url| location.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
        Ok(self.log.take_written().into_iter().map(|(location, content)| (name(&location), content)).collect())
    }
}

fn log_url(name: &str) -> KernelResult<Url> {
    Url::parse(&format!("{ROOT}{LOG}{name}")).map_err(KernelError::generic)
}

/// The metadata of new files, as the library takes it.
fn adds(files: &[TableFile], now: i64) -> KernelResult<RecordBatch> {
    let number = |value: fn(&TableFile) -> u64| -> Int64Array {
        files.iter().map(|file| i64::try_from(value(file)).unwrap_or(i64::MAX)).collect()
    };
    let paths = StringArray::from_iter_values(files.iter().map(|file| file.file.to_string()));
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut partitions = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for TableFile { file, .. } in files {
        partitions.keys().append_value("dt");
        partitions.values().append_value(day_name(file.day));
        partitions.append(true)?;
    }
    let written = Int64Array::from(vec![now.saturating_mul(1_000); files.len()]);
    let moments = |second: fn(&DataFile) -> u32| -> ArrayRef {
        let micros = files.iter().map(|TableFile { file, .. }| (file.day * DAY + i64::from(second(file))) * 1_000_000);
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone("UTC"))
    };
    let only_time = |times: ArrayRef| {
        let field = Field::new("accepted_at", times.data_type().clone(), true);
        StructArray::new(vec![field].into(), vec![times], None)
    };
    let nothing_null: ArrayRef = Arc::new(Int64Array::from(vec![0; files.len()]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("numRecords", Arc::new(number(|file| file.file.rows))),
        ("nullCount", Arc::new(only_time(nothing_null))),
        ("minValues", Arc::new(only_time(moments(|file| file.from)))),
        ("maxValues", Arc::new(only_time(moments(|file| file.to)))),
        ("tightBounds", Arc::new(BooleanArray::from(vec![true; files.len()]))),
    ];
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) =
        columns.into_iter().map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array)).unzip();
    let statistics = StructArray::new(fields.into(), arrays, None);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("path", Arc::new(paths), false),
        ("partitionValues", Arc::new(partitions.finish()), false),
        ("size", Arc::new(number(|file| file.size)), false),
        ("modificationTime", Arc::new(written), false),
        ("stats", Arc::new(statistics), true),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable)).collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn file(day: i64, rows: u64, base: u64) -> TableFile {
        TableFile { file: DataFile { day, from: 3, to: 70, rows, base, hash: u128::from(rows) }, size: rows * 20 }
    }

    struct Log(BTreeMap<String, Bytes>);

    impl Log {
        fn new() -> Self {
            Self([(commit_name(0), first_commit(Uuid::nil(), 1_764_540_000).into())].into())
        }

        fn open(&self) -> Table {
            Table::open(self.0.iter().map(|(name, content)| (name.as_str(), content.clone()))).unwrap()
        }

        fn commit(&mut self, changes: &Changes) -> Vec<Value> {
            let table = self.open();
            let content = table.commit(changes, 1_764_540_060).unwrap();
            self.0.insert(commit_name(table.version() + 1), content.clone());
            let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
        }
    }

    fn names(table: &Table) -> Vec<TableFile> {
        table.files().values().cloned().collect()
    }

    #[test]
    fn a_version_has_the_files_that_commits_have_added_and_not_removed() {
        let mut log = Log::new();
        let table = log.open();
        assert_eq!((table.version(), table.files().len(), table.state()), (0, 0, None));
        let (one, two, three) = (file(20_000, 10, 0), file(20_000, 20, 0), file(20_001, 30, 1));
        let first = Changes {
            add: vec![one.clone(), two.clone()],
            state: Some(u64::MAX - 5),
            rows_change: true,
            ..Changes::default()
        };
        let actions = log.commit(&first);
        let add = actions.iter().find_map(|action| action.get("add")).unwrap();
        assert_eq!(add["path"], one.file.to_string());
        assert_eq!(add["partitionValues"], json!({"dt": "2024-10-04"}));
        assert_eq!(add["dataChange"], true);
        let statistics: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
        assert_eq!(statistics["numRecords"], 10);
        assert_eq!(statistics["minValues"]["accepted_at"], "2024-10-04T00:00:03.000Z");
        assert_eq!(statistics["maxValues"]["accepted_at"], "2024-10-04T00:01:10.000Z");
        assert_eq!(names(&log.open()), [one.clone(), two.clone()]);
        assert_eq!(log.open().state(), Some(u64::MAX - 5));

        let second =
            Changes { add: vec![three.clone()], remove: [one.file.clone()].into(), state: Some(7), rows_change: true };
        let actions = log.commit(&second);
        assert!(actions.iter().any(|action| action["remove"]["path"] == one.file.to_string()), "{actions:?}");
        let table = log.open();
        assert_eq!((table.version(), table.state(), table.rows()), (2, Some(7), 50));
        assert_eq!(names(&table), [two, three]);
    }

    #[test]
    fn a_commit_that_moves_rows_says_that_none_change_and_keeps_the_state() {
        let mut log = Log::new();
        let (one, two) = (file(20_000, 10, 0), file(20_000, 20, 1));
        log.commit(&Changes { add: vec![one.clone()], state: Some(7), rows_change: true, ..Changes::default() });
        let moved = Changes { add: vec![two.clone()], remove: [one.file].into(), state: None, rows_change: false };
        for action in log.commit(&moved) {
            for kind in ["add", "remove"] {
                assert_ne!(action.get(kind).map(|action| &action["dataChange"]), Some(&Value::Bool(true)));
            }
        }
        assert_eq!((names(&log.open()), log.open().state()), (vec![two], Some(7)));
    }

    #[test]
    fn a_checkpoint_stands_for_all_commits_before_it() {
        let mut log = Log::new();
        for number in 0..12 {
            let remove = (number > 0).then(|| file(20_000, number, number - 1).file);
            let add = vec![file(20_000, number + 1, number)];
            log.commit(&Changes { add, remove: remove.into_iter().collect(), state: Some(number), rows_change: true });
        }
        let whole = log.open();
        let written = whole.checkpoint().unwrap();
        let written_names: Vec<&str> = written.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(written_names, [checkpoint_name(12).as_str(), LAST_CHECKPOINT]);
        assert_eq!(last_checkpoint(&written[1].1), Some(12));
        let mut short = Log(written.into_iter().collect());
        let table = short.open();
        assert_eq!((table.version(), names(&table), table.state()), (12, names(&whole), Some(11)));
        short.commit(&Changes {
            add: vec![file(20_002, 9, 12)],
            state: Some(99),
            rows_change: true,
            ..Changes::default()
        });
        let table = short.open();
        assert_eq!((table.version(), table.files().len(), table.state()), (13, 2, Some(99)));
        assert!(whole.checkpoint().unwrap().len() <= 2, "again");
    }

    #[test]
    fn a_log_without_a_table_or_with_a_damaged_commit_is_an_error() {
        assert!(Table::open([]).is_err());
        let mut log = Log::new();
        log.0.insert(commit_name(1), Bytes::from_static(b"{\"add\":{\"path\":"));
        assert!(Table::open(log.0.iter().map(|(name, content)| (name.as_str(), content.clone()))).is_err());
    }

    #[test]
    fn files_of_the_log_are_known_by_their_names() {
        assert_eq!(LogFile::parse(&commit_name(12)), Some(LogFile::Commit(12)));
        assert_eq!(LogFile::parse(&checkpoint_name(12)), Some(LogFile::Checkpoint(12)));
        for other in [LAST_CHECKPOINT, "", "00000000000000000012.crc", "12.json"] {
            assert_eq!(LogFile::parse(other), None, "{other}");
        }
        assert_eq!(last_checkpoint(b"{\"version\":"), None);
    }
}
