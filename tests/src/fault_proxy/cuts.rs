//! Cutting connections when a signal asks for it.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    folder::{CutCounts, Folder},
    plan::Role,
    wire::Wires,
};
use crate::{Context, Result};

/// The connections of a proxy, and the signals that cut them.
pub(super) struct Cuts {
    folder: Folder,
    role: Role,
    calls: Wires,
    peer: Wires,
    cut_calls: Signal,
    cut_peer: Signal,
}

impl Cuts {
    /// Listens to the signals from here on.
    pub(super) fn listen(folder: Folder, role: Role, calls: Wires, peer: Wires) -> Result<Self> {
        Ok(Self {
            folder,
            role,
            calls,
            peer,
            cut_calls: signal(SignalKind::user_defined1()).context("SIGUSR1 can not be listened to")?,
            cut_peer: signal(SignalKind::user_defined2()).context("SIGUSR2 can not be listened to")?,
        })
    }

    /// Cuts whenever it is asked for. Ends only with an error.
    pub(super) async fn follow(mut self) -> Result<()> {
        loop {
            let cut = tokio::select! {
                _ = self.cut_calls.recv() => CutCounts { calls: self.calls.cut(), peer: 0 },
                _ = self.cut_peer.recv() => CutCounts { calls: 0, peer: self.peer.cut() },
            };
            self.folder.count_cuts(self.role, cut)?;
        }
    }
}
