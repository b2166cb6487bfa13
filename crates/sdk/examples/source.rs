//! A source: young member states of the United Nations. The year they joined is the cursor, so a second run finds nothing new.
use longshore_sdk::{Plugin, arrow::array::*, prelude::*};
use std::{process::ExitCode, sync::Arc};

const JOINED: [i64; 4] = [1999, 2002, 2006, 2011];
const NAMES: [&str; 4] = ["Tonga", "Timor-Leste", "Montenegro", "South Sudan"];

/// The specification: `{}`, since there is nothing to configure.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Countries {}

fn failed(error: impl std::error::Error + 'static) -> Error {
    Error::source("countries_unread", "The countries can not be read").with_cause(&error)
}

fn joined_after(year: i64) -> Result<RecordBatch> {
    let first = JOINED.partition_point(|joined| *joined <= year);
    let joined: ArrayRef = Arc::new(Int64Array::from(JOINED[first..].to_vec()));
    let names: ArrayRef = Arc::new(StringArray::from(NAMES[first..].to_vec()));
    RecordBatch::try_from_iter([("joined", joined), ("name", names)]).map_err(failed)
}

impl Source for Countries {
    const NAME: &'static str = "countries";
    const VERSION: &'static str = "1.0.0";
    const CAPABILITIES: SourceCapabilities = SourceCapabilities::INCREMENTAL;
    type Spec = Self;
    fn configure(spec: Self) -> Result<Self> {
        Ok(spec)
    }
    async fn test_connection(&self, _: &[String]) -> Vec<Check> {
        vec![Check::passed("read countries", "They are part of the program")]
    }
    async fn list_tables(&self, _: &[String]) -> Result<Vec<Table>> {
        let schema = joined_after(0)?.schema();
        Ok(vec![Table::new("countries", schema).with_cursor("joined")])
    }
    async fn open_run(&self, run: OpenRun) -> Result<Vec<TablePlan>> {
        let mut plans = Vec::new();
        for (table, asked) in self.list_tables(&[]).await?.into_iter().zip(run.tables) {
            let year = match asked.state.and_then(|state| state.cursor) {
                Some(CursorValue::Int(year)) => year.to_string(),
                _ => "0".to_owned(),
            };
            let plan = TablePlan::new(table, vec![Partition::new("all", year)]).up_to(CursorValue::Int(JOINED[3]));
            plans.push(asked.resume.unwrap_or(plan));
        }
        Ok(plans)
    }
    async fn read(&self, read: ReadPartition, output: &mut PartitionWriter) -> Result<()> {
        let rows = joined_after(read.partition.descriptor.parse().map_err(failed)?)?;
        output.start(rows.schema()).await?;
        output.write(rows).await
    }
}
fn main() -> ExitCode {
    Plugin::source::<Countries>().serve()
}
