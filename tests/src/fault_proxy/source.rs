//! The `Source` service, passed on message by message.

use std::sync::Arc;

use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use longshore_protocol::{
    limits,
    v1::{self, read_request, read_response, source_client::SourceClient, source_server},
};
use tonic::{Request, Response, Status, Streaming, transport::Channel};

use super::{plan::Moment, watch::Watch};

pub(super) struct SourceProxy {
    client: SourceClient<Channel>,
    watch: Arc<Watch>,
}

impl SourceProxy {
    pub(super) fn new(channel: Channel, watch: Arc<Watch>) -> Self {
        let client = SourceClient::new(channel)
            .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
            .max_encoding_message_size(limits::MAX_MESSAGE_BYTES);
        Self { client, watch }
    }
}

#[tonic::async_trait]
impl source_server::Source for SourceProxy {
    type ReadStream = BoxStream<'static, Result<v1::ReadResponse, Status>>;

    async fn list_tables(
        &self,
        request: Request<v1::ListTablesRequest>,
    ) -> Result<Response<v1::ListTablesResponse>, Status> {
        self.client.clone().list_tables(request.into_inner()).await
    }

    async fn open_run(&self, request: Request<v1::OpenRunRequest>) -> Result<Response<v1::OpenRunResponse>, Status> {
        self.client.clone().open_run(request.into_inner()).await
    }

    async fn read(&self, request: Request<Streaming<v1::ReadRequest>>) -> Result<Response<Self::ReadStream>, Status> {
        let requests = passed_on(request.into_inner(), Arc::clone(&self.watch));
        let response = self.client.clone().read(requests).await?;
        let watch = Arc::clone(&self.watch);
        let responses = response.into_inner().then(move |response| {
            let watch = Arc::clone(&watch);
            async move {
                let begins = matches!(
                    &response,
                    Ok(v1::ReadResponse {
                        response: Some(read_response::Response::Schema(_))
                    })
                );
                if begins {
                    watch.reached(Moment::BeforeFirstBatch).await;
                }
                response
            }
        });
        Ok(Response::new(responses.boxed()))
    }

    async fn count_rows(
        &self,
        request: Request<v1::CountRowsRequest>,
    ) -> Result<Response<v1::CountRowsResponse>, Status> {
        self.client.clone().count_rows(request.into_inner()).await
    }

    async fn close_run(&self, request: Request<v1::CloseRunRequest>) -> Result<Response<v1::CloseRunResponse>, Status> {
        self.client.clone().close_run(request.into_inner()).await
    }
}

/// What Longshore sends, up to its end. When it breaks off, the whole call is dropped, and with it this.
fn passed_on(
    requests: Streaming<v1::ReadRequest>,
    watch: Arc<Watch>,
) -> impl Stream<Item = v1::ReadRequest> + Send + 'static {
    stream::unfold((requests, watch), |(mut requests, watch)| async move {
        let request = requests.message().await.ok()??;
        if matches!(request.request, Some(read_request::Request::Committed(_))) {
            watch.reached(Moment::AfterCommit).await;
        }
        Some((request, (requests, watch)))
    })
}
