//! One daemon a store: it holds the store as a run holds its sync.

use std::{sync::Arc, time::Duration};

use longshore_core::{Error, Result};
use longshore_state::{CurrentHold, DAEMON, Holder, StateStore, UnixMicros, hold::Liveness, process::liveness};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::hold::{HeldSync, LEASE},
    failure::Failure,
};

/// Between two looks at a hold of which nobody can tell whether its process lives.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Takes the store for a daemon. Before it opens an address, so that one that is there already is named and not mistaken for somebody who has its port.
///
/// Where it can not be told whether the process that has the store still lives (the machine was reset, or it was another container), it shows by itself: one
/// that lives renews its hold, and the hold of one that does not runs out. So long is waited, a lease at most: what starts the daemon again at once after a
/// crash finds it serving, and not refused.
///
/// # Errors
/// `daemon_running`: another daemon uses the store. Cancelled while waiting. Those of the store.
pub async fn hold(
    store: &Arc<dyn StateStore>,
    holder: Holder,
    cancel: &CancellationToken,
) -> Result<HeldSync, Failure> {
    let mut waits_for: Option<CurrentHold> = None;
    // Longer than a lease only where a clock was set back.
    let patient_until = Instant::now() + 2 * LEASE;
    loop {
        match HeldSync::acquire(Arc::clone(store), DAEMON, holder.clone()).await {
            Err(error) if error.code == "sync_held" => {}
            taken => return Ok(taken?),
        }
        let Some(current) = store.current_hold(DAEMON).await? else {
            // It has just ended.
            continue;
        };
        let is_renewed = waits_for.as_ref().is_some_and(|seen| *seen != current);
        match liveness(&current.holder) {
            // It has died since it was asked for the store.
            Liveness::Dead => continue,
            Liveness::Unknown if !is_renewed && Instant::now() < patient_until => {}
            Liveness::Unknown | Liveness::Alive => return Err(running(&current).into()),
        }
        if waits_for.is_none() {
            tracing::warn!(
                pid = current.holder.pid,
                host = current.holder.host,
                until = crate::moment::shown(current.lease_until),
                "another daemon has used this state, and nobody here can tell whether it still lives; waiting until its hold is renewed or runs out"
            );
        }
        let left = current.lease_until.since(UnixMicros::now());
        waits_for = Some(current);
        tokio::select! {
            () = sleep(left.min(LOOK_EVERY)) => {}
            () = cancel.cancelled() => return Err(Failure::Cancelled),
        }
    }
}

fn running(current: &CurrentHold) -> Error {
    Error::config(
        "daemon_running",
        format!(
            "Another daemon uses this state: process {} on {} since {}, until {} at least",
            current.holder.pid,
            current.holder.host,
            crate::moment::shown(current.since),
            crate::moment::shown(current.lease_until)
        ),
    )
    .with_remedy("End that one first, or give this one a state of its own with `kind: settings`, `state: sqlite:PATH`.")
}

#[cfg(test)]
mod tests {
    use longshore_state::{Acquisition, Hold, sqlite::SqliteStore};
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;

    /// A store that a daemon of this machine had before the machine was started again.
    async fn held_before_a_reset(lease: Duration) -> (TempDir, Arc<dyn StateStore>, Hold) {
        let folder = TempDir::new().unwrap();
        let store = SqliteStore::open(&folder.path().join("state.db")).await.unwrap();
        let holder = Holder {
            boot_id: "an earlier start".to_owned(),
            ..Holder::current("another")
        };
        let taken = store.acquire(DAEMON, holder, UnixMicros::now(), lease).await;
        let Acquisition::Acquired { hold, .. } = taken.unwrap() else {
            panic!("nobody has it")
        };
        (folder, Arc::new(store), hold)
    }

    fn code(failure: Failure) -> String {
        failure.to_error().code
    }

    #[tokio::test]
    async fn a_store_of_before_a_reset_is_taken_when_its_hold_runs_out() {
        let (_folder, store, _) = held_before_a_reset(3 * LOOK_EVERY).await;
        let held = hold(&store, Holder::current("test"), &CancellationToken::new()).await;
        held.map_err(code).unwrap().release().await.unwrap();
    }

    #[tokio::test]
    async fn a_daemon_that_may_be_gone_and_renews_its_hold_is_there() {
        // Far longer than the test: it is the renewal that tells.
        let (_folder, store, theirs) = held_before_a_reset(LEASE).await;
        let renewing = {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                loop {
                    sleep(LOOK_EVERY).await;
                    store.renew(&theirs, UnixMicros::now(), LEASE).await.unwrap();
                }
            })
        };
        let (holder, never) = (Holder::current("test"), CancellationToken::new());
        let held = timeout(LEASE, hold(&store, holder, &never)).await;
        let held = held.expect("the first renewal is enough");
        assert_eq!(held.map(drop).map_err(code), Err("daemon_running".to_owned()));
        renewing.abort();
    }

    #[tokio::test]
    async fn waiting_for_a_hold_ends_when_the_daemon_is_to_end() {
        let (_folder, store, _) = held_before_a_reset(LEASE).await;
        let cancel = CancellationToken::new();
        cancel.cancel();
        let held = hold(&store, Holder::current("test"), &cancel).await;
        assert!(matches!(held.map(drop), Err(Failure::Cancelled)));
    }
}
