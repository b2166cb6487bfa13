//! Drives a source.

use arrow::{array::RecordBatch, compute::concat_batches, datatypes::SchemaRef};
use longshore_core::{
    balance::SourceCounts,
    error::{Error, Result},
    fingerprints::Fingerprints,
    partition::{Checkpoint, Envelope, PartitionFlow},
    state::TableState,
};
use longshore_protocol::{
    framing::BatchDecoder,
    v1::{self, read_request, read_response::Response, source_client::SourceClient},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{MAX_MESSAGE_BYTES, Served, broken, failed};
use crate::{
    Plugin,
    source::{CountRows, Partition, Source, TablePlan, TableSelection},
    table::Table,
};

/// A source under test.
pub struct SourceHarness {
    served: Served,
    client: SourceClient<Channel>,
}

/// What a partition yielded.
#[derive(Debug)]
pub struct ReadOutcome {
    /// The columns.
    pub schema: SchemaRef,
    /// The batches, in order.
    pub batches: Vec<RecordBatch>,
    /// The checkpoints, in order; the last one is the partition's end.
    pub marks: Vec<Mark>,
    /// What the source counted.
    pub counts: SourceCounts,
}

/// A checkpoint and how many rows came before it.
#[derive(Clone, Debug)]
pub struct Mark {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Rows in the batches before it.
    pub rows: usize,
}

impl ReadOutcome {
    /// All rows as one batch.
    ///
    /// # Panics
    /// When the batches have different columns, which the contract excludes.
    #[must_use]
    pub fn rows(&self) -> RecordBatch {
        concat_batches(&self.schema, &self.batches).expect("batches of a stream have its columns")
    }
}

impl SourceHarness {
    /// Serves a source and configures it.
    ///
    /// # Errors
    /// What the source says of its specification.
    pub async fn configure<S: Source>(spec: serde_json::Value) -> Result<Self> {
        let served = Served::start(Plugin::source::<S>()).await?;
        served.configure(v1::Role::Source, &spec).await?;
        let client = SourceClient::new(served.channel.clone())
            .max_decoding_message_size(longshore_protocol::limits::MAX_MESSAGE_BYTES);
        Ok(Self { served, client })
    }

    /// Configures the source once more, in the same process.
    ///
    /// # Errors
    /// `in_use` while a call is open; what the source says of its specification.
    pub async fn configure_again(&self, spec: serde_json::Value) -> Result<()> {
        self.served.configure(v1::Role::Source, &spec).await
    }

    /// See [`Source::test_connection`].
    ///
    /// # Errors
    /// When the call fails; a failed check is no error.
    pub async fn test_connection(&self, tables: &[&str]) -> Result<Vec<v1::Check>> {
        self.served.test_connection(tables).await
    }

    /// See [`Source::list_tables`].
    ///
    /// # Errors
    /// What the source says.
    pub async fn list_tables(&self, names: &[&str]) -> Result<Vec<Table>> {
        let request = v1::ListTablesRequest {
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        let tables = self
            .client
            .clone()
            .list_tables(request)
            .await
            .map_err(failed)?
            .into_inner()
            .tables;
        tables.into_iter().map(TryInto::try_into).collect()
    }

    /// See [`Source::open_run`].
    ///
    /// # Errors
    /// What the source says.
    pub async fn open_run(&self, run_id: &str, attempt: u32, tables: Vec<TableSelection>) -> Result<Vec<TablePlan>> {
        let tables = tables.into_iter().map(|selection| {
            Ok(v1::TableSelection {
                name: selection.name,
                state: selection.state.map(Into::into),
                resume: selection.resume.map(TryInto::try_into).transpose()?,
                range: selection.range.map(Into::into),
                rows: selection.rows.map(|rows| v1::RowSelection {
                    column: rows.column,
                    values: rows.values,
                }),
            })
        });
        let request = v1::OpenRunRequest {
            run_id: run_id.to_owned(),
            attempt,
            tables: tables.collect::<Result<_>>()?,
        };
        let plans = self
            .client
            .clone()
            .open_run(request)
            .await
            .map_err(failed)?
            .into_inner()
            .tables;
        plans.into_iter().map(TryInto::try_into).collect()
    }

    /// See [`Source::count_rows`].
    ///
    /// # Errors
    /// What the source says.
    pub async fn count_rows(&self, wanted: CountRows) -> Result<v1::CountRowsResponse> {
        let request = v1::CountRowsRequest {
            run_id: wanted.run_id,
            table: wanted.table,
            column: wanted.column,
            before: Some(wanted.before.into()),
            timeout_ms: u64::try_from(wanted.timeout.as_millis()).unwrap_or(u64::MAX),
        };
        Ok(self
            .client
            .clone()
            .count_rows(request)
            .await
            .map_err(failed)?
            .into_inner())
    }

    /// See [`Source::close_run`].
    ///
    /// # Errors
    /// What the source says.
    pub async fn close_run(&self, run_id: &str) -> Result<()> {
        self.client
            .clone()
            .close_run(v1::CloseRunRequest {
                run_id: run_id.to_owned(),
            })
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Reads a partition to its end, or after a position, and checks the stream against the contract.
    ///
    /// # Errors
    /// What the source says, and `contract_broken`.
    pub async fn read(
        &self,
        run_id: &str,
        table: &str,
        partition: &Partition,
        resume_from: Option<&[u8]>,
    ) -> Result<ReadOutcome> {
        let mut received = Received::default();
        self.receive(run_id, table, partition, resume_from, &mut received)
            .await?;
        received.whole()
    }

    /// Reads a partition that fails on the way: what came before the error, and the error.
    ///
    /// # Errors
    /// `contract_broken`, also when the partition is read to its end.
    pub async fn read_to_failure(
        &self,
        run_id: &str,
        table: &str,
        partition: &Partition,
        resume_from: Option<&[u8]>,
    ) -> Result<(Vec<RecordBatch>, Vec<Mark>, Error)> {
        let mut received = Received::default();
        let failure = self.receive(run_id, table, partition, resume_from, &mut received).await;
        match failure {
            Ok(()) => Err(broken("the partition did not fail")),
            Err(error) if error.code == "contract_broken" => Err(error),
            Err(error) => Ok((received.batches, received.marks, error)),
        }
    }

    async fn receive(
        &self,
        run_id: &str,
        table: &str,
        partition: &Partition,
        resume_from: Option<&[u8]>,
        received: &mut Received,
    ) -> Result<()> {
        let open = v1::ReadOpen {
            run_id: run_id.to_owned(),
            table: table.to_owned(),
            partition: Some(partition.clone().into()),
            resume_from: resume_from.unwrap_or_default().to_vec().into(),
            max_message_bytes: MAX_MESSAGE_BYTES,
            max_batch_rows: 0,
        };
        let (requests, stream) = mpsc::channel(1);
        let message = v1::ReadRequest {
            request: Some(read_request::Request::Open(open)),
        };
        requests
            .send(message)
            .await
            .map_err(|_| broken("the channel of a new stream is closed"))?;
        let mut responses = self
            .client
            .clone()
            .read(ReceiverStream::new(stream))
            .await
            .map_err(failed)?
            .into_inner();
        while let Some(message) = responses.message().await.map_err(failed)? {
            received.take(message)?;
        }
        Ok(())
    }

    /// A whole run of one table as Longshore would do it: plan, every partition to its end, close. Answers what was read, partition by partition,
    /// and the state that the next run is to be given.
    ///
    /// # Errors
    /// What the source says, and `contract_broken`.
    pub async fn run(
        &self,
        run_id: &str,
        table: &str,
        state: Option<TableState>,
    ) -> Result<(Vec<ReadOutcome>, Option<TableState>)> {
        self.run_beside(run_id, table, state, std::future::ready(())).await
    }

    /// The same, with something that happens when the run is planned and nothing is read yet.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_beside(
        &self,
        run_id: &str,
        table: &str,
        state: Option<TableState>,
        between: impl Future<Output = ()>,
    ) -> Result<(Vec<ReadOutcome>, Option<TableState>)> {
        let selection = TableSelection {
            name: table.to_owned(),
            state,
            ..TableSelection::default()
        };
        let plans = self.open_run(run_id, 1, vec![selection]).await?;
        let [plan] =
            <[TablePlan; 1]>::try_from(plans).map_err(|_| broken("one table was opened, not one plan came back"))?;
        between.await;
        let mut outcomes = Vec::new();
        for partition in &plan.partitions {
            outcomes.push(self.read(run_id, table, partition, None).await?);
        }
        self.close_run(run_id).await?;
        let delivered: Vec<&Fingerprints> = outcomes
            .iter()
            .flat_map(|outcome| &outcome.marks)
            .map(|mark| &mark.checkpoint.fingerprints)
            .collect();
        let state = plan.completed_state.map(|state| state.promoted(delivered));
        Ok((outcomes, state))
    }
}

/// What came of a partition so far, checked against the contract.
struct Received {
    decoder: Option<BatchDecoder>,
    flow: PartitionFlow,
    batches: Vec<RecordBatch>,
    marks: Vec<Mark>,
    rows: usize,
}

impl Default for Received {
    fn default() -> Self {
        Self {
            decoder: None,
            flow: PartitionFlow::new(0),
            batches: Vec::new(),
            marks: Vec::new(),
            rows: 0,
        }
    }
}

impl Received {
    fn take(&mut self, message: v1::ReadResponse) -> Result<()> {
        match (message.response, &self.decoder) {
            (Some(Response::Schema(schema)), None) => {
                let schema = BatchDecoder::new(&schema.arrow_schema)
                    .map_err(|error| broken("the schema can not be read").with_cause(&error))?;
                self.decoder = Some(schema);
            }
            (Some(Response::Batch(batch)), Some(decoder)) => {
                self.flow.batch(Envelope {
                    sequence: batch.sequence,
                    rows: batch.rows,
                    bytes: batch.data.len() as u64,
                })?;
                let decoded = decoder
                    .decode(batch.data)
                    .map_err(|error| broken("a batch can not be decoded").with_cause(&error))?;
                if decoded.num_rows() as u64 != batch.rows {
                    return Err(broken("a batch holds another number of rows than announced"));
                }
                self.rows += decoded.num_rows();
                self.batches.push(decoded);
            }
            (Some(Response::Checkpoint(checkpoint)), Some(_)) => self.mark(checkpoint, false)?,
            (Some(Response::Done(done)), Some(_)) => {
                self.mark(done.end.ok_or_else(|| broken("`done` has no end"))?, true)?;
            }
            _ => return Err(broken("a message came before the schema, twice, or is empty")),
        }
        Ok(())
    }

    fn mark(&mut self, checkpoint: v1::Checkpoint, end: bool) -> Result<()> {
        let checkpoint = Checkpoint::try_from(checkpoint)?;
        self.flow.checkpoint(checkpoint.clone(), end)?;
        self.marks.push(Mark {
            checkpoint,
            rows: self.rows,
        });
        Ok(())
    }

    fn whole(self) -> Result<ReadOutcome> {
        let (Some(decoder), Some(end), true) = (self.decoder, self.marks.last(), self.flow.source_done()) else {
            return Err(broken("the stream ended before `done`"));
        };
        Ok(ReadOutcome {
            schema: decoder.schema().clone(),
            batches: self.batches,
            counts: end.checkpoint.counts,
            marks: self.marks,
        })
    }
}
