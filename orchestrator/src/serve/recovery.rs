//! What a daemon that ended, or died, has left in the store.

use longshore_core::Result;
use longshore_state::{Hold, ScheduledSync, StateStore, TurnEnd, TurnStatus, UnixMicros};

/// Everything that is stored about syncs. A turn whose run is complete is closed first: its daemon died after the run had ended and before it could say so.
pub(super) async fn stored(store: &dyn StateStore, daemon: &Hold, now: UnixMicros) -> Result<Vec<ScheduledSync>> {
    let mut syncs = store.list_scheduled().await?;
    for sync in &mut syncs {
        let Some(turn) = &sync.open else { continue };
        let Some(run_id) = &turn.run_id else { continue };
        let run = store.get_run(run_id).await?;
        if run.is_some_and(|details| details.run.status.is_complete()) {
            let end = TurnEnd {
                id: turn.id,
                status: TurnStatus::Completed,
                tries: turn.tries.saturating_add(1),
                error: None,
                now,
            };
            store.end_turn(daemon, end).await?;
            sync.open = None;
        } else {
            tracing::info!(sync = sync.sync, run_id, "an interrupted run will be gone on with");
        }
    }
    Ok(syncs)
}
