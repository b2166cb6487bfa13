//! INSERT with data in the body.

use longshore_tests::{ClickHouseDatabase, ClickHouseServer, Context as _, PATIENCE, Result, eventually};
use reqwest::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{answered, ask, header};

async fn table() -> Result<(&'static ClickHouseServer, ClickHouseDatabase)> {
    let server = ClickHouseServer::shared().await?;
    let database = server.create_database().await?;
    database
        .execute("CREATE TABLE t (a Int32, s String) ENGINE = MergeTree ORDER BY a")
        .await?;
    Ok((server, database))
}

/// A few rows as a server writes them in a format.
async fn rows_in(server: &ClickHouseServer, format: &str) -> Result<Vec<u8>> {
    let statement = "SELECT toInt32(number - 1) AS a, 'v\t' || toString(number) AS s FROM numbers(3)";
    let response = ask(server, &[("default_format", format)], statement).await?;
    assert_eq!(response.status(), StatusCode::OK);
    Ok(response.bytes().await.context("an answer breaks off")?.to_vec())
}

#[tokio::test]
async fn data_is_taken_in_every_format_from_the_body() -> Result<()> {
    let (server, database) = table().await?;
    let formats = [
        "TabSeparated",
        "JSONEachRow",
        "RowBinary",
        "CSV",
        "Native",
        "Parquet",
        "ArrowStream",
        "Arrow",
        "Values",
    ];
    for format in formats {
        database.execute("TRUNCATE TABLE t").await?;
        let data = rows_in(server, format).await?;
        let statement = format!("INSERT INTO t (a, s) FORMAT {format}");
        let parameters = [("database", database.name()), ("query", statement.as_str())];
        let response = server.post(&parameters, data.clone()).send().await.unwrap();
        let summary: serde_json::Value = serde_json::from_str(header(&response, "X-ClickHouse-Summary")).unwrap();
        assert_eq!(answered(response).await, (StatusCode::OK, String::new()), "{format}");
        assert_eq!(summary["written_rows"], "3", "{format}");
        // The same once more, after the statement in the body.
        let body = [format!("{statement}\n").as_bytes(), &data].concat();
        let response = server.post(&parameters[..1], body).send().await.unwrap();
        assert_eq!(answered(response).await, (StatusCode::OK, String::new()), "{format}");
        let found = database
            .value("SELECT groupArray((a, s)) FROM (SELECT DISTINCT a, s FROM t ORDER BY a)")
            .await?;
        assert_eq!(found, "[(-1,'v\\t0'),(0,'v\\t1'),(1,'v\\t2')]", "{format}");
        assert_eq!(database.count("SELECT count() FROM t").await?, 6, "{format}");
    }
    Ok(())
}

/// Sends the data of an INSERT in chunks of HTTP; without an end, the connection is then closed. Gives what came back.
async fn insert_in_chunks(
    server: &ClickHouseServer,
    database: &ClickHouseDatabase,
    chunks: &[&str],
    ends: bool,
) -> Result<String> {
    let address = (server.host(), server.port());
    let mut connection = TcpStream::connect(address).await.context("no connection")?;
    let mut request = format!(
        "POST /?database={}&query=INSERT+INTO+t+FORMAT+TSV HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\
         X-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n\r\n",
        database.name(),
        server.user(),
        server.password()
    );
    for chunk in chunks {
        request += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    if ends {
        request += "0\r\n\r\n";
    }
    connection
        .write_all(request.as_bytes())
        .await
        .context("a request is not taken")?;
    connection.shutdown().await.context("a connection is not ended")?;
    let mut answer = String::new();
    connection
        .read_to_string(&mut answer)
        .await
        .context("an answer is not given")?;
    Ok(answer)
}

#[tokio::test]
async fn a_body_in_pieces_is_one_insertion() -> Result<()> {
    let (server, database) = table().await?;
    let chunks = ["1\ton", "e\n2", "\ttwo\n", "3\tthree\n"];
    let answer = insert_in_chunks(server, &database, &chunks, true).await?;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let found = database.value("SELECT arrayStringConcat(groupArray(s)) FROM (SELECT s FROM t ORDER BY a)");
    assert_eq!(found.await?, "onetwothree");
    Ok(())
}

#[tokio::test]
async fn a_body_that_breaks_off_inserts_nothing() -> Result<()> {
    let (server, database) = table().await?;
    let lines: String = (0..50_000).map(|n| format!("{n}\tx\n")).collect();
    // Whole lines, but no end: the client may have had more to say.
    let answer = insert_in_chunks(server, &database, &[&lines], false).await?;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    eventually("no INSERT runs", PATIENCE, async || {
        let running = format!(
            "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND current_database = '{}'",
            database.name()
        );
        (database.count(&running).await.ok()? == 0).then_some(())
    })
    .await?;
    assert_eq!(database.count("SELECT count() FROM t").await?, 0);
    Ok(())
}

#[tokio::test]
async fn data_that_does_not_fit_is_an_error() -> Result<()> {
    let (server, database) = table().await?;
    let parameters = [
        ("database", database.name()),
        ("query", "INSERT INTO t FORMAT JSONEachRow"),
    ];
    let response = server.post(&parameters, r#"{"a": "no number"}"#).send().await.unwrap();
    let (status, text) = answered(response).await;
    assert!(
        status.is_client_error() && text.starts_with("Code: "),
        "{status}: {text}"
    );
    assert_eq!(database.count("SELECT count() FROM t").await?, 0);
    Ok(())
}

#[tokio::test]
async fn values_are_part_of_the_statement() -> Result<()> {
    let (server, database) = table().await?;
    let parameters = [("database", database.name()), ("query", "INSERT INTO t VALUES")];
    let response = server
        .post(&parameters, "(1, 'FORMAT TSV'), (2, ';')")
        .send()
        .await
        .unwrap();
    assert_eq!(answered(response).await, (StatusCode::OK, String::new()));
    database.execute("INSERT INTO t SELECT a + 10, s FROM t").await?;
    assert_eq!(
        database
            .value("SELECT groupArray(a) FROM (SELECT a FROM t ORDER BY a)")
            .await?,
        "[1,2,11,12]"
    );
    Ok(())
}
