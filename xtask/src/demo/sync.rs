//! One run of `longshore sync`, shown and checked.

use std::time::Instant;

use longshore_tests::{Context, Failure, Result, shop::Target};
use serde_json::Value;

use super::stage::Stage;
use crate::{
    Console,
    console::{duration, thousands},
};

/// Runs one sync and gives how many rows it delivered.
///
/// # Errors
/// It fails, rejects rows, or its counts do not balance.
pub(super) async fn run(stage: &Stage, target: Target, console: &Console) -> Result<u64> {
    let file = format!("{}.yml", target.table());
    console.command(format_args!("longshore sync {file}"));
    let began = Instant::now();
    let report = stage.longshore.json(["sync", &file]).await?;
    let took = began.elapsed();
    let table = only_table(&report, target)?;
    let count = |name: &str| {
        table[name]
            .as_u64()
            .context(format!("the report has no number {name}: {table}"))
    };
    let (read, delivered, rejected) = (count("read")?, count("delivered")?, count("rejected")?);
    let (filtered, deduplicated) = (count("filtered")?, count("deduplicated")?);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to look at")]
    let rate = read as f64 / took.as_secs_f64();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people to look at"
    )]
    let rate = if read > 1_000 {
        format!(", {} rows/s", thousands(rate as u64))
    } else {
        String::new()
    };
    console.note(format_args!(
        "{} read = {} delivered + {rejected} rejected + {filtered} filtered + {deduplicated} deduplicated ({}{rate})",
        thousands(read),
        thousands(delivered),
        duration(took)
    ));
    if read != delivered + rejected + filtered + deduplicated {
        return Err(Failure::new(format!("the counts do not balance: {table}")));
    }
    if rejected > 0 {
        return Err(Failure::new(format!("no row of the shop is to be rejected: {table}")));
    }
    Ok(delivered)
}

fn only_table(report: &Value, target: Target) -> Result<Value> {
    let tables = report["tables"].as_array().context("the report has no tables")?;
    match tables.as_slice() {
        [table] if table["table"] == target.table() => Ok(table.clone()),
        _ => Err(Failure::new(format!("the report is about other tables: {report}"))),
    }
}
