//! `longshore state list|show|set|reset`

use clap::{Args, Subcommand};
use longshore_core::{
    Error,
    cursor::{CursorType, CursorValue, TimeUnit},
};
use longshore_state::{
    CurrentHold, CursorReplacement, RunDetails, StateStore, StoredState, UnixMicros, hold::Liveness, process::liveness,
};
use serde::Serialize;

use super::{
    Context,
    confirmation::confirm,
    output::{Columns, grouped},
    runs::require_sync,
    state_location::StateArguments,
};
use crate::{
    failure::{Exit, Failure},
    moment::shown,
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The cursor of every table.
    List {
        #[command(flatten)]
        state: StateArguments,
        /// Of this sync only.
        #[arg(long)]
        sync: Option<String>,
    },
    /// All that is stored about a sync: cursors, what the source keeps with them, who runs it, an interrupted run.
    Show {
        /// The sync: the source's name.
        sync: String,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Put a cursor in the place of the stored one: the next run delivers what is beyond it.
    Set {
        /// The sync: the source's name.
        sync: String,
        /// The table.
        table: String,
        /// The new value, as `state show` writes it.
        value: String,
        /// Name of the cursor column; needed where nothing is stored yet.
        #[arg(long)]
        column: Option<String>,
        /// Type of the cursor column; needed where nothing is stored yet.
        #[arg(long = "type", value_parser = cursor_type, value_name = "int|uint|decimal|date|timestamp|timestamptz|text|uuid|binary")]
        cursor_type: Option<CursorType>,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Forget the cursors of a sync: the next run reads from the beginning.
    Reset {
        /// The sync: the source's name.
        sync: String,
        /// Only this table.
        #[arg(long)]
        table: Option<String>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Serialize)]
struct ShownState {
    sync: String,
    table: String,
    cursor_column: String,
    cursor: Option<String>,
    /// Typed, without loss.
    cursor_value: Option<CursorValue>,
    /// What the source keeps with the cursor, such as a snapshot; its own form.
    source_state: serde_json::Value,
    /// Delivered rows that the next run recognises.
    fingerprints: usize,
    /// They are too many to be kept one by one: the next run counts what is there, and tells from a sketch of them what is new.
    fingerprints_sketched: bool,
    fingerprints_overflowed: bool,
    revision: u64,
    bytes: usize,
    updated_at: String,
    run_id: Option<String>,
}

#[derive(Serialize)]
struct ShownSync {
    sync: String,
    states: Vec<ShownState>,
    held_by: Option<ShownHold>,
    interrupted_run: Option<ShownRun>,
}

#[derive(Serialize)]
struct ShownHold {
    host: String,
    pid: u32,
    since: String,
    lease_until: String,
    /// Its process is proven gone: the next sync takes over at once.
    process_gone: bool,
}

#[derive(Serialize)]
struct ShownRun {
    run_id: String,
    status: String,
    attempt: u32,
    tables: Vec<ShownProgress>,
}

#[derive(Serialize)]
struct ShownProgress {
    table: String,
    complete: bool,
    forwarded: u64,
    uncertain: u64,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List { state, sync } => {
            let states = state.open(context).await?.list_states(sync.as_deref()).await?;
            let shown = states.iter().map(ShownState::of).collect::<Result<Vec<_>, _>>()?;
            context.output.data(&shown, |shown| list_in_words(shown))?;
        }
        Command::Show { sync, state } => show(state.open(context).await?.as_ref(), &sync, context).await?,
        Command::Set {
            sync,
            table,
            value,
            column,
            cursor_type,
            state,
        } => {
            let wish = Wish {
                sync,
                table,
                value,
                column,
                cursor_type,
            };
            set(state.open(context).await?.as_ref(), wish, context).await?;
        }
        Command::Reset {
            sync,
            table,
            yes,
            state,
        } => {
            let store = state.open(context).await?;
            require_sync(store.as_ref(), &sync).await?;
            confirm_reset(&sync, table.as_deref(), yes, context)?;
            let reset = store.reset_state(&sync, table.as_deref(), UnixMicros::now()).await?;
            let removed =
                serde_json::json!({ "sync": sync, "table": table, "states": reset.states, "plans": reset.plans });
            context.output.data(&removed, |_| {
                format!("forgot {} cursors and {} tables of an interrupted run; the next sync reads them from the beginning\n", reset.states, reset.plans)
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn show(store: &dyn StateStore, sync: &str, context: &Context) -> Result<(), Failure> {
    let states = store.list_states(Some(sync)).await?;
    let hold = store.current_hold(sync).await?;
    let interrupted = store.interrupted_run(sync).await?;
    if states.is_empty() && hold.is_none() && interrupted.is_none() {
        require_sync(store, sync).await?;
    }
    let shown = ShownSync {
        sync: sync.to_owned(),
        states: states.iter().map(ShownState::of).collect::<Result<_, _>>()?,
        held_by: hold.as_ref().map(ShownHold::from),
        interrupted_run: interrupted.as_ref().map(ShownRun::from),
    };
    context.output.data(&shown, ShownSync::in_words)?;
    Ok(())
}

struct Wish {
    sync: String,
    table: String,
    value: String,
    column: Option<String>,
    cursor_type: Option<CursorType>,
}

async fn set(store: &dyn StateStore, wish: Wish, context: &Context) -> Result<(), Failure> {
    if wish.column.is_none() || wish.cursor_type.is_none() {
        // Before the first run everything has to be said; otherwise a name that nobody knows is a slip.
        require_sync(store, &wish.sync).await?;
    }
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
        .with_remedy("Give --column and --type; `longshore tables` shows both.")
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
        at: UnixMicros::now(),
    };
    let revision = store.set_state(replacement).await?;
    let done = serde_json::json!({ "sync": wish.sync, "table": wish.table, "cursor": cursor.to_string(), "revision": revision });
    context.output.data(&done, |_| {
        format!(
            "table {} of sync {}: the next run delivers what is beyond {cursor}\n",
            wish.table, wish.sync
        )
    })?;
    Ok(())
}

fn confirm_reset(sync: &str, table: Option<&str>, yes: bool, context: &Context) -> Result<(), Failure> {
    let what = table.map_or_else(
        || format!("all tables of sync {sync}"),
        |table| format!("table {table} of sync {sync}"),
    );
    let consequence = format!("Resetting {what} makes the next run read and deliver everything again");
    let question = format!("The next run will read and deliver {what} from the beginning.");
    confirm(context, yes, &consequence, &question)
}

fn cursor_type(text: &str) -> Result<CursorType, String> {
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

fn list_in_words(states: &[ShownState]) -> String {
    let mut columns = Columns::new(&["SYNC", "TABLE", "COLUMN", "CURSOR", "UPDATED", "BYTES"]);
    for state in states {
        columns.row(vec![
            state.sync.clone(),
            state.table.clone(),
            state.cursor_column.clone(),
            state.cursor.clone().unwrap_or_else(|| "-".to_owned()),
            state.updated_at.clone(),
            grouped(state.bytes as u64),
        ]);
    }
    columns.render("no cursors are stored")
}

impl ShownState {
    fn of(stored: &StoredState) -> Result<Self, Error> {
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
    fn in_words(&self) -> String {
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
                let (rows, uncertain) = (grouped(table.forwarded), grouped(table.uncertain));
                text.push_str(&format!(
                    "  table {}: {done}, {rows} rows delivered so far, {uncertain} uncertain\n",
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

impl From<&RunDetails> for ShownRun {
    fn from(details: &RunDetails) -> Self {
        let tables = details.tables.iter().map(|table| ShownProgress {
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
