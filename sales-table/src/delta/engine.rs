//! An engine of the Delta kernel over log files that are in memory: the kernel decides and encodes, and makes no call.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use delta_kernel::arrow::array::RecordBatch;
use delta_kernel::arrow::json::ReaderBuilder;
use delta_kernel::engine::arrow_conversion::TryFromArrow as _;
use delta_kernel::engine::arrow_data::EngineDataArrowExt;
use delta_kernel::engine::arrow_expression::ArrowEvaluationHandler;
use delta_kernel::engine::arrow_utils::{
    RowIndexBuilder, build_json_reorder_indices, fixup_json_read, fixup_parquet_read, json_arrow_schema,
    ordering_needs_row_indexes, parquet_read_plan, parse_json, to_json_bytes,
};
use delta_kernel::engine::{reader_options, writer_options};
use delta_kernel::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use delta_kernel::parquet::arrow::arrow_writer::ArrowWriter;
use delta_kernel::schema::{SchemaRef, StructType};
use delta_kernel::{
    Engine, EngineData, EvaluationHandler, FileDataReadResultIterator, FileMeta, FileSize, FileSlice,
    FilteredEngineData, JsonHandler, KernelError, KernelResult, ParquetFooter, ParquetHandler, PredicateRef,
    StorageHandler,
};
use url::Url;

/// The kernel's iterators, by the names of its traits.
type Owned<T> = Box<dyn Iterator<Item = KernelResult<T>> + Send>;

/// The files of a log, by their full address, and those that the kernel writes.
#[derive(Debug, Default)]
pub(super) struct Files {
    known: Mutex<BTreeMap<Url, Bytes>>,
    written: Mutex<Vec<(Url, Bytes)>>,
}

impl Files {
    /// Adds a file.
    pub(super) fn add(&self, location: Url, content: Bytes) {
        lock(&self.known).insert(location, content);
    }

    /// Takes what the kernel has written.
    pub(super) fn take_written(&self) -> Vec<(Url, Bytes)> {
        std::mem::take(&mut *lock(&self.written))
    }

    fn read(&self, location: &Url) -> KernelResult<Bytes> {
        lock(&self.known).get(location).cloned().ok_or_else(|| KernelError::file_not_found(location))
    }

    fn write(&self, location: &Url, content: Bytes, overwrite: bool) -> KernelResult<()> {
        let mut known = lock(&self.known);
        if !overwrite && known.contains_key(location) {
            return Err(KernelError::FileAlreadyExists(location.to_string()));
        }
        known.insert(location.clone(), content.clone());
        lock(&self.written).push((location.clone(), content));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The engine.
pub(super) struct LogEngine(Arc<Handler>);

impl LogEngine {
    /// An engine over these files.
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self(Arc::new(Handler(files)))
    }
}

/// Storage, JSON and Parquet in one.
struct Handler(Arc<Files>);

impl Engine for LogEngine {
    fn evaluation_handler(&self) -> Arc<dyn EvaluationHandler> {
        Arc::new(ArrowEvaluationHandler {})
    }

    fn storage_handler(&self) -> Arc<dyn StorageHandler> {
        self.0.clone()
    }

    fn json_handler(&self) -> Arc<dyn JsonHandler> {
        self.0.clone()
    }

    fn parquet_handler(&self) -> Arc<dyn ParquetHandler> {
        self.0.clone()
    }
}

fn meta(location: &Url, content: &Bytes) -> FileMeta {
    FileMeta { location: location.clone(), last_modified: 0, size: content.len() as FileSize }
}

impl StorageHandler for Handler {
    fn list_from(&self, path: &Url) -> KernelResult<Owned<FileMeta>> {
        let folder = path.join(".").map_err(KernelError::generic)?;
        let known = lock(&self.0.known);
        let found = known.iter().filter(|(location, _)| location.as_str().starts_with(folder.as_str()));
        let found = found.filter(|(location, _)| location.as_str() > path.as_str());
        let found: Vec<_> = found.map(|(location, content)| Ok(meta(location, content))).collect();
        Ok(Box::new(found.into_iter()))
    }

    fn read_files(&self, files: Vec<FileSlice>) -> KernelResult<Owned<Bytes>> {
        let read = |(location, part): FileSlice| {
            let content = self.0.read(&location)?;
            let place = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(content.len());
            Ok(part.map_or(content.clone(), |part| content.slice(place(part.start)..place(part.end))))
        };
        let contents: Vec<_> = files.into_iter().map(read).collect();
        Ok(Box::new(contents.into_iter()))
    }

    fn copy_atomic(&self, from: &Url, to: &Url) -> KernelResult<()> {
        self.0.write(to, self.0.read(from)?, false)
    }

    fn put(&self, path: &Url, data: Bytes, overwrite: bool) -> KernelResult<()> {
        self.0.write(path, data, overwrite)
    }

    fn head(&self, path: &Url) -> KernelResult<FileMeta> {
        Ok(meta(path, &self.0.read(path)?))
    }

    fn delete(&self, path: &Url) -> KernelResult<()> {
        Err(KernelError::unsupported(format!("the log is cleaned up elsewhere: {path}")))
    }
}

impl JsonHandler for Handler {
    fn parse_json(&self, json: Box<dyn EngineData>, schema: SchemaRef) -> KernelResult<Box<dyn EngineData>> {
        parse_json(json, schema)
    }

    fn read_json_files(
        &self,
        files: &[FileMeta],
        schema: SchemaRef,
        _: Option<PredicateRef>,
    ) -> KernelResult<FileDataReadResultIterator> {
        let mut batches: Vec<KernelResult<Box<dyn EngineData>>> = Vec::new();
        for file in files {
            let arrow = Arc::new(json_arrow_schema(&schema)?);
            let indices = build_json_reorder_indices(&schema)?;
            let content = BufReader::new(Cursor::new(self.0.read(&file.location)?));
            for batch in ReaderBuilder::new(arrow).with_coerce_primitive(true).build(content)? {
                batches.push(Ok(Box::new(fixup_json_read(batch?, &indices, file.location.as_str())?)));
            }
        }
        Ok(Box::new(batches.into_iter()))
    }

    fn write_json_file(
        &self,
        path: &Url,
        data: Box<dyn Iterator<Item = KernelResult<FilteredEngineData>> + Send + '_>,
        overwrite: bool,
    ) -> KernelResult<FileSize> {
        let content = to_json_bytes(data)?;
        let size = content.len() as FileSize;
        self.0.write(path, content.into(), overwrite)?;
        Ok(size)
    }
}

impl ParquetHandler for Handler {
    fn read_parquet_files(
        &self,
        files: &[FileMeta],
        schema: SchemaRef,
        _: Option<PredicateRef>,
    ) -> KernelResult<FileDataReadResultIterator> {
        let mut batches: Vec<KernelResult<Box<dyn EngineData>>> = Vec::new();
        for file in files {
            let content = self.0.read(&file.location)?;
            let metadata = ArrowReaderMetadata::load(&content, reader_options())?;
            let (ordering, mask) = parquet_read_plan(&schema, &metadata)?;
            let rows =
                ordering_needs_row_indexes(&ordering).then(|| RowIndexBuilder::new(metadata.metadata().row_groups()));
            let mut rows = rows.map(RowIndexBuilder::build).transpose()?;
            let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(content, metadata);
            if let Some(mask) = mask {
                builder = builder.with_projection(mask);
            }
            for batch in builder.build()? {
                let (place, schema) = (Some(file.location.as_str()), Some(&schema));
                batches.push(Ok(Box::new(fixup_parquet_read(batch?, &ordering, rows.as_mut(), place, schema)?)));
            }
        }
        Ok(Box::new(batches.into_iter()))
    }

    fn write_parquet_file(&self, location: Url, data: Owned<Box<dyn EngineData>>) -> KernelResult<FileSize> {
        let batches =
            data.map(EngineDataArrowExt::try_into_record_batch).collect::<KernelResult<Vec<RecordBatch>>>()?;
        let Some(first) = batches.first() else {
            return Err(KernelError::generic("a checkpoint without actions"));
        };
        let mut content = Vec::new();
        let mut writer = ArrowWriter::try_new_with_options(&mut content, first.schema(), writer_options())?;
        for batch in &batches {
            writer.write(batch)?;
        }
        writer.close()?;
        let size = content.len() as FileSize;
        self.0.write(&location, content.into(), true)?;
        Ok(size)
    }

    fn read_parquet_footer(&self, file: &FileMeta) -> KernelResult<ParquetFooter> {
        let metadata = ArrowReaderMetadata::load(&self.0.read(&file.location)?, reader_options())?;
        Ok(ParquetFooter { schema: Arc::new(StructType::try_from_arrow(metadata.schema().as_ref())?) })
    }
}
