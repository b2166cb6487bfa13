//! Takes messages with batches from the body of an HTTP message.

use std::{
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf as _;
use futures_util::Stream;
use http_body::Body as _;
use tonic::{Code, Status, body::Body};

use super::{PREFIX_BYTES, pieces::Pieces};
use crate::limits;

/// The messages of a request, or of an answer, in order.
///
/// It ends once, with `None` or with an error; messages above [`limits::MAX_MESSAGE_BYTES`] and compressed ones are errors.
#[derive(Debug)]
pub struct Incoming<M> {
    /// `None` after the end.
    body: Option<Body>,
    side: Side,
    pieces: Pieces,
    /// Length of the message whose prefix was read.
    awaited: Option<usize>,
    message: PhantomData<fn() -> M>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Answer,
    /// Its status came with its headers.
    EndedAnswer,
}

impl<M: prost::Message + Default> Incoming<M> {
    /// What a client sends.
    #[must_use]
    pub fn request(body: Body) -> Self {
        Self::new(body, Side::Request)
    }

    /// What a server answers; how it ended is in the trailers.
    pub(super) fn answer(body: Body) -> Self {
        Self::new(body, Side::Answer)
    }

    /// The same of a server whose headers said already that all is well.
    pub(super) fn ended_answer(body: Body) -> Self {
        Self::new(body, Side::EndedAnswer)
    }

    fn new(body: Body, side: Side) -> Self {
        Self {
            body: Some(body),
            side,
            pieces: Pieces::default(),
            awaited: None,
            message: PhantomData,
        }
    }

    /// The next message; `None` after the last one.
    ///
    /// Cancel safe: when the future is dropped nothing is lost, and the next call goes on.
    ///
    /// # Errors
    /// What the other end ended with, or what is wrong with the stream.
    pub async fn message(&mut self) -> Result<Option<M>, Status> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context))
            .await
            .transpose()
    }

    /// A message that has arrived as a whole.
    fn take_message(&mut self) -> Result<Option<M>, Status> {
        let length = match self.awaited {
            Some(length) => length,
            None if self.pieces.remaining() < PREFIX_BYTES => return Ok(None),
            None => {
                let length = self.take_prefix()?;
                *self.awaited.insert(length)
            }
        };
        if self.pieces.remaining() < length {
            return Ok(None);
        }
        self.awaited = None;
        let message = M::decode((&mut self.pieces).take(length));
        message
            .map(Some)
            .map_err(|error| Status::internal(format!("a message can not be decoded: {error}")))
    }

    fn take_prefix(&mut self) -> Result<usize, Status> {
        let compressed = self.pieces.get_u8() != 0;
        let length = self.pieces.get_u32() as usize;
        if compressed {
            return Err(Status::unimplemented(
                "a message is compressed, which was not offered; send messages as they are",
            ));
        }
        if length > limits::MAX_MESSAGE_BYTES {
            let most = limits::MAX_MESSAGE_BYTES;
            return Err(Status::out_of_range(format!(
                "a message of {length} bytes can not be taken: the most is {most}"
            )));
        }
        Ok(length)
    }

    /// How a stream ended whose last frame was no trailers.
    fn without_trailers(&self) -> Result<(), Status> {
        if self.awaited.is_some() || self.pieces.has_remaining() {
            return Err(Status::internal("the stream ended within a message"));
        }
        match self.side {
            Side::Request | Side::EndedAnswer => Ok(()),
            // gRPC asks for one at the end of each answer; without it, nobody knows that this was the end.
            Side::Answer => Err(Status::unknown("the answer ended without a status: it may be cut")),
        }
    }

    fn end(&mut self, outcome: Result<(), Status>) -> Poll<Option<Result<M, Status>>> {
        self.body = None;
        self.pieces = Pieces::default();
        self.awaited = None;
        match outcome {
            Ok(()) => Poll::Ready(None),
            // The caller has gone, which a stream's owner sees as its end.
            Err(status) if self.side == Side::Request && status.code() == Code::Cancelled => Poll::Ready(None),
            Err(status) => Poll::Ready(Some(Err(status))),
        }
    }
}

impl<M: prost::Message + Default> Stream for Incoming<M> {
    type Item = Result<M, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // Reads ahead of what was asked for no further than the frame that holds the message's end.
            match this.take_message() {
                Ok(Some(message)) => return Poll::Ready(Some(Ok(message))),
                Ok(None) => {}
                Err(status) => return this.end(Err(status)),
            }
            let Some(body) = &mut this.body else {
                return Poll::Ready(None);
            };
            let frame = match ready!(Pin::new(body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(status)) => return this.end(Err(status)),
                None => {
                    let outcome = this.without_trailers();
                    return this.end(outcome);
                }
            };
            match frame.into_data() {
                Ok(data) => this.pieces.push(data),
                Err(trailers) => {
                    let status = trailers.trailers_ref().and_then(Status::from_header_map);
                    let outcome = match status {
                        Some(status) if status.code() != Code::Ok => Err(status),
                        Some(_) if this.awaited.is_none() && !this.pieces.has_remaining() => Ok(()),
                        _ => this.without_trailers(),
                    };
                    return this.end(outcome);
                }
            }
        }
    }
}
