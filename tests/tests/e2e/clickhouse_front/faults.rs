//! Faults on demand.

use std::time::Duration;

use longshore_tests::{ClickHouseServer, FrontOptions, Result};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::OnceCell;

use super::{
    ask, header,
    running::ends,
    streams::{UNCOMPRESSED, received},
};

/// A front of these tests: a real server does not misbehave on demand.
async fn front() -> Result<&'static ClickHouseServer> {
    static SHARED: OnceCell<ClickHouseServer> = OnceCell::const_new();
    SHARED
        .get_or_try_init(|| ClickHouseServer::start_front(FrontOptions::default()))
        .await
}

fn query(mark: &str) -> String {
    format!("SELECT number /* {mark} */ FROM numbers(100000) FORMAT ArrowStream")
}

/// The end of an Arrow stream.
const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

#[tokio::test]
async fn an_error_comes_after_so_many_bytes_in_any_form() -> Result<()> {
    let front = front().await?;
    for form in ["tagged", "marked", "plain"] {
        let mark = format!("exception, {form}");
        let rule = json!({"kind": "exception", "match": mark, "after_bytes": 100_000, "form": form});
        let fault = front.add_fault(rule).await?;
        let parameters = [("max_block_size", "1000"), UNCOMPRESSED];
        let response = ask(front, &parameters, &query(&mark)).await?;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            header(&response, "X-ClickHouse-Exception-Tag").is_empty(),
            form != "tagged"
        );
        let (bytes, complete) = received(response).await;
        assert_eq!(complete, form == "plain", "{form}");
        assert!((90_000..101_000).contains(&bytes.len()), "{form}: {}", bytes.len());
        let text = String::from_utf8_lossy(&bytes[bytes.len() - 400..]).into_owned();
        assert!(
            text.contains("Code: 241. DB::Exception: ") && text.contains("(MEMORY_LIMIT_EXCEEDED)"),
            "{text}"
        );
        fault.over().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_connection_is_cut_after_exactly_so_many_bytes() -> Result<()> {
    let front = front().await?;
    let rule = json!({"kind": "cut", "match": "cut", "after_bytes": 12_345, "times": 2});
    let fault = front.add_fault(rule).await?;
    for _ in 0..2 {
        let (bytes, complete) = received(ask(front, &[UNCOMPRESSED], &query("cut")).await?).await;
        assert_eq!((bytes.len(), complete), (12_345, false));
    }
    let (bytes, complete) = received(ask(front, &[UNCOMPRESSED], &query("cut")).await?).await;
    assert!(
        complete && bytes.len() > 800_000,
        "the third query is spared: {}",
        bytes.len()
    );
    fault.over().await
}

#[tokio::test]
async fn a_body_ends_properly_with_a_truncated_stream() -> Result<()> {
    let front = front().await?;
    let rule = json!({"kind": "truncate", "match": "truncate", "after_bytes": 12_345});
    let fault = front.add_fault(rule).await?;
    let (bytes, complete) = received(ask(front, &[UNCOMPRESSED], &query("truncate")).await?).await;
    assert_eq!((bytes.len(), complete), (12_345, true));
    fault.over().await
}

#[tokio::test]
async fn a_body_ends_properly_between_two_batches() -> Result<()> {
    let front = front().await?;
    let rule = json!({"kind": "end_early", "match": "end early", "after_bytes": 100_000});
    let fault = front.add_fault(rule).await?;
    let parameters = [("max_block_size", "1000"), UNCOMPRESSED];
    let (bytes, complete) = received(ask(front, &parameters, &query("end early")).await?).await;
    assert!(complete && bytes.len() <= 100_000 && !bytes.ends_with(&END));
    // What is there are whole batches: only the end is missing.
    let whole = [&bytes[..], &END].concat();
    let reader = arrow::ipc::reader::StreamReader::try_new(whole.as_slice(), None).unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert!(rows > 0 && rows < 100_000 && rows.is_multiple_of(1000), "{rows}");
    fault.over().await
}

#[tokio::test]
async fn an_answer_stalls_until_its_client_goes() -> Result<()> {
    let front = front().await?;
    let rule = json!({"kind": "stall", "match": "stall", "after_bytes": 12_345});
    let fault = front.add_fault(rule).await?;
    let parameters = [("query_id", "stalled"), UNCOMPRESSED];
    let mut response = ask(front, &parameters, &query("stall")).await?;
    let mut bytes = 0;
    while bytes < 12_345 {
        bytes += response.chunk().await.unwrap().unwrap().len();
    }
    let more = tokio::time::timeout(Duration::from_millis(300), response.chunk()).await;
    assert!(bytes == 12_345 && more.is_err(), "{bytes}");
    drop(response);
    ends(front, "stalled").await?;
    fault.over().await
}

#[tokio::test]
async fn a_query_is_refused_with_any_error() -> Result<()> {
    let front = front().await?;
    let rule = json!({
        "kind": "refuse", "database": "system", "match": "refuse", "code": 202, "name": "TOO_MANY_SIMULTANEOUS_QUERIES", "text": "Too many"
    });
    let fault = front.add_fault(rule).await?;
    let elsewhere = ask(front, &[], "SELECT 1 /* refuse */").await?;
    assert_eq!(elsewhere.status(), StatusCode::OK);
    let response = ask(front, &[("database", "system")], "SELECT 1 /* refuse */").await?;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(header(&response, "X-ClickHouse-Exception-Code"), "202");
    fault.over().await
}

#[tokio::test]
async fn a_fault_that_did_not_fire_is_a_failure() -> Result<()> {
    let front = front().await?;
    let never = front
        .add_fault(json!({"kind": "cut", "match": "nobody asks this"}))
        .await?;
    assert!(never.over().await.is_err());
    // The answer ends before the place of the fault.
    let late = json!({"kind": "cut", "match": "too short", "after_bytes": 1_000_000_000});
    let late = front.add_fault(late).await?;
    assert_eq!(
        ask(front, &[], "SELECT 'too short'").await?.text().await.unwrap(),
        "too short\n"
    );
    assert!(late.over().await.is_err());

    for wrong in [
        json!({"kind": "earthquake"}),
        json!({"kind": "cut", "magnitude": 9}),
        json!([]),
    ] {
        assert!(front.add_fault(wrong).await.is_err());
    }
    Ok(())
}
