//! The end that sends.

use bytes::Bytes;
use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use longshore_protocol::{
    limits,
    v1::{self, read_response, source_server},
};
use tonic::{Request, Response, Status, Streaming, service::Routes};

use super::Load;

struct Sender {
    load: Load,
}

pub(crate) fn routes(load: Load) -> Routes {
    let server = source_server::SourceServer::new(Sender { load })
        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
    Routes::new(server)
}

#[tonic::async_trait]
impl source_server::Source for Sender {
    type ReadStream = BoxStream<'static, Result<v1::ReadResponse, Status>>;

    async fn list_tables(&self, _: Request<v1::ListTablesRequest>) -> Result<Response<v1::ListTablesResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn open_run(&self, _: Request<v1::OpenRunRequest>) -> Result<Response<v1::OpenRunResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn count_rows(&self, _: Request<v1::CountRowsRequest>) -> Result<Response<v1::CountRowsResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn read(&self, _: Request<Streaming<v1::ReadRequest>>) -> Result<Response<Self::ReadStream>, Status> {
        let Load { bytes, message_bytes } = self.load;
        let length = usize::try_from(message_bytes).map_err(|_| Status::invalid_argument("messages are too large"))?;
        // Written once and shared: making data is nothing that this end is to be measured by.
        let data = Bytes::from(vec![0x5a; length]);
        let messages = bytes.div_ceil(message_bytes);
        let batch = move |sequence| {
            let sent = (sequence - 1) * message_bytes;
            let rest = usize::try_from(bytes - sent).unwrap_or(length).min(length);
            v1::RecordBatch {
                sequence,
                rows: 1,
                data: data.slice(..rest),
            }
        };
        let responses = stream::iter(1..=messages).map(move |sequence| {
            let response = Some(read_response::Response::Batch(batch(sequence)));
            Ok(v1::ReadResponse { response })
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn close_run(&self, _: Request<v1::CloseRunRequest>) -> Result<Response<v1::CloseRunResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }
}
