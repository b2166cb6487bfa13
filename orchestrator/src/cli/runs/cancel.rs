//! `longshore runs cancel`

use longshore_core::Error;
use longshore_state::RunStatus;

use super::super::{
    Context,
    state_location::StateArguments,
    syncs::{require_no_daemon, run_by_another_process},
};
use crate::{
    failure::Failure,
    serve::{
        control::{Client, Question},
        handle::Cancelled,
    },
};

/// Ends a run of the daemon. Without one, says who runs it.
pub(super) async fn run(run_id: String, state: &StateArguments, context: &Context) -> Result<(), Failure> {
    let location = state.location(context).await?;
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
    let message = format!("No daemon runs with the state {location}");
    let elsewhere = run_by_another_process(store.as_ref(), &run.sync, &message).await?;
    let error = elsewhere
        .filter(|_| run.status == RunStatus::Running)
        .unwrap_or_else(|| {
            Error::config(
                "run_not_running",
                format!("The run {run_id} does not go on at the moment"),
            )
            .with_remedy("`longshore runs show` says how it stands.")
        });
    Err(error.into())
}
