//! `COPY … TO STDOUT`, read ahead: the server goes on sending while rows that came are decoded.

use std::{pin::pin, sync::Arc, vec};

use bytes::Bytes;
use futures_util::StreamExt as _;
use longshore_sdk::prelude::*;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};
use tokio_postgres::CopyOutStream;

use crate::{connection::Session, decode::split_header};

/// Bytes of messages that may wait to be taken: more than comes while a batch is decoded. A longer message waits alone.
const AHEAD_BYTES: usize = 1024 * 1024;

/// Messages are handed over together when they have so many bytes: one by one, the handing over would cost more than the reading.
const CHUNK_BYTES: usize = 64 * 1024;

/// The data messages of one statement, in order, without the format's header. `F` says how what the server says becomes an error.
pub(crate) struct CopyMessages<F> {
    queue: mpsc::UnboundedReceiver<Ahead>,
    taken: vec::IntoIter<Bytes>,
    /// Of the messages in `taken`.
    room: Option<OwnedSemaphorePermit>,
    header_seen: bool,
    failed: F,
    /// Ends with this value.
    _reading: JoinSet<()>,
}

/// What was read.
enum Ahead {
    Messages(Vec<Bytes>, OwnedSemaphorePermit),
    Failed(tokio_postgres::Error),
    /// The server has sent everything.
    End,
}

impl<F: Fn(&tokio_postgres::Error) -> Error> CopyMessages<F> {
    /// Copies what this query returns.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn of(session: &Session, query: &str, failed: F) -> Result<Self> {
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = session.copy_out(&copy).await.map_err(|error| failed(&error))?;
        let (sender, queue) = mpsc::unbounded_channel();
        let mut reading = JoinSet::new();
        reading.spawn(read_ahead(stream, sender));
        Ok(Self {
            queue,
            taken: Vec::new().into_iter(),
            room: None,
            header_seen: false,
            failed,
            _reading: reading,
        })
    }

    /// The next message; `None` when the server has sent everything.
    ///
    /// # Errors
    /// What the server says, and `copy_malformed`.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(message) = self.taken.next() {
                if self.header_seen {
                    return Ok(Some(message));
                }
                self.header_seen = true;
                return Ok(Some(message.slice(split_header(&message)?..)));
            }
            self.room = None;
            match self.queue.recv().await {
                Some(Ahead::Messages(messages, room)) => {
                    self.taken = messages.into_iter();
                    self.room = Some(room);
                }
                Some(Ahead::Failed(error)) => return Err((self.failed)(&error)),
                Some(Ahead::End) => return Ok(None),
                None => {
                    return Err(Error::internal(
                        "reading_ended",
                        "The task that reads from PostgreSQL ended before the data did",
                    ));
                }
            }
        }
    }
}

/// Fills the queue, which is bounded by the bytes in it.
async fn read_ahead(stream: CopyOutStream, queue: mpsc::UnboundedSender<Ahead>) {
    let room = Arc::new(Semaphore::new(AHEAD_BYTES));
    let mut stream = pin!(stream);
    loop {
        let mut messages = Vec::new();
        let mut bytes = 0;
        let last = loop {
            match stream.next().await {
                Some(Ok(message)) => {
                    bytes += message.len();
                    messages.push(message);
                }
                Some(Err(error)) => break Some(Ahead::Failed(error)),
                None => break Some(Ahead::End),
            }
            if bytes >= CHUNK_BYTES {
                break None;
            }
        };
        let wanted = bytes.min(AHEAD_BYTES) as u32;
        // Neither of these fails but when nobody takes messages any more.
        let Ok(room) = Arc::clone(&room).acquire_many_owned(wanted).await else {
            return;
        };
        if queue.send(Ahead::Messages(messages, room)).is_err() {
            return;
        }
        if let Some(last) = last {
            let _ = queue.send(last);
            return;
        }
    }
}
