//! The daemon's side.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
    sync::Arc,
};

use longshore_config::Secrets;
use longshore_core::{Error, Result};
use serde::Serialize;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use super::{Address, Answer, LONGEST_QUESTION, Question, folder_of};
use crate::{in_clear, serve::handle::DaemonHandle};

/// Questions that are answered at once; more wait.
const AT_ONCE: usize = 16;

/// A door that is there and not open yet: whoever knocks waits.
pub(in crate::serve) struct Door {
    listener: UnixListener,
    address: Address,
}

/// The open door. It closes when dropped.
pub(in crate::serve) struct ControlSocket {
    address: Address,
    /// Of the socket's file.
    identity: Option<(u64, u64)>,
    serving: JoinHandle<()>,
}

impl Door {
    /// Makes the door. Called by the one daemon that holds the store: a socket that is there already was left by one that is gone.
    ///
    /// # Errors
    /// `control_socket`.
    pub(in crate::serve) fn make(state_file: &Path) -> Result<Self> {
        let (listener, address) = listen(state_file).map_err(|error| {
            let folder = folder_of(state_file);
            let message = format!("No socket can be made in {}", folder.display());
            Error::config("control_socket", message)
                .with_cause(&error)
                .with_remedy("The directory of the state file must be writable for the user that runs the daemon.")
        })?;
        Ok(Self { listener, address })
    }

    /// Opens it.
    pub(in crate::serve) fn open(self, handle: DaemonHandle, secrets: Secrets) -> ControlSocket {
        ControlSocket {
            serving: tokio::spawn(serve(self.listener, handle, secrets)),
            identity: identity(&self.address.path),
            address: self.address,
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.serving.abort();
        // One that has taken over has a socket of its own there. What stays is removed by the next daemon.
        if identity(&self.address.path) == self.identity {
            fs::remove_file(&self.address.path).ok();
        }
    }
}

/// What tells a file from every other one that has its name before or after it; `None`: there is none.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn listen(state_file: &Path) -> io::Result<(UnixListener, Address)> {
    let folder = folder_of(state_file);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => fs::set_permissions(&folder, Permissions::from_mode(0o700))?,
    }
    let address = Address::of(state_file)?;
    match fs::remove_file(&address.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok((UnixListener::bind(&address.path)?, address))
}

async fn serve(listener: UnixListener, handle: DaemonHandle, secrets: Secrets) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut conversations = JoinSet::new();
    loop {
        while conversations.try_join_next().is_some() {}
        let slot = Arc::clone(&slots)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let (handle, secrets) = (handle.clone(), secrets.clone());
                conversations.spawn(async move {
                    if let Err(error) = converse(stream, &handle, &secrets).await {
                        tracing::debug!(%error, "a conversation over the control socket broke off");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket does not accept");
                // Out of descriptors, most likely: they come back.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, handle: &DaemonHandle, secrets: &Secrets) -> io::Result<()> {
    let (reading, mut writing) = stream.into_split();
    let mut line = String::new();
    BufReader::new(reading.take(LONGEST_QUESTION))
        .read_line(&mut line)
        .await?;
    let answer = match serde_json::from_str(&line) {
        Ok(question) => answer(handle, question).await,
        Err(error) => Err(
            Error::config("question_unknown", "The daemon does not understand this question")
                .with_cause(&error)
                .with_remedy("The daemon is of another version than this program: restart it."),
        ),
    };
    let answer = answer.map_or_else(Answer::Error, Answer::Done);
    let mut answer = serde_json::to_value(&answer).map_err(io::Error::other)?;
    in_clear::redact(secrets, &mut answer);
    writing.write_all(format!("{answer}\n").as_bytes()).await?;
    writing.shutdown().await
}

async fn answer(handle: &DaemonHandle, question: Question) -> Result<Value> {
    match question {
        Question::Ping => Ok(Value::Null),
        Question::Syncs => value(&handle.syncs().await?),
        Question::Run { sync } => value(&handle.run_now(&sync).await?),
        Question::Pause { sync } => value(&handle.pause(&sync).await?),
        Question::Resume { sync } => value(&handle.resume(&sync).await?),
        Question::CancelSync { sync } => value(&handle.cancel_sync(&sync).await?),
        Question::CancelRun { run_id } => value(&handle.cancel_run(&run_id).await?),
        Question::Reload => value(&handle.reload().await?),
    }
}

fn value(answer: &impl Serialize) -> Result<Value> {
    serde_json::to_value(answer)
        .map_err(|error| Error::internal("json", "The answer can not be written as JSON").with_cause(&error))
}
