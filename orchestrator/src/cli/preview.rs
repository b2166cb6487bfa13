//! `longshore preview`

mod rows;

use std::fmt::Write as _;

use clap::Args;
use longshore_core::{Error, Result};
use longshore_protocol::{status::from_status, v1};
use serde::Serialize;
use serde_json::Value;

use super::{Context, Selected};
use crate::{
    engine::{
        plan::select_tables,
        session::{ConfiguredPlugin, Session, WriteOptions, refuse_missing},
    },
    failure::{Exit, Failure},
};
use rows::{Taken, Wanted};

/// Rows that a preview shows at most: it is for people.
const MOST_ROWS: u64 = 1_000;

/// First rows that are shown unless the user says otherwise.
const FIRST_ROWS: u64 = 3;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Rows of each table to show; without it the first 3, or up to 1,000 of those chosen with --id.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rows: Option<u64>,
    /// Only rows with this id, such as a profile's custom id; may be given several times. The database looks them up.
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<String>,
    /// The column that --id is looked up in; without it the destination's (for Batch: the custom id), or else the table's key.
    #[arg(long, value_name = "COLUMN", requires = "ids")]
    id_column: Option<String>,
    /// Only this table; may be given several times. Without it, all that the configuration selects.
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
}

#[derive(Serialize)]
struct ShownPreview {
    source: String,
    destination: String,
    table: String,
    /// Rows that were looked at.
    rows: u64,
    /// There are more rows than these.
    more: bool,
    /// Ids that no row has.
    not_found: Vec<String>,
    requests: Vec<ShownRequest>,
    rejects: Vec<ShownReject>,
    /// Rows were chosen by their ids.
    #[serde(skip)]
    is_chosen: bool,
}

#[derive(Serialize)]
struct ShownRequest {
    method: String,
    url: String,
    /// As JSON where it is JSON, else as text.
    body: Value,
}

#[derive(Serialize)]
struct ShownReject {
    key: String,
    rule: String,
    column: String,
    reason: String,
    whole_row: bool,
}

pub(super) async fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.selected.files).await?;
    let host = context.plugin_host()?;
    let mut previews = Vec::new();
    for source in arguments.selected.of(&configuration)? {
        let session = Session::open(&host, &configuration, source).await?;
        let shown = preview_source(&session, source, arguments, context).await;
        session.close().await;
        previews.extend(shown?);
    }
    context.output.data(&previews, |previews| {
        previews.iter().map(ShownPreview::in_words).collect()
    })?;
    Ok(Exit::Done)
}

async fn preview_source(
    session: &Session,
    source: &longshore_config::Source,
    arguments: &Arguments,
    context: &Context,
) -> Result<Vec<ShownPreview>, Failure> {
    check_capabilities(session)?;
    let mut previews = Vec::new();
    for table in wanted_tables(session, source, arguments).await? {
        // First rows are the same for every destination; an id may be in another column for each.
        let mut first: Option<Taken> = None;
        for (destination, options) in session.destinations.iter().zip(&session.write_modes) {
            let taken = match first.take().filter(|_| arguments.ids.is_empty()) {
                Some(taken) => taken,
                None => take(session, destination, options, &table, arguments).await?,
            };
            let request = preview_request(&taken.table, options, taken.batches.clone());
            let response = ask(destination, request).await?;
            for warning in &taken.warnings {
                context.output.note(&format!("warning: {warning}"));
            }
            previews.push(ShownPreview::new(
                (&source.spec.name, &destination.plugin.name),
                &taken,
                response,
                !arguments.ids.is_empty(),
            ));
            first = Some(taken);
        }
    }
    Ok(previews)
}

fn check_capabilities(session: &Session) -> Result<()> {
    for destination in &session.destinations {
        let capabilities = destination.plugin.description.destination.as_ref();
        if !capabilities.is_some_and(|capabilities| capabilities.preview) {
            return Err(refuse_missing(
                &destination.plugin,
                "show a preview",
                "Only destinations that send requests can.",
            ));
        }
    }
    Ok(())
}

async fn wanted_tables(
    session: &Session,
    source: &longshore_config::Source,
    arguments: &Arguments,
) -> Result<Vec<v1::Table>, Failure> {
    let mut tables = select_tables(session, source).await?;
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    if let Some(unknown) = arguments.tables.iter().find(|table| !names.contains(&table.as_str())) {
        return Err(Error::config(
            "table_not_selected",
            format!("The source {} does not select a table {unknown}", source.spec.name),
        )
        .with_remedy(format!("It selects: {}.", names.join(", ")))
        .into());
    }
    if !arguments.tables.is_empty() {
        tables.retain(|table| arguments.tables.contains(&table.name));
    }
    Ok(tables)
}

/// Reads the rows to show.
async fn take(
    session: &Session,
    destination: &ConfiguredPlugin,
    options: &WriteOptions,
    table: &v1::Table,
    arguments: &Arguments,
) -> Result<Taken, Failure> {
    let first = Wanted {
        table: table.name.clone(),
        rows: arguments.rows.unwrap_or(FIRST_ROWS),
        chosen: None,
    };
    if arguments.ids.is_empty() {
        return rows::take(session, &first).await;
    }
    let column = match &arguments.id_column {
        Some(column) => column.clone(),
        None => id_column(destination, options, table).await?,
    };
    let chosen = Wanted {
        rows: arguments.rows.unwrap_or(MOST_ROWS),
        chosen: Some(v1::RowSelection {
            column,
            values: arguments.ids.clone(),
        }),
        ..first
    };
    rows::take(session, &chosen).await
}

/// The column that an id is in: the destination's, because what people look for is what they see there, or else the table's key.
async fn id_column(
    destination: &ConfiguredPlugin,
    options: &WriteOptions,
    table: &v1::Table,
) -> Result<String, Failure> {
    let of_destination = ask(destination, preview_request(table, options, Vec::new()))
        .await?
        .id_column;
    match (of_destination.is_empty(), table.primary_key.as_slice()) {
        (false, _) => Ok(of_destination),
        (true, [key]) => Ok(key.clone()),
        (true, _) => Err(Error::config(
            "id_column_unknown",
            format!("Nothing says which column of table {} holds ids", table.name),
        )
        .with_table(&table.name)
        .with_remedy("Name it with --id-column.")
        .into()),
    }
}

fn preview_request(table: &v1::Table, options: &WriteOptions, batches: Vec<v1::RecordBatch>) -> v1::PreviewRequest {
    v1::PreviewRequest {
        table: Some(table.clone()),
        write_mode: options.write_mode.into(),
        batches,
    }
}

async fn ask(destination: &ConfiguredPlugin, request: v1::PreviewRequest) -> Result<v1::PreviewResponse, Failure> {
    match destination.plugin.destination().preview(request).await {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(destination.located(destination.plugin.explain(from_status(&status)).await)),
    }
}

impl ShownPreview {
    fn new((source, destination): (&str, &str), taken: &Taken, response: v1::PreviewResponse, is_chosen: bool) -> Self {
        let requests = response.requests.into_iter().map(|request| ShownRequest {
            method: request.method,
            url: request.url,
            body: serde_json::from_str(&request.body).unwrap_or(Value::String(request.body)),
        });
        let rejects = response.rejects.into_iter().map(|reject| ShownReject {
            key: reject.key,
            rule: reject.rule,
            column: reject.column,
            reason: reject.reason,
            whole_row: reject.whole_row,
        });
        Self {
            source: source.to_owned(),
            destination: destination.to_owned(),
            table: taken.table.name.clone(),
            rows: taken.rows,
            more: taken.is_cut,
            not_found: taken.not_found.clone(),
            requests: requests.collect(),
            rejects: rejects.collect(),
            is_chosen,
        }
    }

    fn in_words(&self) -> String {
        let mut text = format!("# {} → {}: table {}\n", self.source, self.destination, self.table);
        if self.requests.is_empty() {
            text.push_str("nothing would be sent for these rows\n");
        }
        for request in &self.requests {
            writeln!(text, "{} {}\n{:#}", request.method, request.url, request.body)
                .expect("a String takes every text");
        }
        for reject in &self.rejects {
            let what = if reject.whole_row {
                format!("the row {}", reject.key)
            } else {
                format!("the column {} of {}", reject.column, reject.key)
            };
            let because = match (reject.whole_row, reject.column.as_str()) {
                (true, column) if !column.is_empty() => format!(" because of {column}"),
                _ => String::new(),
            };
            writeln!(
                text,
                "would reject {what}{because}: {} ({})",
                reject.reason, reject.rule
            )
            .expect("a String takes every text");
        }
        for id in &self.not_found {
            writeln!(text, "no row of table {} has the id {id}", self.table).expect("a String takes every text");
        }
        if self.more && self.is_chosen {
            writeln!(text, "more rows than these {} have the ids", self.rows).expect("a String takes every text");
        }
        text.push('\n');
        text
    }
}
