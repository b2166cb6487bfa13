//! Reading a configuration, within a bound of time.
//!
//! A mount whose server is gone blocks whoever reads from it, for hours and beyond the reach of any signal. So files are read by a thread of their own, which is
//! left behind when it takes too long: neither the daemon nor the end of the process waits for it.

use std::{path::PathBuf, thread, time::Duration};

use longshore_config::{Configuration, Loader, Secrets, Settings};
use longshore_core::Error;
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

use crate::failure::Failure;

/// A configuration is a few files of a few KiB: whatever takes longer hangs. Shorter than a daemon's askers wait for a reload.
const READ_WITHIN: Duration = Duration::from_secs(20);

/// One thread reads. As long as one hangs there is no second one that would hang beside it.
static READING: Semaphore = Semaphore::const_new(1);

/// Reads a configuration and checks it, as far as that can be done without its plugins.
///
/// # Errors
/// Everything that is wrong with it; `configuration_unreadable`: a file does not come.
pub(crate) async fn load(paths: Vec<PathBuf>, secrets: Secrets) -> Result<Configuration, Failure> {
    let work = move || Loader::new().with_secrets(secrets).load(&paths);
    Ok(within(READ_WITHIN, &READING, work).await??)
}

/// Reads the settings of a configuration, and nothing else of it.
///
/// # Errors
/// As [`load`].
pub(crate) async fn load_settings(paths: Vec<PathBuf>, secrets: Secrets) -> Result<Settings, Failure> {
    let work = move || Loader::new().with_secrets(secrets).load_settings(&paths);
    Ok(within(READ_WITHIN, &READING, work).await??)
}

/// What some work that may hang comes to, if it does within a bound.
async fn within<T: Send + 'static>(
    bound: Duration,
    at_work: &'static Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let reading = async {
        let turn = at_work.acquire().await.expect("the semaphore is never closed");
        let (done, came_to) = oneshot::channel();
        let thread = move || {
            let read = work();
            drop(turn);
            // Whoever asked may have given up.
            done.send(read).ok();
        };
        let named = thread::Builder::new().name("longshore-load".to_owned());
        // Nobody joins it: to wait for it is what must not happen.
        named.spawn(thread).map_err(|error| {
            Error::internal("thread", "No thread can be started that reads the configuration").with_cause(&error)
        })?;
        came_to
            .await
            .map_err(|_| Error::internal("load_panicked", "The check of the configuration panicked"))
    };
    timeout(bound, reading).await.unwrap_or_else(|_| Err(unreadable(bound)))
}

fn unreadable(bound: Duration) -> Error {
    let message = format!("The configuration was not read within {} s", bound.as_secs());
    Error::config("configuration_unreadable", message).with_remedy(
        "One of its files does not come: look at the mounts that it and its `${file:…}` are on, and at who holds them locked.",
    )
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_is_given_up_and_nothing_hangs_beside_it() {
        static AT_WORK: Semaphore = Semaphore::const_new(1);
        let bound = Duration::from_millis(50);
        let (release, held) = mpsc::channel::<()>();
        let begun = Instant::now();
        let hanging = within(bound, &AT_WORK, move || held.recv().is_err()).await;
        assert_eq!(hanging.unwrap_err().code, "configuration_unreadable");
        let beside = within(bound, &AT_WORK, || "a second one began").await;
        assert_eq!(beside.unwrap_err().code, "configuration_unreadable");
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

        drop(release);
        assert_eq!(within(Duration::from_secs(20), &AT_WORK, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_keeps_nobody_back() {
        static AT_WORK: Semaphore = Semaphore::const_new(1);
        let bound = Duration::from_secs(20);
        let panicked = within(bound, &AT_WORK, || -> u8 { panic!("as this test wants it") }).await;
        assert_eq!(panicked.unwrap_err().code, "load_panicked");
        assert_eq!(within(bound, &AT_WORK, || 7).await, Ok(7));
    }
}
