//! The end that takes.

use futures_util::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use longshore_protocol::{
    limits,
    v1::{self, destination_server, write_request, write_response},
};
use tonic::{Request, Response, Status, Streaming, service::Routes};

struct Taker;

pub(crate) fn routes() -> Routes {
    let server = destination_server::DestinationServer::new(Taker)
        .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
        .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
    Routes::new(server)
}

#[tonic::async_trait]
impl destination_server::Destination for Taker {
    type WriteStream = BoxStream<'static, Result<v1::WriteResponse, Status>>;
    type ReadBackStream = BoxStream<'static, Result<v1::ReadBackResponse, Status>>;

    async fn prepare(&self, _: Request<v1::PrepareRequest>) -> Result<Response<v1::PrepareResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn write(
        &self,
        request: Request<Streaming<v1::WriteRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let acks = stream::unfold(request.into_inner(), |mut requests| async move {
            let request = match requests.message().await {
                Ok(request) => request?,
                Err(status) => return Some((Err(status), requests)),
            };
            let Some(write_request::Request::Batch(batch)) = request.request else {
                return Some((Err(Status::invalid_argument("only batches are taken")), requests));
            };
            // As many bytes as were taken: the relay adds them up.
            let ack = v1::Ack {
                sequence: batch.sequence,
                delivered: batch.data.len() as u64,
                ..v1::Ack::default()
            };
            let response = Some(write_response::Response::Ack(ack));
            Some((Ok(v1::WriteResponse { response }), requests))
        });
        Ok(Response::new(acks.boxed()))
    }

    async fn delete_stale(
        &self,
        _: Request<v1::DeleteStaleRequest>,
    ) -> Result<Response<v1::DeleteStaleResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn read_back(&self, _: Request<v1::ReadBackRequest>) -> Result<Response<Self::ReadBackStream>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn preview(&self, _: Request<v1::PreviewRequest>) -> Result<Response<v1::PreviewResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn watch_identities(
        &self,
        _: Request<v1::WatchIdentitiesRequest>,
    ) -> Result<Response<v1::WatchIdentitiesResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }

    async fn estimate(&self, _: Request<v1::EstimateRequest>) -> Result<Response<v1::EstimateResponse>, Status> {
        Err(Status::unimplemented("there are no tables"))
    }
}
