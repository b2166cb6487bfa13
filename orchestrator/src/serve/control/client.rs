//! The side of who asks.

use std::{io, path::Path, time::Duration};

use longshore_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::{Address, Answer, Question};

/// A daemon says at once that it is there, whatever it is at; one that does not within this is suspended or hangs.
const THERE_WITHIN: Duration = Duration::from_secs(10);

/// What is asked of it may have to wait for its state: it answers within half a minute, or says that it can not.
const ANSWER_WITHIN: Duration = Duration::from_secs(45);

/// A way to a running daemon, for one question.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
}

impl Client {
    /// A way to the daemon that uses this state file; `None`: there is none, or it is not reachable from here.
    ///
    /// # Errors
    /// - `daemon_unreachable`: there is a socket that this user may not use.
    /// - `daemon_hangs`: there is a daemon, and it does not answer.
    pub async fn connect(state_file: &Path) -> Result<Option<Self>> {
        let Some(first) = Self::open(state_file).await? else {
            return Ok(None);
        };
        let daemon = first.stream.peer_cred().ok().and_then(|daemon| daemon.pid());
        match timeout(THERE_WITHIN, first.converse(&Question::Ping)).await {
            // Whatever it said: one of another version does not know the question, and is there.
            Ok(Ok(_)) => Self::open(state_file).await,
            Ok(Err(error)) => Err(unreachable(&error)),
            Err(_) => Err(hangs(daemon, THERE_WITHIN)),
        }
    }

    async fn open(state_file: &Path) -> Result<Option<Self>> {
        let address = match Address::of(state_file) {
            Ok(address) => address,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreachable(&error)),
        };
        match UnixStream::connect(&address.path).await {
            Ok(stream) => Ok(Some(Self { stream })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            // More wait for it already than the system lets wait.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(hangs(None, Duration::ZERO)),
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// Asks, and gives the answer.
    ///
    /// # Errors
    /// The daemon's own; `daemon_unreachable` when it ends meanwhile; `daemon_hangs`.
    pub async fn ask<T: DeserializeOwned>(self, question: &Question) -> Result<T> {
        let daemon = self.stream.peer_cred().ok().and_then(|daemon| daemon.pid());
        let answer = timeout(ANSWER_WITHIN, self.converse(question)).await;
        let text = answer
            .map_err(|_| hangs(daemon, ANSWER_WITHIN))?
            .map_err(|error| unreachable(&error))?;
        let broken = |error: serde_json::Error| {
            Error::internal("answer_unknown", "The daemon's answer is not understood")
                .with_cause(&error)
                .with_remedy("The daemon is of another version than this program, or ended meanwhile.")
        };
        match serde_json::from_str(&text).map_err(broken)? {
            Answer::Done(value) => serde_json::from_value::<T>(value).map_err(broken),
            Answer::Error(error) => Err(error),
        }
    }

    /// Asks, and gives the answer as it comes.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_value(self, question: &Question) -> Result<Value> {
        self.ask(question).await
    }

    async fn converse(mut self, question: &Question) -> io::Result<String> {
        let question = serde_json::to_string(question).map_err(io::Error::other)?;
        self.stream.write_all(format!("{question}\n").as_bytes()).await?;
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

fn unreachable(error: &io::Error) -> Error {
    Error::config("daemon_unreachable", "The daemon that uses this state can not be asked")
        .with_cause(error)
        .with_remedy("Run this as the user that runs `longshore serve`, on the same machine.")
}

/// `daemon`: its process, where that is known.
fn hangs(daemon: Option<i32>, waited: Duration) -> Error {
    let process = daemon.map(|pid| format!(", process {pid},")).unwrap_or_default();
    let message = match waited.is_zero() {
        true => "The daemon that uses this state does not answer: too many wait for it already".to_owned(),
        false => format!(
            "The daemon that uses this state{process} did not answer within {} s",
            waited.as_secs()
        ),
    };
    let pid = daemon.map_or_else(|| "PID".to_owned(), |pid| pid.to_string());
    Error::internal("daemon_hangs", message).with_remedy(format!(
        "Is it suspended? `kill -CONT {pid}` lets it go on. One that hangs is ended with `kill -KILL {pid}`: the next one goes on where it was."
    ))
}
