//! An Arrow stream over HTTP, believed only as far as it is whole.
//!
//! ClickHouse answers 200 before it knows how a query ends, and writes an exception that comes later into the body. So a batch is handed on only when what
//! follows it begins as Arrow does, and the rows are at their end only when the stream's end mark was read, nothing follows it, and the body ended in good order.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use clickhouse::{error::Error as ClientError, query::BytesCursor};
use longshore_sdk::{
    arrow::{
        array::RecordBatch,
        buffer::{Buffer, MutableBuffer},
        datatypes::SchemaRef,
        ipc::{self, MessageHeader, convert::try_fb_to_schema, reader::read_record_batch},
    },
    prelude::*,
};

use crate::errors::{exception_code, from_client, from_exception, stream_broken};

/// What each message of an Arrow stream begins with.
const CONTINUATION: [u8; 4] = [0xFF; 4];

/// Marker and length.
const PREFIX_BYTES: usize = 8;

/// No description of a batch is so large; a greater length is no length.
const MAX_METADATA_BYTES: usize = 64 << 20;

/// No batch is so large; a greater length is no length.
const MAX_BODY_BYTES: usize = 2 << 30;

/// So much is reserved for a length that is only announced; more comes with the bytes themselves.
const RESERVED_BYTES: usize = 4 << 20;

/// As much of what is no Arrow is kept, to look for an exception in it.
const MAX_FOREIGN_BYTES: usize = 64 << 10;

/// A query's result on its way.
pub(crate) struct ArrowStream {
    cursor: BytesCursor,
    messages: Messages,
    chunk: Bytes,
    schema: SchemaRef,
    /// What was looked at in advance.
    peeked: Option<Event>,
    /// Waits until what follows it begins as it should.
    held: Option<RecordBatch>,
    doing: String,
}

impl ArrowStream {
    /// Waits for the columns.
    ///
    /// # Errors
    /// As ClickHouse refuses the query.
    pub(crate) async fn begin(cursor: BytesCursor, doing: String) -> Result<Self> {
        let mut stream = Self {
            cursor,
            messages: Messages::default(),
            chunk: Bytes::new(),
            schema: SchemaRef::new(longshore_sdk::arrow::datatypes::Schema::empty()),
            peeked: None,
            held: None,
            doing,
        };
        loop {
            match stream.event().await? {
                Some(Event::Schema(schema)) => {
                    stream.schema = schema;
                    return Ok(stream);
                }
                Some(Event::Continued) => {}
                Some(Event::Announced(_) | Event::Batch(_) | Event::Ended) | None => {
                    return Err(stream.broken("there are no columns"));
                }
            }
        }
    }

    /// The columns as they come.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The size of the first batch, once the server announces it and before it comes; `None` for one without a body, or without any.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn first_size(&mut self) -> Result<Option<BatchSize>> {
        loop {
            match self.event().await? {
                Some(Event::Continued) => {}
                Some(Event::Announced(size)) => return Ok(Some(size)),
                None => return Err(self.broken("it ended before its first rows")),
                other => {
                    self.peeked = other;
                    return Ok(None);
                }
            }
        }
    }

    /// The next rows; `None` when the result is whole.
    ///
    /// # Errors
    /// An exception in mid-stream, a cut connection, an end without its mark: never the end of the rows.
    pub(crate) async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match self.event().await? {
                Some(Event::Continued) => {
                    if let Some(batch) = self.held.take() {
                        return Ok(Some(batch));
                    }
                }
                Some(Event::Announced(_)) => {}
                Some(Event::Batch(batch)) => self.held = Some(batch),
                Some(Event::Ended) => {
                    self.body_end().await?;
                    return Ok(self.held.take());
                }
                Some(Event::Schema(_)) => return Err(self.broken("the columns came twice")),
                None if self.messages.ended() => return Ok(None),
                None => return Err(self.broken("it ended without its end mark")),
            }
        }
    }

    /// What comes next; `None` when the body has ended.
    async fn event(&mut self) -> Result<Option<Event>> {
        if let Some(event) = self.peeked.take() {
            return Ok(Some(event));
        }
        loop {
            match self.messages.take(&mut self.chunk) {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(Unreadable::NoArrow(seen)) => return Err(self.foreign(seen).await),
                Err(Unreadable::Damaged(what)) => return Err(self.broken(&what)),
            }
            match self.cursor.next().await {
                Ok(Some(chunk)) => self.chunk = chunk,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// After the end mark nothing may come, and the body must end in good order.
    async fn body_end(&mut self) -> Result<()> {
        match self.event().await? {
            None => Ok(()),
            Some(_) => Err(self.broken("it went on after its end mark")),
        }
    }

    /// Something came that is no Arrow: most likely the words of an exception. Reads on to know which.
    async fn foreign(&mut self, mut seen: Vec<u8>) -> Error {
        seen.extend_from_slice(&std::mem::take(&mut self.chunk));
        while seen.len() < MAX_FOREIGN_BYTES {
            match self.cursor.next().await {
                Ok(Some(chunk)) => seen.extend_from_slice(&chunk),
                Ok(None) => break,
                // The client recognised it, or the connection ended as it does after an exception.
                Err(ClientError::BadResponse(text)) => return mid_stream(&text, &self.doing),
                Err(_) => break,
            }
        }
        let text = String::from_utf8_lossy(&seen);
        if exception_code(&text).is_some() {
            return mid_stream(&text, &self.doing);
        }
        self.broken("something that is no Arrow came in its middle")
    }

    fn failed(&self, error: &ClientError) -> Error {
        match error {
            ClientError::BadResponse(text) => mid_stream(text, &self.doing),
            error => from_client(error, &self.doing),
        }
    }

    fn broken(&self, what: &str) -> Error {
        stream_broken(what, &self.doing)
    }
}

/// An exception, which the server may have met when rows were on their way: another try can succeed, unless its kind says that it can not.
fn mid_stream(text: &str, doing: &str) -> Error {
    let error = from_exception(text, doing);
    if error.code == "refused_by_server" {
        error.retryable()
    } else {
        error
    }
}

/// What a batch takes, by its announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchSize {
    pub(crate) rows: u64,
    /// Of its body: what is held of it.
    pub(crate) bytes: u64,
}

/// A step of the stream.
#[derive(Debug)]
enum Event {
    /// The next message begins as it should: what came before it is data.
    Continued,
    Schema(SchemaRef),
    /// A batch begins.
    Announced(BatchSize),
    Batch(RecordBatch),
    /// The end mark.
    Ended,
}

/// Why bytes are no Arrow stream.
#[derive(Debug)]
enum Unreadable {
    /// These bytes stand where a message should begin.
    NoArrow(Vec<u8>),
    Damaged(String),
}

/// Puts messages together from chunks that end anywhere.
#[derive(Default)]
struct Messages {
    state: State,
    schema: Option<SchemaRef>,
}

enum State {
    Prefix(Vec<u8>),
    Metadata {
        bytes: Vec<u8>,
        length: usize,
    },
    Body {
        metadata: Vec<u8>,
        body: MutableBuffer,
        length: usize,
    },
    Ended,
}

impl Default for State {
    fn default() -> Self {
        Self::Prefix(Vec::with_capacity(PREFIX_BYTES))
    }
}

impl Messages {
    fn ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes from a chunk as much as the next event needs; `None` when that was all of it.
    fn take(&mut self, chunk: &mut Bytes) -> Result<Option<Event>, Unreadable> {
        while !chunk.is_empty() {
            match &mut self.state {
                State::Prefix(prefix) => {
                    let had = prefix.len();
                    fill(prefix, chunk, PREFIX_BYTES);
                    let marker = prefix.len().min(CONTINUATION.len());
                    if prefix[..marker] != CONTINUATION[..marker] {
                        return Err(Unreadable::NoArrow(std::mem::take(prefix)));
                    }
                    if prefix.len() == PREFIX_BYTES {
                        self.state = after_prefix(prefix)?;
                        if self.ended() {
                            return Ok(Some(Event::Ended));
                        }
                    }
                    if had < CONTINUATION.len() && marker == CONTINUATION.len() {
                        return Ok(Some(Event::Continued));
                    }
                }
                State::Metadata { bytes, length } => {
                    fill(bytes, chunk, *length);
                    if bytes.len() == *length {
                        let metadata = std::mem::take(bytes);
                        let length = body_length(&metadata)?;
                        if length == 0 {
                            self.state = State::default();
                            return self.message(&metadata, Buffer::from(Vec::<u8>::new())).map(Some);
                        }
                        let body = MutableBuffer::with_capacity(length.min(RESERVED_BYTES));
                        let rows = rows_of(&metadata)?;
                        self.state = State::Body { metadata, body, length };
                        if let Some(rows) = rows {
                            let bytes = length as u64;
                            return Ok(Some(Event::Announced(BatchSize { rows, bytes })));
                        }
                    }
                }
                // Not before it was announced: one that is too large is not taken, and may be asked for in parts.
                State::Body { length, .. } if *length > MAX_BODY_BYTES => {
                    return Err(damaged("a batch with an impossible length"));
                }
                State::Body { metadata, body, length } => {
                    let taken = chunk.split_to(chunk.len().min(*length - body.len()));
                    body.extend_from_slice(&taken);
                    if body.len() == *length {
                        let metadata = std::mem::take(metadata);
                        let body = std::mem::take(body);
                        self.state = State::default();
                        return self.message(&metadata, body.into()).map(Some);
                    }
                }
                State::Ended => return Err(Unreadable::NoArrow(Vec::new())),
            }
        }
        Ok(None)
    }

    fn message(&mut self, metadata: &[u8], body: Buffer) -> Result<Event, Unreadable> {
        let message = ipc::root_as_message(metadata).map_err(damaged)?;
        match (message.header_type(), &self.schema) {
            (MessageHeader::Schema, None) => {
                let schema = message.header_as_schema().ok_or_else(|| damaged("an empty schema"))?;
                let schema = Arc::new(try_fb_to_schema(schema).map_err(damaged)?);
                self.schema = Some(Arc::clone(&schema));
                Ok(Event::Schema(schema))
            }
            (MessageHeader::RecordBatch, Some(schema)) => {
                let batch = message
                    .header_as_record_batch()
                    .ok_or_else(|| damaged("an empty batch"))?;
                let batch = read_record_batch(
                    &body,
                    batch,
                    Arc::clone(schema),
                    &std::collections::HashMap::new(),
                    None,
                    &message.version(),
                );
                batch.map(Event::Batch).map_err(damaged)
            }
            (kind, _) => Err(damaged(format!("an unexpected message of the kind {kind:?}"))),
        }
    }
}

fn after_prefix(prefix: &[u8]) -> Result<State, Unreadable> {
    let length = u32::from_le_bytes([prefix[4], prefix[5], prefix[6], prefix[7]]) as usize;
    match length {
        0 => Ok(State::Ended),
        1..=MAX_METADATA_BYTES => Ok(State::Metadata {
            bytes: Vec::with_capacity(length.min(RESERVED_BYTES)),
            length,
        }),
        _ => Err(damaged("a message with an impossible length")),
    }
}

fn body_length(metadata: &[u8]) -> Result<usize, Unreadable> {
    let message = ipc::root_as_message(metadata).map_err(damaged)?;
    usize::try_from(message.bodyLength()).map_err(|_| damaged("a batch with an impossible length"))
}

/// Rows of the batch that a message is; `None`: it is another kind of message.
fn rows_of(metadata: &[u8]) -> Result<Option<u64>, Unreadable> {
    let message = ipc::root_as_message(metadata).map_err(damaged)?;
    let batch = message.header_as_record_batch();
    batch
        .map(|batch| u64::try_from(batch.length()).map_err(damaged))
        .transpose()
}

fn fill(bytes: &mut Vec<u8>, chunk: &mut Bytes, length: usize) {
    let count = chunk.len().min(length - bytes.len());
    bytes.extend_from_slice(&chunk[..count]);
    chunk.advance(count);
}

fn damaged(what: impl ToString) -> Unreadable {
    Unreadable::Damaged(what.to_string())
}

#[cfg(test)]
mod tests {
    use longshore_sdk::arrow::{
        array::{Int64Array, StringArray},
        datatypes::{DataType, Field, Schema},
        ipc::writer::StreamWriter,
    };
    use proptest::prelude::*;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("name", DataType::Utf8, true),
        ]);
        let names: Vec<Option<String>> = (0..rows)
            .map(|row| (row % 3 > 0).then(|| "x".repeat(row as usize)))
            .collect();
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(Int64Array::from_iter_values(0..rows)),
                Arc::new(StringArray::from(names)),
            ],
        )
        .unwrap()
    }

    fn stream(batches: &[RecordBatch]) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batches[0].schema()).unwrap();
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    /// What is handed on, and whether the end mark was seen.
    fn read(bytes: &[u8], sizes: &[usize]) -> Result<(Vec<RecordBatch>, bool), Unreadable> {
        let mut messages = Messages::default();
        let (mut handed_on, mut held, mut ended) = (Vec::new(), None, false);
        let mut sizes = sizes.iter().cycle();
        let mut rest = Bytes::copy_from_slice(bytes);
        while !rest.is_empty() {
            let mut chunk = rest.split_to((*sizes.next().unwrap()).min(rest.len()));
            while let Some(event) = messages.take(&mut chunk)? {
                match event {
                    Event::Continued => handed_on.extend(held.take()),
                    Event::Batch(batch) => held = Some(batch),
                    Event::Ended => {
                        ended = true;
                        handed_on.extend(held.take());
                    }
                    Event::Schema(_) | Event::Announced(_) => {}
                }
            }
        }
        Ok((handed_on, ended))
    }

    proptest! {
        #[test]
        fn batches_come_out_whole_however_the_bytes_are_cut(sizes in proptest::collection::vec(1_usize..300, 1..20)) {
            let batches = [batch(0), batch(50), batch(1)];
            let (read, ended) = read(&stream(&batches), &sizes).unwrap();
            prop_assert!(ended);
            prop_assert_eq!(read.as_slice(), batches.as_slice());
        }

        #[test]
        fn a_stream_that_is_cut_has_no_end(share in 0.0_f64..1.0, size in 1_usize..300) {
            let bytes = stream(&[batch(20), batch(30)]);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let cut = ((bytes.len() - 1) as f64 * share) as usize;
            let (_, ended) = read(&bytes[..cut], &[size]).unwrap();
            prop_assert!(!ended);
        }

        #[test]
        fn a_batch_that_an_exception_runs_into_is_not_handed_on(missing in 1_usize..200, size in 1_usize..300) {
            let bytes = stream(&[batch(20), batch(30)]);
            let end_of_first = stream(&[batch(20)]).len() - PREFIX_BYTES;
            let mut broken = bytes[..end_of_first - missing].to_vec();
            broken.extend_from_slice("Code: 241. DB::Exception: Memory limit exceeded. ".repeat(10).as_bytes());
            let handed_on = match read(&broken, &[size]) {
                Ok((batches, ended)) => { prop_assert!(!ended); batches },
                Err(_) => Vec::new(),
            };
            prop_assert!(handed_on.is_empty());
        }
    }

    #[test]
    fn what_follows_the_end_mark_is_no_arrow() {
        let mut bytes = stream(&[batch(3)]);
        bytes.push(b'\n');
        assert!(matches!(read(&bytes, &[1000]), Err(Unreadable::NoArrow(_))));
    }

    #[test]
    fn an_exception_between_batches_is_no_arrow_and_its_words_are_kept() {
        let whole = stream(&[batch(3)]);
        let mut bytes = whole[..whole.len() - PREFIX_BYTES].to_vec();
        bytes.extend_from_slice(b"Code: 159. DB::Exception: Timeout");
        let Err(Unreadable::NoArrow(seen)) = read(&bytes, &[bytes.len()]) else {
            panic!("it was taken for Arrow");
        };
        assert!(seen.starts_with(b"Code: 15"));
    }
}
