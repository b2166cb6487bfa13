//! Reads the system tables into [`Relation`]s.

use std::{collections::HashMap, sync::Arc};

use clickhouse::Row;
use longshore_sdk::{
    arrow::datatypes::{Schema, SchemaRef},
    incremental::nearest,
    prelude::*,
    table::TableName,
};
use serde::Deserialize;

use super::{Column, Engine, Relation, described};
use crate::{
    connection::{Connector, Server, Statement},
    names::{qualified, quoted},
    spec::Spec,
    stream::ArrowStream,
    text::delivered_field,
};

/// Databases of the server's own.
const SYSTEM_DATABASES: &str = "'system', 'information_schema', 'INFORMATION_SCHEMA'";

const TABLE: &str = "database, name, engine, engine_full, sorting_key, total_rows, total_bytes";

#[derive(Row, Deserialize)]
struct TableRow {
    database: String,
    name: String,
    engine: String,
    engine_full: String,
    sorting_key: String,
    total_rows: Option<u64>,
    total_bytes: Option<u64>,
}

const COLUMN: &str = "database, table, name, type, default_kind, data_uncompressed_bytes, is_in_partition_key";

#[derive(Row, Deserialize)]
struct ColumnRow {
    database: String,
    table: String,
    name: String,
    #[serde(rename = "type")]
    type_name: String,
    default_kind: String,
    data_uncompressed_bytes: u64,
    is_in_partition_key: u8,
}

#[derive(Row, Deserialize)]
struct NameRow {
    database: String,
    name: String,
}

/// Every table and view, and every query of the options.
pub(crate) async fn list(connector: &Connector, spec: &Spec) -> Result<Vec<Relation>> {
    // Inner tables hold the rows of materialized views, which are listed themselves.
    let condition = format!("database NOT IN ({SYSTEM_DATABASES})");
    let tables = format!(
        "SELECT {TABLE} FROM system.tables WHERE {condition} AND NOT is_temporary AND NOT startsWith(name, '.inner') ORDER BY database, name"
    );
    let columns = format!("SELECT {COLUMN} FROM system.columns WHERE {condition} ORDER BY database, table, position");
    let doing = "listing the tables";
    let tables: Vec<TableRow> = connector.rows(&Statement::new(tables), doing).await?;
    let columns: Vec<ColumnRow> = connector.rows(&Statement::new(columns), doing).await?;
    let mut by_table: HashMap<(String, String), Vec<ColumnRow>> = HashMap::new();
    for column in columns {
        let table = (column.database.clone(), column.table.clone());
        by_table.entry(table).or_default().push(column);
    }
    let mut relations: Vec<Relation> = tables
        .into_iter()
        .map(|table| {
            let columns = by_table
                .remove(&(table.database.clone(), table.name.clone()))
                .unwrap_or_default();
            assembled(spec, table, columns)
        })
        .collect();
    for (name, options) in &spec.table_options {
        if let Some(query) = &options.read.query {
            relations.push(of_query(connector, spec, name, query).await?);
        }
    }
    Ok(relations)
}

/// The relation with a name, as users write it.
///
/// # Errors
/// `table_not_found`, with the nearest name.
pub(crate) async fn relation(connector: &Connector, spec: &Spec, table: &str) -> Result<Relation> {
    if let Some(query) = &spec.options(table).read.query {
        return of_query(connector, spec, table, query).await;
    }
    let name = TableName::parse(table, &spec.database)?;
    let doing = format!("looking for table {table}");
    let one = |what: &str, of: &str, key: &str, order: &str| {
        Statement::new(format!(
            "SELECT {what} FROM {of} WHERE database = {{database:String}} AND {key} = {{name:String}} {order}"
        ))
        .with("database", &name.namespace)
        .with("name", &name.name)
    };
    let found: Vec<TableRow> = connector.rows(&one(TABLE, "system.tables", "name", ""), &doing).await?;
    let Some(found) = found.into_iter().next() else {
        return Err(not_found(connector, spec, table).await?);
    };
    let columns = one(COLUMN, "system.columns", "table", "ORDER BY position");
    let columns: Vec<ColumnRow> = connector.rows(&columns, &doing).await?;
    Ok(assembled(spec, found, columns))
}

async fn not_found(connector: &Connector, spec: &Spec, table: &str) -> Result<Error> {
    let names = Statement::new(format!(
        "SELECT database, name FROM system.tables WHERE database NOT IN ({SYSTEM_DATABASES}) ORDER BY database, name"
    ));
    let names: Vec<NameRow> = connector.rows(&names, "listing the tables").await?;
    let names: Vec<String> = names
        .into_iter()
        .map(|row| TableName::new(row.database, row.name).shown(&spec.database))
        .collect();
    let remedy = match nearest(table, names.iter().map(String::as_str)) {
        Some(near) => format!("Did you mean `{near}`? `longshore tables` lists what can be read."),
        None => "`longshore tables` lists what can be read, to this user.".to_owned(),
    };
    Ok(
        Error::source("table_not_found", format!("The server has no table or view {table}"))
            .with_table(table)
            .with_remedy(remedy),
    )
}

fn assembled(spec: &Spec, table: TableRow, columns: Vec<ColumnRow>) -> Relation {
    let name = TableName::new(&table.database, &table.name);
    let shown = name.shown(&spec.database);
    let uncompressed: u64 = columns.iter().map(|column| column.data_uncompressed_bytes).sum();
    let columns: Vec<Column> = columns
        .into_iter()
        // Ephemeral columns exist while a row is inserted only.
        .filter(|column| column.default_kind != "EPHEMERAL")
        .map(|column| {
            let is_stored = !matches!(column.default_kind.as_str(), "ALIAS" | "MATERIALIZED");
            Column {
                is_in_partition_key: column.is_in_partition_key != 0,
                ..described(spec, &shown, &column.name, &column.type_name, is_stored)
            }
        })
        .collect();
    Relation {
        engine: Engine::new(&table.engine, &table.engine_full),
        from: qualified(&name),
        stored: Some((table.database, table.name)),
        sorting_key: columns_of_key(&table.sorting_key, &columns),
        merged: spec.merged_of(&shown),
        columns,
        estimated_rows: table.total_rows,
        estimated_bytes: table.total_bytes,
        uncompressed_bytes: Some(uncompressed).filter(|bytes| *bytes > 0),
        declared_key: spec.options(&shown).read.primary_key,
        shown,
    }
}

/// The columns that a sorting key names, when it names nothing else.
fn columns_of_key(key: &str, columns: &[Column]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = key.trim();
    while !rest.is_empty() {
        let matching = columns.iter().filter_map(|column| {
            let written = [column.name.clone(), quoted(&column.name)];
            let after = written
                .iter()
                .find_map(|written| rest.strip_prefix(written.as_str()))?
                .trim_start();
            (after.is_empty() || after.starts_with(',')).then_some((column, after))
        });
        // The longest name: one can be the beginning of another, but not with a comma after it.
        let Some((column, after)) = matching.max_by_key(|(column, _)| column.name.len()) else {
            return Vec::new();
        };
        names.push(column.name.clone());
        rest = after.strip_prefix(',').unwrap_or(after).trim_start();
    }
    names
}

/// A query of the options: the server describes what it yields.
async fn of_query(connector: &Connector, spec: &Spec, name: &str, query: &str) -> Result<Relation> {
    #[derive(Row, Deserialize)]
    struct Described {
        name: String,
        #[serde(rename = "type")]
        type_name: String,
    }
    // A comment at the query's end must not swallow the parenthesis.
    let from = format!("({query}\n) AS {}", quoted("longshore rows"));
    let mut describe = Statement::new(format!("DESCRIBE TABLE ({query}\n)"));
    // Names and types alone.
    describe.settings.push(("describe_compact_output", "1".to_owned()));
    let columns: Vec<Described> = connector
        .rows(&describe, &format!("describing the query of table {name}"))
        .await
        .map_err(|error| error.with_table(name))?;
    Ok(Relation {
        shown: name.to_owned(),
        from,
        engine: Engine::query(),
        stored: None,
        columns: columns
            .iter()
            .map(|column| described(spec, name, &column.name, &column.type_name, true))
            .collect(),
        sorting_key: Vec::new(),
        merged: spec.merged_of(name),
        estimated_rows: None,
        estimated_bytes: None,
        uncompressed_bytes: None,
        declared_key: spec.options(name).read.primary_key,
    })
}

/// The columns to deliver as Arrow fields: the server's own answer for the expressions that a run reads, so that listing and reading can not differ.
///
/// # Errors
/// As ClickHouse refuses to read the columns.
pub(crate) async fn delivered_schema(
    connector: &Connector,
    server: &Server,
    relation: &Relation,
    selected: &[Column],
) -> Result<SchemaRef> {
    let doing = format!("reading table {}", relation.shown);
    let expressions: Vec<String> = selected
        .iter()
        .enumerate()
        .map(|(index, column)| format!("{} AS {}", column.expression(), relation.alias(index)))
        .collect();
    let statement = Statement::new(format!(
        "SELECT {} FROM {} LIMIT 0",
        expressions.join(", "),
        relation.from
    ));
    let of_table = |error: Error| error.with_table(&relation.shown);
    let cursor = connector.arrow(server, &statement, None, &doing).map_err(of_table)?;
    let mut stream = ArrowStream::begin(cursor, doing).await.map_err(of_table)?;
    while stream.next().await.map_err(of_table)?.is_some() {}
    let fields = stream.schema().fields().iter().zip(selected);
    let fields: Vec<_> = fields.map(|(field, column)| delivered_field(field, column)).collect();
    if fields.len() != selected.len() {
        return Err(of_table(Error::source(
            "schema_unexpected",
            format!(
                "The server described other columns of table {} than it was asked for",
                relation.shown
            ),
        )));
    }
    Ok(Arc::new(Schema::new(fields)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column::of_type(name, "Int32")
    }

    #[test]
    fn a_sorting_key_is_taken_when_it_names_columns_alone() {
        let columns: Vec<Column> = ["a", "a.b", "id", "odd, `name", "toDate"].map(column).into();
        let key = |text: &str| columns_of_key(text, &columns);
        assert_eq!(key("a, id"), ["a", "id"]);
        assert_eq!(key("`odd, \\`name`, a.b"), ["odd, `name", "a.b"]);
        assert!(key("toDate(a), id").is_empty());
        assert!(key("").is_empty());
        assert!(key("other").is_empty());
        assert!(key("a DESC").is_empty());
    }
}
