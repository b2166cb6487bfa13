//! `longshore rejects export`

use clap::{Args, ValueEnum};

use crate::{
    cli::{Context, state_location::StateArguments},
    failure::{Exit, Failure},
    ledger::{
        export::{PAGE, exported},
        filters::Filters,
    },
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
    let filter = arguments.filters.resolve(store.as_ref(), &[]).await?;
    let as_array = arguments.format == Format::Json || context.output.is_json();
    let mut page = PAGE;
    let mut lines = 0_u64;
    loop {
        let rejects = store.read_rejects(&filter, page).await?;
        let Some(last) = rejects.last() else { break };
        page.after = last.reject.id;
        let mut text = String::new();
        for kept in rejects {
            let line = exported(store.as_ref(), kept).await?;
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
