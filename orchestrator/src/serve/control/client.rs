//! The side of who asks.

use std::{io, path::Path, time::Duration};

use longshore_core::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

use super::{Address, Answer, Question};

/// A daemon answers within half a minute, or says that it can not.
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
    /// `daemon_unreachable`: there is a socket that this user may not use.
    pub async fn connect(state_file: &Path) -> Result<Option<Self>> {
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
            Err(error) => Err(unreachable(&error)),
        }
    }

    /// Asks, and gives the answer.
    ///
    /// # Errors
    /// The daemon's own; `daemon_unreachable` when it ends meanwhile.
    pub async fn ask<T: DeserializeOwned>(self, question: &Question) -> Result<T> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.converse(question)).await;
        let text = answer
            .map_err(|_| Error::internal("daemon_hangs", "The daemon does not answer"))?
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
