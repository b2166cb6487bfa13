//! Opens the two streams from Longshore's side.

use std::{error::Error, future::poll_fn};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::{
    HeaderValue, Method, Request, StatusCode, Uri, Version,
    header::{CONTENT_TYPE, TE},
};
use http_body::Body as HttpBody;
use tonic::{
    Code, Status, Streaming,
    body::Body,
    client::GrpcService,
    codec::{Codec as _, EncodeBody},
};
use tonic_prost::ProstCodec;

use super::{Incoming, Outgoing, READ_PATH, WRITE_PATH};
use crate::{limits, v1};

type BoxError = Box<dyn Error + Send + Sync>;

/// What a server answers a call with.
enum Answer {
    /// How the call ends stands behind its messages.
    Open(Body),
    /// The call has ended well already: a server may say so in the headers when there are no messages.
    Ended(Body),
}

/// Calls `Source.Read`.
///
/// # Errors
/// What the source answers instead of a stream, and whatever keeps the call from reaching it.
pub async fn read<C, S>(channel: C, requests: S) -> Result<Incoming<v1::ReadResponse>, Status>
where
    C: GrpcService<Body, ResponseBody: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
    S: Stream<Item = v1::ReadRequest> + Send + Unpin + 'static,
{
    let encoder = ProstCodec::<v1::ReadRequest, v1::ReadResponse>::default().encoder();
    let body = EncodeBody::new_client(encoder, requests.map(Ok), None, Some(limits::MAX_MESSAGE_BYTES));
    Ok(match call(channel, READ_PATH, Body::new(body)).await? {
        Answer::Open(body) => Incoming::answer(body),
        Answer::Ended(body) => Incoming::ended_answer(body),
    })
}

/// Calls `Destination.Write`.
///
/// # Errors
/// As [`read`].
pub async fn write<C, S>(channel: C, requests: S) -> Result<Streaming<v1::WriteResponse>, Status>
where
    C: GrpcService<Body, ResponseBody: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
    S: Stream<Item = v1::WriteRequest> + Send + Unpin + 'static,
{
    let body = Body::new(Outgoing::request(requests.map(Ok)));
    let answer = call(channel, WRITE_PATH, body).await?;
    let decoder = ProstCodec::<v1::WriteRequest, v1::WriteResponse>::default().decoder();
    let most = Some(limits::MAX_MESSAGE_BYTES);
    Ok(match answer {
        Answer::Open(body) => Streaming::new_response(decoder, body, StatusCode::OK, None, most),
        Answer::Ended(body) => Streaming::new_empty(decoder, body),
    })
}

/// Sends the request as gRPC asks for it (["Requests"](https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests)).
async fn call<C>(mut channel: C, path: &'static str, body: Body) -> Result<Answer, Status>
where
    C: GrpcService<Body, ResponseBody: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static>,
{
    let failed = |error: C::Error| Status::from_error(error.into());
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(path);
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    poll_fn(|context| channel.poll_ready(context)).await.map_err(failed)?;
    let response = channel.call(request).await.map_err(failed)?;

    let status = Status::from_header_map(response.headers());
    let http_status = response.status();
    let body = Body::new(response.into_body());
    match status {
        Some(status) if status.code() == Code::Ok => Ok(Answer::Ended(body)),
        Some(status) => Err(status),
        None if http_status == StatusCode::OK => Ok(Answer::Open(body)),
        // Whoever answered is no gRPC server.
        None => Err(Status::new(
            code_of(http_status),
            format!("the answer is {http_status}, without a gRPC status"),
        )),
    }
}

/// As <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md> has it.
fn code_of(status: StatusCode) -> Code {
    match status {
        StatusCode::BAD_REQUEST => Code::Internal,
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::NOT_FOUND => Code::Unimplemented,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Code::Unavailable,
        _ => Code::Unknown,
    }
}
