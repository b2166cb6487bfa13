//! `longshore rejects list|show|export|replay|discard`

mod discard;
mod export;
mod replay;

use clap::{Args, Subcommand};

use super::{Context, output::Columns, state_location::StateArguments};
use crate::{
    failure::{Exit, Failure},
    ledger::{filters::Filters, row::rejected_row, shown::ShownReject, unknown},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

impl Arguments {
    /// Whether the command ends in order by itself when the user stops it.
    pub(super) fn ends_in_order(&self) -> bool {
        matches!(self.command, Command::Replay(_))
    }
}

#[derive(Subcommand)]
enum Command {
    /// The newest rejects.
    List {
        #[command(flatten)]
        state: StateArguments,
        #[command(flatten)]
        filters: Filters,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Older than the one with this number, to read page after page.
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
    },
    /// One reject, with its row where that is kept.
    Show {
        /// Its number.
        id: i64,
        #[command(flatten)]
        state: StateArguments,
    },
    /// Rejects with their rows, oldest first, as lines of JSON: to look at, or to mend and send again with `replay --file`.
    Export(export::Arguments),
    /// Send rejects again, now.
    Replay(replay::Arguments),
    /// Give up pending rejects: their rows are removed and never sent.
    Discard(discard::Arguments),
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List {
            state,
            filters,
            limit,
            before,
        } => {
            let store = state.open(context).await?;
            let mut filter = filters.resolve(store.as_ref(), &[]).await?;
            filter.before = before;
            let rejects = store.list_rejects(&filter, limit).await?;
            let shown: Vec<ShownReject> = rejects.into_iter().map(ShownReject::from).collect();
            context.output.data(&shown, |shown| list_in_words(shown))?;
            Ok(Exit::Done)
        }
        Command::Show { id, state } => {
            let store = state.open(context).await?;
            let kept = store.get_reject(id).await?.ok_or_else(|| unknown(id))?;
            let row = rejected_row(store.as_ref(), &kept).await?;
            let shown = ShownReject::with_row(kept.reject, row.as_ref());
            let words = row.map(|row| row.in_words());
            context.output.data(&shown, |shown| shown.in_words(words.as_deref()))?;
            Ok(Exit::Done)
        }
        Command::Export(arguments) => export::run(arguments, context).await,
        Command::Replay(arguments) => replay::run(arguments, context).await,
        Command::Discard(arguments) => discard::run(arguments, context).await,
    }
}

fn list_in_words(rejects: &[ShownReject]) -> String {
    let mut columns = Columns::new(&["ID", "AT", "TABLE", "KEY", "COLUMN", "RULE", "STATUS", "REASON"]);
    for reject in rejects {
        columns.row(vec![
            reject.id.to_string(),
            reject.at.clone(),
            reject.table.clone(),
            reject.key_in_words(),
            reject.column_in_words(),
            reject.rule.clone(),
            reject.status_in_words(),
            reject.reason.clone(),
        ]);
    }
    columns.render("no rejects")
}
