//! Log lines that belong to a run, kept in the store with it.
//!
//! A run works within a span; the layer here gives every line that is logged within it to the run's buffer. One task for each run takes lines out, in batches, and
//! appends them to the store. A store that takes none costs lines, which are counted, and nothing else.

mod buffer;
mod layer;
mod writer;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use longshore_config::Secrets;
use longshore_state::StateStore;
use tracing::Span;

use buffer::Buffer;
pub use layer::{RunLogLayer, SyncName};
use writer::Writer;

/// The level from which on lines are kept with a run, whatever is printed.
pub const LEVEL: tracing::Level = tracing::Level::INFO;

/// The name of the field by which the layer knows a run's span.
const FIELD: &str = "run_log";

type Buffers = Arc<Mutex<BTreeMap<u64, Arc<Buffer>>>>;

/// The logs of the runs that go on in this process. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct RunLogs {
    buffers: Buffers,
    last: Arc<AtomicU64>,
}

impl RunLogs {
    /// The layer that collects lines; it has to be part of the process's subscriber.
    #[must_use]
    pub fn layer(&self) -> RunLogLayer {
        RunLogLayer::new(Arc::clone(&self.buffers))
    }

    /// Begins to collect what is logged within [`RunLog::span`]. Lines wait, in bounded memory, until it is known which run they belong to.
    #[must_use]
    pub fn begin(&self, sync: &str) -> RunLog {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let buffer = Arc::new(Buffer::default());
        lock(&self.buffers).insert(number, Arc::clone(&buffer));
        RunLog {
            buffers: Arc::clone(&self.buffers),
            number,
            span: tracing::info_span!(target: "longshore::run_log", "run_log", run_log = number, sync),
            buffer,
            writer: tokio::sync::Mutex::default(),
        }
    }
}

/// The log of one run.
pub struct RunLog {
    buffers: Buffers,
    number: u64,
    span: Span,
    buffer: Arc<Buffer>,
    /// `None`: it is not known yet which run it is.
    writer: tokio::sync::Mutex<Option<Writer>>,
}

impl RunLog {
    /// The work of the run, and of every task that it starts, goes on within this.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// From now on lines are stored with this run, those that wait first. `secrets` never get there.
    pub async fn belongs_to(&self, run_id: &str, store: &Arc<dyn StateStore>, secrets: &Secrets) {
        let mut writer = self.writer.lock().await;
        if writer.as_ref().is_some_and(|writer| writer.run_id() == run_id) {
            return;
        }
        // Another attempt may have had to begin another run.
        if let Some(previous) = writer.take() {
            previous.end().await;
        }
        *writer = Some(Writer::start(
            run_id,
            Arc::clone(&self.buffer),
            Arc::clone(store),
            secrets.clone(),
        ));
    }

    /// Stores what is left, within a bound of time, and says how many lines of the run are lost. Lines of something that never became a run are let go: they were
    /// printed.
    pub async fn end(self) -> u64 {
        match self.writer.lock().await.take() {
            Some(writer) => {
                writer.end().await;
                self.buffer.lost()
            }
            None => 0,
        }
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        lock(&self.buffers).remove(&self.number);
    }
}

fn lock(buffers: &Buffers) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Buffer>>> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
