//! Stored cursors as people see, set and forget them. Commands and the API use the same.

use longshore_core::{
    Error, Result,
    cursor::{CursorType, CursorValue, TimeUnit},
};
use longshore_state::{
    CurrentHold, CursorReplacement, Reset, RunDetails, StateStore, StoredState, UnixMicros, hold::Liveness,
    process::liveness,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    figures::{counted, grouped},
    moment::shown,
};

/// The stored cursor of a table, and what belongs to it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownState {
    pub(crate) sync: String,
    pub(crate) table: String,
    pub(crate) cursor_column: String,
    pub(crate) cursor: Option<String>,
    /// Typed, without loss.
    #[schemars(with = "serde_json::Value")]
    cursor_value: Option<CursorValue>,
    /// What the source keeps with the cursor, such as a snapshot; its own form.
    source_state: serde_json::Value,
    /// Delivered rows that the next run recognises.
    fingerprints: usize,
    /// They are too many to be kept one by one: the next run counts what is there, and tells from a sketch of them what is new.
    fingerprints_sketched: bool,
    fingerprints_overflowed: bool,
    revision: u64,
    pub(crate) bytes: usize,
    pub(crate) updated_at: String,
    run_id: Option<String>,
}

/// All that is stored about a sync.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownSync {
    sync: String,
    states: Vec<ShownState>,
    held_by: Option<ShownHold>,
    interrupted_run: Option<InterruptedRun>,
}

/// Who runs a sync.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownHold {
    host: String,
    pid: u32,
    since: String,
    lease_until: String,
    /// Its process is proven gone: the next sync takes over at once.
    process_gone: bool,
}

/// A run that is not complete: the next one goes on with it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InterruptedRun {
    run_id: String,
    status: String,
    attempt: u32,
    tables: Vec<InterruptedTable>,
}

/// How far a table of it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct InterruptedTable {
    table: String,
    complete: bool,
    forwarded: u64,
    uncertain: u64,
}

/// A cursor was put in the place of the stored one.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownReplacement {
    pub(crate) sync: String,
    pub(crate) table: String,
    /// The next run delivers what is beyond it.
    pub(crate) cursor: String,
    revision: u64,
}

/// Cursors were forgotten.
#[derive(Serialize, JsonSchema)]
pub(crate) struct ShownReset {
    sync: String,
    /// Absent: all of them.
    table: Option<String>,
    /// Cursors that were stored.
    pub(crate) states: u64,
    /// Tables of an interrupted run that would have been read on from where it stopped.
    pub(crate) plans: u64,
}

impl ShownReset {
    pub(crate) fn of(sync: String, table: Option<String>, reset: Reset) -> Self {
        Self {
            sync,
            table,
            states: reset.states,
            plans: reset.plans,
        }
    }
}

/// A cursor that a person wants in the place of the stored one.
pub(crate) struct Wish {
    pub(crate) sync: String,
    pub(crate) table: String,
    pub(crate) value: String,
    pub(crate) column: Option<String>,
    pub(crate) cursor_type: Option<CursorType>,
}

/// Puts a cursor in the place of the stored one.
///
/// # Errors
/// `cursor_type_unknown`: nothing is stored that says what the wish leaves out; `cursor_invalid`; those of [`StateStore::set_state`].
pub(crate) async fn set(store: &dyn StateStore, wish: Wish, now: UnixMicros) -> Result<ShownReplacement> {
    let stored = store.get_state(&wish.sync, &wish.table).await?;
    let state = stored.as_ref().map(StoredState::state).transpose()?;
    let stored_cursor = state.as_ref().and_then(|state| state.cursor.as_ref());
    let missing = |what: &str| {
        Error::config(
            "cursor_type_unknown",
            format!(
                "Nothing is stored about table {} of sync {}, so the {what} is not known",
                wish.table, wish.sync
            ),
        )
        .with_remedy("Say which column and type it has (`--column` and `--type`); `longshore tables` shows both.")
    };
    let cursor_type = wish
        .cursor_type
        .or_else(|| stored_cursor.and_then(CursorValue::cursor_type))
        .ok_or_else(|| missing("cursor's type"))?;
    let column = state.as_ref().map(|state| state.cursor_column.clone());
    let cursor_column = wish
        .column
        .clone()
        .or(column)
        .ok_or_else(|| missing("cursor's column"))?;
    let cursor = cursor_type.parse(&wish.value).map_err(|error| {
        Error::config(
            "cursor_invalid",
            format!("The value is no cursor of table {}", wish.table),
        )
        .with_cause(&error)
    })?;
    let replacement = CursorReplacement {
        sync: wish.sync.clone(),
        table: wish.table.clone(),
        from_revision: stored.map_or(0, |stored| stored.revision),
        cursor_column,
        cursor: cursor.clone(),
        at: now,
    };
    let revision = store.set_state(replacement).await?;
    Ok(ShownReplacement {
        cursor: cursor.to_string(),
        sync: wish.sync,
        table: wish.table,
        revision,
    })
}

/// The type of a cursor column, by the name that people write.
pub(crate) fn cursor_type(text: &str) -> Result<CursorType, String> {
    let timestamp = |instant| CursorType::Timestamp {
        unit: TimeUnit::Microsecond,
        instant,
    };
    Ok(match text {
        "int" => CursorType::Int,
        "uint" => CursorType::Uint,
        "decimal" => CursorType::Decimal,
        "date" => CursorType::Date,
        "timestamp" => timestamp(false),
        "timestamptz" => timestamp(true),
        "text" => CursorType::Text,
        "uuid" => CursorType::Uuid,
        "binary" => CursorType::Binary,
        other => return Err(format!("{other} is no type of a cursor")),
    })
}

impl ShownState {
    /// # Errors
    /// `state_unreadable`.
    pub(crate) fn of(stored: &StoredState) -> Result<Self> {
        let state = stored.state()?;
        Ok(Self {
            sync: stored.sync.clone(),
            table: stored.table.clone(),
            cursor: state.cursor.as_ref().map(CursorValue::to_string),
            cursor_value: state.cursor,
            cursor_column: state.cursor_column,
            source_state: serde_json::from_str(&state.source_state)
                .unwrap_or(serde_json::Value::String(state.source_state)),
            fingerprints: state.fingerprints.len(),
            fingerprints_sketched: state.fingerprints.sketch().is_some(),
            fingerprints_overflowed: state.fingerprints.overflowed(),
            revision: stored.revision,
            bytes: stored.document.len(),
            updated_at: shown(stored.updated_at),
            run_id: stored.run_id.clone(),
        })
    }

    fn in_words(&self) -> String {
        let fingerprints = match (self.fingerprints_overflowed, self.fingerprints_sketched) {
            (true, _) => " (more than fit: some rows may be delivered twice)",
            (false, true) => " (as a sketch)",
            (false, false) => "",
        };
        let by = self
            .run_id
            .as_ref()
            .map_or_else(|| "by hand".to_owned(), |run| format!("by run {run}"));
        format!(
            "table {}\n  cursor        {} = {}\n  source state  {}\n  fingerprints  {}{fingerprints}\n  size          {} bytes\n  \
             written       {} {by} (revision {})\n",
            self.table,
            self.cursor_column,
            self.cursor.as_deref().unwrap_or("-"),
            self.source_state,
            self.fingerprints,
            grouped(self.bytes as u64),
            self.updated_at,
            self.revision
        )
    }
}

impl ShownSync {
    /// What is stored about a sync; `None`: nothing is.
    ///
    /// # Errors
    /// `state_unreadable`; those of the store.
    pub(crate) async fn of(store: &dyn StateStore, sync: &str) -> Result<Option<Self>> {
        let states = store.list_states(Some(sync)).await?;
        let hold = store.current_hold(sync).await?;
        let interrupted = store.interrupted_run(sync).await?;
        if states.is_empty() && hold.is_none() && interrupted.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            sync: sync.to_owned(),
            states: states.iter().map(ShownState::of).collect::<Result<_>>()?,
            held_by: hold.as_ref().map(ShownHold::from),
            interrupted_run: interrupted.as_ref().map(InterruptedRun::from),
        }))
    }

    /// A sync that is known and of which nothing is stored.
    pub(crate) fn nothing(sync: &str) -> Self {
        Self {
            sync: sync.to_owned(),
            states: Vec::new(),
            held_by: None,
            interrupted_run: None,
        }
    }

    /// For people.
    pub(crate) fn in_words(&self) -> String {
        let mut text = format!("sync {}\n", self.sync);
        if let Some(hold) = &self.held_by {
            text.push_str(&format!(
                "held by process {} on {} since {}, until {}{}\n",
                hold.pid,
                hold.host,
                hold.since,
                hold.lease_until,
                if hold.process_gone {
                    "; that process is gone, so the next sync takes over at once"
                } else {
                    ""
                }
            ));
        }
        if let Some(run) = &self.interrupted_run {
            text.push_str(&format!(
                "run {} is not complete ({}, attempt {})\n",
                run.run_id, run.status, run.attempt
            ));
            for table in &run.tables {
                let done = if table.complete { "complete" } else { "incomplete" };
                let rows = counted(table.forwarded, "row", "rows");
                let uncertain = grouped(table.uncertain);
                text.push_str(&format!(
                    "  table {}: {done}, {rows} delivered so far, {uncertain} uncertain\n",
                    table.table
                ));
            }
        }
        text.extend(self.states.iter().map(ShownState::in_words));
        text
    }
}

impl From<&CurrentHold> for ShownHold {
    fn from(hold: &CurrentHold) -> Self {
        Self {
            host: hold.holder.host.clone(),
            pid: hold.holder.pid,
            since: shown(hold.since),
            lease_until: shown(hold.lease_until),
            process_gone: liveness(&hold.holder) == Liveness::Dead,
        }
    }
}

impl From<&RunDetails> for InterruptedRun {
    fn from(details: &RunDetails) -> Self {
        let tables = details.tables.iter().map(|table| InterruptedTable {
            table: table.table.clone(),
            complete: table.complete,
            forwarded: table.forwarded(),
            uncertain: table.uncertain_rows(),
        });
        Self {
            run_id: details.run.run_id.clone(),
            status: details.run.status.to_string(),
            attempt: details.run.attempt,
            tables: tables.collect(),
        }
    }
}
