//! The connection test: what was tried, how it went, and what to do about it.

use longshore_sdk::{
    check::Outcome,
    incremental::{CursorColumn, NullCursor, Overlap},
    prelude::*,
};

use tokio_postgres::config::SslMode;

use crate::{
    catalog::{self, Kind, Relation},
    connection::{Connector, Session},
    errors::from_postgres,
    plan, probe,
    spec::Spec,
};

/// The oldest server whose catalogs and COPY this source was written for.
const OLDEST_VERSION: i32 = 12;

const ENCRYPT: &str = "encrypt";

/// What a connection goes through, in order, with the errors that each step can end in.
const STEPS: &[(&str, &[&str])] = &[
    ("find the host", &["host_unknown"]),
    (
        "connect",
        &[
            "connection_refused",
            "connection_timed_out",
            "connection_lost",
            "connection_failed",
            "server_starting",
            "too_many_connections",
        ],
    ),
    (ENCRYPT, &["tls_failed"]),
    ("log in", &[]),
];

/// Tries the connection, and what reading these tables would need.
pub(crate) async fn run(connector: &Connector, spec: &Spec, tables: &[String]) -> Vec<Check> {
    let mut checks = Vec::new();
    let session = match connector.connect().await {
        Ok(session) => session,
        Err(error) => {
            let steps = Check::steps(STEPS, &error).into_iter();
            checks.extend(steps.map(|step| as_far_as_known(step, connector.ssl_mode())));
            checks.extend(
                tables
                    .iter()
                    .map(|table| Check::skipped(format!("read table {table}"), "there is no connection")),
            );
            return checks;
        }
    };
    checks.extend(["find the host", "connect"].map(|step| Check::passed(step, connector.address())));
    checks.push(about(ENCRYPT, encryption(&session, connector.ssl_mode()).await));
    checks.push(Check::passed(
        "log in",
        format!("connected to the database {}", connector.database()),
    ));
    checks.push(about("server version", version(&session).await));
    checks.push(about("role of the server", standby(&session).await));
    checks.push(about("see open transactions", statistics(&session).await));
    for table in spec.table_options.keys().filter(|table| !tables.contains(table)) {
        if let Err(error) = catalog::relation(&session, spec, table).await {
            checks.push(Check::from_error(format!("options of table {table}"), &error));
        }
    }
    for table in tables {
        check_table(&session, spec, table, &mut checks).await;
    }
    checks
}

/// A server that lets nobody in does not say whether the connection was encrypted: only the mode can.
fn as_far_as_known(step: Check, mode: SslMode) -> Check {
    if step.name != ENCRYPT || step.outcome != Outcome::Passed {
        return step;
    }
    match mode {
        SslMode::Require => step,
        SslMode::Disable => not_encrypted_as_asked(),
        _ => Check::skipped(ENCRYPT, "the server says so only to those that it lets in"),
    }
}

fn not_encrypted_as_asked() -> Check {
    Check::passed(ENCRYPT, "not encrypted, as `sslmode: disable` asks")
}

fn about(name: &str, result: Result<Check>) -> Check {
    result.unwrap_or_else(|error| Check::from_error(name, &error))
}

async fn encryption(session: &Session, mode: SslMode) -> Result<Check> {
    const STATE: &str = "SELECT ssl, version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()";
    let row = session
        .query_opt(STATE, &[])
        .await
        .map_err(|error| from_postgres(&error, "asking for the state of the encryption"))?;
    let encrypted = row.as_ref().is_some_and(|row| row.get(0));
    let version: Option<String> = row.and_then(|row| row.get(1));
    Ok(match (encrypted, mode) {
        (true, _) => Check::passed(ENCRYPT, version.unwrap_or_default()),
        (false, SslMode::Disable) => not_encrypted_as_asked(),
        (false, _) => Check::warning(
            ENCRYPT,
            "the connection is not encrypted",
            "Across a network set `sslmode: verify-full`; otherwise say `sslmode: disable`.",
        ),
    })
}

async fn version(session: &Session) -> Result<Check> {
    const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000, pg_catalog.current_setting('server_version')";
    let row = session
        .query_one(VERSION, &[])
        .await
        .map_err(|error| from_postgres(&error, "asking for the server's version"))?;
    let (major, shown): (i32, String) = (row.get(0), row.get(1));
    Ok(if major >= OLDEST_VERSION {
        Check::passed("server version", shown)
    } else {
        Check::failed(
            "server version",
            format!("PostgreSQL {shown} is too old"),
            format!("Upgrade the server to PostgreSQL {OLDEST_VERSION} or newer."),
        )
    })
}

async fn standby(session: &Session) -> Result<Check> {
    let row = session.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).await;
    let standby: bool = row
        .map_err(|error| from_postgres(&error, "asking for the server's role"))?
        .get(0);
    Ok(if standby {
        Check::warning(
            "role of the server",
            "a standby: it shows what it has replayed, and may cancel long reads",
            "Set hot_standby_feedback = on or raise max_standby_streaming_delay on the standby.",
        )
    } else {
        Check::passed("role of the server", "primary")
    })
}

async fn statistics(session: &Session) -> Result<Check> {
    const MAY: &str = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";
    let row = session
        .query_one(MAY, &[])
        .await
        .map_err(|error| from_postgres(&error, "asking for the user's roles"))?;
    Ok(if row.get(0) {
        Check::passed(
            "see open transactions",
            "the overlap is widened to the oldest open transaction",
        )
    } else {
        Check::warning(
            "see open transactions",
            "this user does not see when other users' transactions began: rows of one that is open for longer than `overlap` can be missed",
            "GRANT pg_read_all_stats TO the user, or keep `overlap` longer than the longest transaction.",
        )
    })
}

async fn check_table(session: &Session, spec: &Spec, table: &str, checks: &mut Vec<Check>) {
    let read = format!("read table {table}");
    let relation = match readable(session, spec, table).await {
        Ok(relation) => relation,
        Err(error) => return checks.push(Check::from_error(read, &error)),
    };
    checks.push(Check::passed(
        read,
        format!("a {} with {} columns", relation.kind.name(), relation.columns.len()),
    ));
    if let Some(cursor) = spec.cursor_of(table) {
        let name = format!("cursor of table {table}");
        checks.push(about(
            &name,
            check_cursor(session, spec, &relation, cursor, &name).await,
        ));
    }
}

async fn readable(session: &Session, spec: &Spec, table: &str) -> Result<Relation> {
    let relation = catalog::relation(session, spec, table).await?;
    plan::offered(&relation, spec)?;
    probe::may_read(session, spec, &relation).await?;
    Ok(relation)
}

async fn check_cursor(session: &Session, spec: &Spec, relation: &Relation, cursor: &str, name: &str) -> Result<Check> {
    let (cursor, cursor_type) = plan::cursor_column(relation, cursor)?;
    let options = spec.options(&relation.shown).read;
    Overlap::distance(
        options.overlap,
        spec.overlap,
        &plan::described(relation, cursor, cursor_type),
    )?;
    let nulls = if cursor.not_null {
        0
    } else {
        probe::null_cursors(session, spec, relation, cursor).await?
    };
    if nulls > 0 {
        return Ok(match options.null_cursor {
            NullCursor::Error => return Err(CursorColumn::null_values(&relation.shown, &cursor.name, nulls)),
            NullCursor::Include => Check::warning(
                name,
                format!("{}: delivered in every run", CursorColumn::without_value(nulls)),
                "Fill the column in.",
            ),
            NullCursor::Skip => Check::warning(
                name,
                format!("{}: left out", CursorColumn::without_value(nulls)),
                "Fill the column in.",
            ),
        });
    }
    if let Some(statement) = plan::missing_index(relation, cursor) {
        let large = relation
            .estimated_rows
            .is_none_or(|rows| rows >= plan::LARGE_TABLE_ROWS);
        let message = format!("no index begins with {}: each run reads the whole table", cursor.name);
        return Ok(if large {
            Check::warning(name, message, statement)
        } else {
            Check::passed(name, message)
        });
    }
    let how = match relation.kind {
        Kind::Table | Kind::PartitionedTable if relation.has_xmin => "late commits are found by their transaction",
        _ => "late rows are found within `settle` and `overlap` only",
    };
    Ok(Check::passed(
        name,
        format!("{} ({}); {how}", cursor.name, cursor.type_name),
    ))
}
