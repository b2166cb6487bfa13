//! The destinations made ready, once, before a row is read.

use longshore_core::Error;
use longshore_protocol::{status::from_status, v1};

use super::{
    plan::PlannedTable,
    session::{ConfiguredPlugin, Session, mode_name, refuse_missing},
};
use crate::failure::Failure;

/// Prepares every table at every destination; the answer is by destination, then by table.
pub(super) async fn prepare(
    session: &Session,
    run_id: &str,
    planned: &[PlannedTable],
    dry_run: bool,
) -> Result<Vec<Vec<v1::PreparedTable>>, Failure> {
    let mut prepared = Vec::new();
    for (destination, options) in session.destinations.iter().zip(&session.write_modes) {
        let tables = planned.iter().map(|table| v1::TableToPrepare {
            table: Some(table.table.clone()),
            write_mode: options.write_mode.into(),
            migrate_mode: options.migrate_mode.into(),
            expected_rows: table.expected_rows(),
        });
        let request = v1::PrepareRequest {
            run_id: run_id.to_owned(),
            tables: tables.collect(),
            dry_run,
        };
        let plugin = &destination.plugin;
        let mut answers = match plugin.destination().prepare(request).await {
            Ok(response) => response.into_inner().tables,
            Err(status) => return Err(destination.located(plugin.explain(from_status(&status)).await)),
        };
        answers
            .iter_mut()
            .for_each(|table| plugin.clear_all(&mut table.warnings));
        let names = |tables: Vec<&str>| tables.join(", ");
        if answers
            .iter()
            .map(|table| table.name.as_str())
            .ne(planned.iter().map(|table| table.table.name.as_str()))
        {
            let message = format!(
                "The destination {} was asked to prepare {} and prepared {}",
                plugin.name,
                names(planned.iter().map(|table| table.table.name.as_str()).collect()),
                names(answers.iter().map(|table| table.name.as_str()).collect())
            );
            return Err(Error::protocol("prepare_broken", message).into());
        }
        for table in &answers {
            check_mode(destination, table, planned)?;
        }
        prepared.push(answers);
    }
    Ok(prepared)
}

/// Stale rows are what a *complete* read did not contain: an incremental read proves nothing absent.
fn check_mode(
    destination: &ConfiguredPlugin,
    prepared: &v1::PreparedTable,
    planned: &[PlannedTable],
) -> Result<(), Failure> {
    let name = &destination.plugin.name;
    let mode = prepared.write_mode();
    if mode == v1::WriteMode::Unspecified {
        return Err(Error::protocol(
            "prepare_broken",
            format!("The destination {name} prepared {} without a write mode", prepared.name),
        )
        .into());
    }
    // A range that is read again moves no cursor, and is no complete read either.
    let incremental = planned
        .iter()
        .any(|table| table.table.name == prepared.name && !table.is_read_whole());
    if mode == v1::WriteMode::OverwriteDeleteStale && incremental {
        let error = Error::config(
            "stale_rows_unknown",
            format!(
                "The table {} is read incrementally, so the destination {name} can not know which rows are stale",
                prepared.name
            ),
        )
        .with_remedy(format!(
            "Use write_mode: {}, or read the table whole by leaving its cursor out.",
            mode_name(v1::WriteMode::Overwrite)
        ))
        .with_field("/../write_mode");
        return Err(destination.located(error));
    }
    Ok(())
}

/// `uncertain: hold` needs destinations that can, and rows that come in the same order again.
pub(super) fn check_holding(
    session: &Session,
    planned: &[PlannedTable],
    prepared: &[Vec<v1::PreparedTable>],
) -> Result<(), Failure> {
    for (destination, answers) in session.destinations.iter().zip(prepared) {
        let plugin = &destination.plugin;
        let able = plugin
            .description
            .destination
            .as_ref()
            .is_some_and(|destination| destination.hold_uncertain_rows);
        for (answer, table) in answers
            .iter()
            .zip(planned)
            .filter(|(answer, _)| !answer.redelivery_is_idempotent)
        {
            let refused = if !able {
                refuse_missing(
                    plugin,
                    "hold rows that may be there already",
                    "Use `uncertain: resend`.",
                )
            } else if !table.plan.partitions.iter().all(|partition| partition.total_order) {
                Error::config(
                    "hold_needs_order",
                    format!(
                        "The rows of table {} come in no order that is the same again, so after a crash nobody can tell which of them {} may have",
                        answer.name, plugin.name
                    ),
                )
                .with_remedy("Give the table a cursor, and a key that the database itself keeps unique: a primary key, or on ClickHouse the sorting key of a table that is read merged. Or use `uncertain: resend`.")
            } else {
                continue;
            };
            return Err(session
                .source
                .located(refused.with_table(&answer.name).with_field("/../uncertain")));
        }
    }
    Ok(())
}
