//! Waiting for something to come true, never for a time to pass.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{Failure, Result};

/// Bound of waits for things that take well under a second on an idle machine: generous, because test machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks: short enough to catch a state that lasts for a few batches.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks again and again until `look` finds something.
///
/// # Errors
/// Nothing was found within `patience`; `what` names what was waited for.
pub async fn eventually<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(format!("waited {patience:?} in vain: {what}")));
        }
        sleep(PAUSE).await;
    }
}
