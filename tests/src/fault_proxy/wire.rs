//! Connections that can be cut from outside.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// All connections of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Wires {
    scissors: Arc<Mutex<CancellationToken>>,
    open: Arc<AtomicU64>,
}

impl Wires {
    /// Cuts every connection that is open; gives how many. Later ones are not affected.
    pub(super) fn cut(&self) -> u64 {
        let mut scissors = self.scissors.lock().expect("no holder of this lock panics");
        let cut = self.open.load(Ordering::SeqCst);
        std::mem::take(&mut *scissors).cancel();
        cut
    }

    /// Counts a connection as open for as long as the value lives.
    pub(super) fn opened(&self) -> OpenWire {
        let scissors = self.scissors.lock().expect("no holder of this lock panics").clone();
        self.open.fetch_add(1, Ordering::SeqCst);
        OpenWire {
            cut: scissors,
            open: Arc::clone(&self.open),
        }
    }

    /// A connection that breaks when it is cut.
    pub(super) fn connect(&self, stream: UnixStream) -> Wire {
        let open = self.opened();
        Wire {
            stream,
            cut: Box::pin(open.cut.clone().cancelled_owned()),
            open,
        }
    }
}

/// An open connection.
#[derive(Debug)]
pub(super) struct OpenWire {
    /// Cancelled when the connection is to be cut.
    pub(super) cut: CancellationToken,
    open: Arc<AtomicU64>,
}

impl Drop for OpenWire {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection of gRPC calls.
pub(super) struct Wire {
    stream: UnixStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    open: OpenWire,
}

impl Wire {
    fn refuse_when_cut(&self) -> io::Result<()> {
        if self.open.cut.is_cancelled() {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.refuse_when_cut()?;
        // Polled so that a connection without traffic hears of the cut as well.
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.refuse_when_cut()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.refuse_when_cut()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl Connected for Wire {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
