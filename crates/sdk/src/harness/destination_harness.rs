//! Drives a destination.

use std::time::Duration;

use arrow::array::RecordBatch;
use longshore_core::{
    balance::DestinationCounts,
    error::{Error, Result},
    partition::{Envelope, PartitionFlow},
};
use longshore_protocol::{
    framing::BatchEncoder,
    v1::{self, destination_client::DestinationClient, write_request, write_response::Response},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::{MAX_MESSAGE_BYTES, Served, broken, failed};
use crate::{
    Plugin,
    destination::{Destination, WriteMode},
    table::Table,
};

/// A destination under test.
pub struct DestinationHarness {
    served: Served,
    client: DestinationClient<Channel>,
    dry_run: bool,
}

/// What a destination answered to one partition.
#[derive(Debug, Default)]
pub struct Written {
    /// Rows by their fate.
    pub counts: DestinationCounts,
    /// What it refused.
    pub rejects: Vec<v1::Reject>,
    /// Rows that it announced to send once more, where that leaves a trace; each as often as it was announced.
    pub resent: u64,
    /// Rows that it says supersede older rejects.
    pub superseding: Vec<v1::SupersedingRow>,
    /// How long it says that its requests waited for a rate limit.
    pub rate_limit_wait: Duration,
}

/// What the user wants of rows of which nobody knows whether they arrived, and of rejected ones.
#[derive(Clone, Copy, Debug, Default)]
pub struct UncertainRows {
    /// So many rows at the beginning of the stream may have been delivered by an attempt that broke off, and are to be held.
    pub delivered_before: u64,
    /// Rows of this stream to which it happens are to be held, and not sent again.
    pub hold: bool,
    /// The user does not want rejected rows kept.
    pub leave_values_out: bool,
}

impl DestinationHarness {
    /// Serves a destination and configures it.
    ///
    /// # Errors
    /// What the destination says of its specification.
    pub async fn configure<D: Destination>(spec: serde_json::Value) -> Result<Self> {
        let served = Served::start(Plugin::destination::<D>()).await?;
        served.configure(v1::Role::Destination, &spec).await?;
        let client = DestinationClient::new(served.channel.clone());
        Ok(Self {
            served,
            client,
            dry_run: false,
        })
    }

    /// Whether later calls are of a dry run.
    pub fn set_dry_run(&mut self, dry_run: bool) {
        self.dry_run = dry_run;
    }

    /// See [`Destination::estimate`].
    ///
    /// # Errors
    /// What the destination says.
    pub async fn estimate(&self) -> Result<v1::EstimateResponse> {
        let request = v1::EstimateRequest {
            run_id: "harness".to_owned(),
        };
        Ok(self
            .client
            .clone()
            .estimate(request)
            .await
            .map_err(failed)?
            .into_inner())
    }

    /// See [`Destination::test_connection`].
    ///
    /// # Errors
    /// When the call fails; a failed check is no error.
    pub async fn test_connection(&self) -> Result<Vec<v1::Check>> {
        self.served.test_connection(&[]).await
    }

    /// Prepares one table.
    ///
    /// # Errors
    /// What the destination says.
    pub async fn prepare(&self, table: Table, write_mode: Option<WriteMode>) -> Result<v1::PreparedTable> {
        let write_mode = write_mode.map_or(v1::WriteMode::Unspecified, Into::into);
        let table = v1::TableToPrepare {
            expected_rows: table.estimated_rows,
            table: Some(table.try_into()?),
            write_mode: write_mode.into(),
            migrate_mode: v1::MigrateMode::Safe.into(),
        };
        let request = v1::PrepareRequest {
            run_id: "harness".to_owned(),
            tables: vec![table],
            dry_run: self.dry_run,
        };
        let mut tables = self
            .client
            .clone()
            .prepare(request)
            .await
            .map_err(failed)?
            .into_inner()
            .tables;
        match (tables.pop(), tables.is_empty()) {
            (Some(table), true) => Ok(table),
            _ => Err(broken("one table was to be prepared")),
        }
    }

    /// Names identities that the ledger of rejects has rows of.
    ///
    /// # Errors
    /// What the destination says.
    pub async fn watch_identities(&self, table: &str, identities: &[&str]) -> Result<()> {
        let request = v1::WatchIdentitiesRequest {
            table: table.to_owned(),
            identities: identities.iter().map(|&identity| identity.to_owned()).collect(),
            fingerprints: Vec::new(),
        };
        self.client.clone().watch_identities(request).await.map_err(failed)?;
        Ok(())
    }

    /// Shows what would be sent.
    ///
    /// # Errors
    /// What the destination says.
    pub async fn preview(&self, table: Table, batches: &[RecordBatch]) -> Result<v1::PreviewResponse> {
        let request = v1::PreviewRequest {
            table: Some(table.try_into()?),
            write_mode: v1::WriteMode::Unspecified.into(),
            batches: encoded(batches)?,
        };
        Ok(self.client.clone().preview(request).await.map_err(failed)?.into_inner())
    }

    /// Writes batches as one partition, ends the stream, and checks the answers against the contract.
    ///
    /// # Errors
    /// What the destination says, and `contract_broken`.
    pub async fn write(&self, table: Table, write_mode: WriteMode, batches: &[RecordBatch]) -> Result<Written> {
        let (written, end) = self
            .write_to_the_end(table, write_mode, batches, UncertainRows::default())
            .await;
        end.map(|()| written)
    }

    /// As [`Self::write`], with a wish for uncertain rows, and with what was answered until the stream ended, however it did.
    pub async fn write_to_the_end(
        &self,
        table: Table,
        write_mode: WriteMode,
        batches: &[RecordBatch],
        uncertain: UncertainRows,
    ) -> (Written, Result<()>) {
        let mut written = Written::default();
        let end = self
            .exchange((table, write_mode, batches), uncertain, &mut written)
            .await;
        (written, end)
    }

    async fn exchange(
        &self,
        (table, write_mode, batches): (Table, WriteMode, &[RecordBatch]),
        uncertain: UncertainRows,
        written: &mut Written,
    ) -> Result<()> {
        let open = v1::WriteOpen {
            run_id: "harness".to_owned(),
            table: Some(table.try_into()?),
            partition_id: "harness".to_owned(),
            write_mode: v1::WriteMode::from(write_mode).into(),
            max_message_bytes: MAX_MESSAGE_BYTES,
            uncertain_rows: uncertain.delivered_before,
            hold_uncertain: uncertain.hold,
            dry_run: self.dry_run,
            keep_rejected_rows: !uncertain.leave_values_out,
        };
        let mut flow = PartitionFlow::new(1);
        let mut requests = vec![write_request::Request::Open(open)];
        for batch in encoded(batches)? {
            flow.batch(Envelope {
                sequence: batch.sequence,
                rows: batch.rows,
                bytes: batch.data.len() as u64,
            })?;
            requests.push(write_request::Request::Batch(batch));
        }
        let (sender, stream) = mpsc::channel(1);
        let sending = async move {
            for request in requests {
                if sender.send(v1::WriteRequest { request: Some(request) }).await.is_err() {
                    break;
                }
            }
        };
        let taking = async {
            let mut responses = self
                .client
                .clone()
                .write(ReceiverStream::new(stream))
                .await
                .map_err(failed)?
                .into_inner();
            let mut opened = false;
            while let Some(message) = responses.message().await.map_err(failed)? {
                match message.response {
                    Some(Response::Opened(_)) if !opened => opened = true,
                    Some(Response::Ack(ack)) if opened => {
                        let counts = DestinationCounts::from(ack);
                        flow.ack(0, ack.sequence, counts)?;
                        written.counts += counts;
                        let waited = ack.figures.map_or(0, |figures| figures.rate_limit_wait_us);
                        written.rate_limit_wait += Duration::from_micros(waited);
                    }
                    Some(Response::Rejects(rejects)) if opened => written.rejects.extend(rejects.rejects),
                    Some(Response::Superseded(superseded)) if opened => written.superseding.extend(superseded.rows),
                    Some(Response::Resent(resent)) if opened => written.resent += resent.rows,
                    _ => {
                        return Err(broken(
                            "the stream did not begin with `opened`, or held an empty message",
                        ));
                    }
                }
            }
            if !flow.all_acked(0) {
                return Err(broken("the stream ended before every batch was acked"));
            }
            Ok::<(), Error>(())
        };
        let (end, ()) = tokio::join!(taking, sending);
        end
    }
}

fn encoded(batches: &[RecordBatch]) -> Result<Vec<v1::RecordBatch>> {
    let mut encoder = BatchEncoder::default();
    let encode = |(index, batch): (usize, &RecordBatch)| {
        let data = encoder
            .encode(batch)
            .map_err(|error| broken("a batch can not be encoded").with_cause(&error))?;
        Ok(v1::RecordBatch {
            sequence: index as u64 + 1,
            rows: batch.num_rows() as u64,
            data,
        })
    };
    batches.iter().enumerate().map(encode).collect()
}
