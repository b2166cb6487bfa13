//! What ends a plugin: a signal, or the end of standard input.

use std::io::Read as _;

use longshore_core::{Error, Result};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Waits until the process is to end.
///
/// `follow_standard_input` makes the end of standard input one of the reasons: Longshore holds the other end, so it comes when Longshore is gone, however it died.
pub(super) async fn until_told_to_stop(follow_standard_input: bool) -> Result<()> {
    let unable =
        |error: std::io::Error| Error::internal("signals", "Signals can not be listened to").with_cause(&error);
    let mut terminate = signal(SignalKind::terminate()).map_err(unable)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unable)?;
    let lifeline = standard_input_ended(follow_standard_input);
    let reason = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = lifeline => "Longshore is gone",
    };
    tracing::debug!(reason, "stopping");
    Ok(())
}

async fn standard_input_ended(follow: bool) {
    if !follow {
        return std::future::pending().await;
    }
    let (ended, end) = oneshot::channel();
    // A thread of its own, because a read of standard input can not be cancelled and must not hold the runtime's shutdown up.
    let watcher = std::thread::Builder::new().name("lifeline".to_owned()).spawn(move || {
        let mut standard_input = std::io::stdin().lock();
        let mut ignored = [0_u8; 64];
        loop {
            match standard_input.read(&mut ignored) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => break,
                Ok(_) | Err(_) => {}
            }
        }
        // The receiver is gone when the process is ending anyway.
        ended.send(()).ok();
    });
    match watcher {
        Ok(_) => {
            end.await.ok();
        }
        Err(error) => {
            tracing::warn!(%error, "standard input can not be watched");
            std::future::pending::<()>().await;
        }
    }
}
