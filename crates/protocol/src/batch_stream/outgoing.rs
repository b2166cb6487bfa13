//! The body of an HTTP message that sends messages with batches.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::Stream;
use http::HeaderMap;
use http_body::{Body, Frame};
use prost::{
    Message as _,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};
use tonic::Status;

use super::{MayHoldBatch, PREFIX_BYTES, sent_as_they_are};
use crate::{limits, v1};

/// Small messages that wait while more are ready are sent when there are so many bytes of them.
const SMALL_MESSAGES_BYTES: usize = 32 * 1024;

/// Number of the field `data` of a `RecordBatch`.
const DATA_FIELD: u32 = 3;

/// Sends a stream of messages; of an answer also how it ended.
///
/// A message above [`limits::MAX_MESSAGE_BYTES`] ends the stream with `OUT_OF_RANGE`: the other end would refuse it.
#[derive(Debug)]
pub struct Outgoing<S> {
    /// `None` after its end.
    messages: Option<S>,
    end: End,
    /// Small messages, and heads of batches, that are not sent yet.
    small: BytesMut,
    /// A batch whose head is in `small`, or was sent.
    batch: Option<Bytes>,
}

#[derive(Debug)]
enum End {
    /// A request just ends.
    OfRequest { failed: Option<Status> },
    /// An answer says how it ended.
    OfAnswer { status: Status, told: bool },
}

impl<S> Outgoing<S> {
    /// The body of a request.
    pub fn request(messages: S) -> Self {
        Self::new(messages, End::OfRequest { failed: None })
    }

    /// The body of an answer: an error is the status that it ends with.
    pub fn answer(messages: S) -> Self {
        let status = Status::ok("");
        Self::new(messages, End::OfAnswer { status, told: false })
    }

    fn new(messages: S, end: End) -> Self {
        Self {
            messages: Some(messages),
            end,
            small: BytesMut::new(),
            batch: None,
        }
    }

    /// What is ready to be sent.
    fn take_ready(&mut self) -> Option<Bytes> {
        match self.small.is_empty() {
            true => self.batch.take(),
            false => Some(self.small.split().freeze()),
        }
    }

    fn has_enough(&self) -> bool {
        self.batch.is_some() || self.small.len() >= SMALL_MESSAGES_BYTES
    }

    fn ended(&mut self, with: Option<Status>) {
        self.messages = None;
        let Some(with) = with else { return };
        match &mut self.end {
            End::OfRequest { failed } => *failed = Some(with),
            End::OfAnswer { status, .. } => *status = with,
        }
    }

    fn put<M: MayHoldBatch>(&mut self, message: &M) -> Result<(), Status> {
        match sent_as_they_are(message) {
            Some((batch, data)) => {
                self.put_head(M::BATCH_FIELD, batch)?;
                self.batch = Some(data);
            }
            None => {
                self.put_prefix(message.encoded_len())?;
                message
                    .encode(&mut self.small)
                    .expect("a buffer that grows holds every message");
            }
        }
        Ok(())
    }

    /// Everything of a message with a batch but the batch's bytes, which are its end: the field `data` is written last.
    fn put_head(&mut self, field: u32, batch: &v1::RecordBatch) -> Result<(), Status> {
        let without_data = v1::RecordBatch {
            data: Bytes::new(),
            ..batch.clone()
        };
        let data_length = batch.data.len() as u64;
        let data_head = key_len(DATA_FIELD) + encoded_len_varint(data_length);
        let batch_length = without_data.encoded_len() + data_head + batch.data.len();
        let batch_head = key_len(field) + encoded_len_varint(batch_length as u64);
        self.put_prefix(batch_head + batch_length)?;
        encode_key(field, WireType::LengthDelimited, &mut self.small);
        encode_varint(batch_length as u64, &mut self.small);
        without_data
            .encode(&mut self.small)
            .expect("a buffer that grows holds every message");
        encode_key(DATA_FIELD, WireType::LengthDelimited, &mut self.small);
        encode_varint(data_length, &mut self.small);
        Ok(())
    }

    fn put_prefix(&mut self, length: usize) -> Result<(), Status> {
        let fitting = u32::try_from(length)
            .ok()
            .filter(|_| length <= limits::MAX_MESSAGE_BYTES);
        let Some(length) = fitting else {
            let most = limits::MAX_MESSAGE_BYTES;
            return Err(Status::out_of_range(format!(
                "a message of {length} bytes can not be sent: the most is {most}"
            )));
        };
        self.small.reserve(PREFIX_BYTES);
        // Not compressed.
        self.small.put_u8(0);
        self.small.put_u32(length);
        Ok(())
    }

    /// The frame behind all messages.
    fn last_frame(&mut self) -> Option<Result<Frame<Bytes>, Status>> {
        match &mut self.end {
            End::OfRequest { failed } => failed.take().map(Err),
            End::OfAnswer { told: true, .. } => None,
            End::OfAnswer { status, told } => {
                *told = true;
                let mut trailers = HeaderMap::new();
                Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
            }
        }
    }
}

impl<S, M> Body for Outgoing<S>
where
    S: Stream<Item = Result<M, Status>> + Unpin,
    M: MayHoldBatch,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        while !this.has_enough() {
            let Some(messages) = &mut this.messages else { break };
            match Pin::new(messages).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => {
                    if let Err(status) = this.put(&message) {
                        this.ended(Some(status));
                    }
                }
                Poll::Ready(Some(Err(status))) => this.ended(Some(status)),
                Poll::Ready(None) => this.ended(None),
                Poll::Pending if this.small.is_empty() => return Poll::Pending,
                Poll::Pending => break,
            }
        }
        match this.take_ready() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Ready(this.last_frame()),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::OfAnswer { told: true, .. })
    }
}
