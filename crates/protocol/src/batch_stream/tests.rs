use std::{convert::Infallible, pin::pin};

use futures_util::{StreamExt as _, stream};
use http::HeaderMap;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use prost::Message as _;
use tonic::{Code, Status, body::Body};

use super::*;
use crate::limits;

fn batch(sequence: u64, data: impl Into<Bytes>) -> v1::ReadResponse {
    let data = data.into();
    v1::ReadResponse {
        response: Some(v1::read_response::Response::Batch(v1::RecordBatch {
            sequence,
            rows: 300,
            data,
        })),
    }
}

fn checkpoint(position: usize) -> v1::ReadResponse {
    v1::ReadResponse {
        response: Some(v1::read_response::Response::Checkpoint(v1::Checkpoint {
            sequence: 7,
            position: vec![1; position].into(),
            ..v1::Checkpoint::default()
        })),
    }
}

/// Batches with a frame of their own and without, an empty one, an empty message, and messages without a batch.
fn messages() -> Vec<v1::ReadResponse> {
    vec![
        checkpoint(3),
        batch(1, vec![1; 100_000]),
        batch(2, vec![2; WORTH_A_FRAME - 1]),
        batch(u64::MAX, vec![3; WORTH_A_FRAME]),
        batch(0, vec![4; 70_000]),
        batch(3, Bytes::new()),
        v1::ReadResponse::default(),
        checkpoint(100_000),
    ]
}

/// As gRPC has it, written by prost alone.
fn by_prost(messages: &[v1::ReadResponse]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.push(0);
        bytes.extend_from_slice(&u32::try_from(message.encoded_len()).unwrap().to_be_bytes());
        message.encode(&mut bytes).unwrap();
    }
    bytes
}

async fn frames_of(messages: Vec<Result<v1::ReadResponse, Status>>) -> Vec<Frame<Bytes>> {
    let body = Outgoing::answer(stream::iter(messages));
    let frames = stream::unfold(body, |mut body| async move {
        let frame = body.frame().await?;
        Some((frame.unwrap(), body))
    });
    frames.collect().await
}

fn data_of(frames: &[Frame<Bytes>]) -> Vec<Bytes> {
    frames.iter().filter_map(|frame| frame.data_ref().cloned()).collect()
}

fn status_of(frames: &[Frame<Bytes>]) -> Status {
    let trailers = frames.last().and_then(Frame::trailers_ref);
    Status::from_header_map(trailers.expect("an answer ends with trailers")).expect("trailers hold a status")
}

fn incoming(frames: Vec<Frame<Bytes>>) -> Incoming<v1::ReadResponse> {
    Incoming::answer(body(frames))
}

fn body(frames: Vec<Frame<Bytes>>) -> Body {
    Body::new(StreamBody::new(stream::iter(
        frames.into_iter().map(Ok::<_, Infallible>),
    )))
}

fn trailers(status: &Status) -> Frame<Bytes> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    Frame::trailers(trailers)
}

async fn all(mut incoming: Incoming<v1::ReadResponse>) -> (Vec<v1::ReadResponse>, Result<(), Status>) {
    let mut messages = Vec::new();
    loop {
        match incoming.message().await {
            Ok(Some(message)) => messages.push(message),
            Ok(None) => return (messages, Ok(())),
            Err(status) => {
                assert!(incoming.message().await.unwrap().is_none(), "an error is the end");
                return (messages, Err(status));
            }
        }
    }
}

#[tokio::test]
async fn what_is_sent_is_what_grpc_prescribes() {
    let frames = frames_of(messages().into_iter().map(Ok).collect()).await;
    assert_eq!(data_of(&frames).concat(), by_prost(&messages()));
    assert_eq!(status_of(&frames).code(), Code::Ok);
}

#[tokio::test]
async fn what_was_sent_arrives() {
    let frames = frames_of(messages().into_iter().map(Ok).collect()).await;
    let (arrived, ended) = all(incoming(frames)).await;
    assert_eq!(arrived, messages());
    assert!(ended.is_ok());
}

#[tokio::test]
async fn it_arrives_in_whatever_pieces() {
    let bytes = Bytes::from(by_prost(&messages()));
    for size in [1, 2, 3, 5, 7, 1_000, 16 * 1024, 100_001, bytes.len()] {
        let mut frames: Vec<_> = bytes
            .chunks(size)
            .map(|chunk| Frame::data(bytes.slice_ref(chunk)))
            .collect();
        frames.push(Frame::data(Bytes::new()));
        frames.push(trailers(&Status::ok("")));
        let (arrived, ended) = all(incoming(frames)).await;
        assert_eq!(arrived, messages(), "in pieces of {size}");
        assert!(ended.is_ok());
    }
}

#[tokio::test]
async fn a_batch_is_not_copied_on_its_way() {
    let data = Bytes::from(vec![9; 500_000]);
    let frames = frames_of(vec![Ok(batch(1, data.clone()))]).await;
    assert_eq!(data_of(&frames)[1].as_ptr(), data.as_ptr());
    let (arrived, _) = all(incoming(frames)).await;
    assert_eq!(arrived[0].batch().unwrap().data.as_ptr(), data.as_ptr());
}

#[tokio::test]
async fn small_messages_share_a_frame_and_none_waits_for_the_next() {
    let few = frames_of(vec![Ok(checkpoint(1)), Ok(batch(1, vec![1; 100])), Ok(checkpoint(2))]).await;
    assert_eq!(data_of(&few).len(), 1);

    let waiting = stream::iter([Ok(checkpoint(1))]).chain(stream::pending());
    let mut body = pin!(Outgoing::request(waiting));
    assert!(body.frame().await.unwrap().unwrap().is_data());
}

#[tokio::test]
async fn an_answer_ends_with_its_error_behind_what_came_before() {
    let failed = Status::with_details(Code::Aborted, "gone", Bytes::from_static(b"why"));
    let frames = frames_of(vec![Ok(checkpoint(1)), Ok(batch(1, vec![1; 10_000])), Err(failed)]).await;
    let (arrived, ended) = all(incoming(frames)).await;
    assert_eq!(arrived.len(), 2);
    let status = ended.unwrap_err();
    assert_eq!(
        (status.code(), status.message(), status.details()),
        (Code::Aborted, "gone", &b"why"[..])
    );
}

#[tokio::test]
async fn a_message_that_nobody_would_take_is_not_sent() {
    let frames = frames_of(vec![
        Ok(batch(1, vec![0; limits::MAX_MESSAGE_BYTES])),
        Ok(checkpoint(1)),
    ])
    .await;
    assert!(data_of(&frames).is_empty());
    assert_eq!(status_of(&frames).code(), Code::OutOfRange);
}

#[tokio::test]
async fn what_is_wrong_with_a_stream_is_said() {
    let too_large = [&[0][..], &(limits::MAX_MESSAGE_BYTES as u32 + 1).to_be_bytes()].concat();
    let whole = by_prost(&[checkpoint(100)]);
    let cases = [
        (too_large, Code::OutOfRange),
        (vec![1, 0, 0, 0, 0], Code::Unimplemented),
        (vec![0, 0, 0, 0, 2, 0xFF, 0xFF], Code::Internal),
        (whole[..50].to_vec(), Code::Internal),
        (whole[..3].to_vec(), Code::Internal),
    ];
    for (bytes, code) in cases {
        let frames = vec![Frame::data(bytes.into()), trailers(&Status::ok(""))];
        let (_, ended) = all(incoming(frames)).await;
        assert_eq!(ended.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn an_answer_without_a_status_may_be_cut() {
    let frames = || vec![Frame::data(by_prost(&messages()).into())];
    let (arrived, ended) = all(incoming(frames())).await;
    assert_eq!(arrived.len(), messages().len());
    assert_eq!(ended.unwrap_err().code(), Code::Unknown);
    // A request has none, and of some answers it came with the headers.
    assert!(all(Incoming::request(body(frames()))).await.1.is_ok());
    assert!(all(Incoming::ended_answer(body(frames()))).await.1.is_ok());
}
