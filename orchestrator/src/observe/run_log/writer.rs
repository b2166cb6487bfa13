//! From a run's buffer to the store.

use std::{sync::Arc, time::Duration};

use longshore_config::Secrets;
use longshore_core::Error;
use longshore_state::{StateStore, run_log::MAX_LOG_LINE_BYTES};
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use super::buffer::{Buffer, PendingLine, cut};

/// How long a line waits at most before it is stored, when the store takes it.
const INTERVAL: Duration = Duration::from_secs(1);

/// At its end a run waits for its log at most for so long.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Between two tries to store the last lines.
const LAST_PAUSE: Duration = Duration::from_millis(100);

/// The task that stores a run's lines.
pub(super) struct Writer {
    run_id: Arc<str>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    buffer: Arc<Buffer>,
}

impl Writer {
    pub(super) fn start(run_id: &str, buffer: Arc<Buffer>, store: Arc<dyn StateStore>, secrets: Secrets) -> Self {
        let (run_id, stop) = (Arc::from(run_id), CancellationToken::new());
        let target = Target {
            run_id: Arc::clone(&run_id),
            store,
            secrets,
        };
        // Not within the run's span: what is said about the log must not become a line of it.
        let task = tokio::spawn(write(target, Arc::clone(&buffer), stop.clone()));
        Self {
            run_id,
            stop,
            task,
            buffer,
        }
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Stores what is left and ends.
    pub(super) async fn end(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(LAST_WORDS, &mut self.task).await.is_err() {
            self.task.abort();
        }
        let lines = self.buffer.not_stored();
        if lines > 0 {
            let run_id = &*self.run_id;
            tracing::warn!(run_id, lines, "the last lines of the run's log could not be stored");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Target {
    run_id: Arc<str>,
    store: Arc<dyn StateStore>,
    secrets: Secrets,
}

async fn write(target: Target, buffer: Arc<Buffer>, stop: CancellationToken) {
    let mut complained = false;
    while !stop.is_cancelled() {
        tokio::select! {
            () = buffer.full_batch.notified() => {}
            () = tokio::time::sleep(INTERVAL) => {}
            () = stop.cancelled() => {}
        }
        if let Err(error) = target.store_all(&buffer).await
            && !complained
        {
            complained = true;
            let run_id = &*target.run_id;
            tracing::warn!(run_id, %error, "the run's log can not be stored at the moment");
        }
    }
    let until = Instant::now() + LAST_WORDS;
    while let Err(error) = target.store_all(&buffer).await
        && error.retryable
        && Instant::now() < until
    {
        tokio::time::sleep(LAST_PAUSE).await;
    }
}

impl Target {
    /// Stores batch after batch until nothing waits. What could not be stored waits again.
    async fn store_all(&self, buffer: &Buffer) -> Result<(), Error> {
        loop {
            let mut batch = buffer.take_batch();
            if batch.is_empty() {
                return Ok(());
            }
            // Here and not where lines are logged: by now more of what is secret may be known, and nobody waits.
            for PendingLine { line, names } in &mut batch.lines {
                line.message = self.secrets.redact_beside(&line.message, names).into_owned();
                cut(&mut line.message, MAX_LOG_LINE_BYTES);
            }
            let lines = batch.lines.iter().map(|pending| pending.line.clone()).collect();
            let lost = batch.lost;
            if let Err(error) = self.store.append_log(&self.run_id, lines, lost).await {
                buffer.put_back(batch);
                return Err(error);
            }
        }
    }
}
