//! The two streams that carry batches, `Source.Read` and `Destination.Write`, without copying batches.
//!
//! On the wire this is gRPC like any other, and either end may be of any make. tonic's own codec writes each message into a buffer, the batch with it, and
//! collects what arrives in another one; of a batch on its way through three processes that is four copies. Here a batch is sent as the piece of memory that it is,
//! behind a head of a few bytes ([`Outgoing`]), and is taken from the frame that it came in ([`Incoming`]); only what came in several frames is joined.

mod client;
mod incoming;
mod outgoing;
mod pieces;

use bytes::Bytes;

pub use client::{read, write};
pub use incoming::Incoming;
pub use outgoing::Outgoing;

use crate::v1;

/// Path of `Source.Read`, as gRPC addresses it.
pub const READ_PATH: &str = "/longshore.plugin.v1.Source/Read";

/// Path of `Destination.Write`.
pub const WRITE_PATH: &str = "/longshore.plugin.v1.Destination/Write";

/// Bytes in front of each gRPC message: whether it is compressed, and its length
/// (["Length-Prefixed-Message"](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests)).
const PREFIX_BYTES: usize = 5;

/// A message that may hold a batch.
pub trait MayHoldBatch: prost::Message {
    /// Number of the field `batch`.
    const BATCH_FIELD: u32;

    /// The batch, when it is one.
    fn batch(&self) -> Option<&v1::RecordBatch>;
}

impl MayHoldBatch for v1::ReadResponse {
    const BATCH_FIELD: u32 = 2;

    fn batch(&self) -> Option<&v1::RecordBatch> {
        match &self.response {
            Some(v1::read_response::Response::Batch(batch)) => Some(batch),
            _ => None,
        }
    }
}

impl MayHoldBatch for v1::WriteRequest {
    const BATCH_FIELD: u32 = 2;

    fn batch(&self) -> Option<&v1::RecordBatch> {
        match &self.request {
            Some(v1::write_request::Request::Batch(batch)) => Some(batch),
            _ => None,
        }
    }
}

/// A batch's bytes that are not worth a frame of their own are copied behind their head.
const WORTH_A_FRAME: usize = 4 * 1024;

/// The bytes of a batch that are sent as they are.
fn sent_as_they_are<M: MayHoldBatch>(message: &M) -> Option<(&v1::RecordBatch, Bytes)> {
    let batch = message.batch()?;
    (batch.data.len() >= WORTH_A_FRAME).then(|| (batch, batch.data.clone()))
}

#[cfg(test)]
mod tests;
