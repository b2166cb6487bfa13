//! `longshore syncs cancel`

use longshore_core::Error;
use longshore_state::{StateStore, UnixMicros, process::liveness};

use super::require_no_daemon;
use crate::{
    cli::{Context, state_location::StateArguments},
    failure::Failure,
    serve::{
        control::{Client, Question},
        handle::Cancelled,
    },
};

/// Lets the daemon end the run of a sync, or take back what waits. Without a daemon, says who could.
pub(super) async fn run(sync: String, state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context).await?;
    if let Some(daemon) = Client::connect(location.sqlite_path()).await? {
        let answer: Cancelled = daemon.ask(&Question::CancelSync { sync }).await?;
        return Ok(context.output.data(&answer, in_words)?);
    }
    let store = state.open(context).await?;
    require_no_daemon(store.as_ref()).await?;
    let message = format!("No daemon runs with the state {location}");
    if let Some(error) = run_by_another_process(store.as_ref(), &sync, &message).await? {
        return Err(error.into());
    }
    Err(Error::config(
        "daemon_missing",
        format!("{message}, and nobody runs {sync} at the moment"),
    )
    .with_remedy(format!(
        "A daemon that starts goes on with what was interrupted; `longshore syncs pause {sync}` keeps it from that."
    ))
    .into())
}

fn in_words(answer: &Cancelled) -> String {
    let sync = &answer.sync;
    match &answer.run_id {
        Some(run_id) => format!("{sync} is being stopped (run {run_id}); what is acked is committed\n"),
        None => {
            format!("{sync} does not run any more for what was due; the next run goes on where the last one stopped\n")
        }
    }
}

/// Who runs a sync besides a daemon, and how that is ended; `None`: nobody does.
pub(in crate::cli) async fn run_by_another_process(
    store: &dyn StateStore,
    sync: &str,
    message: &str,
) -> Result<Option<Error>, Error> {
    let held = store.current_hold(sync).await?;
    let held = held.filter(|held| held.stands(UnixMicros::now(), liveness(&held.holder)));
    Ok(held.map(|held| {
        let (pid, host) = (held.holder.pid, held.holder.host);
        Error::config(
            "run_elsewhere",
            format!("{message}; process {pid} on {host} runs {sync}"),
        )
        .with_remedy(format!("Ctrl-C in its terminal or `kill {pid}` ends it in order."))
    }))
}
