//! `longshore preview`

use clap::Args;
use longshore_core::{Error, Result};
use longshore_protocol::{limits, status::from_status, v1};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Context, Selected};
use crate::{
    engine::{
        plan::select_tables,
        session::{ConfiguredPlugin, Session, refuse_missing},
    },
    failure::{Exit, Failure},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selected: Selected,
    /// Rows of each table to show.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    rows: u64,
    /// Only this table; may be given several times. Without it, all that the configuration selects.
    #[arg(long = "table", value_name = "NAME")]
    tables: Vec<String>,
}

#[derive(Serialize)]
struct ShownPreview {
    source: String,
    destination: String,
    table: String,
    requests: Vec<ShownRequest>,
    rejects: Vec<ShownReject>,
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
    let configuration = context.load(&arguments.selected.files)?;
    let host = context.plugin_host()?;
    let mut previews = Vec::new();
    for source in arguments.selected.of(&configuration)? {
        let session = Session::open(&host, &configuration, source).await?;
        let shown = preview_source(&session, source, arguments).await;
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
) -> Result<Vec<ShownPreview>, Failure> {
    for destination in &session.destinations {
        let can = destination
            .plugin
            .description
            .destination
            .as_ref()
            .is_some_and(|capabilities| capabilities.preview);
        if !can {
            return Err(refuse_missing(
                &destination.plugin,
                "show a preview",
                "Only destinations that send requests can.",
            )
            .into());
        }
    }
    let mut names: Vec<String> = select_tables(session, source)
        .await?
        .into_iter()
        .map(|table| table.name)
        .collect();
    if let Some(unknown) = arguments.tables.iter().find(|table| !names.contains(table)) {
        return Err(Error::config(
            "table_not_selected",
            format!("The source {} does not select a table {unknown}", source.spec.name),
        )
        .with_remedy(format!("It selects: {}.", names.join(", ")))
        .into());
    }
    if !arguments.tables.is_empty() {
        names.retain(|name| arguments.tables.contains(name));
    }
    let run_id = format!("preview-{}", uuid::Uuid::now_v7());
    let mut previews = Vec::new();
    for plan in open(session, &run_id, names).await? {
        let (table, batch) = first_rows(&session.source, &run_id, plan, arguments.rows).await?;
        for (destination, options) in session.destinations.iter().zip(&session.write_modes) {
            let request = v1::PreviewRequest {
                table: Some(table.clone()),
                write_mode: options.write_mode.into(),
                batches: batch.iter().cloned().collect(),
            };
            let response = match destination.plugin.destination().preview(request).await {
                Ok(response) => response.into_inner(),
                Err(status) => return Err(destination.located(destination.plugin.explain(from_status(&status)).await)),
            };
            previews.push(ShownPreview::new(
                &source.spec.name,
                &destination.plugin.name,
                &table.name,
                response,
            ));
        }
    }
    let close = v1::CloseRunRequest { run_id };
    if let Err(status) = session.source.plugin.source().close_run(close).await {
        tracing::debug!(%status, "the source could not close the preview's run");
    }
    Ok(previews)
}

/// Opens a run from the beginning of each table; nothing of it is stored.
async fn open(session: &Session, run_id: &str, names: Vec<String>) -> Result<Vec<v1::TablePlan>, Failure> {
    let tables = names
        .into_iter()
        .map(|name| v1::TableSelection {
            name,
            ..v1::TableSelection::default()
        })
        .collect();
    let request = v1::OpenRunRequest {
        run_id: run_id.to_owned(),
        attempt: 1,
        tables,
    };
    let plugin = &session.source.plugin;
    match plugin.source().open_run(request).await {
        Ok(response) => Ok(response.into_inner().tables),
        Err(status) => Err(session.source.located(plugin.explain(from_status(&status)).await)),
    }
}

/// The columns of a table and its first rows: `None` for an empty table.
async fn first_rows(
    source: &ConfiguredPlugin,
    run_id: &str,
    plan: v1::TablePlan,
    rows: u64,
) -> Result<(v1::Table, Option<v1::RecordBatch>)> {
    let table = plan
        .table
        .ok_or_else(|| Error::protocol("plan_broken", "The source sent a plan without a table"))?;
    let mut seen = table.clone();
    for partition in plan.partitions {
        let open = v1::ReadOpen {
            run_id: run_id.to_owned(),
            table: table.name.clone(),
            partition: Some(partition),
            resume_from: bytes::Bytes::new(),
            max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
            max_batch_rows: rows,
        };
        let (requests, queue) = mpsc::channel(1);
        let first = v1::ReadRequest {
            request: Some(v1::read_request::Request::Open(open)),
        };
        requests
            .try_send(first)
            .map_err(|_| Error::internal("channel_closed", "A channel that was just made is closed"))?;
        let failed = async |status: tonic::Status| source.plugin.explain(from_status(&status)).await;
        let mut stream = match source.plugin.source().read(ReceiverStream::new(queue)).await {
            Ok(response) => response.into_inner(),
            Err(status) => return Err(failed(status).await),
        };
        loop {
            match stream.message().await {
                Ok(Some(v1::ReadResponse {
                    response: Some(v1::read_response::Response::Schema(schema)),
                })) => seen.arrow_schema = schema.arrow_schema,
                Ok(Some(v1::ReadResponse {
                    response: Some(v1::read_response::Response::Batch(batch)),
                })) => return Ok((seen, Some(batch))),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(status) => return Err(failed(status).await),
            }
        }
    }
    Ok((seen, None))
}

impl ShownPreview {
    fn new(source: &str, destination: &str, table: &str, response: v1::PreviewResponse) -> Self {
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
            table: table.to_owned(),
            requests: requests.collect(),
            rejects: rejects.collect(),
        }
    }

    fn in_words(&self) -> String {
        let mut text = format!("# {} → {}: table {}\n", self.source, self.destination, self.table);
        if self.requests.is_empty() {
            text.push_str("nothing would be sent for these rows\n");
        }
        for request in &self.requests {
            text.push_str(&format!("{} {}\n{:#}\n", request.method, request.url, request.body));
        }
        for reject in &self.rejects {
            let what = if reject.whole_row { "the row" } else { "the column" };
            text.push_str(&format!(
                "would reject {what} {} of {}: {} ({})\n",
                reject.column, reject.key, reject.reason, reject.rule
            ));
        }
        text.push('\n');
        text
    }
}
