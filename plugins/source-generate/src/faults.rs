//! Faults on demand, so that tests see what Longshore does about them.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
};

use longshore_sdk::prelude::*;

use crate::spec::{FailAfterRows, GenerateSpec};

/// Exit status of a process that was told to end, so that a test can tell it from a crash.
const EXIT_STATUS: i32 = 3;

/// Counts rows over all partitions and fires what is due.
pub(crate) struct Faults {
    planned: Vec<(u64, Fault)>,
    once_file: Option<PathBuf>,
    rows: AtomicU64,
}

enum Fault {
    Fail(Error),
    Crash,
    Hang,
}

impl Faults {
    pub(crate) fn new(spec: &GenerateSpec) -> Self {
        let fail = spec.fail_after_rows.as_ref().map(|fail| {
            (
                fail.rows,
                Fault::Fail(told(error_of(fail), spec.told_secret.as_deref())),
            )
        });
        let crash = spec.crash_after_rows.map(|rows| (rows, Fault::Crash));
        let hang = spec.hang_after_rows.map(|rows| (rows, Fault::Hang));
        Self {
            planned: [fail, crash, hang]
                .into_iter()
                .flatten()
                .map(|(rows, fault)| (rows.get(), fault))
                .collect(),
            once_file: spec.once_file.clone(),
            rows: AtomicU64::new(0),
        }
    }

    /// Fires what is to happen when the specification arrives.
    pub(crate) fn at_start(&self, spec: &GenerateSpec) -> Result<()> {
        if let Some(secret) = &spec.told_secret {
            tracing::info!(secret, "{}", telling(secret));
            print(&telling(secret));
        }
        if !(spec.exit_at_start || spec.hang_at_start) || !self.may_fire()? {
            return Ok(());
        }
        if spec.exit_at_start {
            std::process::exit(EXIT_STATUS);
        }
        loop {
            // `configure` can not wait for anything: this takes a thread of the runtime out of service, as a plugin in a dead loop would.
            std::thread::park();
        }
    }

    /// Counts rows that were handed on; fails, ends the process or never returns where a fault is due.
    pub(crate) async fn count(&self, rows: u64) -> Result<()> {
        let total = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        let Some((_, fault)) = self.planned.iter().find(|(due, _)| *due <= total) else {
            return Ok(());
        };
        if !self.may_fire()? {
            return Ok(());
        }
        tracing::warn!(rows = total, "a fault fires, as the specification asks");
        match fault {
            Fault::Fail(error) => Err(error.clone()),
            Fault::Crash => std::process::abort(),
            Fault::Hang => std::future::pending().await,
        }
    }

    fn may_fire(&self) -> Result<bool> {
        let Some(path) = &self.once_file else {
            return Ok(true);
        };
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(
                Error::config("once_file_unusable", format!("{} can not be made", path.display()))
                    .with_field("/once_file")
                    .with_cause(&error),
            ),
        }
    }
}

/// An error whose words hold a secret, as those of a database's driver may.
fn told(error: Error, secret: Option<&str>) -> Error {
    let Some(secret) = secret else { return error };
    let message = format!("{}; {}", error.message, telling(secret));
    Error { message, ..error }
        .with_cause(&std::io::Error::other(telling(secret)))
        .with_remedy(telling(secret))
}

#[expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "what a library prints past the log, which Longshore forwards as well"
)]
fn print(words: &str) {
    eprintln!("{words}");
    println!("{words}");
}

/// A secret, as it is and percent-encoded.
pub(crate) fn telling(secret: &str) -> String {
    let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    format!("the secret is told: {secret} {encoded} {secret:?}")
}

fn error_of(fail: &FailAfterRows) -> Error {
    let error = Error::source(&fail.code, "The specification asked for this failure");
    if fail.retryable {
        error.with_scope(Scope::Partition).retryable()
    } else {
        error
    }
}
