//! A destination: appends each row to a file, as a line of JSON that holds each value as text.
use longshore_sdk::{Plugin, arrow::util::display::array_value_to_string, prelude::*};
use std::{collections::BTreeMap, path::Path, path::PathBuf, process::ExitCode};
use tokio::{fs::File, io::AsyncWriteExt as _};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct JsonLines {
    /// The file. It is made when it is not there.
    path: PathBuf,
}

fn failed(error: impl std::error::Error + 'static) -> Error {
    Error::destination("file_not_written", "The file can not be written").with_cause(&error)
}
async fn append(path: &Path, lines: &str) -> Result<(), std::io::Error> {
    let mut options = File::options();
    let mut file = options.append(true).create(true).open(path).await?;
    file.write_all(lines.as_bytes()).await?;
    file.sync_data().await
}

impl Destination for JsonLines {
    const NAME: &'static str = "json-lines";
    const VERSION: &'static str = "1.0.0";
    const CAPABILITIES: DestinationCapabilities = DestinationCapabilities::APPEND;
    type Spec = Self;
    fn configure(spec: Self) -> Result<Self> {
        Ok(spec)
    }
    async fn test_connection(&self) -> Vec<Check> {
        match append(&self.path, "").await {
            Ok(()) => vec![Check::passed("open the file", "It can be written")],
            Err(error) => vec![Check::from_error("open the file", &failed(error))],
        }
    }
    async fn prepare(&self, _: &str, tables: Vec<TableToPrepare>) -> Result<Vec<PreparedTable>> {
        Ok(tables.iter().map(PreparedTable::appended_to).collect())
    }
    async fn write(&self, _: WritePartition, mut batches: BatchReceiver, acks: AckSender) -> Result<()> {
        while let Some(received) = batches.next().await? {
            let Received::Batch(batch) = received else { continue };
            let (rows, mut lines) = (batch.decode()?, String::new());
            for row in 0..rows.num_rows() {
                let mut line = BTreeMap::new();
                for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
                    line.insert(field.name(), array_value_to_string(column, row).map_err(failed)?);
                }
                lines += &(serde_json::to_string(&line).map_err(failed)? + "\n");
            }
            append(&self.path, &lines).await.map_err(failed)?;
            acks.delivered(&batch).await?;
        }
        Ok(())
    }
}
fn main() -> ExitCode {
    Plugin::destination::<JsonLines>().serve()
}
