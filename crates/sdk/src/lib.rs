//! What the author of a Longshore plugin depends on.
//!
//! A source implements [`Source`](source::Source), a destination implements [`Destination`](destination::Destination), and `main` hands it to [`Plugin`]:
//!
//! ```no_run
//! # use longshore_sdk::{prelude::*, Plugin};
//! # #[derive(serde::Deserialize, schemars::JsonSchema)] struct Spec {}
//! # struct Numbers;
//! # impl Source for Numbers {
//! #     const NAME: &'static str = "numbers";
//! #     const VERSION: &'static str = "1.0.0";
//! #     type Spec = Spec;
//! #     fn configure(_: Spec) -> Result<Self> { Ok(Self) }
//! #     async fn test_connection(&self, _: &[String]) -> Vec<Check> { Vec::new() }
//! #     async fn list_tables(&self, _: &[String]) -> Result<Vec<Table>> { Ok(Vec::new()) }
//! #     async fn open_run(&self, _: OpenRun) -> Result<Vec<TablePlan>> { Ok(Vec::new()) }
//! #     async fn read(&self, _: ReadPartition, _: &mut PartitionWriter) -> Result<()> { Ok(()) }
//! # }
//! fn main() -> std::process::ExitCode {
//!     Plugin::source::<Numbers>().serve()
//! }
//! ```
//!
//! The SDK takes care of the command line, the socket, logs, the lifeline to Longshore, the specification's JSON Schema, batching and splitting
//! by size, acks, and typed errors. `examples/` holds a complete source and a complete destination.

pub mod certificates;
pub mod check;
pub mod destination;
pub mod harness;
pub mod incremental;
mod row_key;
mod serve;
pub mod source;
pub mod table;

pub use arrow;
pub use bytes;
pub use longshore_core as core;
pub use longshore_protocol as protocol;
pub use serve::Plugin;

/// What nearly every plugin needs.
pub mod prelude {
    pub use longshore_core::{
        balance::DestinationCounts,
        cursor::CursorValue,
        error::{Error, Result, Scope},
        range::CursorRange,
        state::TableState,
    };

    pub use crate::{
        check::Check,
        destination::{
            AckSender, AgeLimit, BatchReceiver, Destination, DestinationCapabilities, Estimate, MigrateMode,
            PreparedTable, Preview, PreviewedRequest, Received, ReceivedBatch, Reject, TableToPrepare, WriteMode,
            WritePartition,
        },
        source::{
            CountRows, OpenRun, Partition, PartitionWriter, ReadPartition, RowCount, RowSelection, Source,
            SourceCapabilities, TablePlan, TableSelection,
        },
        table::Table,
    };
}
