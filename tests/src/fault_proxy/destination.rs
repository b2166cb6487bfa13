//! The `Destination` service, passed on message by message.

use std::sync::Arc;

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use longshore_protocol::{
    limits,
    v1::{self, destination_client::DestinationClient, destination_server, write_request, write_response},
};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use super::{plan::Moment, watch::Watch};

pub(super) struct DestinationProxy {
    client: DestinationClient<Channel>,
    watch: Arc<Watch>,
}

impl DestinationProxy {
    pub(super) fn new(channel: Channel, watch: Arc<Watch>) -> Self {
        let client = DestinationClient::new(channel)
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        Self { client, watch }
    }
}

#[tonic::async_trait]
impl destination_server::Destination for DestinationProxy {
    type WriteStream = BoxStream<'static, Result<v1::WriteResponse, Status>>;
    type ReadBackStream = Streaming<v1::ReadBackResponse>;

    async fn prepare(&self, request: Request<v1::PrepareRequest>) -> Result<Response<v1::PrepareResponse>, Status> {
        let response = self.client.clone().prepare(request.into_inner()).await;
        self.watch.reached(Moment::DuringPrepare).await;
        response
    }

    async fn write(
        &self,
        request: Request<Streaming<v1::WriteRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let requests = given(request.into_inner(), Arc::clone(&self.watch));
        let response = self.client.clone().write(requests).await?;
        Ok(Response::new(answered(response.into_inner(), Arc::clone(&self.watch))))
    }

    async fn delete_stale(
        &self,
        request: Request<v1::DeleteStaleRequest>,
    ) -> Result<Response<v1::DeleteStaleResponse>, Status> {
        self.client.clone().delete_stale(request.into_inner()).await
    }

    async fn read_back(&self, request: Request<v1::ReadBackRequest>) -> Result<Response<Self::ReadBackStream>, Status> {
        self.client.clone().read_back(request.into_inner()).await
    }

    async fn preview(&self, request: Request<v1::PreviewRequest>) -> Result<Response<v1::PreviewResponse>, Status> {
        self.client.clone().preview(request.into_inner()).await
    }

    async fn estimate(&self, request: Request<v1::EstimateRequest>) -> Result<Response<v1::EstimateResponse>, Status> {
        self.client.clone().estimate(request.into_inner()).await
    }

    async fn watch_identities(
        &self,
        request: Request<v1::WatchIdentitiesRequest>,
    ) -> Result<Response<v1::WatchIdentitiesResponse>, Status> {
        self.client.clone().watch_identities(request.into_inner()).await
    }
}

/// Batches and barriers, up to their end. When Longshore breaks off, the whole call is dropped, and with it this.
fn given(
    requests: Streaming<v1::WriteRequest>,
    watch: Arc<Watch>,
) -> impl Stream<Item = v1::WriteRequest> + Send + 'static {
    let nothing_before = false;
    stream::unfold(
        (requests, watch, nothing_before),
        |(mut requests, watch, batch_before)| async move {
            if batch_before {
                watch.reached(Moment::MidBatch).await;
            }
            let request = requests.message().await.ok()??;
            let is_batch = matches!(request.request, Some(write_request::Request::Batch(_)));
            Some((request, (requests, watch, is_batch)))
        },
    )
}

/// Acks and rejects, up to their end.
fn answered(
    responses: Streaming<v1::WriteResponse>,
    watch: Arc<Watch>,
) -> BoxStream<'static, Result<v1::WriteResponse, Status>> {
    let nothing_before = false;
    stream::unfold(
        (responses, watch, nothing_before),
        |(mut responses, watch, ack_before)| async move {
            if ack_before {
                watch.reached(Moment::AfterAck).await;
            }
            let response = responses.next().await?;
            let is_ack = matches!(
                &response,
                Ok(v1::WriteResponse {
                    response: Some(write_response::Response::Ack(_))
                })
            );
            if is_ack {
                watch.reached(Moment::AfterSending).await;
            }
            Some((response, (responses, watch, is_ack)))
        },
    )
    .boxed()
}
