//! Several requests on one connection.

use longshore_tests::{ClickHouseServer, Context as _, Result};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

/// Sends a statement and gives the status and the body of the answer.
async fn ask(
    connection: &mut BufReader<TcpStream>,
    server: &ClickHouseServer,
    statement: &str,
) -> Result<(u16, String)> {
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nX-ClickHouse-User: {}\r\nX-ClickHouse-Key: {}\r\n\r\n{statement}",
        statement.len(),
        server.user(),
        server.password()
    );
    connection
        .write_all(request.as_bytes())
        .await
        .context("a request is not taken")?;
    let status = line(connection).await?;
    while !line(connection).await?.is_empty() {}
    let mut body = String::new();
    loop {
        let size = usize::from_str_radix(&line(connection).await?, 16).context("a chunk has no size")?;
        let mut chunk = vec![0; size];
        connection.read_exact(&mut chunk).await.context("a chunk breaks off")?;
        body += &String::from_utf8_lossy(&chunk);
        line(connection).await?;
        if size == 0 {
            break;
        }
    }
    let status = status.split(' ').nth(1).context("the answer has no status")?;
    Ok((status.parse().context("the status is no number")?, body))
}

async fn line(connection: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    connection
        .read_line(&mut line)
        .await
        .context("the connection breaks off")?;
    Ok(line.trim_end().to_owned())
}

#[tokio::test]
async fn a_connection_serves_query_after_query() -> Result<()> {
    let server = ClickHouseServer::shared().await?;
    let address = (server.host(), server.port());
    let stream = TcpStream::connect(address).await.context("no connection")?;
    let mut connection = BufReader::new(stream);
    for number in 0..3 {
        let statement = format!("SELECT {number}");
        assert_eq!(
            ask(&mut connection, server, &statement).await?,
            (200, format!("{number}\n"))
        );
        let (status, text) = ask(&mut connection, server, "SELECT * FROM no_such_table").await?;
        assert!(status == 404 && text.starts_with("Code: 60. "), "{status} {text}");
    }
    Ok(())
}
