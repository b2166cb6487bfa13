//! One process at a time runs a sync; the lease behind that.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use longshore_core::{Error, Result};
use longshore_state::{Acquisition, CurrentHold, Hold, Holder, StateStore, UnixMicros};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

/// A process that has not renewed for this long has lost its sync to whoever asks next.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// Several renewals fit a lease, so that one that comes late does no harm.
const RENEWAL: Duration = Duration::from_secs(5);

/// A sync held by this process, renewed in the background until it is released or dropped.
pub struct HeldSync {
    /// What every write presents.
    pub hold: Hold,
    /// Cancelled when the hold is lost: nothing more may be written.
    pub lost: CancellationToken,
    /// The lease, for whoever is about to do something that the store does not see.
    pub(super) lease: Lease,
    /// Why the hold was lost.
    reason: Arc<OnceLock<Error>>,
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
        let lease = Lease {
            store: Arc::clone(&store),
            hold: hold.clone(),
            // Not before it is renewed for the first time.
            until: Arc::new(AtomicI64::new(i64::MIN)),
        };
        let reason = Arc::default();
        let renewal = tokio::spawn(renew(lease.clone(), lost.clone(), Arc::clone(&reason)).in_current_span());
        Ok(Self {
            hold,
            lost,
            lease,
            reason,
            store,
            renewal,
        })
    }

    /// Why the hold is lost.
    pub(crate) fn loss(&self) -> Error {
        self.reason
            .get()
            .cloned()
            .unwrap_or_else(|| Error::internal(RUN_LOST, "This process has lost its hold of the sync"))
    }

    /// Gives the sync back.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(mut self) -> Result<()> {
        self.renewal.abort();
        // Until the task is gone, it keeps the span of the run open, which is then missed where spans are pushed. That it was cancelled is no news.
        (&mut self.renewal).await.ok();
        self.store.release(&self.hold).await
    }
}

impl Drop for HeldSync {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// The store's word that another process has taken over, or that the hold was released.
const RUN_LOST: &str = "run_lost";

/// The lease of a hold. Cheap to clone; all clones see the same.
#[derive(Clone)]
pub(super) struct Lease {
    store: Arc<dyn StateStore>,
    hold: Hold,
    /// Until when nobody else can have taken the sync, in microseconds since 1970.
    until: Arc<AtomicI64>,
}

impl Lease {
    /// Renews the lease.
    ///
    /// # Errors
    /// `run_lost`, and those of the store.
    pub(super) async fn renew(&self) -> Result<()> {
        let now = UnixMicros::now();
        self.store.renew(&self.hold, now, LEASE).await?;
        let lease = i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
        self.until.store(now.0.saturating_add(lease), Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that the sync is still held, before something is done that the store does not see: a process that was stopped may have slept through
    /// its lease without knowing. Asks the store only where the clock leaves a doubt.
    ///
    /// # Errors
    /// As [`Self::renew`].
    pub(super) async fn confirm(&self) -> Result<()> {
        if UnixMicros::now().0 < self.until.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.renew().await
    }
}

async fn renew(lease: Lease, lost: CancellationToken, reason: Arc<OnceLock<Error>>) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        let sync = &lease.hold.sync;
        match lease.renew().await {
            Ok(()) => {}
            // A full disk, or a state that somebody locks, is no word of another process that has taken the sync over: until there is one, nobody else writes, and
            // what this process can not store it does not count as done.
            Err(error) if error.code != RUN_LOST => {
                tracing::warn!(sync, %error, "the lease could not be renewed yet");
            }
            Err(error) => {
                tracing::error!(sync, %error, "the hold of the sync is lost");
                // Only this task sets it, once.
                reason.set(error).ok();
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
