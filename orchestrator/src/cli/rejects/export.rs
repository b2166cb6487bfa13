//! `longshore rejects export`

use clap::{Args, ValueEnum};
use longshore_core::Error;
use longshore_state::{Page, StateStore};
use serde_json::Value;

use super::{filters::Filters, row::rejected_row, shown::ShownReject};
use crate::{
    cli::{Context, state_location::StateArguments},
    failure::{Exit, Failure},
};

/// Rejects that are in memory at once.
const PAGE: Page = Page {
    after: 0,
    rejects: 1_000,
    bytes: 8 * 1024 * 1024,
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    state: StateArguments,
    #[command(flatten)]
    filters: Filters,
    /// The form: one object a line, or one array of them. --json means the array.
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Json,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let store = arguments.state.open(context).await?;
    let filter = arguments.filters.resolve(store.as_ref()).await?;
    let as_array = arguments.format == Format::Json || context.output.is_json();
    let mut page = PAGE;
    let mut lines = 0_u64;
    loop {
        let rejects = store.read_rejects(&filter, page).await?;
        let Some(last) = rejects.last() else { break };
        page.after = last.reject.id;
        let mut text = String::new();
        for kept in rejects {
            let line = line_of(store.as_ref(), kept).await?;
            text.push_str(match (as_array, lines) {
                (false, _) => "",
                (true, 0) => "[",
                (true, _) => ",\n",
            });
            text.push_str(&line.to_string());
            text.push_str(if as_array { "" } else { "\n" });
            lines += 1;
        }
        context.output.exact(&text)?;
    }
    match (as_array, lines) {
        (true, 0) => context.output.exact("[]\n")?,
        (true, _) => context.output.exact("]\n")?,
        (false, 0) => context.output.note("no rejects"),
        (false, _) => {}
    }
    Ok(Exit::Done)
}

async fn line_of(store: &dyn StateStore, kept: longshore_state::KeptReject) -> Result<Value, Error> {
    let row = rejected_row(store, &kept).await?;
    serde_json::to_value(ShownReject::with_row(kept.reject, row.as_ref()))
        .map_err(|error| Error::internal("json", "A reject can not be written as JSON").with_cause(&error))
}
