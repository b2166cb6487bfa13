//! Puts the stream that carries a service's batches in front of its generated code, so that batches are not copied.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use http::{HeaderValue, header::CONTENT_TYPE};
use longshore_protocol::{
    batch_stream::{Incoming, Outgoing, READ_PATH, WRITE_PATH},
    limits,
    v1::{self, source_server},
};
use tonic::{
    Extensions, Request, Status, Streaming,
    body::Body,
    codec::{Codec as _, EncodeBody, SingleMessageCompressionOverride},
    metadata::MetadataMap,
    server::NamedService,
};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::{
    destination::{Destination, DestinationRole},
    source::{Source, SourceRole},
};

/// A role with a stream of batches.
pub(crate) trait StreamsBatches: Send + Sync + 'static {
    /// Where the stream is called.
    const PATH: &'static str;

    /// Answers such a call.
    fn stream(self: Arc<Self>, request: http::Request<Body>) -> BoxFuture<'static, Result<Body, Status>>;
}

impl<S: Source> StreamsBatches for SourceRole<S> {
    const PATH: &'static str = READ_PATH;

    fn stream(self: Arc<Self>, request: http::Request<Body>) -> BoxFuture<'static, Result<Body, Status>> {
        let decoder = ProstCodec::<v1::ReadResponse, v1::ReadRequest>::default().decoder();
        let most = Some(limits::MAX_MESSAGE_BYTES);
        let request = with_messages(request, |body| Streaming::new_request(decoder, body, None, most));
        async move {
            let responses = source_server::Source::read(&*self, request).await?.into_inner();
            Ok(Body::new(Outgoing::answer(responses)))
        }
        .boxed()
    }
}

impl<D: Destination> StreamsBatches for DestinationRole<D> {
    const PATH: &'static str = WRITE_PATH;

    fn stream(self: Arc<Self>, request: http::Request<Body>) -> BoxFuture<'static, Result<Body, Status>> {
        let request = with_messages(request, Incoming::request);
        async move {
            let responses = self.open_write(request).await?.into_inner();
            let encoder = ProstCodec::<v1::WriteResponse, v1::WriteRequest>::default().encoder();
            let compression = SingleMessageCompressionOverride::Disable;
            let most = Some(limits::MAX_MESSAGE_BYTES);
            Ok(Body::new(EncodeBody::new_server(
                encoder,
                responses,
                None,
                compression,
                most,
            )))
        }
        .boxed()
    }
}

/// The call as tonic hands calls over.
fn with_messages<M>(request: http::Request<Body>, messages: impl FnOnce(Body) -> M) -> Request<M> {
    let (parts, body) = request.into_parts();
    Request::from_parts(
        MetadataMap::from_headers(parts.headers),
        Extensions::default(),
        messages(body),
    )
}

/// A service, the stream of which is answered by its role.
pub(crate) struct BatchRoute<R, S> {
    role: Arc<R>,
    others: S,
}

impl<R, S> BatchRoute<R, S> {
    pub(crate) fn new(role: Arc<R>, others: S) -> Self {
        Self { role, others }
    }
}

impl<R, S: Clone> Clone for BatchRoute<R, S> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.role), self.others.clone())
    }
}

impl<R, S: NamedService> NamedService for BatchRoute<R, S> {
    const NAME: &'static str = S::NAME;
}

impl<R, S> Service<http::Request<Body>> for BatchRoute<R, S>
where
    R: StreamsBatches,
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.others.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != R::PATH {
            return self.others.call(request).boxed();
        }
        let stream = Arc::clone(&self.role).stream(request);
        async move {
            Ok(match stream.await {
                Ok(body) => {
                    let mut response = http::Response::new(body);
                    let content_type = HeaderValue::from_static("application/grpc");
                    response.headers_mut().insert(CONTENT_TYPE, content_type);
                    response
                }
                Err(status) => status.into_http(),
            })
        }
        .boxed()
    }
}
