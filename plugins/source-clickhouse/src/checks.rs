//! The connection test: what was tried, how it went, and what to do about it.

use longshore_sdk::{
    incremental::{CursorColumn, NullCursor, Overlap},
    prelude::*,
};

use crate::{
    catalog::{self, Relation},
    connection::{Connector, Server},
    probe::Probe,
    spec::Spec,
};

/// The oldest server whose settings and formats this source was written for.
const OLDEST_VERSION: (u32, u32) = (24, 8);

/// A replica with a longer queue is worth a warning.
const WORRYING_QUEUE: u64 = 100;

/// What a connection goes through, in order, with the errors that each step can end in.
const STEPS: &[(&str, &[&str])] = &[
    ("find the host", &["host_unknown"]),
    (
        "connect",
        &[
            "connection_refused",
            "connection_timed_out",
            "connection_lost",
            "answer_unreadable",
        ],
    ),
    ("encrypt", &["tls_failed"]),
    ("log in", &[]),
];

/// Tries the connection, and what reading these tables would need.
pub(crate) async fn run(connector: &Connector, spec: &Spec, tables: &[String]) -> Vec<Check> {
    let mut checks = Vec::new();
    let server = match connector.hello().await {
        Ok(server) => server,
        Err(error) => {
            checks.extend(Check::steps(STEPS, &error));
            checks.extend(
                tables
                    .iter()
                    .map(|table| Check::skipped(format!("read table {table}"), "there is no connection")),
            );
            return checks;
        }
    };
    checks.extend(["find the host", "connect"].map(|step| Check::passed(step, connector.address())));
    checks.push(encryption(spec));
    checks.push(Check::passed(
        "log in",
        format!("connected to {} as {}", server.host, connector.user()),
    ));
    checks.push(version(&server));
    for table in spec.table_options.keys().filter(|table| !tables.contains(table)) {
        if let Err(error) = catalog::relation(connector, spec, table).await {
            checks.push(Check::from_error(format!("options of table {table}"), &error));
        }
    }
    for table in tables {
        check_table(connector, &server, spec, table, &mut checks).await;
    }
    checks
}

fn encryption(spec: &Spec) -> Check {
    if spec.ssl {
        Check::passed("encrypt", "the server's certificate was checked")
    } else if spec.is_loopback() {
        Check::passed("encrypt", "not encrypted, on this machine")
    } else {
        Check::warning(
            "encrypt",
            "the connection is not encrypted",
            "Across a network set `ssl: true`.",
        )
    }
}

fn version(server: &Server) -> Check {
    if server.release() >= OLDEST_VERSION {
        return Check::passed("server version", format!("ClickHouse {}", server.version));
    }
    Check::failed(
        "server version",
        format!("ClickHouse {} is too old", server.version),
        format!(
            "Upgrade the server to {}.{} or newer.",
            OLDEST_VERSION.0, OLDEST_VERSION.1
        ),
    )
}

async fn check_table(connector: &Connector, server: &Server, spec: &Spec, table: &str, checks: &mut Vec<Check>) {
    let read = format!("read table {table}");
    let relation = match readable(connector, server, spec, table).await {
        Ok(relation) => relation,
        Err(error) => return checks.push(Check::from_error(read, &error)),
    };
    checks.push(Check::passed(
        read,
        format!(
            "a {} with {} columns{}",
            relation.engine.kind(),
            relation.columns.len(),
            engine(&relation)
        ),
    ));
    let probe = Probe {
        connector,
        server,
        relation: &relation,
        filter: spec.options(&relation.shown).read.condition(),
    };
    if relation.engine.is_replicated() {
        checks.push(replica(&probe, server).await);
    }
    let Some(cursor) = spec.cursor_of(table) else { return };
    let name = format!("cursor of table {table}");
    match check_cursor(&probe, spec, cursor, &name).await {
        Ok(found) => checks.extend(found),
        Err(error) => checks.push(Check::from_error(name, &error)),
    }
}

fn engine(relation: &Relation) -> String {
    match relation.engine.name() {
        "" | "View" | "MaterializedView" => String::new(),
        engine if relation.engine.merges() && relation.merged => format!(" ({engine}, read merged)"),
        engine if relation.engine.merges() => {
            format!(" ({engine}, read unmerged: superseded rows can be sent after newer ones)")
        }
        engine => format!(" ({engine})"),
    }
}

async fn readable(connector: &Connector, server: &Server, spec: &Spec, table: &str) -> Result<Relation> {
    let mut relation = catalog::relation(connector, spec, table).await?;
    relation.guard_versions(server);
    let selected = relation.selected(spec)?;
    catalog::delivered_schema(connector, server, &relation, &selected).await?;
    Ok(relation)
}

async fn replica(probe: &Probe<'_>, server: &Server) -> Check {
    let name = format!("replica of table {}", probe.relation.shown);
    let consistency = if server.knows("select_sequential_consistency") {
        "; select_sequential_consistency is set, which holds for inserts with insert_quorum and without insert_quorum_parallel"
    } else {
        ""
    };
    let Some(replica) = probe.replica().await else {
        return Check::warning(
            name,
            format!("how far {} is behind is not known{consistency}", server.host),
            "GRANT SELECT ON system.replicas TO the user, and read from one replica.",
        );
    };
    let state = format!(
        "{} is {} s behind with {} entries queued{consistency}",
        server.host, replica.delay_seconds, replica.queued
    );
    if replica.is_readonly != 0 {
        Check::warning(
            name,
            format!("{state}; it is read-only"),
            "Check the server's connection to Keeper.",
        )
    } else if replica.delay_seconds > 0 || replica.queued > WORRYING_QUEUE {
        Check::warning(
            name,
            state,
            "Newer rows are left for later runs until the replica has caught up; keep `overlap` longer than its delay.",
        )
    } else {
        Check::passed(name, state)
    }
}

async fn check_cursor(probe: &Probe<'_>, spec: &Spec, cursor: &str, name: &str) -> Result<Vec<Check>> {
    let relation = probe.relation;
    let (cursor, described) = relation.cursor(cursor)?;
    let options = spec.options(&relation.shown).read;
    Overlap::distance(options.overlap, spec.overlap, &described)?;
    let mut checks = Vec::new();
    let nulls = if cursor.is_nullable() {
        probe.null_cursors(cursor).await?
    } else {
        0
    };
    if nulls > 0 {
        let what = match options.null_cursor {
            NullCursor::Error => return Err(CursorColumn::null_values(&relation.shown, &cursor.name, nulls)),
            NullCursor::Include => "delivered in every run",
            NullCursor::Skip => "left out",
        };
        checks.push(Check::warning(
            name,
            format!("{}: {what}", CursorColumn::without_value(nulls)),
            "Fill the column in.",
        ));
    }
    checks.push(Check::passed(
        name,
        format!(
            "{} ({}){}",
            cursor.name,
            cursor.of.text,
            if relation.is_sorted_by(&cursor.name) {
                "; the table is sorted by it"
            } else {
                ""
            }
        ),
    ));
    if cursor.is_guarded {
        checks.push(Check::warning(
            format!("merged reads of table {}", relation.shown),
            format!(
                "the table is divided by {}, and this server merges what the conditions of a query have left of it: so that no older version is taken for \
                 the newest, each run reads the whole table",
                cursor.name
            ),
            "Upgrade the server to 26.3 or newer, or divide the table by a column that never changes.",
        ));
    }
    checks.push(guarantee(relation));
    Ok(checks)
}

/// What can not be guaranteed on ClickHouse, in words.
fn guarantee(relation: &Relation) -> Check {
    let name = format!("what is guaranteed for table {}", relation.shown);
    let late =
        "ClickHouse has no transactions: a row that appears later than `settle` and `overlap` together is not found";
    if relation.engine.adds_up() {
        return Check::warning(
            name,
            format!(
                "{late}; its engine adds rows up, and a sum that changes is sent again only when the cursor moves with it"
            ),
            "Let the cursor be SimpleAggregateFunction(max, …), or read the table whole with `cursor: null`.",
        );
    }
    if relation.key().is_empty() {
        return Check::warning(
            name,
            format!(
                "{late}; nothing identifies its rows, so rows that are sent again (after a crash, beyond 4,096 within the overlap) can not be told apart"
            ),
            "Give rows an id and name it in the table's `primary_key` where the destination needs to recognise them.",
        );
    }
    Check::passed(name, late)
}
