//! Writing a source.

mod count_rows;
mod open_runs;
mod service;
mod writer;

use std::future::Future;

use longshore_core::{
    cursor::CursorValue,
    error::{Error, Result},
    range::CursorRange,
    state::TableState,
};
use longshore_protocol::v1;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{check::Check, table::Table};

pub use count_rows::{CountRows, RowCount};
pub use open_runs::OpenRuns;
pub(crate) use service::SourceRole;
pub use writer::PartitionWriter;

/// A source of rows.
///
/// Longshore calls [`Source::configure`] once, then the other methods, several at a time. A value lives as long as the process; a run lies between
/// [`Source::open_run`] and [`Source::close_run`]. Every method may be cancelled by dropping its future: hold nothing that dropping does
/// not release.
pub trait Source: Sized + Send + Sync + 'static {
    /// Short and stable, such as `postgresql`.
    const NAME: &'static str;
    /// Semantic version of the plugin; usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What the source can do; what is not declared is refused before a run starts.
    const CAPABILITIES: SourceCapabilities = SourceCapabilities {
        incremental: false,
        resumable: false,
        cursor_ranges: false,
        row_selection: false,
        count_rows: false,
    };

    /// The plugin's specification. Use `#[serde(deny_unknown_fields)]`, document each field (the text reaches users), and mark secrets with
    /// `#[schemars(extend("writeOnly" = true))]`.
    type Spec: DeserializeOwned + JsonSchema + Send;

    /// Takes the specification and checks it as far as that is possible without a connection.
    ///
    /// # Errors
    /// [`Error::config`], with [`Error::with_field`] naming the place as a JSON pointer.
    fn configure(spec: Self::Spec) -> Result<Self>;

    /// Tries what a run of these tables would need. A failed check is an answer; later checks that depend on it are `skipped`.
    fn test_connection(&self, tables: &[String]) -> impl Future<Output = Vec<Check>> + Send;

    /// The tables with these names where they exist, or all of them when no name is given.
    fn list_tables(&self, names: &[String]) -> impl Future<Output = Result<Vec<Table>>> + Send;

    /// Fixes the run's view of the data and divides the work. Longshore stores the answer before it reads the first row.
    ///
    /// A [`TableSelection`] with `resume` must be answered with that plan's partitions and `completed_state`: the first attempt's view counts.
    ///
    /// # Errors
    /// `table_not_found`, `cursor_…`: anything that makes a table unreadable. The state stays untouched.
    fn open_run(&self, run: OpenRun) -> impl Future<Output = Result<Vec<TablePlan>>> + Send;

    /// Reads one partition into `output`, from its beginning or after `partition.resume_from`, and returns when it is read to its end.
    ///
    /// [`PartitionWriter::write`] waits while nobody takes the data: hold no more than a batch or two beside it.
    ///
    /// # Errors
    /// With [`Scope::Partition`](longshore_core::Scope::Partition) and [`Error::retryable`] when a new attempt from the last checkpoint can succeed.
    fn read(&self, partition: ReadPartition, output: &mut PartitionWriter) -> impl Future<Output = Result<()>> + Send;

    /// Counts the rows that an open run is going to read, and those among them with a column before an instant; called only when declared, before the
    /// first [`Source::read`]. Longshore gives up after `wanted.timeout`, and drops the future then.
    ///
    /// # Errors
    /// Anything: the run goes on without the count, and the user is told.
    fn count_rows(&self, wanted: CountRows) -> impl Future<Output = Result<RowCount>> + Send {
        let _ = wanted;
        async {
            Err(Error::protocol(
                "not_declared",
                "This source does not declare count_rows",
            ))
        }
    }

    /// The run is over or has failed: release its snapshot. Also called for runs that are not open.
    fn close_run(&self, run_id: &str) -> impl Future<Output = Result<()>> + Send {
        let _ = run_id;
        async { Ok(()) }
    }
}

/// What a source can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceCapabilities {
    /// It can read only what is new since a stored state.
    pub incremental: bool,
    /// [`ReadPartition::resume_from`] is honoured.
    pub resumable: bool,
    /// [`TableSelection::range`] is honoured.
    pub cursor_ranges: bool,
    /// [`TableSelection::rows`] is honoured.
    pub row_selection: bool,
    /// [`Source::count_rows`] is implemented.
    pub count_rows: bool,
}

impl SourceCapabilities {
    /// Incremental; a partition that failed is read from its start again.
    pub const INCREMENTAL: Self = Self {
        incremental: true,
        resumable: false,
        cursor_ranges: false,
        row_selection: false,
        count_rows: false,
    };
}

/// A run to open.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// Stable across the attempts of one run.
    pub run_id: String,
    /// 1 for the first.
    pub attempt: u32,
    /// What to read.
    pub tables: Vec<TableSelection>,
}

/// One table to read, and from where.
#[derive(Clone, Debug, Default)]
pub struct TableSelection {
    /// Its name, as listed.
    pub name: String,
    /// The state of the last completed run; `None` on the first.
    pub state: Option<TableState>,
    /// What an earlier attempt of this run was given.
    pub resume: Option<TablePlan>,
    /// Read exactly the rows of this range, whatever was delivered before: there is no `state`, and the plan has no `completed_state`. Given only to
    /// sources that declare [`SourceCapabilities::cursor_ranges`].
    pub range: Option<CursorRange>,
    /// Read exactly these rows, for somebody who wants to look at them: there is no `state`, and the plan has no `completed_state` and one partition for
    /// each value, in their order. Given only to sources that declare [`SourceCapabilities::row_selection`].
    pub rows: Option<RowSelection>,
}

/// The rows whose column has one of these values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowSelection {
    /// The column.
    pub column: String,
    /// As a person wrote them: read them as values of the column's type, and refuse what is none.
    pub values: Vec<String>,
}

/// How a table will be read in a run.
#[derive(Clone, Debug)]
pub struct TablePlan {
    /// The table.
    pub table: Table,
    /// The work; may be empty when there is nothing to read.
    pub partitions: Vec<Partition>,
    /// The state to store when all partitions are complete; `None` for a table that is read whole each time.
    pub completed_state: Option<TableState>,
    /// Something the user should know; shown once a run.
    pub warnings: Vec<String>,
    /// Upper bound of the cursor in this run's view.
    pub upper_bound: Option<CursorValue>,
    /// The partitions follow each other in the order of the cursor. Where a destination replaces rows, they are read one after the other, so that an older
    /// version of something never follows a newer one.
    pub in_order: bool,
    /// What the source's own clock showed when the run was opened, in microseconds since 1970 UTC: how far the cursor is behind is measured by it.
    pub source_clock: Option<i64>,
}

/// A unit of work of one table within one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Unique within the table and run, stable across attempts.
    pub id: String,
    /// The source's own description, as JSON text.
    pub descriptor: String,
    /// Estimated rows, when known.
    pub estimated_rows: Option<u64>,
    /// Rows come in a total order that does not depend on when they are read: another reading from the same position gives the same rows in the same
    /// order, apart from rows that were written in between. `uncertain: hold` needs it.
    pub total_order: bool,
}

/// A partition to read.
#[derive(Clone, Debug)]
pub struct ReadPartition {
    /// The run.
    pub run_id: String,
    /// The table's name.
    pub table: String,
    /// What to read.
    pub partition: Partition,
    /// Position of the last committed checkpoint of an earlier attempt; `None`: from the start.
    pub resume_from: Option<Vec<u8>>,
}

impl TablePlan {
    /// A table that is read whole each time, in these partitions.
    #[must_use]
    pub fn new(table: Table, partitions: Vec<Partition>) -> Self {
        Self {
            table,
            partitions,
            completed_state: None,
            warnings: Vec::new(),
            upper_bound: None,
            in_order: false,
            source_clock: None,
        }
    }

    /// When every partition is complete, everything up to this value of the table's cursor column was delivered: the next run is given it.
    #[must_use]
    pub fn up_to(mut self, cursor: CursorValue) -> Self {
        self.completed_state = Some(TableState {
            cursor_column: self.table.cursor.clone().unwrap_or_default(),
            cursor: Some(cursor.clone()),
            ..TableState::default()
        });
        self.upper_bound = Some(cursor);
        self
    }
}

impl Partition {
    /// A partition of unknown size. See the fields for what the texts are.
    pub fn new(id: impl Into<String>, descriptor: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            descriptor: descriptor.into(),
            estimated_rows: None,
            total_order: false,
        }
    }
}

impl TryFrom<TablePlan> for v1::TablePlan {
    type Error = Error;

    fn try_from(plan: TablePlan) -> Result<Self> {
        Ok(Self {
            table: Some(plan.table.try_into()?),
            partitions: plan.partitions.into_iter().map(Into::into).collect(),
            completed_state: plan.completed_state.map(Into::into),
            warnings: plan.warnings,
            upper_bound: plan.upper_bound.map(Into::into),
            in_order: plan.in_order,
            source_clock: plan.source_clock.map(|value| v1::Timestamp {
                value,
                unit: v1::timestamp::Unit::Microsecond.into(),
                instant: true,
            }),
        })
    }
}

impl TryFrom<v1::TablePlan> for TablePlan {
    type Error = Error;

    fn try_from(plan: v1::TablePlan) -> Result<Self> {
        let table = plan
            .table
            .ok_or_else(|| Error::protocol("plan_broken", "A plan without a table"))?;
        Ok(Self {
            table: table.try_into()?,
            partitions: plan.partitions.into_iter().map(Into::into).collect(),
            completed_state: plan.completed_state.map(TryInto::try_into).transpose()?,
            warnings: plan.warnings,
            upper_bound: plan.upper_bound.map(TryInto::try_into).transpose()?,
            in_order: plan.in_order,
            // Of an earlier attempt: it shows another time by now.
            source_clock: None,
        })
    }
}

impl TryFrom<v1::TableSelection> for TableSelection {
    type Error = Error;

    fn try_from(selection: v1::TableSelection) -> Result<Self> {
        Ok(Self {
            name: selection.name,
            state: selection.state.map(TryInto::try_into).transpose()?,
            resume: selection.resume.map(TryInto::try_into).transpose()?,
            range: selection.range.map(TryInto::try_into).transpose()?,
            rows: selection.rows.map(|rows| RowSelection {
                column: rows.column,
                values: rows.values,
            }),
        })
    }
}

impl From<Partition> for v1::Partition {
    fn from(partition: Partition) -> Self {
        Self {
            id: partition.id,
            descriptor: partition.descriptor,
            estimated_rows: partition.estimated_rows,
            total_order: partition.total_order,
        }
    }
}

impl From<v1::Partition> for Partition {
    fn from(partition: v1::Partition) -> Self {
        Self {
            id: partition.id,
            descriptor: partition.descriptor,
            estimated_rows: partition.estimated_rows,
            total_order: partition.total_order,
        }
    }
}
