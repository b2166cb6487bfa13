//! The `Source` service around a [`Source`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use longshore_core::{Error, Result};
use longshore_protocol::{
    status::to_status,
    v1::{self, read_request, source_server},
};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{OpenRun, PartitionWriter, ReadPartition, Source, writer::BatchLimits};
use crate::serve::{
    configured::Configured,
    plugin_service::{Role, parse_spec, spec_schema},
    streaming::OwnedTask,
    telemetry,
};

/// Messages of one partition that wait for the socket: enough to overlap encoding with sending, little enough to bound memory.
const MESSAGES_IN_FLIGHT: usize = 2;

pub(crate) struct SourceRole<S> {
    source: Configured<S>,
    /// Primary keys of the tables of open runs, so that a row that does not fit can be named.
    keys: Mutex<HashMap<String, Vec<String>>>,
}

impl<S> Default for SourceRole<S> {
    fn default() -> Self {
        Self {
            source: Configured::default(),
            keys: Mutex::new(HashMap::new()),
        }
    }
}

impl<S> SourceRole<S> {
    fn source(&self) -> Result<Arc<S>> {
        self.source.get()
    }

    fn remember_key(&self, table: &v1::Table) {
        self.keys
            .lock()
            .expect("no holder of this lock panics")
            .insert(table.name.clone(), table.primary_key.clone());
    }

    fn key_of(&self, table: &str) -> Vec<String> {
        self.keys
            .lock()
            .expect("no holder of this lock panics")
            .get(table)
            .cloned()
            .unwrap_or_default()
    }
}

impl<S: Source> Role for SourceRole<S> {
    fn describe(&self, description: &mut v1::DescribeResponse) {
        description.source = Some(v1::SourceCapabilities {
            spec_schema: spec_schema::<S::Spec>(),
            incremental: S::CAPABILITIES.incremental,
            resumable: S::CAPABILITIES.resumable,
            cursor_ranges: S::CAPABILITIES.cursor_ranges,
            row_selection: S::CAPABILITIES.row_selection,
            count_rows: S::CAPABILITIES.count_rows,
        });
    }

    fn configure(&self, spec_json: &str) -> Result<()> {
        self.source.replace(S::configure(parse_spec(spec_json)?)?)
    }

    fn configured(&self) -> bool {
        self.source().is_ok()
    }

    fn test_connection(&self, tables: Vec<String>) -> BoxFuture<'_, Result<Vec<v1::Check>>> {
        async move {
            Ok(self
                .source()?
                .test_connection(&tables)
                .await
                .into_iter()
                .map(Into::into)
                .collect())
        }
        .boxed()
    }
}

#[tonic::async_trait]
impl<S: Source> source_server::Source for SourceRole<S> {
    type ReadStream = BoxStream<'static, Result<v1::ReadResponse, Status>>;

    async fn list_tables(
        &self,
        request: Request<v1::ListTablesRequest>,
    ) -> Result<Response<v1::ListTablesResponse>, Status> {
        let list = async {
            let tables = self.source()?.list_tables(&request.into_inner().names).await?;
            tables.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>>>()
        };
        let tables = list.await.map_err(|error| to_status(&error))?;
        Ok(Response::new(v1::ListTablesResponse { tables }))
    }

    async fn open_run(&self, request: Request<v1::OpenRunRequest>) -> Result<Response<v1::OpenRunResponse>, Status> {
        let mut span = telemetry::begin("Source/OpenRun", request.metadata());
        let request = request.into_inner();
        span.about("longshore.run_id", &request.run_id);
        let open = async {
            let tables = request
                .tables
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<Vec<_>>>()?;
            let run = OpenRun {
                run_id: request.run_id,
                attempt: request.attempt,
                tables,
            };
            let plans = self.source()?.open_run(run).await?;
            plans
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<Vec<v1::TablePlan>>>()
        };
        let opened = open.await;
        span.came_out(&opened);
        let tables = opened.map_err(|error| to_status(&error))?;
        tables
            .iter()
            .filter_map(|plan| plan.table.as_ref())
            .for_each(|table| self.remember_key(table));
        Ok(Response::new(v1::OpenRunResponse { tables }))
    }

    async fn read(&self, request: Request<Streaming<v1::ReadRequest>>) -> Result<Response<Self::ReadStream>, Status> {
        let mut span = telemetry::begin("Source/Read", request.metadata());
        let mut requests = request.into_inner();
        let source = self.source().map_err(|error| to_status(&error))?;
        let open = requests.message().await?.and_then(|message| message.request);
        let Some(read_request::Request::Open(open)) = open else {
            return Err(to_status(&Error::protocol(
                "read_broken",
                "A read stream does not begin with `open`",
            )));
        };
        let key = self.key_of(&open.table);
        span.about("longshore.table", &open.table);
        let limits = BatchLimits::new(open.max_message_bytes, open.max_batch_rows);
        let partition = partition_of(open).map_err(|error| to_status(&error))?;
        span.about("longshore.partition", &partition.partition.id);
        let (sender, receiver) = mpsc::channel(MESSAGES_IN_FLIGHT);
        let (commits, committed) = watch::channel(0);
        let mut output = PartitionWriter::new(sender.clone(), committed, key, limits);
        let reading = async move {
            match source.read(partition, &mut output).await {
                Ok(()) => output.finish().await,
                Err(error) => Err(error),
            }
        };
        let task = tokio::spawn(async move {
            let outcome = tokio::select! {
                outcome = reading => outcome,
                gone = follow_commits(requests, commits) => Err(gone),
            };
            span.came_out(&outcome);
            if let Err(error) = outcome {
                // Nobody listens any more when Longshore has given the partition up.
                sender.send(Err(to_status(&error))).await.ok();
            }
        });
        Ok(Response::new(Box::pin(OwnedTask::new(
            ReceiverStream::new(receiver),
            task,
        ))))
    }

    async fn count_rows(
        &self,
        request: Request<v1::CountRowsRequest>,
    ) -> Result<Response<v1::CountRowsResponse>, Status> {
        let count = async { self.source()?.count_rows(request.into_inner().try_into()?).await };
        let count = count.await.map_err(|error| to_status(&error))?;
        Ok(Response::new(count.into()))
    }

    async fn close_run(&self, request: Request<v1::CloseRunRequest>) -> Result<Response<v1::CloseRunResponse>, Status> {
        let mut span = telemetry::begin("Source/CloseRun", request.metadata());
        let run_id = request.into_inner().run_id;
        let close = async { self.source()?.close_run(&run_id).await };
        let closed = close.await;
        span.came_out(&closed);
        closed.map_err(|error| to_status(&error))?;
        Ok(Response::new(v1::CloseRunResponse {}))
    }
}

fn partition_of(open: v1::ReadOpen) -> Result<ReadPartition> {
    let partition = open
        .partition
        .ok_or_else(|| Error::protocol("read_broken", "A read stream was opened without a partition"))?;
    Ok(ReadPartition {
        run_id: open.run_id,
        table: open.table,
        partition: partition.into(),
        resume_from: Some(open.resume_from.to_vec()).filter(|position| !position.is_empty()),
    })
}

/// Passes commits on until Longshore gives the partition up.
async fn follow_commits(mut requests: Streaming<v1::ReadRequest>, commits: watch::Sender<u64>) -> Error {
    loop {
        match requests.message().await {
            Ok(Some(message)) => {
                if let Some(read_request::Request::Committed(committed)) = message.request {
                    commits.send_replace(committed.sequence);
                }
            }
            Ok(None) | Err(_) => return Error::protocol("reader_gone", "Longshore gave the partition up"),
        }
    }
}
