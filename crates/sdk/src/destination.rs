//! Writing a destination.

mod dry_run;
mod held;
mod identities;
mod reject;
mod service;
mod stream;
mod unacked;

use std::future::Future;

use arrow::array::RecordBatch;
use longshore_core::{
    cursor::Timestamp,
    error::{Error, Result},
};
use longshore_protocol::v1;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{check::Check, table::Table};

pub use dry_run::{Estimate, RequestTotals};
pub use reject::Reject;
pub(crate) use service::DestinationRole;
pub use stream::{AckSender, BatchReceiver, Received, ReceivedBatch};

/// A destination of rows.
///
/// Longshore calls [`Destination::configure`] once, then the other methods; [`Destination::write`] is called for several partitions at a time.
/// Every method may be cancelled by dropping its future.
pub trait Destination: Sized + Send + Sync + 'static {
    /// Short and stable, such as `batch`.
    const NAME: &'static str;
    /// Semantic version of the plugin; usually `env!("CARGO_PKG_VERSION")`.
    const VERSION: &'static str;
    /// What the destination can do; what is not declared is refused before a run starts.
    const CAPABILITIES: DestinationCapabilities;

    /// The plugin's specification. Use `#[serde(deny_unknown_fields)]`, document each field (the text reaches users), and mark secrets with
    /// `#[schemars(extend("writeOnly" = true))]`.
    type Spec: DeserializeOwned + JsonSchema + Send;

    /// Takes the specification and checks it as far as that is possible without a connection.
    ///
    /// # Errors
    /// [`Error::config`], with [`Error::with_field`] naming the place as a JSON pointer.
    fn configure(spec: Self::Spec) -> Result<Self>;

    /// Tries what a run would need. A failed check is an answer; later checks that depend on it are `skipped`.
    fn test_connection(&self) -> impl Future<Output = Vec<Check>> + Send;

    /// Makes ready for these tables, and refuses what can be refused before a row is read: a missing column, a mode it does not have.
    /// Called once a run and again when it resumes: idempotent. The answer has one entry for each table, in order. With
    /// [`TableToPrepare::dry_run`], checks only.
    fn prepare(
        &self,
        run_id: &str,
        tables: Vec<TableToPrepare>,
    ) -> impl Future<Output = Result<Vec<PreparedTable>>> + Send;

    /// Writes one partition: takes batches until [`BatchReceiver::next`] answers `None`, makes them durable, and acks each one in order.
    ///
    /// Returning `Ok` before every batch is acked is a bug that the SDK reports as such. On [`Received::Barrier`], do not wait for more rows
    /// before sending what you hold. With [`WritePartition::dry_run`], do all of it but the sending, and ack what would become of the rows.
    fn write(
        &self,
        partition: WritePartition,
        batches: BatchReceiver,
        acks: AckSender,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes the rows of a completely read table that this run did not write; returns how many. Called only when declared.
    fn delete_stale(&self, run_id: &str, table: &str) -> impl Future<Output = Result<u64>> + Send {
        let _ = (run_id, table);
        async {
            Err(Error::protocol(
                "not_declared",
                "This destination does not declare delete_stale",
            ))
        }
    }

    /// Shows exactly what would be sent for these rows, and sends nothing. Called only when declared; [`Destination::prepare`] need not come first.
    fn preview(&self, table: Table, batches: Vec<RecordBatch>) -> impl Future<Output = Result<Preview>> + Send {
        let _ = (table, batches);
        async {
            Err(Error::protocol(
                "not_declared",
                "This destination does not declare preview",
            ))
        }
    }

    /// What the dry run that has just been written would have sent. Called once, after its last [`Destination::write`], and only when declared.
    fn estimate(&self, run_id: &str) -> impl Future<Output = Result<Estimate>> + Send {
        let _ = run_id;
        async {
            Err(Error::protocol(
                "not_declared",
                "This destination does not declare dry_run",
            ))
        }
    }
}

/// What a destination can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationCapabilities {
    /// Modes that [`Destination::prepare`] accepts.
    pub write_modes: &'static [WriteMode],
    /// [`Destination::delete_stale`] is implemented.
    pub delete_stale: bool,
    /// [`Destination::preview`] is implemented.
    pub preview: bool,
    /// [`TableToPrepare::dry_run`] and [`WritePartition::dry_run`] are honoured, and [`Destination::estimate`] is implemented. The SDK refuses dry runs
    /// elsewhere.
    pub dry_run: bool,
    /// Where a later row replaces an earlier one, rejects have their [identity](Reject::identity) and delivered rows are told to
    /// [`AckSender::superseding`]. Without it, rejected rows of a table whose rows are replaced are not sent again by themselves: nobody could tell
    /// whether a newer version is there already.
    pub reports_superseded: bool,
}

impl DestinationCapabilities {
    /// It adds rows and can do nothing else.
    pub const APPEND: Self = Self {
        write_modes: &[WriteMode::Append],
        delete_stale: false,
        preview: false,
        dry_run: false,
        reports_superseded: false,
    };
}

/// What would be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The requests, in order.
    pub requests: Vec<PreviewedRequest>,
    /// What would be refused, and why. Sequences count the batches from 1.
    pub rejects: Vec<Reject>,
    /// The column that names what a row becomes, such as a profile's id; `None`: none in particular.
    pub id_column: Option<String>,
}

/// A request as it would be sent, without the headers that hold secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviewedRequest {
    /// Such as `POST`.
    pub method: String,
    /// Where to.
    pub url: String,
    /// Text, usually JSON.
    pub body: String,
}

/// What happens to rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Each row is added.
    Append,
    /// A row replaces the row with its primary key.
    Overwrite,
    /// As `Overwrite`, and rows that a complete read did not contain are removed.
    OverwriteDeleteStale,
}

/// How far a table may be changed to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrateMode {
    /// Only in ways that lose nothing.
    Safe,
    /// It may be dropped and created anew.
    Forced,
}

/// A table to make ready for.
#[derive(Clone, Debug)]
pub struct TableToPrepare {
    /// The table.
    pub table: Table,
    /// The mode the user asked for; `None`: the destination's natural mode.
    pub write_mode: Option<WriteMode>,
    /// How far it may be changed.
    pub migrate_mode: MigrateMode,
    /// Rows that this run is expected to write, when known.
    pub expected_rows: Option<u64>,
    /// Nothing of this run may have an effect: create and migrate nothing.
    pub dry_run: bool,
}

/// A table made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedTable {
    /// The table's name.
    pub name: String,
    /// The mode that will be used.
    pub write_mode: WriteMode,
    /// Writing a row again leaves no trace. When `false`, Longshore records rows before it sends them and counts those in flight at a crash.
    pub redelivery_is_idempotent: bool,
    /// Rows a batch should not exceed; `None`: no wish.
    pub preferred_batch_rows: Option<u64>,
    /// Rows that need be unacked at once for full speed; `None`: no wish.
    pub preferred_unacked_rows: Option<u64>,
    /// Something the user should know; shown once a run.
    pub warnings: Vec<String>,
    /// Rows that are too old for the target, where it has such a bound: the user is told how many there are before the first is read.
    pub age_limit: Option<AgeLimit>,
    /// The column that [`Reject::identity`] comes from, where [`DestinationCapabilities::reports_superseded`] is declared. Rejects that were recorded under
    /// another column are sent again only on request: nobody knows whether newer versions of them were delivered. `None`: it is always the same.
    pub identity_column: Option<String>,
}

/// "Rows whose column lies before an instant are too old." For a warning beforehand; what becomes of each row is decided when it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgeLimit {
    /// The column that holds the row's time: of a date or timestamp type, or text in RFC 3339.
    pub column: String,
    /// An instant.
    pub before: Timestamp,
    /// What happens to such rows as things are configured, to follow "18 of 20 rows are too old: ", such as "they are rejected (late_events: reject)".
    pub consequence: String,
    /// What the user can choose instead, with the exact options; whole sentences.
    pub choices: String,
}

impl PreparedTable {
    /// A table that rows are added to, twice when they come twice, without wishes or warnings.
    #[must_use]
    pub fn appended_to(asked: &TableToPrepare) -> Self {
        Self {
            name: asked.table.name.clone(),
            write_mode: WriteMode::Append,
            redelivery_is_idempotent: false,
            preferred_batch_rows: None,
            preferred_unacked_rows: None,
            warnings: Vec::new(),
            age_limit: None,
            identity_column: None,
        }
    }
}

/// A partition to write.
#[derive(Clone, Debug)]
pub struct WritePartition {
    /// The run.
    pub run_id: String,
    /// The table, with the columns of this stream.
    pub table: Table,
    /// The partition.
    pub partition_id: String,
    /// The mode that [`Destination::prepare`] answered.
    pub write_mode: WriteMode,
    /// The user wants rows held of which nobody knows whether they arrived: where sending them again would leave a trace, do not, but reject each
    /// with [`Reject::held`]. Rows that an earlier attempt may have delivered are held by the SDK.
    pub hold_uncertain: bool,
    /// Send nothing, and ack what would become of the rows. Its run was prepared with [`TableToPrepare::dry_run`].
    pub dry_run: bool,
}

impl WritePartition {
    /// Its rows were refused before, and are sent again: that they are refused once more says nothing of the table, and must not end the stream.
    #[must_use]
    pub fn sends_rejects_again(&self) -> bool {
        self.partition_id == longshore_protocol::REJECTS_PARTITION
    }
}

impl From<WriteMode> for v1::WriteMode {
    fn from(mode: WriteMode) -> Self {
        match mode {
            WriteMode::Append => Self::Append,
            WriteMode::Overwrite => Self::Overwrite,
            WriteMode::OverwriteDeleteStale => Self::OverwriteDeleteStale,
        }
    }
}

impl WriteMode {
    /// The mode as users write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Overwrite => "overwrite",
            Self::OverwriteDeleteStale => "overwrite-delete-stale",
        }
    }

    pub(crate) fn from_wire(mode: v1::WriteMode) -> Option<Self> {
        match mode {
            v1::WriteMode::Unspecified => None,
            v1::WriteMode::Append => Some(Self::Append),
            v1::WriteMode::Overwrite => Some(Self::Overwrite),
            v1::WriteMode::OverwriteDeleteStale => Some(Self::OverwriteDeleteStale),
        }
    }
}

impl TableToPrepare {
    fn from_wire(asked: v1::TableToPrepare, dry_run: bool) -> Result<Self> {
        let write_mode = WriteMode::from_wire(asked.write_mode());
        let migrate_mode = match asked.migrate_mode() {
            v1::MigrateMode::Forced => MigrateMode::Forced,
            v1::MigrateMode::Safe | v1::MigrateMode::Unspecified => MigrateMode::Safe,
        };
        let table = asked
            .table
            .ok_or_else(|| Error::protocol("prepare_broken", "A table to prepare without a table"))?;
        Ok(Self {
            table: table.try_into()?,
            write_mode,
            migrate_mode,
            expected_rows: asked.expected_rows,
            dry_run,
        })
    }
}

impl From<PreparedTable> for v1::PreparedTable {
    fn from(prepared: PreparedTable) -> Self {
        Self {
            name: prepared.name,
            write_mode: v1::WriteMode::from(prepared.write_mode).into(),
            redelivery_is_idempotent: prepared.redelivery_is_idempotent,
            preferred_batch_rows: prepared.preferred_batch_rows.unwrap_or_default(),
            preferred_unacked_rows: prepared.preferred_unacked_rows.unwrap_or_default(),
            warnings: prepared.warnings,
            age_limit: prepared.age_limit.map(Into::into),
            identity_column: prepared.identity_column.unwrap_or_default(),
        }
    }
}

impl From<AgeLimit> for v1::AgeLimit {
    fn from(limit: AgeLimit) -> Self {
        Self {
            column: limit.column,
            before: Some(limit.before.into()),
            consequence: limit.consequence,
            choices: limit.choices,
        }
    }
}
