//! Runs that are open: what their partitions need to know, and the queries that the server runs for them.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_sdk::{arrow::datatypes::SchemaRef, incremental::KnownRows, source::Partition};
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

use crate::{
    blocks::FewRows,
    catalog::{Column, Relation},
    connection::{Connector, Server},
    spec::InvalidUtf8,
};

/// Queries that nobody waits for any more and that the server has not been asked to end.
const ABANDONED_QUERIES: usize = 256;

/// A run between its opening and its closing.
pub(crate) struct Run {
    pub(crate) server: Server,
    pub(crate) tables: HashMap<String, Arc<RunTable>>,
    pub(crate) queries: Queries,
}

/// A table of a run.
pub(crate) struct RunTable {
    pub(crate) relation: Relation,
    pub(crate) selected: Vec<Column>,
    pub(crate) schema: SchemaRef,
    pub(crate) filter: Option<String>,
    /// Rows that the last run delivered and this one may see again.
    pub(crate) known: KnownRows,
    pub(crate) invalid_utf8: InvalidUtf8,
    pub(crate) few_rows: FewRows,
    /// The work of the plan.
    pub(crate) partitions: Vec<Partition>,
}

/// The queries of a run. Whoever stops waiting for one has it ended at the server.
pub(crate) struct Queries {
    running: Mutex<HashSet<String>>,
    abandoned: mpsc::Sender<String>,
    /// Ends by itself when the run is gone and what was abandoned is asked for.
    _killer: JoinHandle<()>,
}

impl Queries {
    pub(crate) fn new(connector: &Connector) -> Self {
        let (abandoned, mut waiting) = mpsc::channel(ABANDONED_QUERIES);
        let connector = connector.clone();
        let killer = tokio::spawn(async move {
            while let Some(query_id) = waiting.recv().await {
                connector.kill(query_id).await;
            }
        });
        Self {
            running: Mutex::default(),
            abandoned,
            _killer: killer,
        }
    }

    /// Names a query that is about to begin.
    pub(crate) fn begin(&self, run_id: &str) -> RunningQuery<'_> {
        let id = format!("longshore-{run_id}-{}", Uuid::new_v4());
        self.lock().insert(id.clone());
        RunningQuery {
            queries: self,
            id,
            finished: false,
        }
    }

    /// The queries that are running now.
    pub(crate) fn running(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A query at the server. Dropped before it is finished, it is ended there.
pub(crate) struct RunningQuery<'a> {
    queries: &'a Queries,
    pub(crate) id: String,
    finished: bool,
}

impl RunningQuery<'_> {
    /// The server has nothing left to do for it.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for RunningQuery<'_> {
    fn drop(&mut self) {
        self.queries.lock().remove(&self.id);
        if self.finished {
            return;
        }
        let id = std::mem::take(&mut self.id);
        if let Err(error) = self.queries.abandoned.try_send(id) {
            tracing::debug!(%error, "a query was left to end by itself");
        }
    }
}
