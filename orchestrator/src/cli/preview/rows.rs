//! Rows to look at: a table's first, or chosen ones. Nothing of the run that reads them is stored.

use longshore_core::{Error, Result};
use longshore_protocol::{limits, status::from_status, v1};
use tokio::sync::mpsc;

use crate::{
    engine::session::{ConfiguredPlugin, Session, refuse_missing},
    failure::Failure,
};

/// Which rows of a table are wanted.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) table: String,
    /// At most so many.
    pub(super) rows: u64,
    /// Only those with one of these values in a column; `None`: the first.
    pub(super) chosen: Option<v1::RowSelection>,
}

/// Rows as they came.
pub(super) struct Taken {
    /// With the columns of the rows.
    pub(super) table: v1::Table,
    pub(super) batches: Vec<v1::RecordBatch>,
    /// Rows in the batches.
    pub(super) rows: u64,
    /// Of chosen rows: the values that no row has.
    pub(super) not_found: Vec<String>,
    /// There are more than these.
    pub(super) is_cut: bool,
    pub(super) warnings: Vec<String>,
}

/// Reads rows of one table.
///
/// # Errors
/// `capability_missing` when the source can not look rows up: reading a whole table to find a few is not done unasked. What the source says.
pub(super) async fn take(session: &Session, wanted: &Wanted) -> Result<Taken, Failure> {
    let source = &session.source;
    if wanted.chosen.is_some() && !looks_rows_up(source) {
        let remedy =
            "Leave --id out to see the table's first rows, or let a view or the table's `where` select the rows.";
        return Err(refuse_missing(&source.plugin, "look rows up by a column", remedy).into());
    }
    let run_id = format!("preview-{}", uuid::Uuid::now_v7());
    let taken = take_in_run(source, &run_id, wanted).await;
    let close = v1::CloseRunRequest { run_id };
    if let Err(status) = source.plugin.source().close_run(close).await {
        tracing::debug!(%status, "the source could not close the preview's run");
    }
    taken
}

fn looks_rows_up(source: &ConfiguredPlugin) -> bool {
    let capabilities = source.plugin.description.source.as_ref();
    capabilities.is_some_and(|capabilities| capabilities.row_selection)
}

async fn take_in_run(source: &ConfiguredPlugin, run_id: &str, wanted: &Wanted) -> Result<Taken, Failure> {
    let broken = |what: &str| {
        Failure::from(Error::protocol(
            "plan_broken",
            format!("The source's plan is broken: {what}"),
        ))
    };
    let plan = open(source, run_id, wanted).await?;
    let table = plan.table.ok_or_else(|| broken("it has no table"))?;
    let values = wanted.chosen.as_ref().map(|chosen| chosen.values.as_slice());
    if values.is_some_and(|values| values.len() != plan.partitions.len()) {
        return Err(broken("it has not one partition for each value"));
    }
    let mut taken = Taken {
        table,
        batches: Vec::new(),
        rows: 0,
        not_found: Vec::new(),
        is_cut: false,
        warnings: plan.warnings,
    };
    for (index, partition) in plan.partitions.into_iter().enumerate() {
        if taken.rows >= wanted.rows {
            taken.is_cut = true;
            break;
        }
        let before = taken.rows;
        taken
            .read(source, run_id, partition, wanted.rows)
            .await
            .map_err(|error| source.located(error))?;
        if taken.rows == before {
            taken
                .not_found
                .extend(values.and_then(|values| values.get(index)).cloned());
        }
    }
    Ok(taken)
}

/// Opens a run from the beginning of the table, or of the chosen rows.
async fn open(source: &ConfiguredPlugin, run_id: &str, wanted: &Wanted) -> Result<v1::TablePlan, Failure> {
    let request = v1::OpenRunRequest {
        run_id: run_id.to_owned(),
        attempt: 1,
        tables: vec![v1::TableSelection {
            name: wanted.table.clone(),
            rows: wanted.chosen.clone(),
            ..v1::TableSelection::default()
        }],
    };
    let mut plans = match source.plugin.source().open_run(request).await {
        Ok(response) => response.into_inner().tables,
        Err(status) => return Err(source.located(source.plugin.explain(from_status(&status)).await)),
    };
    match (plans.pop(), plans.is_empty()) {
        (Some(plan), true) => Ok(plan),
        _ => Err(Error::protocol(
            "plan_broken",
            "The source was asked for one table's plan, and sent another number",
        )
        .into()),
    }
}

impl Taken {
    /// Adds the rows of a partition, up to so many in all. The source is not asked for what is beyond.
    async fn read(
        &mut self,
        source: &ConfiguredPlugin,
        run_id: &str,
        partition: v1::Partition,
        most: u64,
    ) -> Result<()> {
        let open = v1::ReadOpen {
            run_id: run_id.to_owned(),
            table: self.table.name.clone(),
            partition: Some(partition),
            resume_from: bytes::Bytes::new(),
            max_message_bytes: limits::MAX_MESSAGE_BYTES as u64,
            max_batch_rows: most - self.rows,
        };
        let (requests, queue) = mpsc::channel(1);
        let first = v1::ReadRequest {
            request: Some(v1::read_request::Request::Open(open)),
        };
        requests
            .try_send(first)
            .map_err(|_| Error::internal("channel_closed", "A channel that was just made is closed"))?;
        let failed = async |status: tonic::Status| source.plugin.explain(from_status(&status)).await;
        let mut stream = match source.plugin.read(queue).await {
            Ok(stream) => stream,
            Err(status) => return Err(failed(status).await),
        };
        loop {
            let message = match stream.message().await {
                Ok(Some(message)) => message.response,
                Ok(None) => {
                    return Err(Error::source(
                        "stream_ended",
                        "The source's stream ended before the rows did",
                    ));
                }
                Err(status) => return Err(failed(status).await),
            };
            match message {
                Some(v1::read_response::Response::Schema(schema)) => self.table.arrow_schema = schema.arrow_schema,
                // A batch that is beyond would have to be divided, and rows are not decoded here.
                Some(v1::read_response::Response::Batch(batch)) if self.rows > 0 && self.rows + batch.rows > most => {
                    self.is_cut = true;
                    return Ok(());
                }
                Some(v1::read_response::Response::Batch(batch)) => {
                    self.rows += batch.rows;
                    self.batches.push(v1::RecordBatch {
                        sequence: self.batches.len() as u64 + 1,
                        ..batch
                    });
                }
                Some(v1::read_response::Response::Done(_)) => return Ok(()),
                Some(v1::read_response::Response::Checkpoint(_)) | None => {}
            }
            if self.rows > most {
                self.is_cut = true;
                return Ok(());
            }
        }
    }
}
