//! Tables with a cursor: what is new since the stored state, whatever order it was committed in. The README tells why this loses nothing.

use longshore_sdk::{
    core::cursor::CursorType,
    incremental::{
        CursorColumn, NamedStart, NullCursor, Overlap, ReadOptions, Span, StartFrom, before, greater, lesser,
    },
    prelude::*,
};

use super::{
    LARGE_TABLE_ROWS, Planning,
    order::{missing_index, order_key},
};
use crate::{
    catalog::{Column, Relation},
    errors::from_postgres,
    position::constant,
    probe,
    source_state::SourceState,
    work::{Again, Ordered, Since, Unsettled, Work},
};

/// Where rows do not carry their transaction, this much is left for the next run.
const SETTLE_MICROSECONDS: i64 = 5 * 1_000_000;

/// After a fail-over transaction numbers do not help: look so many overlaps back.
const WIDENING: i64 = 6;

/// A plan in the making.
struct Incremental<'a> {
    planning: &'a Planning<'a>,
    relation: &'a Relation,
    cursor: &'a Column,
    described: CursorColumn<'a>,
    options: ReadOptions,
    /// How far the next run looks back, in the units of the cursor's type.
    overlap: i64,
    warnings: Vec<String>,
}

pub(super) async fn plan(
    planning: &Planning<'_>,
    relation: &Relation,
    (cursor, described): (&Column, CursorColumn<'_>),
    table: Table,
    state: Option<&TableState>,
) -> Result<TablePlan> {
    let options = planning.spec.options(&relation.shown).read;
    let plan = Incremental {
        planning,
        relation,
        cursor,
        described,
        overlap: Overlap::distance(options.overlap, planning.spec.overlap, &described)?,
        options,
        warnings: Vec::new(),
    };
    plan.make(table, state).await
}

impl Incremental<'_> {
    async fn make(mut self, table: Table, state: Option<&TableState>) -> Result<TablePlan> {
        let nulls = self.check_nulls().await?;
        let stored = state.and_then(|state| state.cursor.clone());
        let source_state = state.map(SourceState::of).transpose()?.flatten();
        let start = self.described.start(&self.options, stored.as_ref())?;
        let newest = self.newest(stored.as_ref().or(start.as_ref())).await?;
        let first_run = state.is_none();

        let completed_cursor = self.completed_cursor(stored.as_ref(), newest.as_ref());
        let completed = self.completed_state(completed_cursor.as_ref(), newest.as_ref());
        let completed_state = TableState {
            cursor_column: self.cursor.name.clone(),
            cursor: completed_cursor,
            source_state: completed.to_text()?,
            ..TableState::default()
        };

        let mut partitions = Vec::new();
        if self.options.null_cursor == NullCursor::Include && !self.cursor.not_null {
            partitions.push(
                Work::NullCursors {
                    cursor: self.cursor.name.clone(),
                }
                .into_partition("null-cursors", None)?,
            );
        }
        let baseline = first_run && self.options.start_from == StartFrom::Named(NamedStart::Now);
        let upper_bound = newest.clone().or(stored.clone());
        if let Some(up_to) = upper_bound.clone() {
            let since = if baseline {
                Self::baseline(&completed)
            } else {
                self.since(stored.as_ref(), source_state.as_ref())
            };
            let ordered = Ordered {
                cursor: self.cursor.name.clone(),
                key: order_key(self.relation, self.cursor),
                unique: self.relation.key_is_unique,
                since,
                from: start,
                up_to,
                unsettled: self.unsettled(),
                again: self.again(&completed),
                baseline,
                skipped_nulls: nulls,
            };
            let estimate = self.relation.estimated_rows.filter(|_| first_run);
            partitions.push(Work::Ordered(Box::new(ordered)).into_partition("ordered", estimate)?);
        }
        self.warn_of_missing_index();
        if state.is_some_and(|state| state.fingerprints.overflowed()) {
            self.warnings.push(format!(
                "More rows of {} than can be remembered lie within the overlap: some are delivered again. A shorter `overlap` avoids it.",
                self.relation.shown
            ));
        }
        Ok(TablePlan {
            table,
            partitions,
            completed_state: Some(completed_state),
            warnings: self.warnings,
            upper_bound,
        })
    }

    /// Counts rows without a cursor where the options say that they matter.
    async fn check_nulls(&self) -> Result<u64> {
        if self.cursor.not_null || self.options.null_cursor == NullCursor::Include {
            return Ok(0);
        }
        let count = probe::null_cursors(self.planning.session, self.planning.spec, self.relation, self.cursor).await?;
        if count > 0 && self.options.null_cursor == NullCursor::Error {
            return Err(CursorColumn::null_values(
                &self.relation.shown,
                &self.cursor.name,
                count,
            ));
        }
        Ok(count)
    }

    /// The greatest cursor in the snapshot, from `least` on.
    async fn newest(&self, least: Option<&CursorValue>) -> Result<Option<CursorValue>> {
        probe::newest(
            self.planning,
            self.relation,
            self.cursor,
            self.described.cursor_type,
            least,
        )
        .await
    }

    /// Never beyond the server's clock, never back.
    fn completed_cursor(&self, stored: Option<&CursorValue>, newest: Option<&CursorValue>) -> Option<CursorValue> {
        let Some(newest) = newest else { return stored.cloned() };
        let settled = self
            .planning
            .snapshot
            .clock
            .before(self.described.cursor_type, self.settle());
        Some(greater(lesser(newest.clone(), settled), stored.cloned()))
    }

    fn completed_state(&self, cursor: Option<&CursorValue>, newest: Option<&CursorValue>) -> SourceState {
        let snapshot = self.planning.snapshot;
        SourceState {
            cursor: cursor.cloned(),
            cursor_type: self.cursor.type_name.clone(),
            delivered_to: cursor.map(|cursor| greater(cursor.clone(), newest.cloned())),
            window_from: cursor.and_then(|cursor| self.window_from(cursor, 1)),
            xmin: self.relation.has_xmin.then_some(snapshot.xmin),
            snapshot_at: snapshot.clock.at,
            system_identifier: snapshot.system_identifier.clone(),
            timeline: snapshot.timeline,
        }
    }

    /// Where the run after `cursor` begins to look for late rows: the overlap back, and not after the oldest transaction that is open now.
    fn window_from(&self, cursor: &CursorValue, times: i64) -> Option<CursorValue> {
        let distance = self.overlap.saturating_mul(times);
        match before(cursor, distance) {
            Some(from) => Some(lesser(
                from,
                self.planning.snapshot.oldest_transaction_as(self.described.cursor_type),
            )),
            // Without distances: rows that carry their transaction are found anywhere, others only from the cursor on.
            None => (!self.relation.has_xmin).then(|| cursor.clone()),
        }
    }

    fn since(&mut self, stored: Option<&CursorValue>, state: Option<&SourceState>) -> Since {
        let Some(cursor) = stored else { return Since::Beginning };
        let Some(state) = state else {
            return Since::After(cursor.clone());
        };
        let window_from = state.window_from.clone();
        if !self.relation.has_xmin || state.xmin.is_none() {
            return Since::Window {
                from: window_from.unwrap_or_else(|| cursor.clone()),
            };
        }
        if let Some(reason) = state.foreign_to(self.planning.snapshot) {
            self.warnings.push(format!(
                "Table {}: {reason}. A longer stretch is read again, some rows are delivered twice.",
                self.relation.shown
            ));
            return match before(cursor, self.overlap.saturating_mul(WIDENING)) {
                Some(from) => Since::Window {
                    from: lesser(from, window_from),
                },
                None => Since::Beginning,
            };
        }
        let delivered_to = state.delivered_to.clone().unwrap_or_else(|| cursor.clone());
        Since::Transaction {
            delivered_to,
            window_from,
            xmin: state.xmin.unwrap_or(0),
        }
    }

    /// What a first run that begins now has to remember: the rows that are there and would match the next run's condition.
    fn baseline(completed: &SourceState) -> Since {
        match (completed.xmin, &completed.delivered_to, &completed.window_from) {
            (Some(xmin), Some(delivered_to), window_from) => Since::Transaction {
                delivered_to: delivered_to.clone(),
                window_from: window_from.clone(),
                xmin,
            },
            (None, _, Some(from)) => Since::Window { from: from.clone() },
            _ => Since::Beginning,
        }
    }

    fn again(&self, completed: &SourceState) -> Again {
        match (completed.xmin, &completed.window_from) {
            (Some(xmin), window_from) => Again::Transaction {
                window_from: window_from.clone(),
                xmin,
            },
            (None, Some(from)) => Again::Window { from: from.clone() },
            // No cursor, no row: nothing to see again.
            (None, None) => Again::Transaction {
                window_from: None,
                xmin: u64::MAX,
            },
        }
    }

    fn unsettled(&self) -> Option<Unsettled> {
        let settle = self.settle();
        if settle == 0 {
            return None;
        }
        let clock = self.planning.snapshot.clock;
        Some(Unsettled {
            after: clock.before(self.described.cursor_type, settle)?,
            up_to: clock.now(self.described.cursor_type)?,
        })
    }

    fn settle(&self) -> i64 {
        let own = self
            .options
            .settle
            .or(self.planning.spec.settle.filter(|_| !self.relation.has_xmin));
        // A date has no seconds to wait for; its overlap of a day does that.
        let default = if self.relation.has_xmin || self.described.cursor_type == CursorType::Date {
            0
        } else {
            SETTLE_MICROSECONDS
        };
        own.map_or(default, Span::microseconds)
    }

    fn warn_of_missing_index(&mut self) {
        let large = self
            .relation
            .estimated_rows
            .is_some_and(|rows| rows >= LARGE_TABLE_ROWS);
        if let Some(statement) = missing_index(self.relation, self.cursor).filter(|_| large) {
            self.warnings.push(format!(
                "Table {} is sorted in every run, because no index begins with {}: {statement}",
                self.relation.shown, self.cursor.name
            ));
        }
    }
}

/// The condition for rows from a cursor on.
pub(crate) fn at_least(cursor: &Column, value: &CursorValue) -> String {
    format!("{} >= {}", cursor.sql(), constant(value, &cursor.cast_name))
}

/// An error of a statement that looks at a table.
pub(crate) fn failed(error: &tokio_postgres::Error, relation: &Relation) -> Error {
    from_postgres(error, &format!("reading table {}", relation.shown)).with_table(&relation.shown)
}
