//! `longshore state list|show|set|reset`

use clap::{Args, Subcommand};
use longshore_core::cursor::CursorType;
use longshore_state::UnixMicros;

use super::{
    Context,
    confirmation::confirm,
    output::{Columns, grouped},
    state_location::StateArguments,
};
use crate::{
    cursors::{ShownReset, ShownState, ShownSync, Wish, cursor_type, set},
    failure::{Exit, Failure},
    figures::counted,
    history::require_sync,
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

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List { state, sync } => {
            let states = state.open(context).await?.list_states(sync.as_deref()).await?;
            let shown = states.iter().map(ShownState::of).collect::<Result<Vec<_>, _>>()?;
            context.output.data(&shown, |shown| list_in_words(shown))?;
        }
        Command::Show { sync, state } => {
            let store = state.open(context).await?;
            let shown = ShownSync::of(store.as_ref(), &sync).await?;
            let shown = match shown {
                Some(shown) => shown,
                None => {
                    require_sync(store.as_ref(), &sync).await?;
                    ShownSync::nothing(&sync)
                }
            };
            context.output.data(&shown, ShownSync::in_words)?;
        }
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
            let store = state.open(context).await?;
            if wish.column.is_none() || wish.cursor_type.is_none() {
                // Before the first run everything has to be said; otherwise a name that nobody knows is a slip.
                require_sync(store.as_ref(), &wish.sync).await?;
            }
            let done = set(store.as_ref(), wish, UnixMicros::now()).await?;
            context.output.data(&done, |done| {
                format!(
                    "table {} of sync {}: the next run delivers what is beyond {}\n",
                    done.table, done.sync, done.cursor
                )
            })?;
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
            let removed = ShownReset::of(sync, table, reset);
            context.output.data(&removed, |removed| {
                format!(
                    "forgot {} and {} of an interrupted run; the next sync reads from the beginning\n",
                    counted(removed.states, "cursor", "cursors"),
                    counted(removed.plans, "table", "tables")
                )
            })?;
        }
    }
    Ok(Exit::Done)
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
