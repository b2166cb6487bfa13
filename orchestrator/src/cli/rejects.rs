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
    let several = rejects.windows(2).any(|pair| pair[0].sync != pair[1].sync);
    let mut headings = vec!["ID", "AT", "SYNC", "TABLE", "KEY", "COLUMN", "RULE", "STATUS", "REASON"];
    headings.retain(|&heading| several || heading != "SYNC");
    let mut columns = Columns::new(&headings);
    for reject in rejects {
        let mut cells = vec![reject.id.to_string(), reject.at.clone()];
        cells.extend(several.then(|| reject.sync.clone()));
        cells.extend([
            reject.table.clone(),
            reject.short_key_in_words(),
            reject.column_in_words(),
            reject.rule.clone(),
            reject.status_in_words(),
            reject.reason.clone(),
        ]);
        columns.row(cells);
    }
    columns.render("no rejects")
}

#[cfg(test)]
mod tests {
    use longshore_state::{NewReject, Reject, RejectStatus, UnixMicros};

    use super::*;

    fn of(sync: &str, key: &str, primary_key: &str) -> ShownReject {
        let reject = NewReject {
            destination: "batch".to_owned(),
            key: key.to_owned(),
            primary_key: primary_key.to_owned(),
            rule: "id_too_long".to_owned(),
            reason: "is too long".to_owned(),
            whole_row: true,
            ..NewReject::default()
        };
        ShownReject::from(Reject {
            id: 1,
            sync: sync.to_owned(),
            run_id: "01J".to_owned(),
            table: "people".to_owned(),
            partition: String::new(),
            at: UnixMicros(0),
            status: RejectStatus::Pending,
            attempts: 0,
            tried_at: None,
            uncertain: false,
            resolved_run: None,
            resolved_at: None,
            row_kept: true,
            row_table: None,
            reject,
        })
    }

    #[test]
    fn a_long_key_is_cut_and_one_of_blanks_is_quoted() {
        let text = list_in_words(&[of("shop", &"é".repeat(2_000), "17"), of("shop", "  ", "")]);
        let cut = format!("  {}… (17)  ", "é".repeat(63));
        assert!(text.contains(&cut), "{text}");
        assert!(text.contains("  \"  \"  "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() < 200), "{text}");
        assert!(!text.contains("SYNC"), "{text}");
    }

    #[test]
    fn rejects_of_several_syncs_say_whose_they_are() {
        let text = list_in_words(&[of("shop", "ada", ""), of("events", "ada", "")]);
        let second_heading = |line: &str| line.split_whitespace().nth(2).unwrap().to_owned();
        let third: Vec<String> = text.lines().map(second_heading).collect();
        assert_eq!(third[0], "SYNC", "{text}");
        assert!(text.contains("  shop    people  "), "{text}");
    }
}
