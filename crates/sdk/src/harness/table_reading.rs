//! Runs of one table, as Longshore would do them.

use std::marker::PhantomData;

use arrow::{
    array::{Array as _, RecordBatch},
    compute::concat_batches,
    util::display::array_value_to_string,
};
use longshore_core::{Error, Result, TableState};
use serde_json::Value;

use super::SourceHarness;
use crate::source::{Source, TableSelection};

/// A source and the state of one of its tables, from run to run.
pub struct TableReading<S> {
    /// The source.
    pub source: SourceHarness,
    table: String,
    /// What the last run left behind.
    pub state: Option<TableState>,
    run: u32,
    kind: PhantomData<fn() -> S>,
}

/// What a run yielded.
#[derive(Debug)]
pub struct Rows {
    /// Those that were delivered, partition after partition.
    pub batch: RecordBatch,
    /// Fetched.
    pub read: u64,
    /// Left out by a rule.
    pub filtered: u64,
    /// Left out because they were known.
    pub deduplicated: u64,
}

impl Rows {
    /// A column as text, sorted.
    ///
    /// # Panics
    /// As [`texts`].
    #[must_use]
    pub fn sorted(&self, column: &str) -> Vec<String> {
        let mut values = texts(&self.batch, column);
        values.sort();
        values
    }

    /// An integer column, in order of delivery.
    ///
    /// # Panics
    /// As [`texts`], and when a value is NULL.
    #[must_use]
    pub fn numbers(&self, column: &str) -> Vec<i64> {
        texts(&self.batch, column)
            .iter()
            .map(|value| value.parse().expect("an integer column"))
            .collect()
    }

    /// How many were delivered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.batch.num_rows()
    }
}

impl<S: Source> TableReading<S> {
    /// A source with this specification, and nothing read of the table yet.
    ///
    /// # Panics
    /// When the source refuses the specification.
    pub async fn new(spec: Value, table: &str) -> Self {
        match SourceHarness::configure::<S>(spec).await {
            Ok(source) => Self {
                source,
                table: table.to_owned(),
                state: None,
                run: 0,
                kind: PhantomData,
            },
            Err(error) => panic!("the specification was refused: {error:?}"),
        }
    }

    /// What the next run would warn of. It is opened and closed again.
    ///
    /// # Panics
    /// When it can not be opened.
    pub async fn warnings(&self) -> Vec<String> {
        let selection = TableSelection {
            name: self.table.clone(),
            state: self.state.clone(),
            ..TableSelection::default()
        };
        let opened = self.source.open_run("look", 1, vec![selection]).await;
        let closed = self.source.close_run("look").await;
        match (opened, closed) {
            (Ok(plans), Ok(())) => plans.into_iter().flat_map(|plan| plan.warnings).collect(),
            (Err(error), _) | (_, Err(error)) => panic!("the run can not be opened: {error:?}"),
        }
    }

    /// A complete run; the state moves on.
    ///
    /// # Panics
    /// When the run fails.
    pub async fn run(&mut self) -> Rows {
        self.run_beside(std::future::ready(())).await
    }

    /// As [`Self::run`], with something that happens when the run is planned and nothing is read yet.
    ///
    /// # Panics
    /// As [`Self::run`].
    pub async fn run_beside(&mut self, between: impl Future<Output = ()>) -> Rows {
        match self.try_run_beside(between).await {
            Ok(rows) => rows,
            Err(error) => panic!("the run failed: {error:?}"),
        }
    }

    /// As [`Self::run`].
    ///
    /// # Errors
    /// What the source says; the state stays as it was.
    ///
    /// # Panics
    /// When the source's counts do not balance.
    pub async fn try_run(&mut self) -> Result<Rows> {
        self.try_run_beside(std::future::ready(())).await
    }

    async fn try_run_beside(&mut self, between: impl Future<Output = ()>) -> Result<Rows> {
        self.run += 1;
        // Through its stored form, as between two processes.
        let state = self
            .state
            .as_ref()
            .map(|state| TableState::from_document(&state.to_document()?))
            .transpose()?;
        let (outcomes, state) = self
            .source
            .run_beside(&format!("run-{}", self.run), &self.table, state, between)
            .await?;
        self.state = state;
        let schema = match outcomes.first() {
            Some(outcome) => outcome.schema.clone(),
            None => self.source.list_tables(&[&self.table]).await?[0].schema.clone(),
        };
        let batches: Vec<RecordBatch> = outcomes.iter().flat_map(|outcome| outcome.batches.clone()).collect();
        let batch = concat_batches(&schema, &batches).map_err(|error| {
            Error::protocol("contract_broken", "The partitions have different columns").with_cause(&error)
        })?;
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

/// A column as text; NULL is `∅`.
///
/// # Panics
/// When there is no such column, or no text of its values.
#[must_use]
pub fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
    let text = |row| {
        if column.is_null(row) {
            "∅".to_owned()
        } else {
            array_value_to_string(column, row).expect("values of this column have a text")
        }
    };
    (0..batch.num_rows()).map(text).collect()
}

/// A column of a known array type.
///
/// # Panics
/// When there is no such column, or it has another type.
#[must_use]
pub fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> &'a T {
    batch
        .column_by_name(name)
        .unwrap_or_else(|| panic!("no column {name}"))
        .as_any()
        .downcast_ref()
        .expect("the array type of this column")
}
