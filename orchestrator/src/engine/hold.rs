//! One process at a time runs a sync; the lease behind that.

use std::{sync::Arc, time::Duration};

use longshore_core::{Error, Result};
use longshore_state::{Acquisition, CurrentHold, Hold, Holder, StateStore, UnixMicros};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A process that has not renewed for this long has lost its sync to whoever asks next.
const LEASE: Duration = Duration::from_secs(30);

/// Several renewals fit a lease, so that one that comes late does no harm.
const RENEWAL: Duration = Duration::from_secs(5);

/// A sync held by this process, renewed in the background until it is released or dropped.
pub struct HeldSync {
    /// What every write presents.
    pub hold: Hold,
    /// Cancelled when the hold is lost: nothing more may be written.
    pub lost: CancellationToken,
    store: Arc<dyn StateStore>,
    renewal: JoinHandle<()>,
}

impl HeldSync {
    /// Takes the hold of a sync.
    ///
    /// # Errors
    /// `sync_held`: another process has it; says which one and since when.
    pub async fn acquire(store: Arc<dyn StateStore>, sync: &str, holder: Holder) -> Result<Self> {
        let hold = match store.acquire(sync, holder, UnixMicros::now(), LEASE).await? {
            Acquisition::HeldBy(current) => return Err(held_by(sync, &current)),
            Acquisition::Acquired { hold, taken_over_from } => {
                if let Some(previous) = taken_over_from {
                    tracing::warn!(
                        sync,
                        pid = previous.holder.pid,
                        host = previous.holder.host,
                        "an earlier run ended without a word; its work is taken over"
                    );
                }
                hold
            }
        };
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(Arc::clone(&store), hold.clone(), lost.clone()));
        Ok(Self {
            hold,
            lost,
            store,
            renewal,
        })
    }

    /// Gives the sync back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(self) -> Result<()> {
        self.renewal.abort();
        self.store.release(&self.hold).await
    }
}

impl Drop for HeldSync {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

async fn renew(store: Arc<dyn StateStore>, hold: Hold, lost: CancellationToken) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        match store.renew(&hold, UnixMicros::now(), LEASE).await {
            Ok(()) => {}
            Err(error) if error.retryable => {
                tracing::warn!(sync = hold.sync, %error, "the lease could not be renewed yet")
            }
            Err(error) => {
                tracing::error!(sync = hold.sync, %error, "the sync is lost to another process");
                lost.cancel();
                return;
            }
        }
    }
}

fn held_by(sync: &str, current: &CurrentHold) -> Error {
    let since = crate::moment::shown(current.since);
    let until = crate::moment::shown(current.lease_until);
    Error::config(
        "sync_held",
        format!(
            "The sync {sync} is being run by process {} on {} since {since}",
            current.holder.pid, current.holder.host
        ),
    )
    .with_remedy(format!(
        "Wait for it to end. Should it hang, end it: its hold lapses at {until} unless it renews it."
    ))
}
