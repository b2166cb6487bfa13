//! What the databases and the protocol give at most.

use std::process::{Command, Stdio};

use longshore_tests::{Context, Failure, PASSWORD, Result, USER};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;

use super::{plain_command, rows_of};
use crate::{
    meter::{Measured, Output, Server, measure},
    programs,
    scenario::Order,
    stage::{Stage, Transport},
    table::Table,
};

/// COPY in binary form by PostgreSQL's own client, to `/dev/null`.
pub(super) async fn copy(
    stage: &Stage,
    transport: Transport,
    table: Table,
    order: Order,
    servers: &[Server],
) -> Result<Measured> {
    let mut command = psql(stage, transport, &copy_statement(table, order))?;
    measure(&mut command, Output::Discarded, servers).await
}

/// How many bytes COPY gives.
pub(super) async fn count_copied(stage: &Stage, table: Table) -> Result<u64> {
    let command = psql(stage, Transport::Socket, &copy_statement(table, Order::Physical))?;
    let mut child = tokio::process::Command::from(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("psql can not be started")?;
    let mut stdout = child.stdout.take().context("the output was asked for")?;
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = stdout.read(&mut buffer).await.context("psql can not be read")?;
        if read == 0 {
            break;
        }
        bytes += read as u64;
    }
    let status = child.wait().await.context("psql can not be waited for")?;
    if status.success() {
        return Ok(bytes);
    }
    Err(Failure::new(format!("psql fails ({status})")))
}

fn psql(stage: &Stage, transport: Transport, statement: &str) -> Result<Command> {
    let server = stage.postgresql()?;
    let mut command = plain_command(programs::psql()?);
    command
        .args(["--no-psqlrc", "--quiet", "--host", &server.host(transport)])
        .args(["--port", &server.port().to_string(), "--username", USER])
        .args(["--dbname", server.database(), "--command", statement])
        .env("PGPASSWORD", PASSWORD);
    Ok(command)
}

fn copy_statement(table: Table, order: Order) -> String {
    format!("COPY ({}) TO STDOUT (FORMAT binary)", rows_of(table, order))
}

/// `FORMAT ArrowStream` over HTTP by curl, to `/dev/null`, with the number of bytes. The settings are those of the source: no compression within the stream.
pub(super) async fn fetch(stage: &Stage, table: Table, servers: &[Server]) -> Result<(Measured, u64)> {
    let clickhouse = stage.clickhouse()?;
    let server = clickhouse.server();
    let address = format!(
        "{}/?database={}&output_format_arrow_compression_method=none&output_format_arrow_string_as_string=0",
        server.base_url(),
        clickhouse.database().name()
    );
    let mut command = plain_command("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--fail",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
        ])
        .args(["--write-out", "%{size_download}"])
        .args(["--header", &format!("X-ClickHouse-User: {}", server.user())])
        .args(["--header", &format!("X-ClickHouse-Key: {}", server.password())])
        .args([
            "--data-binary",
            &format!("{} FORMAT ArrowStream", rows_of(table, Order::Physical)),
        ])
        .arg(address);
    let measured = measure(&mut command, Output::Kept, servers).await?;
    let bytes = measured
        .stdout
        .trim()
        .parse()
        .context("curl does not say how many bytes came")?;
    Ok((measured, bytes))
}

/// Bytes over two gRPC hops.
pub(super) async fn hops(bytes: u64) -> Result<Measured> {
    #[derive(Deserialize)]
    struct Carried {
        bytes: u64,
    }

    let mut command = plain_command(programs::beside_this("longshore-bench-hops")?);
    command.args(["relay", "--bytes", &bytes.to_string()]);
    let measured = measure(&mut command, Output::Kept, &[]).await?;
    let carried: Carried = serde_json::from_str(&measured.stdout).context("the relay does not say what it carried")?;
    if carried.bytes != bytes {
        return Err(Failure::new(format!("{} of {bytes} bytes were carried", carried.bytes)));
    }
    Ok(measured)
}
