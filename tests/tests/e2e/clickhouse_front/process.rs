//! The front as a process: its end, its data, its log.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use longshore_tests::{ClickHouseServer, Context as _, FrontOptions, PATIENCE, Result, eventually, processes, python};

/// The private folder that a front works in.
fn folder_of(pid: i32) -> Option<std::path::PathBuf> {
    // Its log is what its standard error leads to.
    let log = fs::read_link(format!("/proc/{pid}/fd/2")).ok()?;
    log.parent().map(Path::to_owned)
}

#[tokio::test]
async fn its_data_goes_with_it_even_when_it_is_killed() -> Result<()> {
    let server = ClickHouseServer::start_front(FrontOptions::default()).await?;
    let pid = i32::try_from(server.front_pid().context("it is a front")?).context("a pid is small")?;
    server
        .execute("CREATE TABLE t (a Int8) ENGINE = MergeTree ORDER BY a")
        .await?;
    server.execute("INSERT INTO t VALUES (1)").await?;
    let folder = folder_of(pid).context("the front has a folder")?;
    assert!(folder.join("data").is_dir(), "{}", folder.display());

    // Without a word of farewell.
    drop(server);
    eventually("the folder is removed", PATIENCE, async || {
        (!folder.exists()).then_some(())
    })
    .await?;
    assert!(!processes::all().iter().any(|process| process.pid == pid));
    Ok(())
}

#[tokio::test]
async fn its_log_holds_no_values() -> Result<()> {
    let server = ClickHouseServer::start_front(FrontOptions::default()).await?;
    let pid = i32::try_from(server.front_pid().context("it is a front")?).context("a pid is small")?;
    let log = folder_of(pid).context("the front has a folder")?.join("log");
    server.query("SELECT 'a-value-of-a-row'").await?;
    assert!(server.query("SELECT toInt8('a-value-that-fails')").await.is_err());
    let written = eventually("two queries are logged", PATIENCE, async || {
        let text = fs::read_to_string(&log).ok()?;
        (text.matches(" query ").count() == 2).then_some(text)
    })
    .await?;
    assert!(
        written.contains("kind=SELECT format=TabSeparated status=200"),
        "{written}"
    );
    assert!(written.contains("outcome=error-6"), "{written}");
    assert!(
        !written.contains("a-value") && !written.contains(server.password()),
        "{written}"
    );
    Ok(())
}

#[tokio::test]
async fn it_ends_with_its_standard_input() -> Result<()> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/clickhouse_front");
    let mut front = Command::new(python::interpreter()?)
        .arg("-B")
        .arg(program)
        .arg("--exit-with-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("the front can not be started")?;
    let mut line = String::new();
    let output = front.stdout.take().context("its output was asked for")?;
    BufReader::new(output).read_line(&mut line).context("no line comes")?;
    let ready: serde_json::Value = serde_json::from_str(&line).context("the line is no JSON")?;
    let folder = Path::new(ready["log"].as_str().context("a log is named")?)
        .parent()
        .context("a file is in a folder")?
        .to_owned();
    assert!(folder.is_dir() && front.try_wait().is_ok_and(|status| status.is_none()));

    drop(front.stdin.take());
    eventually("the front ends", PATIENCE, async || front.try_wait().ok().flatten()).await?;
    eventually("the folder is removed", PATIENCE, async || {
        (!folder.exists()).then_some(())
    })
    .await
}
