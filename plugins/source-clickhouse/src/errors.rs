//! What ClickHouse's exceptions mean to a run: one table from exception code to our code, retry and remedy.

use std::{error::Error as StdError, io::ErrorKind};

use clickhouse::error::Error as ClientError;
use longshore_sdk::prelude::*;

/// One line of the table.
struct Meaning {
    exception: u32,
    code: &'static str,
    retryable: bool,
    /// The server's own words can repeat a cell's value: they are left out.
    quotes_values: bool,
    remedy: &'static str,
}

const fn meaning(exception: u32, code: &'static str, retryable: bool, remedy: &'static str) -> Meaning {
    Meaning {
        exception,
        code,
        retryable,
        quotes_values: false,
        remedy,
    }
}

const fn of_a_value(exception: u32, code: &'static str, remedy: &'static str) -> Meaning {
    Meaning {
        exception,
        code,
        retryable: false,
        quotes_values: true,
        remedy,
    }
}

const AUTHENTICATION: &str = "Check `username` and `password`, and that the user may log in from this host.";
const COLUMNS: &str =
    "Check the column names in `table_options`, and the `where` and `query` options: they are inserted as they are.";
const SQL: &str = "Check the table's `where` and `query` options: they are inserted as they are.";
const VALUE: &str = "Read the column as the server's own text with the table's `text_columns`, leave it out with `exclude_columns`, or convert it in a view.";
const MEMORY: &str =
    "Give the query more memory (`settings: {max_memory_usage: …}`), or make partitions smaller with `partition_rows`.";
const READ_ONLY: &str = "The user's profile has readonly = 1, which forbids every setting: give it readonly = 2.";

/// `src/Common/ErrorCodes.cpp` of ClickHouse, as far as a reader can meet it.
const MEANINGS: &[Meaning] = &[
    meaning(516, "authentication_failed", false, AUTHENTICATION),
    meaning(192, "authentication_failed", false, AUTHENTICATION),
    meaning(193, "authentication_failed", false, AUTHENTICATION),
    meaning(194, "authentication_failed", false, AUTHENTICATION),
    meaning(195, "authentication_failed", false, AUTHENTICATION),
    meaning(
        81,
        "database_missing",
        false,
        "Check `database`; `SHOW DATABASES` lists what the server has.",
    ),
    meaning(
        60,
        "table_not_found",
        false,
        "Check the name's spelling and capitals; `longshore tables` lists what can be read.",
    ),
    meaning(47, "column_missing", false, COLUMNS),
    meaning(8, "column_missing", false, COLUMNS),
    meaning(16, "column_missing", false, COLUMNS),
    meaning(10, "column_missing", false, COLUMNS),
    meaning(
        497,
        "permission_denied",
        false,
        "Grant SELECT on the table to the user of this source.",
    ),
    meaning(
        291,
        "permission_denied",
        false,
        "Grant SELECT on the table to the user of this source.",
    ),
    meaning(62, "sql_invalid", false, SQL),
    meaning(46, "sql_invalid", false, SQL),
    meaning(43, "sql_invalid", false, SQL),
    meaning(42, "sql_invalid", false, SQL),
    meaning(386, "sql_invalid", false, SQL),
    meaning(215, "sql_invalid", false, SQL),
    meaning(181, "final_not_supported", false, "Set the table's `final: false`."),
    meaning(
        115,
        "setting_unknown",
        false,
        "Check the names in `settings`; this server does not know one of them.",
    ),
    meaning(
        452,
        "setting_refused",
        false,
        "The user's profile constrains a setting; widen it or remove it from `settings`.",
    ),
    meaning(164, "setting_refused", false, READ_ONLY),
    meaning(
        159,
        "query_timed_out",
        true,
        "Raise `query_timeout`, or the user's max_execution_time, when it is too short for this table.",
    ),
    meaning(
        160,
        "query_too_slow",
        true,
        "The server estimates that the query takes too long; raise the user's max_estimated_execution_time.",
    ),
    meaning(241, "memory_limit", true, MEMORY),
    meaning(173, "memory_limit", true, MEMORY),
    meaning(
        202,
        "too_many_queries",
        true,
        "Raise the server's max_concurrent_queries, or lower `parallel_reads`.",
    ),
    meaning(
        201,
        "quota_exceeded",
        true,
        "The user's quota is used up; it is filled again with its next interval.",
    ),
    meaning(
        396,
        "result_limit",
        false,
        "The user's profile limits results (max_result_rows, max_result_bytes); lift the limit for this user.",
    ),
    meaning(
        158,
        "result_limit",
        false,
        "The user's profile limits what is read (max_rows_to_read); lift the limit for this user.",
    ),
    meaning(
        307,
        "result_limit",
        false,
        "The user's profile limits what is read (max_bytes_to_read); lift the limit for this user.",
    ),
    meaning(243, "disk_full", true, "The server is out of disk space for sorting."),
    meaning(394, "query_cancelled", true, ""),
    meaning(734, "query_cancelled", true, ""),
    meaning(735, "query_cancelled", true, ""),
    meaning(236, "server_shutdown", true, ""),
    meaning(
        209,
        "server_unreachable",
        true,
        "The server can not reach another server that it reads from.",
    ),
    meaning(
        210,
        "server_unreachable",
        true,
        "The server can not reach another server that it reads from.",
    ),
    meaning(
        279,
        "server_unreachable",
        true,
        "The server can not reach another server that it reads from.",
    ),
    meaning(
        289,
        "replica_behind",
        true,
        "The replica is too far behind; raise max_replica_delay_for_distributed_queries or wait.",
    ),
    meaning(
        242,
        "table_read_only",
        true,
        "The table's replica lost its connection to Keeper.",
    ),
    meaning(
        225,
        "keeper_unreachable",
        true,
        "The server has no connection to Keeper.",
    ),
    meaning(
        999,
        "keeper_unreachable",
        true,
        "The server has no connection to Keeper.",
    ),
    meaning(218, "table_dropped", true, ""),
    meaning(
        425,
        "server_failed",
        true,
        "The server met an error of its operating system; its log says more.",
    ),
    meaning(
        74,
        "server_failed",
        true,
        "The server met an error of its operating system; its log says more.",
    ),
    meaning(
        49,
        "server_failed",
        false,
        "The server met an internal error; its log says more.",
    ),
    meaning(
        1001,
        "server_failed",
        false,
        "The server met an internal error; its log says more.",
    ),
    meaning(
        1002,
        "server_failed",
        false,
        "The server met an internal error; its log says more.",
    ),
    of_a_value(407, "value_out_of_range", VALUE),
    of_a_value(321, "value_out_of_range", VALUE),
    of_a_value(69, "value_out_of_range", VALUE),
    of_a_value(50, "type_unsupported", VALUE),
    of_a_value(48, "type_unsupported", VALUE),
    of_a_value(70, "type_unsupported", VALUE),
    of_a_value(44, "type_unsupported", VALUE),
    of_a_value(
        53,
        "value_uncomputable",
        "A view, a `where` or a `query` compares values of different types; run it with clickhouse-client.",
    ),
    of_a_value(6, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(27, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(38, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(41, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(72, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(117, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(131, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(153, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(349, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(395, "value_uncomputable", UNCOMPUTABLE),
    of_a_value(
        457,
        "parameter_refused",
        "The stored cursor is no value of its column's type; `longshore state show` prints it.",
    ),
    of_a_value(
        456,
        "parameter_refused",
        "The stored cursor is no value of its column's type; `longshore state show` prints it.",
    ),
];

const UNCOMPUTABLE: &str =
    "A view, a `where` or a `query` fails on a value; run it with clickhouse-client to see which.";

/// An error of the client, while `doing` something ("reading table orders").
///
/// The server's own words become a cause, except where they could repeat a cell's value.
pub(crate) fn from_client(error: &ClientError, doing: &str) -> Error {
    match error {
        ClientError::BadResponse(text) => from_exception(text, doing),
        ClientError::Network(cause) => from_network(error, cause.as_ref(), doing),
        ClientError::TimedOut => timed_out(doing),
        ClientError::Decompression(_) => connection_lost(doing).with_cause(error),
        ClientError::InvalidParams(_) => {
            Error::config("spec_invalid", format!("A request can not be made while {doing}")).with_cause(error)
        }
        _ => Error::source(
            "answer_unreadable",
            format!("The answer of the server can not be read while {doing}"),
        )
        .with_remedy("Check that `host` and `port` are those of ClickHouse's HTTP interface.")
        .with_cause(error),
    }
}

/// An exception as the server writes it: `Code: 60. DB::Exception: … (UNKNOWN_TABLE) (version …)`.
pub(crate) fn from_exception(text: &str, doing: &str) -> Error {
    let Some(exception) = exception_code(text) else {
        let mut error = Error::source(
            "answer_unreadable",
            format!("Something that is not ClickHouse, or not well, answered while {doing}"),
        )
        .with_remedy(
            "Check that `host`, `port` and `ssl` are those of ClickHouse's HTTP interface, and any proxy before it.",
        );
        // A status line of a proxy such as "502 Bad Gateway" comes here: those may pass.
        error.retryable = text.trim_start().starts_with('5');
        error.causes.push(text.chars().take(200).collect());
        return error;
    };
    let found = MEANINGS.iter().find(|meaning| meaning.exception == exception);
    let (code, retryable, remedy) = found.map_or(("refused_by_server", false, ""), |found| {
        (found.code, found.retryable, found.remedy)
    });
    let mut error = Error::source(code, format!("ClickHouse refused while {doing}")).with_remedy(remedy);
    error.retryable = retryable;
    let name = symbolic_name(text).map(|name| format!(", {name}")).unwrap_or_default();
    let may_be_shown = found.is_some_and(|found| !found.quotes_values);
    error.causes.push(if may_be_shown {
        format!("{} (code {exception}{name})", own_words(text))
    } else {
        format!("code {exception}{name}; the message is left out because it can quote a value")
    });
    error
}

/// The number in `Code: 60.`
pub(crate) fn exception_code(text: &str) -> Option<u32> {
    let after = &text[text.find("Code: ")? + "Code: ".len()..];
    let digits = after.find(|symbol: char| !symbol.is_ascii_digit())?;
    after[..digits].parse().ok()
}

/// The name in `(UNKNOWN_TABLE)`, which stands before the version.
fn symbolic_name(text: &str) -> Option<&str> {
    let end = text.rfind(" (version ").unwrap_or(text.len());
    let name = text[..end].trim_end().strip_suffix(')')?.rsplit('(').next()?;
    (!name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit()))
    .then_some(name)
}

/// The message alone, shortened: a server repeats whole queries in it.
fn own_words(text: &str) -> String {
    const LONGEST: usize = 300;
    let start = text
        .find("DB::Exception: ")
        .map_or(0, |at| at + "DB::Exception: ".len());
    let end = text.rfind(" (version ").unwrap_or(text.len()).max(start);
    let words = text[start..end].trim();
    match words.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &words[..at]),
        None => words.to_owned(),
    }
}

fn from_network(error: &ClientError, cause: &(dyn StdError + 'static), doing: &str) -> Error {
    if chain(cause).any(|error| error.is::<rustls::Error>()) {
        return Error::source("tls_failed", format!("TLS could not be agreed on while {doing}"))
            .with_remedy("Check `ssl`, `ssl_root_certificate`, the name in `host` and the server's certificate.")
            .with_cause(error);
    }
    match io_kind(cause) {
        Some(ErrorKind::ConnectionRefused) => Error::source(
            "connection_refused",
            format!("The connection was refused while {doing}"),
        )
        .retryable()
        .with_remedy("Check `host` and `port`, that the server runs and that it listens on that address (listen_host, http_port)."),
        Some(ErrorKind::TimedOut) => timed_out(doing),
        _ if chain(cause).any(|error| error.to_string().contains("dns error")) => {
            Error::source("host_unknown", format!("The host can not be found while {doing}"))
                .with_remedy("Check the spelling of `host` and that this machine can resolve it.")
        }
        _ => connection_lost(doing),
    }
    .with_cause(error)
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
        format!("The connection to ClickHouse was lost while {doing}"),
    )
    .retryable()
}

/// The data ended without its end mark, or went on in a way that is no data: never the end of the rows.
pub(crate) fn stream_broken(what: &str, doing: &str) -> Error {
    let mut error = Error::source("stream_broken", format!("The data broke off while {doing}")).retryable();
    error.causes.push(what.to_owned());
    error
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

/// What is behind an error. An I/O error that was made of another one passes it over as its `source`; here it comes next.
fn cause_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn io_kind(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    chain(error).find_map(|cause| cause.downcast_ref().map(std::io::Error::kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_reachable_and_well_formed() {
        for (index, line) in MEANINGS.iter().enumerate() {
            assert!(
                line.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{}",
                line.code
            );
            assert!(
                MEANINGS[..index].iter().all(|other| other.exception != line.exception),
                "{} is there twice",
                line.exception
            );
        }
    }

    #[test]
    fn an_exception_is_known_by_its_code_and_shown_without_version_and_query() {
        let text = "Code: 60. DB::Exception: Unknown table expression identifier 'db.t' in scope SELECT 1. (UNKNOWN_TABLE) (version 26.9.2.1)";
        let error = from_exception(text, "reading table t");
        assert_eq!((error.code.as_str(), error.retryable), ("table_not_found", false));
        assert!(
            error.causes[0].ends_with("(code 60, UNKNOWN_TABLE)"),
            "{:?}",
            error.causes
        );
        assert!(!error.causes[0].contains("version"));
    }

    #[test]
    fn words_that_could_quote_a_value_are_left_out() {
        let text = "Code: 6. DB::Exception: Cannot parse string 'canary' as Int32: while executing. (CANNOT_PARSE_TEXT) (version 26.9.2.1)";
        let error = from_exception(text, "reading table t");
        assert_eq!(error.code, "value_uncomputable");
        assert!(!format!("{error:?}").contains("canary") && error.causes[0].contains("CANNOT_PARSE_TEXT"));
        let unknown = from_exception("Code: 12345. DB::Exception: canary (version 1)", "reading");
        assert_eq!(unknown.code, "refused_by_server");
        assert!(!format!("{unknown:?}").contains("canary"));
    }

    #[test]
    fn what_is_no_exception_is_not_taken_for_one() {
        let error = from_exception("502 Bad Gateway", "connecting");
        assert_eq!((error.code.as_str(), error.retryable), ("answer_unreadable", true));
        assert!(!from_exception("<html>hello</html>", "connecting").retryable);
    }
}
