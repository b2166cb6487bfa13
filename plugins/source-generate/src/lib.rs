//! A source that makes typed rows from a seed.
//!
//! As many as one likes, at once, without a database: benchmarks use it to see how fast everything after it is, and tests use it because they know beforehand what
//! arrives. It misbehaves on demand: failing, hanging, crashing.

mod columns;
mod faults;
mod row_range;
mod spec;

use std::{collections::HashSet, ops::Range};

use longshore_sdk::{
    core::cursor::{TimeUnit, Timestamp},
    prelude::*,
};

use columns::{Columns, ID, LAST_UPDATED_AT};
use faults::{Faults, telling};
use row_range::{RowRange, position_after};
pub use spec::{Cursor, FailAfterRows, GenerateSpec, Preset, TableSpec};

/// Text columns count their bytes with 32 bits, so a cell can not be longer; far beyond what any message holds.
const MAX_ROW_BYTES: u32 = 256 * 1024 * 1024;

/// The source.
pub struct Generate {
    tables: Vec<GeneratedTable>,
    checkpoint_rows: u64,
    told_secret: Option<String>,
    faults: Faults,
}

struct GeneratedTable {
    spec: TableSpec,
    columns: Columns,
}

impl Source for Generate {
    const NAME: &'static str = "generate";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CAPABILITIES: SourceCapabilities = SourceCapabilities {
        incremental: true,
        resumable: true,
        cursor_ranges: false,
        row_selection: false,
        count_rows: false,
    };
    type Spec = GenerateSpec;

    fn configure(spec: GenerateSpec) -> Result<Self> {
        let faults = Faults::new(&spec);
        faults.at_start(&spec)?;
        let mut names = HashSet::new();
        for (index, table) in spec.tables.iter().enumerate() {
            let invalid = |field: &str, message: &str| {
                Error::config("spec_invalid", message).with_field(format!("/tables/{index}/{field}"))
            };
            if table.name.is_empty() || !names.insert(table.name.as_str()) {
                return Err(invalid("name", "A table needs a name of its own"));
            }
            if i64::try_from(table.rows).is_err() {
                return Err(invalid("rows", "More rows than `id` can count"));
            }
            if table.row_bytes.is_some_and(|bytes| bytes > MAX_ROW_BYTES) {
                return Err(invalid("row_bytes", "At most 268,435,456 bytes (256 MiB)"));
            }
        }
        let generated = |table: TableSpec| {
            Ok(GeneratedTable {
                columns: Columns::new(spec.seed, spec.first_timestamp, &table)?,
                spec: table,
            })
        };
        Ok(Self {
            tables: spec.tables.into_iter().map(generated).collect::<Result<_>>()?,
            checkpoint_rows: spec.checkpoint_rows.get(),
            told_secret: spec.told_secret,
            faults,
        })
    }

    async fn test_connection(&self, tables: &[String]) -> Vec<Check> {
        let check = |name: &String| match self.table(name) {
            Ok(table) => Check::passed(format!("read table {name}"), format!("{} rows", table.spec.rows)),
            Err(error) => Check::from_error(format!("read table {name}"), &error),
        };
        let generator = Check::passed("generate rows", "Rows are made from a seed; nothing is connected to");
        let told = self
            .told_secret
            .iter()
            .map(|secret| Check::passed(telling(secret), telling(secret)));
        [generator]
            .into_iter()
            .chain(told)
            .chain(tables.iter().map(check))
            .collect()
    }

    async fn list_tables(&self, names: &[String]) -> Result<Vec<Table>> {
        let wanted = |table: &&GeneratedTable| names.is_empty() || names.contains(&table.spec.name);
        Ok(self.tables.iter().filter(wanted).map(GeneratedTable::table).collect())
    }

    async fn open_run(&self, run: OpenRun) -> Result<Vec<TablePlan>> {
        let plan = |selection: TableSelection| match selection.resume {
            Some(plan) => Ok(plan),
            None => Ok(TablePlan {
                warnings: self.told_secret.iter().map(|secret| telling(secret)).collect(),
                ..self.table(&selection.name)?.plan(selection.state)?
            }),
        };
        run.tables.into_iter().map(plan).collect()
    }

    async fn read(&self, partition: ReadPartition, output: &mut PartitionWriter) -> Result<()> {
        let table = self.table(&partition.table)?;
        let left = RowRange::of(&partition.partition)?.after(partition.resume_from.as_deref())?;
        output.start(table.columns.schema().clone()).await?;
        let fitting = output.target_bytes() as u64 / table.columns.row_bytes().max(1);
        let batch_rows = fitting.clamp(1, output.max_rows() as u64).min(self.checkpoint_rows);
        let mut since_checkpoint = 0;
        for ids in batches(left, batch_rows) {
            let (last, rows) = (ids.end - 1, ids.end - ids.start);
            output.write(table.columns.batch(ids)?).await?;
            since_checkpoint += rows;
            if since_checkpoint + batch_rows > self.checkpoint_rows {
                since_checkpoint = 0;
                output.checkpoint(position_after(last), table.cursor_at(last)).await?;
            }
            self.faults.count(rows).await?;
        }
        Ok(())
    }
}

impl Generate {
    fn table(&self, name: &str) -> Result<&GeneratedTable> {
        self.tables.iter().find(|table| table.spec.name == name).ok_or_else(|| {
            Error::source("table_not_found", format!("There is no table {name}"))
                .with_table(name)
                .with_remedy("Name one of the tables in the source's `spec.tables`.")
        })
    }
}

impl GeneratedTable {
    fn table(&self) -> Table {
        Table {
            primary_key: vec![ID.to_owned()],
            cursor: self.spec.cursor.map(|cursor| cursor.column().to_owned()),
            cursor_candidates: vec![LAST_UPDATED_AT.to_owned(), ID.to_owned()],
            estimated_rows: Some(self.spec.rows),
            estimated_bytes: Some(self.spec.rows.saturating_mul(self.columns.row_bytes())),
            ..Table::new(&self.spec.name, self.columns.schema().clone())
        }
    }

    fn plan(&self, state: Option<TableState>) -> Result<TablePlan> {
        let last = match &state {
            Some(state) if self.spec.cursor.is_some() => self.last_delivered(state)?,
            _ => 0,
        };
        let ranges = RowRange::divide(last, self.spec.rows, self.spec.partitions.get());
        let upper_bound = self.cursor_at(self.spec.rows);
        let completed_state = self.spec.cursor.map(|cursor| TableState {
            cursor_column: cursor.column().to_owned(),
            // A table that shrank does not move the cursor back.
            cursor: if ranges.is_empty() {
                state.and_then(|state| state.cursor)
            } else {
                upper_bound.clone()
            },
            ..TableState::default()
        });
        let partitions = ranges.into_iter().map(RowRange::partition).collect();
        Ok(TablePlan {
            completed_state,
            upper_bound,
            ..TablePlan::new(self.table(), partitions)
        })
    }

    /// The cursor's value in a row; none for row 0, which comes before the first.
    fn cursor_at(&self, id: u64) -> Option<CursorValue> {
        let value = match self.spec.cursor.filter(|_| id > 0)? {
            Cursor::Id => CursorValue::Int(id as i64),
            Cursor::LastUpdatedAt => CursorValue::Timestamp(Timestamp {
                value: self.columns.last_updated_at(id),
                unit: TimeUnit::Microsecond,
                instant: true,
            }),
        };
        Some(value)
    }

    /// The last row that the state says was delivered.
    fn last_delivered(&self, state: &TableState) -> Result<u64> {
        let changed = || {
            Error::source(
                "cursor_changed",
                format!("The state of table {} belongs to another cursor", self.spec.name),
            )
            .with_table(&self.spec.name)
            .with_remedy("Reset the table's state to read it from its beginning.")
        };
        let Some(cursor) = &state.cursor else { return Ok(0) };
        let configured = self.spec.cursor.ok_or_else(changed)?;
        if state.cursor_column != configured.column() {
            return Err(changed());
        }
        match (configured, cursor) {
            (Cursor::Id, CursorValue::Int(id)) => u64::try_from(*id).map_err(|_| changed()),
            (Cursor::LastUpdatedAt, CursorValue::Timestamp(at)) if at.instant && at.unit == TimeUnit::Microsecond => {
                Ok(self.columns.rows_until(at.value))
            }
            _ => Err(changed()),
        }
    }
}

impl Cursor {
    fn column(self) -> &'static str {
        match self {
            Self::Id => ID,
            Self::LastUpdatedAt => LAST_UPDATED_AT,
        }
    }
}

/// Cuts ids into batches of so many rows.
fn batches(ids: Range<u64>, rows: u64) -> impl Iterator<Item = Range<u64>> {
    let mut next = ids.start;
    std::iter::from_fn(move || {
        let batch = next..ids.end.min(next.saturating_add(rows));
        next = batch.end;
        (!batch.is_empty()).then_some(batch)
    })
}
