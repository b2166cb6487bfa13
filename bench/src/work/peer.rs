//! What others do with the same rows.

use std::path::Path;

use longshore_tests::{Context, Failure, Result};
use serde::Deserialize;

use super::{Sample, plain_command};
use crate::{
    meter::{Output, Server, measure},
    programs,
    stage::Stage,
    table::Table,
};

/// What a program of `bench/peers` prints.
#[derive(Debug, Deserialize)]
struct Done {
    /// Rows that arrived where they should.
    rows: u64,
    /// Of the work alone, without starting Python and importing packages.
    seconds: f64,
}

/// Runs one of the programs of `bench/peers` on a table.
pub(super) async fn run(program: &str, table: Table, stage: &Stage, servers: &[Server]) -> Result<Sample> {
    let folder = tempfile::tempdir().context("a temporary directory can not be made")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("peers/{program}.py"));
    let endpoint = stage.null_endpoint().ok();
    let mut command = plain_command(programs::peers_python()?);
    command
        // No compiled files beside the sources.
        .arg("-B")
        .arg(script)
        .args(["--connection", &stage.postgresql()?.connection_string()])
        .args(["--table", &table.name()])
        .current_dir(folder.path())
        .env("HOME", folder.path());
    if let Some(endpoint) = endpoint {
        command.args(["--endpoint", &endpoint.base_url()]);
    }
    let before = match endpoint {
        Some(endpoint) => Some(endpoint.received().await?),
        None => None,
    };
    let measured = measure(&mut command, Output::Kept, servers).await?;
    let last = measured.stdout.lines().last().unwrap_or_default();
    let done: Done = serde_json::from_str(last).context(format!("{program} does not say what it has done: {last}"))?;
    let expected = table.rows(&stage.sizes);
    if done.rows != expected {
        return Err(Failure::new(format!(
            "{program} moved {} rows in place of {expected}",
            done.rows
        )));
    }
    let sent = match (endpoint, before) {
        (Some(endpoint), Some(before)) => {
            Some(endpoint.received().await?.bytes - before.bytes).filter(|sent| *sent > 0)
        }
        _ => None,
    };
    Ok(Sample {
        seconds: done.seconds,
        rows: done.rows,
        bytes: sent,
        processes: measured.processes,
    })
}
