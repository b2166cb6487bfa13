//! How many rows a run is going to read, and how many of them are old: one statement in the run's snapshot, or what the planner thinks of it.

use std::{collections::BTreeSet, time::Duration};

use longshore_sdk::{
    core::cursor::Timestamp,
    incremental::{Span, read_descriptor},
    prelude::*,
};
use tokio_postgres::SimpleQueryMessage;

use crate::{
    catalog::{Column, Relation, types::oid},
    connection::{Connector, Session},
    errors::from_postgres,
    position::timestamp_constant,
    run::{Run, RunTable},
    spec::Spec,
    statement::conditions,
    work::Work,
};

/// Counts the rows of a run's table. When that takes longer than the caller waits, the server's planner is asked instead.
///
/// # Errors
/// `count_column_unusable`: the column has no times. What the server says.
pub(crate) async fn count(
    connector: &Connector,
    spec: &Spec,
    run: &Run,
    table: &RunTable,
    wanted: &CountRows,
) -> Result<RowCount> {
    let relation = &table.relation;
    let old = Old::of(relation, wanted)?;
    let Some(rows) = selected(run, table)? else {
        return Ok(RowCount::default());
    };
    let rows = match &table.filter {
        Some(filter) => format!("({rows}) AND {filter}"),
        None => rows,
    };
    let session = connector.connect().await?;
    session.begin(Some(&run.snapshot.id)).await?;
    match exact(&session, relation, &rows, &old, limit(spec, wanted.timeout)).await {
        Ok((rows, before)) => Ok(RowCount {
            rows,
            before,
            estimated: old
                .by_text
                .then(|| "times that are text were compared as text".to_owned()),
        }),
        Err(error) if error.code == "statement_cancelled" => planned(&session, relation, &rows, &old).await,
        Err(error) => Err(error),
    }
}

/// The condition for an old row.
struct Old {
    condition: String,
    /// Not exact: an offset in the text is not looked at.
    by_text: bool,
}

impl Old {
    fn of(relation: &Relation, wanted: &CountRows) -> Result<Self> {
        let column = relation
            .column(&wanted.column)
            .ok_or_else(|| relation.columns().missing(&wanted.column, "count_column_unusable"))?;
        let name = column.sql();
        let local = Timestamp {
            instant: false,
            ..wanted.before
        };
        let (condition, by_text) = match column.resolved.oid {
            oid::TIMESTAMPTZ => (format!("{name} < {}", timestamp_constant(&wanted.before)), false),
            // What has no zone is taken as UTC, as the destination does.
            oid::TIMESTAMP => (format!("{name} < {}", timestamp_constant(&local)), false),
            oid::DATE => (
                format!("{name}::pg_catalog.timestamp < {}", timestamp_constant(&local)),
                false,
            ),
            oid::TEXT | oid::VARCHAR | oid::BPCHAR => (before_as_text(column, &local), true),
            _ => {
                return Err(relation.columns().no_times(&column.name, &column.type_name));
            }
        };
        Ok(Self { condition, by_text })
    }
}

/// RFC 3339 is in the order of its letters where all of it is in UTC. A text that does not look like it is not old: it is refused for another reason.
fn before_as_text(column: &Column, before: &Timestamp) -> String {
    let name = column.sql();
    format!(
        "({name} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[Tt ]' AND pg_catalog.translate(pg_catalog.left({name}, 19), 't ', 'TT') COLLATE \"C\" < \
         pg_catalog.to_char({}, 'YYYY-MM-DD\"T\"HH24:MI:SS'))",
        timestamp_constant(before)
    )
}

/// Which rows the run reads; `None`: none at all.
fn selected(run: &Run, table: &RunTable) -> Result<Option<String>> {
    let mut alternatives = BTreeSet::new();
    for partition in &table.partitions {
        let work: Work = read_descriptor(&partition.descriptor)?;
        if work.reads_nothing().is_some() {
            continue;
        }
        let conditions = conditions(&work, &table.relation, &run.snapshot)?;
        alternatives.insert(match conditions.is_empty() {
            true => "true".to_owned(),
            false => format!("({})", conditions.join(" AND ")),
        });
    }
    Ok((!alternatives.is_empty()).then(|| alternatives.into_iter().collect::<Vec<_>>().join(" OR ")))
}

/// The caller's patience, or the configured one where that is shorter.
fn limit(spec: &Spec, timeout: Duration) -> Duration {
    match spec.statement_timeout {
        Some(Span(configured)) if !configured.is_zero() => timeout.min(configured),
        _ => timeout,
    }
}

async fn exact(session: &Session, relation: &Relation, rows: &str, old: &Old, limit: Duration) -> Result<(u64, u64)> {
    let failed = |error: tokio_postgres::Error| {
        from_postgres(&error, &format!("counting rows of table {}", relation.shown)).with_table(&relation.shown)
    };
    session
        .batch_execute(&format!("SET LOCAL statement_timeout = {}", limit.as_millis().max(1)))
        .await
        .map_err(failed)?;
    let statement = format!(
        "SELECT pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE {}) FROM {} WHERE {rows}",
        old.condition,
        relation.rows_clause()
    );
    session.set_running(true);
    let row = session.query_one(&statement, &[]).await;
    session.set_running(false);
    let row = row.map_err(failed)?;
    let number = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    Ok((number(0), number(1)))
}

/// What the planner expects: from the statistics of the last ANALYZE, without reading rows.
async fn planned(session: &Session, relation: &Relation, rows: &str, old: &Old) -> Result<RowCount> {
    let failed = |error: tokio_postgres::Error| {
        from_postgres(&error, &format!("estimating rows of table {}", relation.shown)).with_table(&relation.shown)
    };
    // The statement that was given up has ended the transaction.
    session.batch_execute("ROLLBACK").await.map_err(failed)?;
    let expected = async |condition: &str| {
        let statement = format!(
            "EXPLAIN (FORMAT JSON) SELECT 1 FROM {} WHERE {condition}",
            relation.rows_clause()
        );
        let messages = session.simple_query(&statement).await.map_err(failed)?;
        expected_rows(&messages).ok_or_else(|| {
            Error::source(
                "plan_unreadable",
                format!("The server's plan for table {} can not be read", relation.shown),
            )
        })
    };
    Ok(RowCount {
        rows: expected(rows).await?,
        before: expected(&format!("({rows}) AND {}", old.condition)).await?,
        estimated: Some("counting took too long, so the server's planner was asked".to_owned()),
    })
}

fn expected_rows(messages: &[SimpleQueryMessage]) -> Option<u64> {
    let plan: String = messages
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    let plan: serde_json::Value = serde_json::from_str(&plan).ok()?;
    let rows = plan.pointer("/0/Plan/Plan Rows")?;
    rows.as_u64().or_else(|| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate; a cast saturates"
        )]
        rows.as_f64().map(|rows| rows as u64)
    })
}
