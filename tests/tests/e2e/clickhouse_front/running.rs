//! Queries that run: several at once, killed, abandoned.

use std::time::Duration;

use longshore_tests::{ClickHouseServer, PATIENCE, Result, eventually};
use reqwest::StatusCode;

use super::{
    answered, ask, header,
    streams::{UNCOMPRESSED, received},
};

/// How many queries with this id the server runs.
async fn running(server: &ClickHouseServer, query_id: &str) -> u32 {
    let query = format!("SELECT count() FROM system.processes WHERE query_id = '{query_id}'");
    server.query(&query).await.unwrap().trim().parse().unwrap()
}

/// Waits until the server runs no query with this id.
pub(super) async fn ends(server: &ClickHouseServer, query_id: &str) -> Result<()> {
    eventually("the query ends", PATIENCE, async || {
        (running(server, query_id).await == 0).then_some(())
    })
    .await
}

#[tokio::test]
async fn killing_a_query_ends_its_stream_with_an_error() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [("query_id", "to-be-killed"), UNCOMPRESSED];
    let mut response = ask(
        server,
        &parameters,
        "SELECT number FROM system.numbers FORMAT ArrowStream",
    )
    .await?;
    assert_eq!(response.status(), StatusCode::OK);
    response.chunk().await.unwrap().unwrap();
    assert_eq!(running(server, "to-be-killed").await, 1);
    let again = ask(server, &parameters, "SELECT 1").await?;
    assert_eq!(header(&again, "X-ClickHouse-Exception-Code"), "216");

    server
        .execute("KILL QUERY WHERE query_id = 'to-be-killed' ASYNC")
        .await?;
    let (bytes, complete) = received(response).await;
    assert!(!complete);
    let text = String::from_utf8_lossy(&bytes[bytes.len() - 300..]).into_owned();
    assert!(text.contains("Code: 394. DB::Exception: "), "{text}");
    ends(server, "to-be-killed").await
}

#[tokio::test]
async fn a_query_is_killed_before_its_first_row_too() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [("query_id", "killed-early")];
    let query = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)";
    let kill = async || {
        eventually("the query runs", PATIENCE, async || {
            (running(server, "killed-early").await == 1).then_some(())
        })
        .await?;
        server.execute("KILL QUERY WHERE query_id = 'killed-early' SYNC").await
    };
    let (response, killed) = tokio::join!(ask(server, &parameters, query), kill());
    killed?;
    let (status, text) = answered(response?).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text.starts_with("Code: 394. "), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_query_ends_when_its_client_goes() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let parameters = [("query_id", "abandoned"), UNCOMPRESSED];
    let mut response = ask(
        server,
        &parameters,
        "SELECT number FROM system.numbers FORMAT ArrowStream",
    )
    .await?;
    response.chunk().await.unwrap().unwrap();
    drop(response);
    ends(server, "abandoned").await
}

#[tokio::test]
async fn ten_queries_run_at_the_same_time() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let mut open = Vec::new();
    // Ten streams that have begun and have no end, and an eleventh query that is answered meanwhile.
    for number in 0..10 {
        let query = format!("SELECT {number} + 0 * number AS n FROM system.numbers FORMAT TSV");
        let mut response = ask(server, &[("query_id", &format!("one-of-ten-{number}"))], &query).await?;
        let first = response.chunk().await.unwrap().unwrap();
        assert!(first.starts_with(format!("{number}\n").as_bytes()));
        open.push(response);
    }
    let counted = "SELECT count() FROM system.processes WHERE startsWith(query_id, 'one-of-ten-')";
    let answer = tokio::time::timeout(Duration::from_secs(30), server.query(counted)).await;
    assert_eq!(answer.unwrap()?, "10\n");
    drop(open);

    let sums = (0..10).map(async |number| {
        let query = format!("SELECT sum(number + {number}) FROM numbers(1000000)");
        (number, server.query(&query).await.unwrap())
    });
    for (number, sum) in futures_util::future::join_all(sums).await {
        assert_eq!(sum, format!("{}\n", 499_999_500_000_u64 + number * 1_000_000));
    }
    Ok(())
}

#[tokio::test]
async fn a_session_keeps_its_temporary_tables() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let session = [("session_id", "with-a-temporary-table")];
    for statement in ["CREATE TEMPORARY TABLE kept (a Int8)", "INSERT INTO kept VALUES (7)"] {
        assert_eq!(
            answered(ask(server, &session, statement).await?).await,
            (StatusCode::OK, String::new())
        );
    }
    let kept = ask(server, &session, "SELECT a FROM kept").await?;
    assert_eq!(answered(kept).await, (StatusCode::OK, "7\n".into()));
    let other = ask(server, &[], "SELECT a FROM kept").await?;
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    Ok(())
}
