//! The runs that a source has open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_core::error::{Error, Result};

/// What a source keeps of each run between its opening and its closing.
pub struct OpenRuns<R>(Mutex<HashMap<String, Arc<R>>>);

impl<R> Default for OpenRuns<R> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<R> OpenRuns<R> {
    /// Keeps a run; one of the same id that is open is let go.
    pub fn open(&self, run_id: &str, run: R) {
        self.lock().insert(run_id.to_owned(), Arc::new(run));
    }

    /// Lets a run go: it ends when the partitions that still read it are done. The run, when it was open.
    pub fn close(&self, run_id: &str) -> Option<Arc<R>> {
        self.lock().remove(run_id)
    }

    /// The run.
    ///
    /// # Errors
    /// `run_not_open`, of the whole run: the process was started anew, the run must be opened again.
    pub fn get(&self, run_id: &str) -> Result<Arc<R>> {
        self.lock().get(run_id).cloned().ok_or_else(|| {
            // Another process had it open: the run has to be opened again.
            Error::source("run_not_open", format!("Run {run_id} is not open here")).retryable()
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
