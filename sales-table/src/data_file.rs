//! The data files of the table: Parquet, some rows of one day in the order of their time.
//!
//! A file's name says what is in it, on which version of the table it was built, and ends with a hash of its rows. A file
//! is built on a version that only one commit can follow, so one whose commit has lost is never needed again.

use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow_array::types::ByteArrayType;
use arrow_array::{
    Array, ArrayRef, Decimal128Array, GenericByteArray, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use md5::{Digest, Md5};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use thiserror::Error;
use uuid::Uuid;

use crate::row::{PRECISION, Row, RowId, SCALE, Texts, day_name, day_of_name};

/// Rows of a batch that are converted at a time.
const BATCH: usize = 16_384;

/// Rows that a reader may skip together.
const ROW_GROUP: usize = 131_072;

/// A file that is not what a builder has written.
#[derive(Debug, Error)]
pub enum NotADataFile {
    /// Not Parquet, or damaged.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// With columns that cannot be converted.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// Without a column of the table, or with another type.
    #[error("column {0} is missing or of another type")]
    Column(&'static str),
    /// With an id that is no UUID.
    #[error("an id is not a UUID")]
    Id,
}

/// The name of a data file, and what it tells.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DataFile {
    /// The day of all its rows, counted from the epoch.
    pub day: i64,
    /// The second of the day of its first row.
    pub from: u32,
    /// That of its last row.
    pub to: u32,
    /// Number of rows.
    pub rows: u64,
    /// The version of the table on which it was built.
    pub base: u64,
    /// Hash of its rows.
    pub hash: u128,
}

impl DataFile {
    /// The name of a file with these rows, which are sorted and of one day; `None` if there are none.
    #[must_use]
    pub fn of(rows: &[Row], base: u64) -> Option<Self> {
        let (first, last) = (rows.first()?, rows.last()?);
        let (from, to, rows, hash) = (first.second(), last.second(), rows.len() as u64, hash(rows, base));
        Some(Self { day: first.day(), from, to, rows, base, hash })
    }

    /// The file with this path below the table; `None` if no builder writes such a path.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (day, name) = path.strip_prefix("dt=")?.split_once('/')?;
        let parts: Vec<&str> = name.strip_suffix(".parquet")?.split('-').collect();
        let [from, to, rows, base, hash] = parts[..] else { return None };
        let file = Self {
            day: day_of_name(day)?,
            from: from.parse().ok()?,
            to: to.parse().ok()?,
            rows: rows.parse().ok()?,
            base: base.strip_prefix('v')?.parse().ok()?,
            hash: u128::from_str_radix(hash, 16).ok()?,
        };
        (file.to_string() == path).then_some(file)
    }

    /// Whether a row of this moment, in unix seconds, may be in it.
    #[must_use]
    pub fn may_hold(&self, moment: i64) -> bool {
        self.touches(moment, moment)
    }

    /// Whether a row from this time may be in it.
    #[must_use]
    pub fn touches(&self, earliest: i64, latest: i64) -> bool {
        let midnight = self.day * crate::row::DAY;
        midnight + i64::from(self.from) <= latest && earliest <= midnight + i64::from(self.to)
    }
}

impl fmt::Display for DataFile {
    /// The path below the table.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { day, from, to, rows, base, hash } = self;
        write!(formatter, "dt={}/{from:05}-{to:05}-{rows}-v{base}-{hash:032x}.parquet", day_name(*day))
    }
}

fn hash(rows: &[Row], base: u64) -> u128 {
    let mut hash = Md5::new();
    hash.update(base.to_be_bytes());
    for row in rows {
        let Row { id, product, amount, accepted_at, region, cancelled_at } = row;
        hash.update(id.0.to_be_bytes());
        hash.update(accepted_at.to_be_bytes());
        hash.update(amount.unwrap_or(-1).to_be_bytes());
        hash.update(cancelled_at.unwrap_or(-1).to_be_bytes());
        for text in [Some(product), region.as_ref()] {
            hash.update(text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
            hash.update(text.map_or("", |text| text));
        }
    }
    u128::from_be_bytes(hash.finalize().into())
}

/// The columns of a file; the partition is in its path.
static COLUMNS: LazyLock<SchemaRef> = LazyLock::new(|| {
    let moment = || DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let amount = DataType::Decimal128(PRECISION as u8, SCALE as i8);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, true),
        Field::new("product", DataType::Utf8, true),
        Field::new("amount", amount, true),
        Field::new("accepted_at", moment(), true),
        Field::new("region", DataType::Utf8, true),
        Field::new("cancelled_at", moment(), true),
    ]))
});

/// A Parquet file of these rows.
///
/// # Errors
/// If they cannot be encoded.
pub fn encode(rows: &[Row]) -> Result<Vec<u8>, NotADataFile> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_column_dictionary_enabled(ColumnPath::from("id"), false)
        .set_created_by("sales-lake".to_owned())
        .build();
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut content, COLUMNS.clone(), options)?;
    for rows in rows.chunks(BATCH) {
        writer.write(&batch(rows)?)?;
    }
    writer.close()?;
    Ok(content)
}

fn batch(rows: &[Row]) -> Result<RecordBatch, NotADataFile> {
    let moments = |moment: fn(&Row) -> Option<i64>| -> ArrayRef {
        let micros = rows.iter().map(|row| moment(row).map(|seconds| seconds.saturating_mul(1_000_000)));
        Arc::new(TimestampMicrosecondArray::from_iter(micros).with_timezone("UTC"))
    };
    let mut buffer = Uuid::encode_buffer();
    let mut ids = arrow_array::builder::StringBuilder::with_capacity(rows.len(), rows.len() * buffer.len());
    for row in rows {
        ids.append_value(Uuid::from_u128(row.id.0).as_hyphenated().encode_lower(&mut buffer));
    }
    let amounts = Decimal128Array::from_iter(rows.iter().map(|row| row.amount));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.finish()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.product))),
        Arc::new(amounts.with_precision_and_scale(PRECISION as u8, SCALE as i8)?),
        moments(|row| Some(row.accepted_at)),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.region.as_deref()))),
        moments(|row| row.cancelled_at),
    ];
    Ok(RecordBatch::try_new(COLUMNS.clone(), columns)?)
}

/// The rows of a file, in its order.
///
/// # Errors
/// If no builder has written it.
pub fn decode(content: Vec<u8>, texts: &mut Texts) -> Result<Vec<Row>, NotADataFile> {
    let mut rows = Vec::new();
    for batch in open(content, None)? {
        let batch = batch?;
        let [ids, products, regions] = ["id", "product", "region"].map(|name| column::<StringArray>(&batch, name));
        let (ids, products, regions) = (ids?, products?, regions?);
        let amounts: &Decimal128Array = column(&batch, "amount")?;
        let [accepted, cancelled] =
            ["accepted_at", "cancelled_at"].map(|name| column::<TimestampMicrosecondArray>(&batch, name));
        let (accepted, cancelled) = (accepted?, cancelled?);
        rows.reserve(batch.num_rows());
        for place in 0..batch.num_rows() {
            let moment = |moments: &TimestampMicrosecondArray| {
                moments.is_valid(place).then(|| moments.value(place).div_euclid(1_000_000))
            };
            rows.push(Row {
                id: id(ids, place)?,
                product: texts.share(products.value(place)),
                amount: amounts.is_valid(place).then(|| amounts.value(place)),
                accepted_at: moment(accepted).ok_or(NotADataFile::Column("accepted_at"))?,
                region: regions.is_valid(place).then(|| texts.share(regions.value(place))),
                cancelled_at: moment(cancelled),
            });
        }
    }
    Ok(rows)
}

/// The ids of a file's rows.
///
/// # Errors
/// If no builder has written it.
pub fn decode_ids(content: Vec<u8>) -> Result<Vec<RowId>, NotADataFile> {
    let mut ids = Vec::new();
    for batch in open(content, Some("id"))? {
        let batch = batch?;
        let column: &StringArray = column(&batch, "id")?;
        ids.reserve(column.len());
        for place in 0..column.len() {
            ids.push(id(column, place)?);
        }
    }
    Ok(ids)
}

fn open(content: Vec<u8>, only: Option<&str>) -> Result<ParquetRecordBatchReader, NotADataFile> {
    let options = ArrowReaderOptions::new().with_schema(COLUMNS.clone());
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(Bytes::from(content), options)?;
    let mask = only.map_or_else(ProjectionMask::all, |only| ProjectionMask::columns(builder.parquet_schema(), [only]));
    Ok(builder.with_projection(mask).with_batch_size(BATCH).build()?)
}

fn column<'a, A: Array + 'static>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a A, NotADataFile> {
    let column = batch.column_by_name(name).and_then(|column| column.as_any().downcast_ref());
    column.ok_or(NotADataFile::Column(name))
}

fn id<T: ByteArrayType<Native = str>>(ids: &GenericByteArray<T>, place: usize) -> Result<RowId, NotADataFile> {
    let id = Uuid::try_parse(ids.value(place)).map_err(|_| NotADataFile::Id)?;
    Ok(RowId(id.as_u128()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: usize) -> Vec<Row> {
        let row = |number: usize| Row {
            id: RowId(0x0192_f5c0_7c1d_7a3e_8f11_0000_0000_0000 + number as u128),
            product: format!("product {}", number % 7).into(),
            amount: (!number.is_multiple_of(5)).then_some(number as i128 * 1_000_000_000_000_000),
            accepted_at: 1_764_540_000 + number as i64 / 100,
            region: (!number.is_multiple_of(3)).then(|| "sa-east-1".into()),
            cancelled_at: number.is_multiple_of(11).then_some(1_764_550_000),
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let rows = rows(40_000);
        let content = encode(&rows).unwrap();
        assert!(content.len() < rows.len() * 30, "{} bytes", content.len());
        assert_eq!(decode_ids(content.clone()).unwrap(), rows.iter().map(|row| row.id).collect::<Vec<_>>());
        assert_eq!(decode(content.clone(), &mut Texts::default()).unwrap(), rows);
        assert!(decode(content[..content.len() / 2].to_vec(), &mut Texts::default()).is_err());
    }

    #[test]
    fn a_name_tells_what_is_in_a_file_and_changes_with_its_rows_and_its_base() {
        let rows = rows(500);
        let file = DataFile::of(&rows, 7).unwrap();
        assert_eq!((file.day, file.rows, file.base, file.to - file.from), (rows[0].day(), 500, 7, 4));
        assert_eq!(DataFile::parse(&file.to_string()), Some(file.clone()));
        assert!(file.may_hold(rows[499].accepted_at) && !file.may_hold(rows[499].accepted_at + 1));
        assert!(file.touches(0, rows[0].accepted_at) && !file.touches(0, rows[0].accepted_at - 1));
        let mut others = vec![rows.clone(); 5];
        others[0][3].cancelled_at = Some(5);
        others[1][3].amount = Some(5);
        others[2][3].region = Some("us-east-1".into());
        others[3][3].product = "other".into();
        others[4][3].id = RowId(5);
        for other in others {
            assert_ne!(DataFile::of(&other, 7).unwrap().hash, file.hash);
        }
        assert_ne!(DataFile::of(&rows, 8).unwrap().hash, file.hash);
        assert_eq!(DataFile::of(&[], 7), None);
        for wrong in
            ["", "part-0.parquet", &file.to_string().replace("dt=", "d="), &file.to_string().replace("-v7", "-v07")]
        {
            assert_eq!(DataFile::parse(wrong), None, "{wrong}");
        }
    }
}
