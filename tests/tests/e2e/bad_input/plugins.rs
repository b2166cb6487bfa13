//! Plugins that do not do what the contract says.

use longshore_protocol::v1::{
    ConfigureRequest, ConfigureResponse, DescribeRequest, DescribeResponse, SourceCapabilities, TestConnectionRequest,
    TestConnectionResponse,
    plugin_server::{Plugin, PluginServer},
};
use longshore_tests::{Context, Longshore, PATIENCE, Result, binaries};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};

use super::{assert_no_cursor, assert_refused, exit};
use crate::{generated::Generated, report::Report};

#[tokio::test]
async fn a_plugin_that_exits_at_start_is_reported_with_its_exit_status() -> Result<()> {
    let generated = Generated::with(100, &["exit_at_start: true"], &[])?;
    let finished = generated.sync().await?;
    assert_refused(&finished, exit::SOURCE, &["generate", "exited with status 3"]);
    assert_no_cursor(&generated.longshore).await;
    generated.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_program_that_is_no_plugin_is_reported_with_its_last_words() -> Result<()> {
    let longshore = Longshore::new()?;
    let program = longshore.folder().join("not-a-plugin");
    longshore.write(
        "not-a-plugin",
        "#!/bin/sh\necho 'the wrong program was started' >&2\nexit 9\n",
    )?;
    make_executable(&program)?;
    configure_local(&longshore, "./not-a-plugin")?;
    let finished = longshore.run(["sync"]).await?;
    assert_ne!(finished.code(), Some(0), "{finished}");
    for word in ["numbers", "9", "the wrong program was started"] {
        assert!(finished.stderr.contains(word), "{word}\n{finished}");
    }
    longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_plugin_that_never_answers_is_given_up() -> Result<()> {
    let longshore = Longshore::new()?;
    let program = longshore.folder().join("sleeper");
    longshore.write("sleeper", "#!/bin/sh\nexec sleep 600\n")?;
    make_executable(&program)?;
    configure_local(&longshore, "./sleeper")?;
    let finished = longshore.run(["sync"]).await?;
    assert_ne!(finished.code(), Some(0), "{finished}");
    assert!(finished.took < PATIENCE, "{finished}");
    assert!(finished.stderr.contains("numbers"), "{finished}");
    longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_plugin_that_is_killed_before_it_is_ready_is_started_again() -> Result<()> {
    let longshore = Longshore::new()?;
    let program = longshore.folder().join("short-lived");
    // The first of its processes is killed like one that the kernel picks when memory runs out; the next ones are the plugin.
    let script = format!(
        "#!/bin/sh\nif mkdir killed 2>/dev/null; then kill -9 $$; fi\nexec '{}' \"$@\"\n",
        binaries::program("longshore-source-generate")?.display()
    );
    longshore.write("short-lived", &script)?;
    make_executable(&program)?;
    let text = "kind: source\nspec:\n  name: numbers\n  registry: local\n  path: ./short-lived\n  tables: [numbers]\n  \
         destinations: [nowhere]\n  spec: { tables: [{ name: numbers, rows: 100 }] }\n\
         ---\nkind: destination\nspec:\n  name: nowhere\n  path: discard\n";
    longshore.write("longshore.yml", text)?;
    let report = Report::of(&longshore.run(["sync", "--json"]).await?.succeeded()?)?;
    assert!(longshore.folder().join("killed").exists(), "it was killed");
    let table = report.only_table();
    assert!(table.complete && table.delivered == 100, "{report:?}");
    let told = |warning: &String| warning.contains("SIGKILL") && warning.contains("before it was ready");
    assert!(report.warnings.iter().any(told), "{report:?}");
    longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_source_that_crashes_in_mid_stream_is_started_again() -> Result<()> {
    let faults = ["checkpoint_rows: 100", "crash_after_rows: 5000", "once_file: crashed"];
    goes_on_after_a_crash(&Generated::with(20_000, &faults, &[])?, &["generate", "signal 6"]).await
}

#[tokio::test]
async fn a_destination_that_crashes_in_mid_stream_is_started_again() -> Result<()> {
    let faults = ["exit_after_rows: 5000", "once_file: crashed"];
    let generated = Generated::with(20_000, &["checkpoint_rows: 100"], &faults)?;
    goes_on_after_a_crash(&generated, &["discard", "exited with status 3"]).await
}

/// One sync finishes the run that broke off, in a second attempt that reads on from the last checkpoint, and says what had happened.
async fn goes_on_after_a_crash(generated: &Generated, words: &[&str]) -> Result<()> {
    let report = generated.sync_well().await?;
    assert!(generated.longshore.folder().join("crashed").exists(), "the fault fired");
    let table = report.only_table();
    assert_eq!((report.attempt, table.complete), (2, true), "{report:?}");
    assert_eq!(
        (table.delivered, table.cursor.as_deref()),
        (20_000, Some("20000")),
        "{report:?}"
    );
    for word in words {
        assert!(
            report.warnings.iter().any(|warning| warning.contains(word)),
            "{word}: {report:?}"
        );
    }
    assert_eq!(generated.sync_well().await?.only_table().read, 0);
    generated.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_source_that_always_crashes_fails_the_run_with_its_signal() -> Result<()> {
    let generated = Generated::with(20_000, &["checkpoint_rows: 20000", "crash_after_rows: 1000"], &[])?;
    let finished = generated.sync().await?;
    assert_refused(&finished, exit::SOURCE, &["generate", "signal"]);
    assert_no_cursor(&generated.longshore).await;
    generated.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_source_that_fails_says_so_with_its_own_code() -> Result<()> {
    let generated = Generated::with(
        20_000,
        &["fail_after_rows: { rows: 1000, code: out_of_paper, retryable: false }"],
        &[],
    )?;
    let finished = generated.sync().await?;
    assert_eq!(finished.code(), Some(exit::SOURCE), "{finished}");
    let report = Report::of(&finished)?;
    assert_eq!(
        (report.error_code(), report.status.as_str()),
        ("out_of_paper", "failed")
    );
    assert_no_cursor(&generated.longshore).await;
    Ok(())
}

#[tokio::test]
async fn a_destination_that_fails_says_so_with_its_own_code() -> Result<()> {
    let generated = Generated::with(
        20_000,
        &[],
        &["fail_after_rows: { rows: 1000, code: out_of_space, retryable: false }"],
    )?;
    let finished = generated.sync().await?;
    assert_eq!(finished.code(), Some(exit::DESTINATION), "{finished}");
    assert_eq!(Report::of(&finished)?.error_code(), "out_of_space");
    assert_no_cursor(&generated.longshore).await;
    generated.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn a_plugin_of_another_protocol_version_is_refused() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("a port can be had")?;
    let address = listener.local_addr().context("the port is known")?;
    let serving = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(PluginServer::new(FromTheFuture))
            .serve_with_incoming(TcpIncoming::from(listener)),
    );
    let longshore = Longshore::new()?;
    configure(&longshore, "grpc", &address.to_string())?;
    let finished = longshore.run(["sync"]).await?;
    serving.abort();
    assert_ne!(finished.code(), Some(0), "{finished}");
    for word in ["protocol", "99", "numbers"] {
        assert!(finished.stderr.contains(word), "{word}\n{finished}");
    }
    Ok(())
}

/// A plugin that speaks a version of the protocol that nobody knows yet.
struct FromTheFuture;

#[tonic::async_trait]
impl Plugin for FromTheFuture {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(DescribeResponse {
            name: "future".to_owned(),
            version: "99.0.0".to_owned(),
            protocol_versions: vec![99],
            source: Some(SourceCapabilities {
                spec_schema: "{}".to_owned(),
                ..SourceCapabilities::default()
            }),
            destination: None,
        }))
    }

    async fn configure(&self, _: Request<ConfigureRequest>) -> Result<Response<ConfigureResponse>, Status> {
        panic!("a plugin of another protocol version must not be given a specification");
    }

    async fn test_connection(
        &self,
        _: Request<TestConnectionRequest>,
    ) -> Result<Response<TestConnectionResponse>, Status> {
        panic!("a plugin of another protocol version must not be used");
    }
}

fn configure_local(longshore: &Longshore, path: &str) -> Result<()> {
    configure(longshore, "local", path)
}

fn configure(longshore: &Longshore, registry: &str, path: &str) -> Result<()> {
    let text = format!(
        "kind: source\nspec:\n  name: numbers\n  registry: {registry}\n  path: '{path}'\n  tables: ['*']\n  destinations: [nowhere]\n\
         ---\nkind: destination\nspec:\n  name: nowhere\n  path: discard\n"
    );
    longshore.write("longshore.yml", &text)
}

fn make_executable(program: &std::path::Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).context("a script can be made executable")
}
