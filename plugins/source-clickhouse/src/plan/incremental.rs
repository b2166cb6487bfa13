//! Tables with a cursor: what is new since the stored state. The README tells what this finds and what it can not.

use std::cmp::Ordering;

use longshore_sdk::{
    core::interval::Bound,
    incremental::{
        CursorColumn, NamedStart, NullCursor, Overlap, ReadOptions, Recount, Span, StartFrom, Unsettled, before,
        greater, lesser,
    },
    prelude::*,
};

use super::{Planning, is_unique, order_key, slices::slices};
use crate::{
    catalog::Column,
    position::Parameters,
    predicate::since,
    probe::{Extent, Replica},
    recount,
    source_state::SourceState,
    work::{Ordered, Since, Work},
};

/// A replica that is further behind than this is worth a warning.
const WORRYING_DELAY_SECONDS: u64 = 60;

/// A plan in the making.
struct Incremental<'a> {
    planning: &'a Planning<'a>,
    cursor: &'a Column,
    described: CursorColumn<'a>,
    options: ReadOptions,
    /// How far the next run looks back, in the units of the cursor's type.
    overlap: i64,
    replica: Option<Replica>,
    warnings: Vec<String>,
}

pub(super) async fn plan(
    planning: &Planning<'_>,
    (cursor, described): (&Column, CursorColumn<'_>),
    table: Table,
    state: Option<&TableState>,
) -> Result<TablePlan> {
    let options = planning.spec.options(described.table).read;
    let plan = Incremental {
        planning,
        cursor,
        described,
        overlap: Overlap::distance(options.overlap, planning.spec.overlap, &described)?,
        options,
        replica: planning.probe.replica().await,
        warnings: Vec::new(),
    };
    plan.make(table, state).await
}

impl Incremental<'_> {
    async fn make(mut self, table: Table, state: Option<&TableState>) -> Result<TablePlan> {
        let nulls = self.check_nulls().await?;
        let stored = state.and_then(|state| state.cursor.clone());
        let start = self.described.start(&self.options, stored.as_ref())?;
        let since = self.since(state)?;
        let extent = self.extent(&since, start.as_ref()).await?;
        let completed_cursor = self.completed_cursor(stored.as_ref(), extent.newest.as_ref());
        // Rows from before where this run looks would be unknown to the next one, such as when the overlap has become longer.
        let looks_from = match &since {
            Since::Window { from } | Since::After(from) => Some(from.clone()),
            _ => None,
        };
        let window_from = completed_cursor.as_ref().map(|cursor| self.window_from(cursor));
        let window_from = window_from.map(|from| greater(from, looks_from));
        let mut completed_state = TableState {
            cursor_column: self.cursor.name.clone(),
            cursor: completed_cursor.clone(),
            source_state: self.source_state(completed_cursor, window_from.clone()).to_text()?,
            ..TableState::default()
        };
        let mut partitions = Vec::new();
        if self.options.null_cursor == NullCursor::Include && self.cursor.is_nullable() {
            let cursor = self.cursor.name.clone();
            partitions.push(Work::NullCursors { cursor }.into_partition("null-cursors", None)?);
        }
        let upper_bound = extent.newest.clone().or(stored);
        if extent.rows > 0 || nulls > 0 {
            let begins_now = state.is_none() && self.options.start_from == StartFrom::Named(NamedStart::Now);
            let ordered = Ordered {
                cursor: self.cursor.name.clone(),
                key: Vec::new(),
                unique: false,
                since: match (begins_now, &window_from) {
                    // What the next run would see again; what is older is passed over.
                    (true, Some(from)) => Since::Window { from: from.clone() },
                    _ => since,
                },
                start,
                within: longshore_sdk::core::interval::Interval::default(),
                up_to: upper_bound.clone(),
                unsettled: self.unsettled(),
                ahead_of: completed_state
                    .cursor
                    .clone()
                    .filter(|cursor| !reaches(cursor, &upper_bound)),
                again_from: window_from,
                baseline: false,
                skipped_nulls: nulls,
                known_to: None,
            };
            if upper_bound.is_none() {
                // No row has a cursor. What appears after that is the next run's, which would not know it for delivered.
                partitions.push(self.left_out(nulls)?);
            } else if begins_now {
                // Whatever appears after that is new to the next run, however late this one is read.
                let baseline = recount::baseline(self.planning, &table, &self.in_order(&ordered)).await?;
                partitions.push(self.left_out(nulls + baseline.plan(&mut completed_state))?);
            } else {
                let ordered = self.reconciled(&table, state, ordered, &mut completed_state).await?;
                partitions.extend(self.partitions(ordered, &extent).await?);
            }
        }
        self.warn(state)?;
        Ok(TablePlan {
            completed_state: Some(completed_state),
            warnings: self.warnings,
            upper_bound,
            in_order: true,
            source_clock: Some(self.planning.probe.server.clock.at),
            ..TablePlan::new(table, partitions)
        })
    }

    /// The work with what is known of its rows. Where the last run delivered more than are remembered one by one, what is there is counted first; the cursor and
    /// the window that the plan leads to are fixed before that, so that a row that appears later is in the next run's window.
    async fn reconciled(
        &mut self,
        table: &Table,
        state: Option<&TableState>,
        work: Ordered,
        completed: &mut TableState,
    ) -> Result<Ordered> {
        let Some(recount) = Recount::needed(state, SourceState::of)? else {
            return Ok(work);
        };
        let up_to = recount.up_to.clone();
        let counted = self.in_order(&work);
        let Some(found) = recount::count(self.planning, table, &counted, recount).await? else {
            self.warnings.push(Recount::too_different(self.described.table));
            return Ok(work);
        };
        let since = if found.awaited.is_empty() {
            // All of them are known: only what lies beyond is to be read.
            Since::After(up_to.clone())
        } else {
            work.since.clone()
        };
        Recount::plan(found, completed);
        Ok(Ordered {
            since,
            known_to: Some(up_to),
            ..work
        })
    }

    /// The work with the key that its pieces have: rows are known by it too.
    fn in_order(&self, work: &Ordered) -> Ordered {
        Ordered {
            key: order_key(self.planning.probe.relation, self.cursor),
            ..work.clone()
        }
    }

    /// Rows that the run leaves out, when it reads no other.
    fn left_out(&self, rows: u64) -> Result<Partition> {
        let relation = self.planning.probe.relation;
        let key = order_key(relation, self.cursor);
        Work::left_out(rows, is_unique(relation, self.cursor, &key))
    }

    /// The work in pieces. Together they are the work: each row belongs to exactly one.
    async fn partitions(&self, whole: Ordered, extent: &Extent) -> Result<Vec<Partition>> {
        let relation = self.planning.probe.relation;
        let key = order_key(relation, self.cursor);
        let conditions =
            |parameters: &mut Parameters| since(parameters, self.cursor, &whole.since, whole.start.as_ref());
        let pieces = slices(self.planning, self.cursor, extent.rows, conditions).await?;
        let share = extent.rows / pieces.len() as u64;
        let mut partitions = Vec::with_capacity(pieces.len());
        for (index, within) in pieces.into_iter().enumerate() {
            let ends_before_window = match (&within.to, &whole.again_from) {
                (Bound::Excluded(to), Some(from)) => {
                    matches!(to.compare(from), Some(Ordering::Less | Ordering::Equal))
                }
                _ => false,
            };
            let piece = Ordered {
                key: key.clone(),
                unique: is_unique(relation, self.cursor, &key),
                within,
                again_from: whole.again_from.clone().filter(|_| !ends_before_window),
                skipped_nulls: if index == 0 { whole.skipped_nulls } else { 0 },
                ..whole.clone()
            };
            partitions.push(Work::Ordered(Box::new(piece)).into_partition(format!("ordered-{index}"), Some(share))?);
        }
        Ok(partitions)
    }

    /// Counts rows without a cursor where the options say that they matter.
    async fn check_nulls(&self) -> Result<u64> {
        if !self.cursor.is_nullable() || self.options.null_cursor == NullCursor::Include {
            return Ok(0);
        }
        let count = self.planning.probe.null_cursors(self.cursor).await?;
        if count > 0 && self.options.null_cursor == NullCursor::Error {
            return Err(CursorColumn::null_values(
                self.described.table,
                self.described.name,
                count,
            ));
        }
        Ok(count)
    }

    fn since(&self, state: Option<&TableState>) -> Result<Since> {
        let Some(state) = state else {
            return Ok(Since::Beginning);
        };
        let Some(cursor) = &state.cursor else {
            return Ok(Since::Beginning);
        };
        Ok(match SourceState::of(state)? {
            Some(found) => Since::Window {
                from: found.window_from.unwrap_or_else(|| cursor.clone()),
            },
            None => Since::After(cursor.clone()),
        })
    }

    /// The rows from there on, in this run's view.
    async fn extent(&self, begin: &Since, start: Option<&CursorValue>) -> Result<Extent> {
        let mut parameters = Parameters::default();
        let conditions = since(&mut parameters, self.cursor, begin, start);
        self.planning.probe.extent(self.cursor, conditions, parameters).await
    }

    /// Never beyond the server's clock, never back.
    fn completed_cursor(&self, stored: Option<&CursorValue>, newest: Option<&CursorValue>) -> Option<CursorValue> {
        let Some(newest) = newest else { return stored.cloned() };
        let clock = self.planning.probe.server.clock;
        let settled = clock.before(self.described.cursor_type, self.settle());
        Some(greater(lesser(newest.clone(), settled), stored.cloned()))
    }

    /// Where the run after `cursor` begins to look for late rows. Types without distances know no earlier place than the cursor itself.
    fn window_from(&self, cursor: &CursorValue) -> CursorValue {
        before(cursor, self.overlap).unwrap_or_else(|| cursor.clone())
    }

    fn source_state(&self, cursor: Option<CursorValue>, window_from: Option<CursorValue>) -> SourceState {
        let server = self.planning.probe.server;
        SourceState {
            cursor,
            cursor_type: self.cursor.of.text.clone(),
            window_from,
            opened_at: server.clock.at,
            replica: server.host.clone(),
        }
    }

    fn unsettled(&self) -> Option<Unsettled> {
        Unsettled::by(
            self.planning.probe.server.clock,
            self.described.cursor_type,
            self.settle(),
        )
    }

    /// In microseconds. A replica that is behind shows nothing newer than its delay for sure.
    fn settle(&self) -> i64 {
        let configured = self.options.settle.or(self.planning.spec.settle);
        let default = Unsettled::default_settle(self.described.cursor_type);
        let delay = self.replica.map_or(0, |replica| replica.delay_seconds);
        let delay = i64::try_from(delay).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        configured.map_or(default, Span::microseconds).max(delay)
    }

    fn warn(&mut self, state: Option<&TableState>) -> Result<()> {
        let table = self.described.table;
        let last = state.map(SourceState::of).transpose()?.flatten();
        let host = &self.planning.probe.server.host;
        if let Some(other) = last.map(|last| last.replica).filter(|replica| replica != host)
            && self.planning.probe.relation.engine.is_replicated()
        {
            self.warnings.push(format!(
                "{host} answers for table {table}, and {other} did in the last run: rows that one of them shows later than `overlap` after the other are not found. \
                 Let `host` be one replica."
            ));
        }
        if let Some(replica) = self
            .replica
            .filter(|replica| replica.delay_seconds > WORRYING_DELAY_SECONDS)
        {
            self.warnings.push(format!(
                "The replica that was read of table {table} is {} s behind: newer rows come with a later run.",
                replica.delay_seconds
            ));
        }
        if self.planning.probe.relation.engine.adds_up() {
            self.warnings.push(format!(
                "Table {table} adds rows up: a sum that changes is delivered again only when {} moves with it.",
                self.described.name
            ));
        }
        self.warnings.extend(Recount::forgotten(table, state));
        Ok(())
    }
}

/// Whether no row up to `newest` lies beyond a cursor, as far as their order is known.
fn reaches(cursor: &CursorValue, newest: &Option<CursorValue>) -> bool {
    let newest = newest.as_ref().and_then(|newest| newest.compare(cursor));
    matches!(newest, Some(Ordering::Less | Ordering::Equal))
}
