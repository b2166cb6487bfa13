//! A TCP port that leads to another one, until its connections are reset.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use super::wire::{OpenWire, Wires};
use crate::{Context, Result};

/// A relay; it ends when dropped.
#[derive(Debug)]
pub(super) struct Relay {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// A port on loopback that leads to HOST:PORT, over connections that `wires` can cut.
    pub(super) async fn start(target: String, wires: Wires) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("a relay can not listen")?;
        let address = listener.local_addr().context("a relay's port is unknown")?;
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(carry(near, target.clone(), wires.opened()));
                // Those that have ended are let go of.
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut near: TcpStream, target: String, open: OpenWire) {
    let Ok(mut far) = TcpStream::connect(&target).await else {
        return;
    };
    // Small messages must not wait for one another: the relay is not what a test measures.
    let delays_nothing = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
    if delays_nothing.is_err() {
        return;
    }
    tokio::select! {
        // Either side's error ends both, which is what a relay owes them.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        () = open.cut.cancelled() => {
            for stream in [&near, &far] {
                // The close then sends RST. A connection that is gone already needs none.
                stream.set_zero_linger().ok();
            }
        }
    }
}
