//! Tables with a cursor: what is new since the stored state, whatever order it was committed in. The README tells why this loses nothing.

use std::cmp::Ordering;

use longshore_sdk::{
    core::cursor::CursorType,
    incremental::{
        CursorColumn, NamedStart, NullCursor, Overlap, ReadOptions, Recount, Span, StartFrom, Unsettled, before,
        greater, lesser,
    },
    prelude::*,
};

use super::{
    Planning,
    full::Heaps,
    order::{missing_index, order_key},
};
use crate::{
    catalog::{Column, Relation},
    errors::from_postgres,
    probe, recount,
    source_state::SourceState,
    work::{Again, Ordered, Since, Work},
};

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
    selection: &TableSelection,
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
    match &selection.range {
        Some(range) => plan.of_range(table, range).await,
        None => plan.make(table, selection.state.as_ref()).await,
    }
}

impl<'a> Incremental<'a> {
    async fn make(mut self, table: Table, state: Option<&TableState>) -> Result<TablePlan> {
        let nulls = self.check_nulls().await?;
        let stored = state.and_then(|state| state.cursor.clone());
        let source_state = state.map(SourceState::of).transpose()?.flatten();
        let start = self.described.start(&self.options, stored.as_ref())?;
        let newest = self.newest(stored.as_ref().or(start.as_ref())).await?;
        let first_run = state.is_none();

        let completed_cursor = self.completed_cursor(stored.as_ref(), newest.as_ref()).await?;
        let looks_from = stored
            .as_ref()
            .map(|cursor| self.looks_from(cursor, source_state.as_ref()));
        let mut completed = self.completed_state(completed_cursor.as_ref(), newest.as_ref(), source_state.as_ref());
        if completed.xmin.is_none() {
            // Rows from before where this run looks would be unknown to the next one. A transaction that is open now began after the last run, or that run's window
            // was made for it, as far as that run could see it.
            completed.window_from = completed.window_from.map(|from| greater(from, looks_from));
        }
        let mut completed_state = TableState {
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
        let begins_now = first_run && self.options.start_from == StartFrom::Named(NamedStart::Now);
        let upper_bound = newest.clone().or(stored.clone());
        if let Some(up_to) = upper_bound.clone() {
            let since = if begins_now {
                Self::baseline(&completed)
            } else {
                self.since(stored.as_ref(), source_state.as_ref())
            };
            let ahead_of = completed_state.cursor.clone();
            let ordered = Ordered {
                since,
                from: start,
                unsettled: self.unsettled(),
                again: self.again(&completed),
                skipped_nulls: nulls,
                ahead_of: ahead_of.filter(|cursor| up_to.compare(cursor).is_none_or(Ordering::is_gt)),
                ..self.everything_up_to(up_to)
            };
            if begins_now {
                self.large_without_index(false).await?;
                // In this snapshot: an attempt in another one would take what has come since for what was there.
                let baseline = recount::baseline(self.planning, self.relation, &ordered).await?;
                let left_out = nulls + baseline.plan(&mut completed_state);
                partitions.push(Work::left_out(left_out, ordered.unique)?);
            } else {
                let ordered = self.reconciled(state, ordered, &mut completed_state).await?;
                partitions.extend(self.divided(ordered).await?);
            }
        } else if nulls > 0 {
            partitions.push(Work::left_out(nulls, self.relation.key_is_unique)?);
        }
        self.warnings.extend(Recount::forgotten(&self.relation.shown, state));
        Ok(TablePlan {
            completed_state: Some(completed_state),
            warnings: self.warnings,
            upper_bound,
            source_clock: Some(self.planning.snapshot.clock.at),
            ..TablePlan::new(table, partitions)
        })
    }

    /// The work with what is known of its rows. Where the last run delivered more than are remembered one by one, what is there is counted first; the cursor and
    /// the window that the plan leads to are fixed before that, so that a row that appears later is in the next run's window.
    async fn reconciled(
        &mut self,
        state: Option<&TableState>,
        work: Ordered,
        completed: &mut TableState,
    ) -> Result<Ordered> {
        let Some(recount) = Recount::needed(state, SourceState::of)? else {
            return Ok(work);
        };
        if work.since == Since::Beginning {
            // After a fail-over: the table is read whole, perhaps in the order of its pages, and that is said already.
            return Ok(work);
        }
        let up_to = recount.up_to.clone();
        let Some(found) = recount::count(self.planning, self.relation, &work, recount).await? else {
            self.warnings.push(Recount::too_different(&self.relation.shown));
            return Ok(work);
        };
        let since = match &work.since {
            // All of them are known: only what lies beyond is to be read.
            Since::Window { .. } if found.awaited.is_empty() => Since::After(up_to.clone()),
            since => since.clone(),
        };
        Recount::plan(found, completed);
        Ok(Ordered {
            since,
            known_to: Some(up_to),
            ..work
        })
    }

    /// The rows of a range, whatever was delivered before and without a trace in the state.
    async fn of_range(mut self, table: Table, range: &CursorRange) -> Result<TablePlan> {
        let range = self.described.range(range)?;
        // It lies before the end of the range, and nothing beyond it is read.
        let newest = self.newest_in(&range).await?;
        let mut partitions = Vec::new();
        if let Some(up_to) = newest.clone().filter(|_| !range.is_empty()) {
            let ordered = Ordered {
                from: range.from,
                ..self.everything_up_to(up_to)
            };
            partitions = self.divided(ordered).await?;
        }
        Ok(TablePlan {
            warnings: self.warnings,
            upper_bound: newest,
            ..TablePlan::new(table, partitions)
        })
    }

    /// All rows with a cursor up to this one, none of which matters to a later run.
    fn everything_up_to(&self, up_to: CursorValue) -> Ordered {
        Ordered {
            cursor: self.cursor.name.clone(),
            key: order_key(self.relation, self.cursor),
            unique: self.relation.key_is_unique,
            since: Since::Beginning,
            from: None,
            up_to,
            unsettled: None,
            again: Again::Never,
            baseline: false,
            skipped_nulls: 0,
            known_to: None,
            ahead_of: None,
        }
    }

    /// One partition in the order of the cursor; several in the order of the pages for a large table that is read from its beginning and has no index
    /// that has the order. To sort all of it would take the server's disk and time before the first row, and again after each interruption.
    async fn divided(&mut self, ordered: Ordered) -> Result<Vec<Partition>> {
        let from_the_beginning = ordered.since == Since::Beginning;
        let unordered = self.large_without_index(from_the_beginning).await?;
        if let Some(heaps) = unordered.filter(|_| from_the_beginning) {
            return heaps.partitions(Some(&ordered));
        }
        let estimate = self.relation.estimated_rows.filter(|_| from_the_beginning);
        Ok(vec![
            Work::Ordered(Box::new(ordered)).into_partition("ordered", estimate)?,
        ])
    }

    /// The heaps of a large table that no index orders. What that means is said.
    async fn large_without_index(&mut self, from_the_beginning: bool) -> Result<Option<Heaps<'a>>> {
        let missing = missing_index(self.relation, self.cursor);
        let Some(statement) = missing.filter(|_| !self.relation.heaps.is_empty()) else {
            return Ok(None);
        };
        let heaps = Heaps::of(self.planning, self.relation).await?;
        if heaps.are_large() {
            self.warnings.push(format!(
                "No index of table {} begins with {}: {}: {statement}",
                self.relation.shown,
                self.cursor.name,
                if from_the_beginning {
                    "it is read in the order of its pages now, and every later run searches the whole table"
                } else {
                    "every run searches the whole table"
                }
            ));
            return Ok(Some(heaps));
        }
        Ok(None)
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
        let range = CursorRange {
            from: least.cloned(),
            to: None,
        };
        self.newest_in(&range).await
    }

    async fn newest_in(&self, range: &CursorRange) -> Result<Option<CursorValue>> {
        let bounds = probe::in_range(self.cursor, range);
        probe::newest(self.planning, self.relation, self.cursor, &self.described, bounds).await
    }

    /// Never beyond the clock of the server that the rows come from, never beyond the numbers, never back.
    async fn completed_cursor(
        &self,
        stored: Option<&CursorValue>,
        newest: Option<&CursorValue>,
    ) -> Result<Option<CursorValue>> {
        let Some(mut newest) = newest.cloned() else {
            return Ok(stored.cloned());
        };
        if probe::is_no_number(&newest) {
            let mut bounds = probe::in_range(self.cursor, &CursorRange::default());
            bounds.push(probe::is_a_number(self.cursor));
            let greatest = probe::newest(self.planning, self.relation, self.cursor, &self.described, bounds).await?;
            let Some(greatest) = greatest else {
                return Ok(stored.cloned());
            };
            newest = greatest;
        }
        let snapshot = self.planning.snapshot;
        let cursor_type = self.described.cursor_type;
        let settled = snapshot.clock.before(cursor_type, self.settle());
        let capped = lesser(lesser(newest, settled), snapshot.replayed_as(cursor_type));
        Ok(Some(greater(capped, stored.cloned())))
    }

    fn completed_state(
        &self,
        cursor: Option<&CursorValue>,
        newest: Option<&CursorValue>,
        last: Option<&SourceState>,
    ) -> SourceState {
        let snapshot = self.planning.snapshot;
        SourceState {
            cursor: cursor.cloned(),
            cursor_type: self.cursor.type_name.clone(),
            delivered_to: self.delivered_to(cursor, newest),
            window_from: cursor.and_then(|cursor| self.window_from(cursor, last)),
            // Rows that were left for their youth are found by the window alone: their transactions have ended, and their cursors were passed.
            xmin: (self.relation.has_xmin && self.unsettled().is_none()).then_some(snapshot.xmin),
            next_transaction: Some(snapshot.next_transaction),
            snapshot_at: snapshot.clock.at,
            system_identifier: snapshot.system_identifier.clone(),
            timeline: snapshot.timeline,
        }
    }

    /// The greatest cursor that this run delivers. Something that is no number is beyond all numbers to the server, and has no order here.
    fn delivered_to(&self, cursor: Option<&CursorValue>, newest: Option<&CursorValue>) -> Option<CursorValue> {
        match newest {
            Some(newest) if probe::is_no_number(newest) => Some(newest.clone()),
            _ => cursor.map(|cursor| greater(cursor.clone(), newest.cloned())),
        }
    }

    /// Where the run after `cursor` begins to look for late rows: the overlap back, and as far as the oldest transaction that is open now. It does not
    /// move at all while a transaction of the last run may still be open.
    fn window_from(&self, cursor: &CursorValue, last: Option<&SourceState>) -> Option<CursorValue> {
        let snapshot = self.planning.snapshot;
        let distance = match self.described.cursor_type {
            CursorType::Timestamp { .. } | CursorType::Date => {
                // When a prepared transaction was prepared is known, not when it began.
                let prepared = snapshot.oldest_prepared_age.map(|age| age.saturating_add(self.overlap));
                let open = snapshot.oldest_transaction_age.max(prepared.unwrap_or(0));
                self.overlap.max(open)
            }
            _ => self.overlap,
        };
        // Without distances: rows that carry their transaction are found anywhere, others only from the cursor on.
        let from = match before(cursor, distance) {
            Some(from) => from,
            None if self.relation.has_xmin => return None,
            None => cursor.clone(),
        };
        let still_open = last.filter(|last| last.has_open_transaction_in(snapshot));
        Some(lesser(from, still_open.and_then(|last| last.window_from.clone())))
    }

    fn since(&mut self, stored: Option<&CursorValue>, state: Option<&SourceState>) -> Since {
        let Some(cursor) = stored else { return Since::Beginning };
        let Some(state) = state else {
            return Since::After(cursor.clone());
        };
        let window_from = state.window_from.clone();
        let by_window = self.unsettled().is_some() || !self.relation.has_xmin;
        if by_window && state.xmin.is_some() {
            let reason = if self.relation.has_xmin {
                "`settle` is new to it, or to this version"
            } else {
                "its rows do not carry their transaction any more"
            };
            self.warnings.push(format!(
                "Table {}: {reason}. A longer stretch is read again, some rows are delivered twice.",
                self.relation.shown
            ));
        }
        if by_window || state.xmin.is_none() {
            return Since::Window {
                from: self.looks_from(cursor, Some(state)),
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

    /// Where a run begins to look that does not ask for transactions. One that follows a run which did goes back further: that one has remembered little, and
    /// may have left rows.
    fn looks_from(&self, cursor: &CursorValue, state: Option<&SourceState>) -> CursorValue {
        let Some(state) = state else { return cursor.clone() };
        let from = state.window_from.clone().unwrap_or_else(|| cursor.clone());
        let asked = state.xmin.is_some();
        let further = before(cursor, self.overlap.saturating_mul(WIDENING)).filter(|_| asked);
        lesser(from, further)
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
        Unsettled::by(self.planning.snapshot.clock, self.described.cursor_type, self.settle())
    }

    fn settle(&self) -> i64 {
        let own = self
            .options
            .settle
            .or(self.planning.spec.settle.filter(|_| !self.relation.has_xmin));
        let default = if self.relation.has_xmin {
            0
        } else {
            Unsettled::default_settle(self.described.cursor_type)
        };
        own.map_or(default, Span::microseconds)
    }
}

/// An error of a statement that looks at a table.
pub(crate) fn failed(error: &tokio_postgres::Error, relation: &Relation) -> Error {
    from_postgres(error, &format!("reading table {}", relation.shown)).with_table(&relation.shown)
}
