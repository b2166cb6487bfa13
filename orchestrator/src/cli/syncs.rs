//! `longshore syncs list|turns|pause|resume|run|cancel`: against the daemon that uses the state, or the state itself where none runs.

mod cancel;
mod shown;
mod turns;

use clap::{Args, Subcommand};
use longshore_core::Error;
use longshore_state::{DAEMON, StateStore, UnixMicros};

pub(super) use cancel::run_by_another_process;

use super::{Context, state_location::StateArguments};
use crate::{
    failure::{Exit, Failure},
    history::require_sync,
    moment::shown as at,
    serve::{
        control::{Client, Question},
        handle::{PauseState, Started},
    },
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Every sync: what it is doing, when it runs next, how its last run ended.
    List {
        #[command(flatten)]
        state: StateArguments,
    },
    /// What a daemon decided: the due times that each run was for, those that were missed, and what is still to be done. Newest first.
    Turns {
        /// Of this sync only.
        sync: Option<String>,
        #[command(flatten)]
        state: StateArguments,
        /// At most so many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Start no more runs of a sync until it is resumed. A run that goes on is not touched.
    Pause(Named),
    /// End a pause. Times that have passed meanwhile are made up for as the sync's `catch_up` says.
    Resume(Named),
    /// Let the daemon run a sync now, whatever its schedule says.
    Run(Named),
    /// End the run of a sync in order, or take back the one that waits or is to be tried again. What is acked is committed; the next run goes on there.
    Cancel(Named),
}

#[derive(Args)]
struct Named {
    /// The name of the sync.
    sync: String,
    #[command(flatten)]
    state: StateArguments,
}

pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    match arguments.command {
        Command::List { state } => list(&state, context).await?,
        Command::Turns { sync, state, limit } => turns::list(sync.as_deref(), limit, &state, context).await?,
        Command::Pause(Named { sync, state }) => set_paused(&sync, true, &state, context).await?,
        Command::Resume(Named { sync, state }) => set_paused(&sync, false, &state, context).await?,
        Command::Run(Named { sync, state }) => run_now(sync, &state, context).await?,
        Command::Cancel(Named { sync, state }) => cancel::run(sync, &state, context).await?,
    }
    Ok(Exit::Done)
}

async fn list(state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context).await?;
    if let Some(daemon) = Client::connect(location.sqlite_path()).await? {
        let mut syncs = daemon.ask_value(&Question::Syncs).await?;
        shown::make_readable(&mut syncs);
        return Ok(context.output.data(&syncs, shown::of_daemon)?);
    }
    let store = state.open(context).await?;
    require_no_daemon(store.as_ref()).await?;
    let syncs = shown::stored(store.as_ref()).await?;
    context
        .output
        .note("no daemon runs with this state: what is shown is what is stored");
    Ok(context.output.data(&syncs, |syncs| shown::of_store(syncs))?)
}

async fn set_paused(sync: &str, paused: bool, state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context).await?;
    let answer = match Client::connect(location.sqlite_path()).await? {
        Some(daemon) => {
            let sync = sync.to_owned();
            let question = match paused {
                true => Question::Pause { sync },
                false => Question::Resume { sync },
            };
            daemon.ask::<PauseState>(&question).await?
        }
        None => {
            let store = state.open(context).await?;
            require_no_daemon(store.as_ref()).await?;
            let is_scheduled = store.list_scheduled().await?.iter().any(|known| known.sync == sync);
            if !is_scheduled {
                require_sync(store.as_ref(), sync).await?;
            }
            PauseState {
                sync: sync.to_owned(),
                paused,
                changed: store.set_paused(sync, paused).await?,
                next_run_at: None,
            }
        }
    };
    let mut shown = serde_json::json!(answer);
    shown::make_readable(&mut shown);
    Ok(context.output.data(&shown, |_| pause_in_words(&answer))?)
}

fn pause_in_words(answer: &PauseState) -> String {
    let sync = &answer.sync;
    let next = answer
        .next_run_at
        .map(|next| format!("; it runs next at {}", at(next)))
        .unwrap_or_default();
    match (answer.paused, answer.changed) {
        (true, true) => format!("{sync} is paused\n"),
        (true, false) => format!("{sync} was paused already\n"),
        (false, true) => format!("{sync} is resumed{next}\n"),
        (false, false) => format!("{sync} was not paused{next}\n"),
    }
}

async fn run_now(sync: String, state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context).await?;
    let Some(daemon) = Client::connect(location.sqlite_path()).await? else {
        let message = format!("No daemon runs with the state {location}, so there is nobody to run {sync} now");
        return Err(Error::config("daemon_missing", message)
            .with_remedy(format!(
                "`longshore sync --source {sync}` runs it here; `longshore serve` starts a daemon."
            ))
            .into());
    };
    let answer: Started = daemon.ask(&Question::Run { sync }).await?;
    Ok(context.output.data(&answer, |answer| match &answer.waits_for {
        Some(what) => format!("{} is to run and waits for {what}\n", answer.sync),
        None => format!("{} is starting\n", answer.sync),
    })?)
}

/// A daemon that holds the store and can not be asked would not notice what is written behind its back.
///
/// # Errors
/// `daemon_unreachable`.
pub(super) async fn require_no_daemon(store: &dyn StateStore) -> Result<(), Error> {
    let Some(held) = store.current_hold(DAEMON).await? else {
        return Ok(());
    };
    if !held.stands(UnixMicros::now(), longshore_state::process::liveness(&held.holder)) {
        return Ok(());
    }
    let message = format!(
        "A daemon uses this state, process {} on {}, and can not be asked from here",
        held.holder.pid, held.holder.host
    );
    Err(Error::config("daemon_unreachable", message).with_remedy(
        "Run this on the same machine, and in the same container; a daemon that is just starting answers in a moment.",
    ))
}
