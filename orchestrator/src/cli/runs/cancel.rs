//! `longshore runs cancel`

use longshore_core::Error;
use longshore_state::{RunStatus, UnixMicros, process::liveness};

use super::super::{Context, state_location::StateArguments, syncs::require_no_daemon};
use crate::{
    failure::Failure,
    serve::{
        control::{Client, Question},
        handle::Cancelled,
    },
};

/// Ends a run of the daemon. Without one, says who runs it.
pub(super) async fn run(run_id: String, state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context)?;
    let store = state.open(context).await?;
    let run = super::run_called(store.as_ref(), &run_id).await?.run;
    let run_id = run.run_id;
    if let Some(daemon) = Client::connect(location.sqlite_path()).await? {
        let answer: Cancelled = daemon.ask(&Question::CancelRun { run_id }).await?;
        return Ok(context.output.data(&answer, |answer| {
            format!("{} is being stopped; what is acked is committed\n", answer.sync)
        })?);
    }
    require_no_daemon(store.as_ref()).await?;
    let held = store.current_hold(&run.sync).await?;
    let held = held.filter(|held| held.stands(UnixMicros::now(), liveness(&held.holder)));
    let message = format!("No daemon runs with the state {location}");
    let error = match held {
        Some(held) if run.status == RunStatus::Running => Error::config(
            "run_elsewhere",
            format!(
                "{message}; the run {run_id} belongs to process {} on {}",
                held.holder.pid, held.holder.host
            ),
        )
        .with_remedy(format!(
            "Ctrl-C in its terminal or `kill {}` ends it in order.",
            held.holder.pid
        )),
        _ => Error::config(
            "run_not_running",
            format!("The run {run_id} does not go on at the moment"),
        )
        .with_remedy("`longshore runs show` says how it stands."),
    };
    Err(error.into())
}
