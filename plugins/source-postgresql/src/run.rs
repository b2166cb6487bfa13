//! Runs that are open: each holds its snapshot and what its partitions need to know.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use longshore_sdk::{arrow::datatypes::SchemaRef, incremental::KnownRows, source::Partition};

use crate::{
    catalog::{Column, Relation},
    connection::Session,
    places::Places,
    snapshot::Snapshot,
};

/// A run between its opening and its closing.
pub(crate) struct Run {
    /// Keeps the snapshot alive.
    pub(crate) holder: Session,
    pub(crate) snapshot: Snapshot,
    pub(crate) tables: HashMap<String, Arc<RunTable>>,
}

/// A table of a run.
pub(crate) struct RunTable {
    pub(crate) relation: Relation,
    pub(crate) selected: Vec<Column>,
    pub(crate) schema: SchemaRef,
    pub(crate) filter: Option<String>,
    /// The work of the plan.
    pub(crate) partitions: Vec<Partition>,
    /// Rows that the last run delivered and this one may see again.
    pub(crate) known: KnownRows,
    /// Where the pages of the plan are, when another snapshot than this run's first is read.
    pub(crate) places: Option<Places>,
    /// The partition that also reads rows that moved since the first attempt: the first one that is read.
    pub(crate) moved_by: Mutex<Option<String>>,
}

impl RunTable {
    /// Whether this partition is the one that reads the rows that moved. The first that asks is, each time it asks.
    pub(crate) fn reads_moved(&self, partition: &str) -> bool {
        let mut chosen = self.moved_by.lock().unwrap_or_else(PoisonError::into_inner);
        chosen.get_or_insert_with(|| partition.to_owned()) == partition
    }
}
