//! The `Destination` service around a [`Destination`].

use std::sync::{Arc, atomic::Ordering};

use futures_util::{
    FutureExt as _, Stream, StreamExt as _, TryStreamExt as _,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use longshore_core::{Error, Result};
use longshore_protocol::{
    framing::BatchDecoder,
    status::to_status,
    v1::{self, destination_server, write_request},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{
    AckSender, BatchReceiver, Destination, TableToPrepare, WriteMode, WritePartition, dry_run::check_declared,
    held::HeldRows, identities::RejectedIdentities, unacked::UnackedBatches,
};
use crate::serve::{
    configured::Configured,
    plugin_service::{Role, parse_spec, spec_schema},
    streaming::OwnedTask,
    telemetry,
};

/// Acks of one partition that wait for the socket.
const ACKS_IN_FLIGHT: usize = 64;

pub(crate) struct DestinationRole<D> {
    destination: Configured<D>,
    identities: RejectedIdentities,
}

impl<D> Default for DestinationRole<D> {
    fn default() -> Self {
        Self {
            destination: Configured::default(),
            identities: RejectedIdentities::default(),
        }
    }
}

impl<D> DestinationRole<D> {
    fn destination(&self) -> Result<Arc<D>> {
        self.destination.get()
    }
}

impl<D: Destination> DestinationRole<D> {
    /// `Destination.Write`, however its messages are taken off the wire.
    pub(crate) async fn open_write(
        &self,
        request: Request<impl Stream<Item = Result<v1::WriteRequest, Status>> + Send + Unpin + 'static>,
    ) -> Result<Response<BoxStream<'static, Result<v1::WriteResponse, Status>>>, Status> {
        let mut span = telemetry::begin("Destination/Write", request.metadata());
        let mut requests = request.into_inner();
        let destination = self.destination().map_err(|error| to_status(&error))?;
        let open = requests.try_next().await?.and_then(|message| message.request);
        let Some(write_request::Request::Open(open)) = open else {
            return Err(to_status(&Error::protocol(
                "write_broken",
                "A write stream does not begin with `open`",
            )));
        };
        check_declared(open.dry_run, D::CAPABILITIES.dry_run).map_err(|error| to_status(&error))?;
        let (uncertain_rows, keep_rows) = (open.uncertain_rows, open.keep_rejected_rows);
        let (partition, decoder) = opened(open).map_err(|error| to_status(&error))?;
        span.about("longshore.table", &partition.table.name);
        span.about("longshore.partition", &partition.partition_id);
        let (sender, receiver) = mpsc::channel(ACKS_IN_FLIGHT);
        let key = partition.table.primary_key.clone();
        let unacked = Arc::new(UnackedBatches::new(Arc::new(decoder), key, keep_rows));
        let rejected = self.identities.of(&partition.table.name);
        let stream = self.identities.next_stream();
        let acks = AckSender::new(sender.clone(), Arc::clone(&unacked), rejected, stream);
        let batches = BatchReceiver::new(requests.boxed(), unacked, HeldRows::new(uncertain_rows, acks.clone()));
        let task = tokio::spawn(async move {
            let outcome = write(destination.as_ref(), partition, batches, acks).await;
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
}

impl<D: Destination> Role for DestinationRole<D> {
    fn describe(&self, description: &mut v1::DescribeResponse) {
        description.destination = Some(v1::DestinationCapabilities {
            spec_schema: spec_schema::<D::Spec>(),
            write_modes: D::CAPABILITIES
                .write_modes
                .iter()
                .map(|mode| v1::WriteMode::from(*mode).into())
                .collect(),
            delete_stale: D::CAPABILITIES.delete_stale,
            read_back: false,
            preview: D::CAPABILITIES.preview,
            dry_run: D::CAPABILITIES.dry_run,
            // Every destination written with this SDK does: rows are held before it sees them.
            hold_uncertain_rows: true,
            reports_superseded: D::CAPABILITIES.reports_superseded,
        });
    }

    fn configure(&self, spec_json: &str) -> Result<()> {
        self.destination.replace(D::configure(parse_spec(spec_json)?)?)
    }

    fn configured(&self) -> bool {
        self.destination().is_ok()
    }

    fn test_connection(&self, _: Vec<String>) -> BoxFuture<'_, Result<Vec<v1::Check>>> {
        async move {
            Ok(self
                .destination()?
                .test_connection()
                .await
                .into_iter()
                .map(Into::into)
                .collect())
        }
        .boxed()
    }
}

#[tonic::async_trait]
impl<D: Destination> destination_server::Destination for DestinationRole<D> {
    type WriteStream = BoxStream<'static, Result<v1::WriteResponse, Status>>;
    type ReadBackStream = BoxStream<'static, Result<v1::ReadBackResponse, Status>>;

    async fn prepare(&self, request: Request<v1::PrepareRequest>) -> Result<Response<v1::PrepareResponse>, Status> {
        let mut span = telemetry::begin("Destination/Prepare", request.metadata());
        let request = request.into_inner();
        span.about("longshore.run_id", &request.run_id);
        let prepare = async {
            check_declared(request.dry_run, D::CAPABILITIES.dry_run)?;
            let tables = request
                .tables
                .into_iter()
                .map(|asked| TableToPrepare::from_wire(asked, request.dry_run))
                .collect::<Result<Vec<_>>>()?;
            let asked = tables.len();
            let prepared = self.destination()?.prepare(&request.run_id, tables).await?;
            if prepared.len() != asked {
                return Err(Error::internal(
                    "prepare_incomplete",
                    format!("{asked} tables were to be prepared, {} were", prepared.len()),
                ));
            }
            Ok(prepared)
        };
        let prepared = prepare.await;
        span.came_out(&prepared);
        let prepared = prepared.map_err(|error| to_status(&error))?;
        Ok(Response::new(v1::PrepareResponse {
            tables: prepared.into_iter().map(Into::into).collect(),
        }))
    }

    async fn write(
        &self,
        request: Request<Streaming<v1::WriteRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        self.open_write(request).await
    }

    async fn delete_stale(
        &self,
        request: Request<v1::DeleteStaleRequest>,
    ) -> Result<Response<v1::DeleteStaleResponse>, Status> {
        let mut span = telemetry::begin("Destination/DeleteStale", request.metadata());
        let request = request.into_inner();
        span.about("longshore.table", &request.table);
        let delete = async { self.destination()?.delete_stale(&request.run_id, &request.table).await };
        let deleted = delete.await;
        span.came_out(&deleted);
        let deleted = deleted.map_err(|error| to_status(&error))?;
        Ok(Response::new(v1::DeleteStaleResponse { deleted }))
    }

    async fn read_back(&self, _: Request<v1::ReadBackRequest>) -> Result<Response<Self::ReadBackStream>, Status> {
        let refusal = Error::protocol("not_declared", "This destination does not declare read_back");
        Ok(Response::new(
            stream::once(async move { Err(to_status(&refusal)) }).boxed(),
        ))
    }

    async fn preview(&self, request: Request<v1::PreviewRequest>) -> Result<Response<v1::PreviewResponse>, Status> {
        let request = request.into_inner();
        let preview = async {
            let table = request
                .table
                .ok_or_else(|| Error::protocol("preview_broken", "A preview without a table"))?;
            let unreadable = |error: &(dyn std::error::Error + 'static)| {
                Error::protocol("batch_broken", "A batch to preview can not be decoded").with_cause(error)
            };
            let decoder = BatchDecoder::new(&table.arrow_schema).map_err(|error| unreadable(&error))?;
            let batches = request
                .batches
                .into_iter()
                .map(|batch| decoder.decode(batch.data).map_err(|error| unreadable(&error)));
            let batches = batches.collect::<Result<Vec<_>>>()?;
            self.destination()?.preview(table.try_into()?, batches).await
        };
        let preview = preview.await.map_err(|error| to_status(&error))?;
        let requests = preview.requests.into_iter().map(|request| v1::PreviewedRequest {
            method: request.method,
            url: request.url,
            body: request.body,
        });
        Ok(Response::new(v1::PreviewResponse {
            requests: requests.collect(),
            rejects: preview.rejects.into_iter().map(Into::into).collect(),
            id_column: preview.id_column.unwrap_or_default(),
        }))
    }

    async fn estimate(&self, request: Request<v1::EstimateRequest>) -> Result<Response<v1::EstimateResponse>, Status> {
        let run_id = request.into_inner().run_id;
        let estimate = async { self.destination()?.estimate(&run_id).await };
        let estimate = estimate.await.map_err(|error| to_status(&error))?;
        Ok(Response::new(estimate.into()))
    }

    async fn watch_identities(
        &self,
        request: Request<v1::WatchIdentitiesRequest>,
    ) -> Result<Response<v1::WatchIdentitiesResponse>, Status> {
        if !D::CAPABILITIES.reports_superseded {
            let refusal = Error::protocol("not_declared", "This destination does not declare reports_superseded");
            return Err(to_status(&refusal));
        }
        let request = request.into_inner();
        let rejected = self.identities.of(&request.table);
        rejected.identities.watch(&request.identities);
        rejected.rows.watch(&request.fingerprints);
        Ok(Response::new(v1::WatchIdentitiesResponse {}))
    }
}

/// Runs the author's `write` between the contract's first and last message.
async fn write<D: Destination>(
    destination: &D,
    partition: WritePartition,
    batches: BatchReceiver,
    acks: AckSender,
) -> Result<()> {
    acks.opened().await?;
    let received = batches.received();
    destination.write(partition, batches, acks.clone()).await?;
    let (received, acked) = (received.load(Ordering::Relaxed), acks.acked());
    if received != acked {
        return Err(Error::internal(
            "batches_unacked",
            format!("{received} batches were received, {acked} were acked"),
        ));
    }
    Ok(())
}

fn opened(open: v1::WriteOpen) -> Result<(WritePartition, BatchDecoder)> {
    let broken = || {
        Error::protocol(
            "write_broken",
            "A write stream was opened without a table or a write mode",
        )
    };
    let write_mode = WriteMode::from_wire(open.write_mode()).ok_or_else(broken)?;
    let table = open.table.ok_or_else(broken)?;
    let decoder = BatchDecoder::new(&table.arrow_schema).map_err(|error| {
        Error::protocol(
            "schema_unreadable",
            format!("The schema of table {} can not be read", table.name),
        )
        .with_cause(&error)
    })?;
    let partition = WritePartition {
        run_id: open.run_id,
        table: table.try_into()?,
        partition_id: open.partition_id,
        write_mode,
        hold_uncertain: open.hold_uncertain,
        dry_run: open.dry_run,
    };
    Ok((partition, decoder))
}
