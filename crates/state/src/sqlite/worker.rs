//! The thread that owns the connection.

use std::{
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
};

use longshore_core::Result;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::{self, Failure},
    file,
};

/// Operations waiting for the thread; beyond, callers wait. Each partition has one or two under way.
const QUEUE: usize = 64;

/// What an operation survives once it has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The death of every process.
    Process,
    /// The loss of power as well.
    Power,
}

type Job = Box<dyn FnOnce(&mut Database) + Send>;

pub(super) struct Worker {
    path: PathBuf,
    /// `None` only while the worker is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// A connection that knows how durable it writes at the moment.
struct Database {
    connection: Connection,
    durability: Durability,
}

impl Worker {
    pub(super) async fn start(path: &Path) -> Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (opened, answer) = oneshot::channel();
        let own_path = path.to_owned();
        let work = move || {
            let connection = match file::open(&own_path) {
                Ok(connection) => connection,
                Err(error) => {
                    // Whoever opened may have gone away: then nobody wants to know.
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(()));
            let mut database = Database {
                connection,
                durability: Durability::Process,
            };
            while let Some(job) = queue.blocking_recv() {
                job(&mut database);
            }
        };
        let thread = thread::Builder::new()
            .name("longshore-state".to_owned())
            .spawn(work)
            .map_err(|error| failure::thread_ended(path).with_cause(&error))?;
        let worker = Self {
            path: path.to_owned(),
            jobs: Some(jobs),
            thread: Some(thread),
        };
        answer.await.map_err(|_| failure::thread_ended(path))??;
        Ok(worker)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One consistent look at the database.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.run(move |database| database.transact(TransactionBehavior::Deferred, work))
            .await
    }

    /// One transaction that writes; rolled back when `work` fails.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        self.run(move |database| {
            database.require(durability)?;
            // Taking the write lock at once: a transaction that read first and wants to write later fails when another one wrote meanwhile.
            database.transact(TransactionBehavior::Immediate, work)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |database| {
            // A caller that has gone away does not want the answer; what was done is done.
            let _ = done.send(work(database));
        });
        let jobs = self.jobs.as_ref().expect("the queue lives until the worker is dropped");
        jobs.send(job).await.map_err(|_| failure::thread_ended(&self.path))?;
        let outcome = answer.await.map_err(|_| failure::thread_ended(&self.path))?;
        outcome.map_err(|failure| failure.into_error(&self.path))
    }
}

impl Drop for Worker {
    /// Ends the thread and waits for it, so that the file is closed when the store is gone. Waits for at most the operations in the queue.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It panicked: every caller was told already, by `thread_ended`.
            let _ = thread.join();
        }
    }
}

impl Database {
    fn require(&mut self, durability: Durability) -> Result<(), Failure> {
        if self.durability == durability {
            return Ok(());
        }
        let level = match durability {
            Durability::Process => "NORMAL",
            Durability::Power => "FULL",
        };
        self.connection.pragma_update(None, "synchronous", level)?;
        self.durability = durability;
        Ok(())
    }

    fn transact<T>(
        &mut self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}
