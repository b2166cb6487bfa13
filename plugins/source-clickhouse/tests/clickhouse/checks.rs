//! The connection test, and what goes wrong before a row is read.

use longshore_sdk::{harness::SourceHarness, prelude::*, protocol::v1::check::Outcome};
use longshore_source_clickhouse::ClickHouse;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use crate::support::database;

async fn checked(spec: Value, tables: &[&str]) -> Vec<(String, Outcome, String, String)> {
    let source = SourceHarness::configure::<ClickHouse>(spec).await.unwrap();
    let checks = source.test_connection(tables).await.unwrap();
    checks
        .into_iter()
        .map(|check| (check.name.clone(), check.outcome(), check.message, check.remedy))
        .collect()
}

async fn refusal(spec: Value) -> Error {
    let source = SourceHarness::configure::<ClickHouse>(spec).await.unwrap();
    source.list_tables(&[]).await.unwrap_err()
}

#[tokio::test]
async fn a_connection_test_says_what_was_tried_and_what_can_not_be_guaranteed() {
    let database = database(
        "CREATE TABLE profiles (id UInt64, at DateTime) ENGINE = ReplacingMergeTree ORDER BY id;\n\
         CREATE TABLE events (id UInt64, at Nullable(DateTime)) ENGINE = MergeTree ORDER BY id;\n\
         INSERT INTO events VALUES (1, NULL);\n\
         CREATE TABLE sums (at DateTime, n UInt64) ENGINE = SummingMergeTree ORDER BY at",
    )
    .await;
    let options = json!({"cursor": "at", "table_options": {"events": {"null_cursor": "skip"}}});
    let checks = checked(database.spec(options), &["profiles", "events", "sums", "gone"]).await;
    let find = |name: &str| checks.iter().filter(|check| check.0 == name).collect::<Vec<_>>();
    for name in [
        "find the host",
        "connect",
        "encrypt",
        "log in",
        "server version",
        "read table profiles",
        "cursor of table profiles",
    ] {
        assert_eq!(find(name)[0].1, Outcome::Passed, "{name}: {checks:?}");
    }
    assert!(find("server version")[0].2.contains("ClickHouse 2"), "{checks:?}");
    assert!(
        find("read table profiles")[0]
            .2
            .contains("ReplacingMergeTree, read merged"),
        "{checks:?}"
    );
    assert!(
        find("what is guaranteed for table profiles")[0]
            .2
            .contains("no transactions")
    );
    let events = find("cursor of table events");
    assert!(
        events
            .iter()
            .any(|check| check.1 == Outcome::Warning && check.2.starts_with("1 row without a value")),
        "{events:?}"
    );
    assert!(find("what is guaranteed for table events")[0].3.contains("primary_key"));
    assert!(find("what is guaranteed for table sums")[0].2.contains("adds rows up"));
    assert_eq!(find("read table gone")[0].1, Outcome::Failed);
}

#[tokio::test]
async fn rows_without_a_cursor_fail_the_test_with_their_number() {
    let database = database("CREATE TABLE t (id UInt64, at Nullable(DateTime)) ENGINE = MergeTree ORDER BY id;\nINSERT INTO t VALUES (1, NULL), (2, NULL)").await;
    let checks = checked(database.spec(json!({"cursor": "at"})), &["t"]).await;
    let cursor = checks.iter().find(|check| check.0 == "cursor of table t").unwrap();
    assert!(
        cursor.1 == Outcome::Failed
            && cursor.2.contains("has 2 rows without a value")
            && cursor.3.contains("null_cursor"),
        "{cursor:?}"
    );
}

#[tokio::test]
async fn wrong_credentials_databases_and_addresses_have_their_own_errors() {
    let database = database("").await;
    let changed = |field: &str, value: Value| {
        let mut spec = database.spec(json!({"connect_timeout": "2s"}));
        spec[field] = value;
        spec
    };
    let error = refusal(changed("password", json!("wrong"))).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("authentication_failed", false),
        "{error:?}"
    );
    assert!(!format!("{error:?}").contains("wrong "));
    assert_eq!(
        refusal(changed("database", json!("no_such_database"))).await.code,
        "database_missing"
    );
    assert_eq!(
        refusal(changed("host", json!("no-such-host.invalid"))).await.code,
        "host_unknown"
    );
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let error = refusal(changed("port", json!(port))).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("connection_refused", true),
        "{error:?}"
    );
    let checks = checked(changed("password", json!("wrong")), &["t"]).await;
    let outcomes: Vec<Outcome> = checks.iter().map(|check| check.1).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Passed,
            Outcome::Passed,
            Outcome::Passed,
            Outcome::Failed,
            Outcome::Skipped
        ],
        "{checks:?}"
    );
}

#[tokio::test]
async fn what_is_no_clickhouse_is_said_and_what_is_silent_does_not_wait_for_ever() {
    let database = database("").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answering = tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = socket.read(&mut request).await;
            let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let mut spec = database.spec(json!({}));
    spec["port"] = json!(port);
    let error = refusal(spec).await;
    assert_eq!(error.code, "answer_unreadable", "{error:?}");
    assert!(error.remedy.contains("`port`"));
    answering.abort();

    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut spec = database.spec(json!({"connect_timeout": "300ms"}));
    spec["port"] = json!(silent.local_addr().unwrap().port());
    let error = refusal(spec).await;
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("connection_timed_out", true),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_is_trusted_only_with_its_authority_and_its_name() {
    let database = database("CREATE TABLE t (id UInt8) ENGINE = Memory").await;
    let directory = tempfile::tempdir().unwrap();
    let (proxy, authority) = crate::support::proxy::with_tls(&database, directory.path()).await;
    let spec = |host: &str, more: Value| {
        let mut spec = database.spec(more);
        spec["host"] = json!(host);
        spec["port"] = json!(proxy.port);
        spec["ssl"] = json!(true);
        spec
    };
    let trusted = json!({"ssl_root_certificate": authority});
    let checks = checked(spec("localhost", trusted.clone()), &["t"]).await;
    assert!(checks.iter().all(|check| check.1 == Outcome::Passed), "{checks:?}");
    for (host, more) in [("127.0.0.1", trusted), ("localhost", json!({}))] {
        let error = refusal(spec(host, more)).await;
        assert_eq!(error.code, "tls_failed", "{host}: {error:?}");
    }
    let source =
        SourceHarness::configure::<ClickHouse>(spec("localhost", json!({"ssl_root_certificate": "/no/such/file"})))
            .await;
    let error = source.err().expect("a file that is not there");
    assert_eq!(
        (error.code.as_str(), error.field.as_str()),
        ("certificate_unreadable", "/ssl_root_certificate")
    );
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_named_as_such() {
    let database = database("").await;
    let error = refusal(database.spec(json!({"ssl": true}))).await;
    assert_eq!(error.code, "tls_failed", "{error:?}");
}
