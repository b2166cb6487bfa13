//! Runs of one table, as Longshore would do them.

use longshore_sdk::{
    arrow::{
        array::{Array as _, RecordBatch},
        compute::concat_batches,
        util::display::array_value_to_string,
    },
    harness::SourceHarness,
    prelude::*,
};
use longshore_source_postgresql::PostgreSql;
use serde_json::Value;

/// A source and the state of one of its tables.
pub(crate) struct Reading {
    pub(crate) source: SourceHarness,
    table: String,
    pub(crate) state: Option<TableState>,
    run: u32,
}

/// What a run yielded.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    pub(crate) read: u64,
    pub(crate) filtered: u64,
    pub(crate) deduplicated: u64,
}

impl Rows {
    /// A column as text, sorted.
    pub(crate) fn sorted(&self, column: &str) -> Vec<String> {
        let mut values = texts(&self.batch, column);
        values.sort();
        values
    }

    /// An integer column, in order of delivery.
    pub(crate) fn numbers(&self, column: &str) -> Vec<i64> {
        texts(&self.batch, column)
            .iter()
            .map(|value| value.parse().unwrap())
            .collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.batch.num_rows()
    }
}

impl Reading {
    pub(crate) async fn new(spec: Value, table: &str) -> Self {
        let source = SourceHarness::configure::<PostgreSql>(spec).await.unwrap();
        Self {
            source,
            table: table.to_owned(),
            state: None,
            run: 0,
        }
    }

    /// A complete run; the state moves on.
    pub(crate) async fn run(&mut self) -> Rows {
        self.try_run().await.unwrap()
    }

    /// What the next run would warn of. It is opened and closed again.
    pub(crate) async fn warnings(&self) -> Vec<String> {
        let selection = TableSelection {
            name: self.table.clone(),
            state: self.state.clone(),
            ..TableSelection::default()
        };
        let mut plans = self.source.open_run("look", 1, vec![selection]).await.unwrap();
        self.source.close_run("look").await.unwrap();
        plans.remove(0).warnings
    }

    pub(crate) async fn try_run(&mut self) -> Result<Rows> {
        self.run += 1;
        // Through its stored form, as between two processes.
        let state = self
            .state
            .as_ref()
            .map(|state| TableState::from_document(&state.to_document().unwrap()).unwrap());
        let (outcomes, state) = self
            .source
            .run(&format!("run-{}", self.run), &self.table, state)
            .await?;
        self.state = state;
        let schema = match outcomes.first() {
            Some(outcome) => outcome.schema.clone(),
            None => self.source.list_tables(&[&self.table]).await?[0].schema.clone(),
        };
        let batches: Vec<RecordBatch> = outcomes.iter().flat_map(|outcome| outcome.batches.clone()).collect();
        let batch = concat_batches(&schema, &batches).unwrap();
        let rows = Rows {
            read: outcomes.iter().map(|outcome| outcome.counts.read).sum(),
            filtered: outcomes.iter().map(|outcome| outcome.counts.filtered).sum(),
            deduplicated: outcomes.iter().map(|outcome| outcome.counts.deduplicated).sum(),
            batch,
        };
        assert_eq!(
            rows.read,
            rows.count() as u64 + rows.filtered + rows.deduplicated,
            "the source's counts balance"
        );
        Ok(rows)
    }
}

/// All rows of a table that is read whole.
pub(crate) async fn read_all(spec: Value, table: &str) -> RecordBatch {
    Reading::new(spec, table).await.run().await.batch
}

/// A column as text; NULL is `∅`.
pub(crate) fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let text = |row| {
        if column.is_null(row) {
            "∅".to_owned()
        } else {
            array_value_to_string(column, row).unwrap()
        }
    };
    (0..batch.num_rows()).map(text).collect()
}

/// A column of a known array type.
pub(crate) fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> &'a T {
    batch
        .column_by_name(name)
        .unwrap_or_else(|| panic!("no column {name}"))
        .as_any()
        .downcast_ref()
        .expect("the array type of this column")
}
