//! What PostgreSQL's errors mean to a run: one table from SQLSTATE to code, retry and remedy.

use std::io::ErrorKind;

use longshore_sdk::prelude::*;
use tokio_postgres::error::DbError;

/// One line of the table.
struct Meaning {
    /// A whole SQLSTATE, or its first characters. The longest match counts.
    sqlstate: &'static str,
    code: &'static str,
    retryable: bool,
    remedy: &'static str,
}

const fn meaning(sqlstate: &'static str, code: &'static str, retryable: bool, remedy: &'static str) -> Meaning {
    Meaning {
        sqlstate,
        code,
        retryable,
        remedy,
    }
}

/// Appendix A of PostgreSQL's documentation, as far as a reader can meet it.
const MEANINGS: &[Meaning] = &[
    meaning(
        "28",
        "authentication_failed",
        false,
        "Check `username` and `password`, and that pg_hba.conf lets this host in.",
    ),
    meaning(
        "3D000",
        "database_missing",
        false,
        "Check `database`; `psql --list` shows what the server has.",
    ),
    meaning(
        "42501",
        "permission_denied",
        false,
        "Grant USAGE on the schema and SELECT on the table to the user of this source.",
    ),
    meaning(
        "42P01",
        "table_not_found",
        false,
        "Check the name's spelling and capitals; `longshore tables` lists what can be read.",
    ),
    meaning(
        "42703",
        "column_missing",
        false,
        "Check the column names in `table_options`.",
    ),
    meaning(
        "42601",
        "sql_invalid",
        false,
        "Check the table's `where` and `query` options: they are inserted as they are.",
    ),
    meaning(
        "42",
        "sql_invalid",
        false,
        "Check the table's `where`, `query` and `columns` options and its definition.",
    ),
    meaning("0A", "unsupported_by_server", false, ""),
    meaning(
        "22021",
        "text_not_utf8",
        false,
        "The database holds text that is not in its own encoding, or has none (SQL_ASCII). Leave the column out with the table's `columns`, or convert it in a view.",
    ),
    meaning(
        "22",
        "value_uncomputable",
        false,
        "A view, a `where` or a `query` fails on a value; run it with psql to see which.",
    ),
    meaning(
        "57014",
        "statement_cancelled",
        true,
        "The server cancelled the statement; raise `statement_timeout` when it is too short for this table.",
    ),
    meaning("57P01", "server_shutdown", true, ""),
    meaning("57P02", "server_shutdown", true, ""),
    meaning("57P03", "server_starting", true, ""),
    meaning("57P04", "database_missing", false, "The database was dropped."),
    meaning(
        "57P05",
        "connection_lost",
        true,
        "The server ends idle sessions; raise its idle_session_timeout for this user.",
    ),
    meaning(
        "25P03",
        "connection_lost",
        true,
        "The server ends idle transactions; raise its idle_in_transaction_session_timeout for this user.",
    ),
    meaning(
        "53300",
        "too_many_connections",
        true,
        "Raise the server's max_connections, or read fewer partitions at once.",
    ),
    meaning("53", "server_exhausted", true, "The server is out of disk or memory."),
    meaning(
        "40",
        "recovery_conflict",
        true,
        "On a standby, raise max_standby_streaming_delay or set hot_standby_feedback = on.",
    ),
    meaning(
        "55P03",
        "lock_unavailable",
        true,
        "Another session holds a lock on the table.",
    ),
    meaning("72000", "snapshot_gone", true, ""),
    meaning("08", "connection_lost", true, ""),
    meaning(
        "58",
        "server_failed",
        true,
        "The server met an error of its operating system; its log says more.",
    ),
    meaning(
        "XX",
        "server_failed",
        false,
        "The server met an internal error; its log says more.",
    ),
];

/// An error of a statement or a connection, while `doing` something ("reading table orders").
///
/// The server's own words become a cause, except where they could repeat a cell's value.
pub(crate) fn from_postgres(error: &tokio_postgres::Error, doing: &str) -> Error {
    if let Some(refusal) = error.as_db_error() {
        return from_refusal(refusal, doing);
    }
    if error.is_closed() {
        return connection_lost(doing);
    }
    let text = error.to_string();
    if text.starts_with(TLS_FAILURE) {
        return Error::source("tls_failed", format!("TLS could not be agreed on while {doing}"))
            .with_remedy("Check `sslmode`, `ssl_root_certificate` and the server's certificate; `sslmode: disable` reads without encryption.")
            .with_cause(error);
    }
    match io_kind(error) {
        Some(ErrorKind::ConnectionRefused) => Error::source(
            "connection_refused",
            format!("The connection was refused while {doing}"),
        )
        .retryable()
        .with_remedy(
            "Check `host` and `port`, that the server runs and that it listens on that address (listen_addresses).",
        ),
        Some(ErrorKind::TimedOut) => timed_out(doing),
        Some(_) => connection_lost(doing),
        None => Error::source("connection_failed", format!("PostgreSQL can not be used while {doing}")),
    }
    .with_cause(error)
}

/// How tokio-postgres begins the text of a failed TLS negotiation; it has no other sign. A test guards it.
const TLS_FAILURE: &str = "error performing TLS handshake";

fn from_refusal(refusal: &DbError, doing: &str) -> Error {
    let sqlstate = refusal.code().code();
    if sqlstate == "22023" && refusal.message().contains("snapshot")
        || sqlstate == "42704" && refusal.message().contains("snapshot")
    {
        return snapshot_gone();
    }
    let found = MEANINGS
        .iter()
        .filter(|meaning| sqlstate.starts_with(meaning.sqlstate))
        .max_by_key(|meaning| meaning.sqlstate.len());
    let (code, retryable, remedy) = found.map_or(("refused_by_server", false, ""), |found| {
        (found.code, found.retryable, found.remedy)
    });
    let mut error = Error::source(code, format!("PostgreSQL refused while {doing}")).with_remedy(remedy);
    error.retryable = retryable;
    // Class 22 (data exceptions) and 23 (constraints) quote values of rows.
    let quotes_values = sqlstate.starts_with("22") || sqlstate.starts_with("23");
    let words = if quotes_values {
        "the message is left out because it can quote a value"
    } else {
        refusal.message()
    };
    error.causes.push(format!("{words} (SQLSTATE {sqlstate})"));
    error
}

/// The server said nothing for too long.
pub(crate) fn timed_out(doing: &str) -> Error {
    Error::source(
        "connection_timed_out",
        format!("The server did not answer while {doing}"),
    )
    .retryable()
    .with_remedy("Check `host` and `port` and whether a firewall lies between; raise `connect_timeout`.")
}

fn connection_lost(doing: &str) -> Error {
    Error::source(
        "connection_lost",
        format!("The connection to PostgreSQL was lost while {doing}"),
    )
    .retryable()
}

const SNAPSHOT_GONE: &str = "snapshot_gone";

/// The connection that holds the run's snapshot has ended: only a new attempt of the run can go on.
pub(crate) fn snapshot_gone() -> Error {
    Error::source(
        SNAPSHOT_GONE,
        "The snapshot of this run does not exist any more: the connection that held it has ended",
    )
    .retryable()
}

/// An error of a partition's reading: it can be read again from its last checkpoint, unless the run's view went with it.
pub(crate) fn of_partition(error: Error, table: &str) -> Error {
    let error = error.with_table(table);
    match error.code.as_str() {
        SNAPSHOT_GONE => error,
        _ => error.with_scope(Scope::Partition),
    }
}

fn io_kind(error: &tokio_postgres::Error) -> Option<ErrorKind> {
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        next = cause.source();
    }
    // tokio-postgres reports its own `connect_timeout` without an I/O error inside.
    error.to_string().contains("timed out").then_some(ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_reachable_and_well_formed() {
        for (index, line) in MEANINGS.iter().enumerate() {
            assert!(
                line.sqlstate.len() == 2 || line.sqlstate.len() == 5,
                "{}",
                line.sqlstate
            );
            assert!(
                line.code
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'),
                "{}",
                line.code
            );
            assert!(
                MEANINGS[..index].iter().all(|other| other.sqlstate != line.sqlstate),
                "{} is there twice",
                line.sqlstate
            );
        }
    }
}
