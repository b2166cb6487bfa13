//! `longshore rejects list|show`

use clap::{Args, Subcommand};
use longshore_core::Error;
use longshore_state::{Reject, RejectFilter};
use serde::Serialize;

use super::{
    Context,
    output::Columns,
    runs::{require_sync, run_called},
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
    /// The newest rejects.
    List {
        #[command(flatten)]
        state: StateArguments,
        /// Of this sync only.
        #[arg(long)]
        sync: Option<String>,
        /// Of this table only.
        #[arg(long)]
        table: Option<String>,
        /// Of this run only: its id, or `last`.
        #[arg(long)]
        run: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// Older than the one with this number, to read page after page.
        #[arg(long, value_name = "ID")]
        before: Option<i64>,
    },
    /// One reject.
    Show {
        /// Its number.
        id: i64,
        #[command(flatten)]
        state: StateArguments,
    },
}

#[derive(Serialize)]
struct ShownReject {
    id: i64,
    sync: String,
    run_id: String,
    table: String,
    partition: String,
    destination: String,
    key: String,
    rule: String,
    column: String,
    reason: String,
    whole_row: bool,
    at: String,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List {
            state,
            sync,
            table,
            run,
            limit,
            before,
        } => {
            let store = state.open(context).await?;
            let run = match run {
                Some(run) => Some(run_called(store.as_ref(), &run).await?.run.run_id),
                None => None,
            };
            if let Some(sync) = &sync {
                require_sync(store.as_ref(), sync).await?;
            }
            let filter = RejectFilter {
                sync,
                table,
                run_id: run,
                before,
            };
            let rejects = store.list_rejects(&filter, limit).await?;
            let shown: Vec<ShownReject> = rejects.into_iter().map(ShownReject::from).collect();
            context.output.data(&shown, |shown| list_in_words(shown))?;
        }
        Command::Show { id, state } => {
            let reject = state.open(context).await?.get_reject(id).await?;
            let reject = reject.ok_or_else(|| {
                Error::config("reject_unknown", format!("There is no reject {id}"))
                    .with_remedy("`longshore rejects list` shows the numbers.")
            })?;
            context.output.data(&ShownReject::from(reject), ShownReject::in_words)?;
        }
    }
    Ok(Exit::Done)
}

fn list_in_words(rejects: &[ShownReject]) -> String {
    let mut columns = Columns::new(&["ID", "AT", "TABLE", "KEY", "COLUMN", "RULE", "REASON"]);
    for reject in rejects {
        columns.row(vec![
            reject.id.to_string(),
            reject.at.clone(),
            reject.table.clone(),
            reject.key.clone(),
            reject.column_in_words(),
            reject.rule.clone(),
            reject.reason.clone(),
        ]);
    }
    columns.render("no rejects")
}

impl ShownReject {
    fn column_in_words(&self) -> String {
        match (self.whole_row, self.column.as_str()) {
            (true, "") => "(row)".to_owned(),
            (true, column) => format!("{column} (row)"),
            (false, column) => column.to_owned(),
        }
    }

    fn in_words(&self) -> String {
        let fate = if self.whole_row {
            "the row was not delivered"
        } else {
            "the rest of the row was delivered"
        };
        format!(
            "reject {}: {} ({fate})\n  reason       {}\n  rule         {}\n  key          {}\n  column       {}\n  table        {} of sync {}\n  \
             destination  {}\n  run          {}, partition {}\n  recorded     {}\n",
            self.id,
            self.rule,
            self.reason,
            self.rule,
            self.key,
            self.column_in_words(),
            self.table,
            self.sync,
            self.destination,
            self.run_id,
            self.partition,
            self.at
        )
    }
}

impl From<Reject> for ShownReject {
    fn from(stored: Reject) -> Self {
        let Reject {
            id,
            sync,
            run_id,
            table,
            partition,
            at,
            reject,
        } = stored;
        Self {
            id,
            sync,
            run_id,
            table,
            partition,
            destination: reject.destination,
            key: reject.key,
            rule: reject.rule,
            column: reject.column,
            reason: reject.reason,
            whole_row: reject.whole_row,
            at: shown(at),
        }
    }
}
