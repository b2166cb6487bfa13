//! `COPY … TO STDOUT`, read ahead: the server goes on sending while rows that came are decoded.

use std::{pin::pin, sync::Arc, vec};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use longshore_sdk::prelude::*;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
};

use crate::{connection::Session, decode::split_header};

/// Bytes of messages that may wait to be taken: more than comes while a batch is decoded. A longer message waits alone.
const AHEAD_BYTES: usize = 1024 * 1024;

/// Messages are handed over together when they have so many bytes: one by one, the handing over would cost more than the reading.
const CHUNK_BYTES: usize = 64 * 1024;

/// The data messages of one statement, in order, without the format's header. `F` says how what the server says becomes an error.
pub(crate) struct CopyMessages<F> {
    messages: ReadAhead<tokio_postgres::Error>,
    header_seen: bool,
    failed: F,
}

impl<F: Fn(&tokio_postgres::Error) -> Error> CopyMessages<F> {
    /// Copies what this query returns.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn of(session: &Session, query: &str, failed: F) -> Result<Self> {
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let stream = session.copy_out(&copy).await.map_err(|error| failed(&error))?;
        Ok(Self {
            messages: ReadAhead::of(stream),
            header_seen: false,
            failed,
        })
    }

    /// The next message; `None` when the server has sent everything.
    ///
    /// # Errors
    /// What the server says, and `copy_malformed`.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        let message = match self.messages.next().await {
            Next::Message(message) => message,
            Next::Failed(error) => return Err((self.failed)(&error)),
            Next::End => return Ok(None),
            Next::Lost => {
                return Err(Error::internal(
                    "reading_ended",
                    "The task that reads from PostgreSQL ended before the data did",
                ));
            }
        };
        if self.header_seen {
            return Ok(Some(message));
        }
        self.header_seen = true;
        Ok(Some(message.slice(split_header(&message)?..)))
    }
}

/// A stream of messages, read on a task of its own.
struct ReadAhead<E> {
    /// Without a bound of its own: the task waits for room before it adds a chunk.
    queue: mpsc::UnboundedReceiver<Chunk<E>>,
    taken: vec::IntoIter<Bytes>,
    /// What the messages in `taken` take up, until the next ones are taken.
    room: Option<OwnedSemaphorePermit>,
    /// Ends with this value.
    _reading: JoinSet<()>,
}

/// What was read.
enum Chunk<E> {
    Messages(Vec<Bytes>, OwnedSemaphorePermit),
    Failed(E),
    /// The stream has ended.
    End,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Next<E> {
    Message(Bytes),
    Failed(E),
    End,
    /// The task is gone, and nobody knows what was to come.
    Lost,
}

impl<E: Send + 'static> ReadAhead<E> {
    fn of(stream: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        let mut reading = JoinSet::new();
        reading.spawn(read(stream, sender));
        Self {
            queue,
            taken: Vec::new().into_iter(),
            room: None,
            _reading: reading,
        }
    }

    /// Not to be asked again once it has said anything but a message.
    async fn next(&mut self) -> Next<E> {
        loop {
            if let Some(message) = self.taken.next() {
                return Next::Message(message);
            }
            self.room = None;
            match self.queue.recv().await {
                Some(Chunk::Messages(messages, room)) => {
                    self.taken = messages.into_iter();
                    self.room = Some(room);
                }
                Some(Chunk::Failed(error)) => return Next::Failed(error),
                Some(Chunk::End) => return Next::End,
                None => return Next::Lost,
            }
        }
    }
}

/// Hands chunks over until the stream ends or nobody takes them any more.
async fn read<E>(stream: impl Stream<Item = Result<Bytes, E>>, queue: mpsc::UnboundedSender<Chunk<E>>) {
    let room = Arc::new(Semaphore::new(AHEAD_BYTES));
    let mut stream = pin!(stream);
    loop {
        let mut messages = Vec::new();
        let mut bytes = 0;
        let last = loop {
            match stream.next().await {
                Some(Ok(message)) => {
                    // Of short rows, what points to them is the most of it.
                    bytes += message.len() + size_of::<Bytes>();
                    messages.push(message);
                }
                Some(Err(error)) => break Some(Chunk::Failed(error)),
                None => break Some(Chunk::End),
            }
            if bytes >= CHUNK_BYTES {
                break None;
            }
        };
        let wanted = bytes.min(AHEAD_BYTES) as u32;
        let permit = Arc::clone(&room).acquire_many_owned(wanted).await;
        let permit = permit.expect("nobody closes this semaphore");
        if queue.send(Chunk::Messages(messages, permit)).is_err() {
            return;
        }
        if let Some(last) = last {
            // Fails when nobody takes it any more.
            let _ = queue.send(last);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::stream;
    use tokio::task::yield_now;

    use super::*;

    type Item = Result<Bytes, &'static str>;

    fn messages(sizes: &[usize]) -> Vec<Item> {
        let message = |(index, size): (usize, &usize)| Ok(Bytes::from(vec![index as u8; *size]));
        sizes.iter().enumerate().map(message).collect()
    }

    async fn all(mut ahead: ReadAhead<&'static str>) -> (Vec<usize>, Next<&'static str>) {
        let mut sizes = Vec::new();
        loop {
            match ahead.next().await {
                Next::Message(message) => {
                    assert!(message.iter().all(|byte| *byte == sizes.len() as u8), "out of order");
                    sizes.push(message.len());
                }
                end => return (sizes, end),
            }
        }
    }

    #[tokio::test]
    async fn messages_come_in_order_whatever_their_size() {
        let sizes = [
            0,
            1,
            3 * AHEAD_BYTES,
            5,
            CHUNK_BYTES,
            CHUNK_BYTES - 1,
            2 * AHEAD_BYTES,
            AHEAD_BYTES,
            7,
        ];
        let (came, end) = all(ReadAhead::of(stream::iter(messages(&sizes)))).await;
        assert_eq!((came.as_slice(), end), (sizes.as_slice(), Next::End));
        let (came, end) = all(ReadAhead::of(stream::iter(messages(&[])))).await;
        assert_eq!((came.as_slice(), end), ([].as_slice(), Next::End));
    }

    #[tokio::test]
    async fn an_error_comes_behind_what_was_read_before_it() {
        let mut items = messages(&[10, CHUNK_BYTES, 20]);
        items.push(Err("gone"));
        let (came, end) = all(ReadAhead::of(stream::iter(items))).await;
        assert_eq!(
            (came.as_slice(), end),
            ([10, CHUNK_BYTES, 20].as_slice(), Next::Failed("gone"))
        );
    }

    #[tokio::test]
    async fn a_task_that_is_gone_is_no_end_of_the_data() {
        let panics = stream::iter(messages(&[10])).chain(stream::poll_fn(|_| panic!("for the test")));
        let (came, end) = all(ReadAhead::of(panics)).await;
        assert_eq!((came.as_slice(), end), ([].as_slice(), Next::Lost));
    }

    #[tokio::test]
    async fn no_more_is_read_than_there_is_room_for_and_nothing_once_nobody_takes_it() {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            Item::Ok(Bytes::from_static(&[0; 1024]))
        });
        let mut ahead = ReadAhead::of(endless);
        let settled = async |before: usize| {
            for _ in 0..1_000 {
                yield_now().await;
            }
            let read = read.load(Ordering::Relaxed) - before;
            assert!(read * 1024 <= AHEAD_BYTES + 2 * CHUNK_BYTES, "{read} messages");
            read
        };
        let first = settled(0).await;
        assert!(first * 1024 > AHEAD_BYTES - 2 * CHUNK_BYTES, "{first} messages");
        for _ in 0..first {
            assert!(matches!(ahead.next().await, Next::Message(_)));
        }
        let second = settled(first).await;
        assert!(second > 0);
        drop(ahead);
        assert_eq!(settled(first + second).await, 0);
    }
}
