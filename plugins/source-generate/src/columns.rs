//! What a table's columns hold. A cell depends on the seed, the table's name, the column and the row's `id`, and on nothing else: not on how a run is divided.

mod all_types;
mod shop;

use std::{fmt, ops::Range, sync::Arc};

use longshore_sdk::{
    arrow::{
        array::{
            Array as _, ArrayRef, ArrowPrimitiveType, Int64Array, PrimitiveArray, RecordBatch, StringArray,
            StringBuilder, TimestampMicrosecondArray,
        },
        datatypes::{DataType, Field, Int32Type, Schema, SchemaRef, TimeUnit},
    },
    prelude::*,
};

use crate::spec::{Preset, TableSpec};

/// The key column.
pub(crate) const ID: &str = "id";
/// The timestamp column that grows.
pub(crate) const LAST_UPDATED_AT: &str = "last_updated_at";

const PADDING: &str = "padding";

/// Rows that tell how large a row is.
const SAMPLED_ROWS: u64 = 64;

/// Microseconds from one row's `last_updated_at` to the next.
const MICROSECONDS_A_ROW: u64 = 1_000;

/// The columns of one table.
pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<(Cells, Make)>,
    first_microsecond: i64,
    row_bytes: u64,
}

/// Makes the cells of one column for these ids.
type Make = fn(&Cells, Range<u64>) -> ArrayRef;

/// What a column's cells are made from.
#[derive(Clone, Copy)]
pub(crate) struct Cells {
    seed: u64,
    first_microsecond: i64,
    padding: usize,
}

impl Columns {
    pub(crate) fn new(seed: u64, first_timestamp: i64, table: &TableSpec) -> Result<Self> {
        let first_microsecond = first_timestamp.checked_mul(1_000_000).ok_or_else(|| {
            Error::config("spec_invalid", "The timestamp is out of range").with_field("/first_timestamp")
        })?;
        let mut fields: Vec<(Field, Make)> = vec![(Field::new(ID, DataType::Int64, false), ids)];
        match table.columns {
            Preset::Tiny => fields.extend(tiny()),
            Preset::ShopEvents => fields.extend(shop::events()),
            Preset::ShopProfiles => fields.extend(shop::profiles()),
            Preset::AllTypes => fields.extend(all_types::columns()),
        }
        fields.push((Field::new(LAST_UPDATED_AT, instant(), false), last_updated_at));
        let padding_bytes = table.row_bytes.unwrap_or_default();
        if table.row_bytes.is_some() {
            fields.push((Field::new(PADDING, DataType::Utf8, false), padding));
        }
        let seed = table
            .name
            .bytes()
            .fold(mixed(seed), |seed, byte| mixed(seed ^ u64::from(byte)));
        let cells = |index: u64| Cells {
            seed: mixed(seed.wrapping_add(index)),
            first_microsecond,
            padding: padding_bytes as usize,
        };
        let (fields, makes): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
        let mut columns = Self {
            schema: Arc::new(Schema::new(fields)),
            columns: (0..).map(cells).zip(makes).collect(),
            first_microsecond,
            row_bytes: u64::from(padding_bytes),
        };
        columns.row_bytes += columns.sampled_row_bytes();
        Ok(columns)
    }

    /// About how many bytes a row takes without its padding.
    fn sampled_row_bytes(&self) -> u64 {
        let sampled = self.columns.iter().map(|(cells, make)| {
            let unpadded = Cells { padding: 0, ..*cells };
            let column = make(&unpadded, 1..SAMPLED_ROWS + 1).to_data();
            column.get_slice_memory_size().unwrap_or_default() as u64
        });
        sampled.sum::<u64>().div_ceil(SAMPLED_ROWS)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// About how many bytes a row takes.
    pub(crate) fn row_bytes(&self) -> u64 {
        self.row_bytes
    }

    /// The value of `last_updated_at` in a row, in microseconds since 1970.
    pub(crate) fn last_updated_at(&self, id: u64) -> i64 {
        updated_at(self.first_microsecond, id)
    }

    /// The last row whose `last_updated_at` is not after this one; 0 when there is none.
    pub(crate) fn rows_until(&self, microsecond: i64) -> u64 {
        let since = i128::from(microsecond) - i128::from(self.first_microsecond);
        let rows = since.div_euclid(i128::from(MICROSECONDS_A_ROW)) + 1;
        u64::try_from(rows).unwrap_or(0)
    }

    /// The rows with these ids.
    pub(crate) fn batch(&self, ids: Range<u64>) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|(cells, make)| make(cells, ids.clone()));
        RecordBatch::try_new(Arc::clone(&self.schema), columns.collect())
            .map_err(|error| Error::internal("rows_unmade", "Rows can not be made").with_cause(&error))
    }
}

impl Cells {
    /// 64 bits that belong to this cell.
    fn hash(&self, id: u64) -> u64 {
        mixed(self.seed.wrapping_add(id))
    }

    /// One of these, chosen by the cell.
    fn pick<'a>(&self, id: u64, from: &[&'a str]) -> &'a str {
        from[(self.hash(id) % from.len() as u64) as usize]
    }

    /// Whether this cell is one of those that are NULL: one in `out_of`.
    fn is_null(&self, id: u64, out_of: u64) -> bool {
        (self.hash(id) >> 32).is_multiple_of(out_of)
    }

    fn updated_at(&self, id: u64) -> i64 {
        updated_at(self.first_microsecond, id)
    }
}

fn updated_at(first_microsecond: i64, id: u64) -> i64 {
    first_microsecond.saturating_add_unsigned((id - 1).saturating_mul(MICROSECONDS_A_ROW))
}

/// SplitMix64's output function (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014) after one step of its counter.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// An instant in microseconds, as PostgreSQL's `timestamp with time zone`.
fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn ids(_: &Cells, ids: Range<u64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(ids.map(|id| id as i64)))
}

fn last_updated_at(cells: &Cells, ids: Range<u64>) -> ArrayRef {
    let times = TimestampMicrosecondArray::from_iter_values(ids.map(|id| cells.updated_at(id)));
    Arc::new(times.with_timezone("UTC"))
}

fn padding(cells: &Cells, ids: Range<u64>) -> ArrayRef {
    let text = "x".repeat(cells.padding);
    Arc::new(StringArray::from_iter_values(ids.map(|_| text.as_str())))
}

fn tiny() -> Vec<(Field, Make)> {
    vec![
        (Field::new("number", DataType::Int32, true), |cells, ids| {
            numbers::<Int32Type>(ids, |id| (!cells.is_null(id, 16)).then(|| cells.hash(id) as i32))
        }),
        (Field::new("name", DataType::Utf8, false), |cells, ids| {
            text(ids, 12, |to, id| write!(to, "{:x}", cells.hash(id) >> 20))
        }),
    ]
}

/// A primitive column.
fn numbers<T: ArrowPrimitiveType>(ids: Range<u64>, cell: impl Fn(u64) -> Option<T::Native>) -> ArrayRef {
    Arc::new(ids.map(cell).collect::<PrimitiveArray<T>>())
}

/// A text column without NULLs: `write` writes one cell, of about `width` bytes, straight into the column.
fn text(ids: Range<u64>, width: usize, mut write: impl FnMut(&mut dyn fmt::Write, u64) -> fmt::Result) -> ArrayRef {
    text_or_null(ids, width, |to, id| Some(write(to, id)))
}

/// A text column; a cell for which nothing is written is NULL.
fn text_or_null(
    ids: Range<u64>,
    width: usize,
    mut write: impl FnMut(&mut dyn fmt::Write, u64) -> Option<fmt::Result>,
) -> ArrayRef {
    let rows = usize::try_from(ids.end.saturating_sub(ids.start)).unwrap_or_default();
    let mut column = StringBuilder::with_capacity(rows, rows * width);
    for id in ids {
        match write(&mut column, id) {
            Some(written) => {
                written.expect("writing into memory does not fail");
                column.append_value("");
            }
            None => column.append_null(),
        }
    }
    Arc::new(column.finish())
}
