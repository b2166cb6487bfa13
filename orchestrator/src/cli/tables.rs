//! `longshore tables`

use std::collections::BTreeSet;

use clap::Args;
use longshore_config::TableSelection;
use longshore_core::Error;
use longshore_protocol::{framing, v1};
use serde::Serialize;

use super::{
    Context, Selected,
    output::{Columns, grouped},
};
use crate::{
    engine::{plan::list_tables, session::Session},
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Show the columns of each table.
    #[arg(long)]
    columns: bool,
}

#[derive(Serialize)]
struct ShownTable {
    source: String,
    table: String,
    kind: String,
    /// The configuration's `tables` and `skip_tables` select it.
    selected: bool,
    estimated_rows: Option<u64>,
    estimated_bytes: Option<u64>,
    primary_key: Vec<String>,
    cursor: Option<String>,
    cursor_candidates: Vec<String>,
    columns: Vec<ShownColumn>,
}

#[derive(Serialize)]
struct ShownColumn {
    name: String,
    source_type: Option<String>,
    arrow_type: String,
    nullable: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.selected.files).await?;
    let host = context.plugin_host()?;
    let mut shown = Vec::new();
    let mut exit = Exit::Done;
    for source in arguments.selected.of(&configuration)? {
        let session = Session::open(&host, &configuration, source).await?;
        let tables = list_tables(&session, Vec::new()).await;
        session.close().await;
        let tables = tables?;
        let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
        let selection = TableSelection::of(source).select(&names);
        if let Err(diagnostics) = &selection {
            // The list is what helps most against a name that matches nothing.
            diagnostics
                .iter()
                .for_each(|diagnostic| context.output.note(&diagnostic.to_string()));
            exit = Exit::Configuration;
        }
        let selected: BTreeSet<String> = selection.unwrap_or_default().into_iter().collect();
        for table in tables {
            shown.push(show(&source.spec.name, &selected, table)?);
        }
    }
    context
        .output
        .data(&shown, |shown| in_words(shown, arguments.columns))?;
    Ok(exit)
}

fn show(source: &str, selected: &BTreeSet<String>, table: v1::Table) -> Result<ShownTable, Error> {
    let schema = framing::decode_schema(&table.arrow_schema).map_err(|error| {
        Error::protocol(
            "schema_unreadable",
            format!("The columns of table {} can not be read", table.name),
        )
        .with_cause(&error)
    })?;
    let columns = schema.fields().iter().map(|field| ShownColumn {
        name: field.name().clone(),
        source_type: field.metadata().get("longshore.source_type").cloned(),
        arrow_type: field.data_type().to_string(),
        nullable: field.is_nullable(),
    });
    Ok(ShownTable {
        source: source.to_owned(),
        selected: selected.contains(&table.name),
        kind: table.kind,
        estimated_rows: table.estimated_rows,
        estimated_bytes: table.estimated_bytes,
        primary_key: table.primary_key,
        cursor: Some(table.cursor).filter(|cursor| !cursor.is_empty()),
        cursor_candidates: table.cursor_candidates,
        columns: columns.collect(),
        table: table.name,
    })
}

fn in_words(tables: &[ShownTable], with_columns: bool) -> String {
    let mut overview = Columns::new(&["", "TABLE", "KIND", "ROWS (ESTIMATE)", "KEY", "CURSOR"]);
    for table in tables {
        let cursor = match &table.cursor {
            Some(cursor) => cursor.clone(),
            None if table.cursor_candidates.is_empty() => "-".to_owned(),
            None => format!("- (could be {})", table.cursor_candidates.join(", ")),
        };
        overview.row(vec![
            if table.selected { "*".to_owned() } else { String::new() },
            table.table.clone(),
            table.kind.clone(),
            table.estimated_rows.map_or_else(|| "?".to_owned(), grouped),
            if table.primary_key.is_empty() {
                "-".to_owned()
            } else {
                table.primary_key.join(", ")
            },
            cursor,
        ]);
    }
    let mut text = overview.render("the source offers no tables");
    if !tables.is_empty() {
        text.push_str("* selected by the configuration\n");
    }
    if with_columns {
        for table in tables {
            let mut columns = Columns::new(&["COLUMN", "TYPE", "ARROW", "NULL"]);
            for column in &table.columns {
                columns.row(vec![
                    column.name.clone(),
                    column.source_type.clone().unwrap_or_default(),
                    column.arrow_type.clone(),
                    if column.nullable { "yes" } else { "no" }.to_owned(),
                ]);
            }
            text.push_str(&format!("\n{}\n{}", table.table, columns.render("no columns")));
        }
    }
    text
}
