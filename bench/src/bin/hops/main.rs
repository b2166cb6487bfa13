//! Two gRPC hops with nothing to do: what Longshore's protocol over Unix sockets can carry at most.
//!
//! Three processes, as in a sync: a source that sends the same bytes again and again, a relay that passes each message on as it is, a sink that acks. The relay is
//! the one to start; it starts the other two.

mod relay;
mod sink;
mod source;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use longshore_protocol::limits;
use longshore_tests::{Context, Result};
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{service::Routes, transport::Server};

/// Carries bytes over two gRPC hops and says how many.
#[derive(Parser)]
struct CommandLine {
    #[command(subcommand)]
    role: Role,
}

#[derive(Clone, Copy, clap::Args)]
struct Load {
    /// Bytes to carry.
    #[arg(long)]
    bytes: u64,
    /// Bytes of one message.
    #[arg(long, default_value_t = limits::TARGET_BATCH_BYTES as u64)]
    message_bytes: u64,
}

#[derive(Subcommand)]
enum Role {
    /// Starts the other two, passes everything on, and prints one line of JSON.
    Relay(Load),
    /// Sends.
    Source {
        #[arg(long)]
        socket: PathBuf,
        #[command(flatten)]
        load: Load,
    },
    /// Takes and acks.
    Sink {
        #[arg(long)]
        socket: PathBuf,
    },
}

/// As plugins have it: the runtime that `#[tokio::main]` makes.
#[tokio::main]
async fn main() -> ExitCode {
    let done = match CommandLine::parse().role {
        Role::Relay(load) => relay::run(load).await,
        Role::Source { socket, load } => serve(socket, source::routes(load)).await,
        Role::Sink { socket } => serve(socket, sink::routes()).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            use std::io::Write as _;
            // Without standard error there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until the relay, which holds the other end of standard input, has ended.
async fn serve(socket: PathBuf, routes: Routes) -> Result<()> {
    let listener = UnixListener::bind(&socket).context("a socket can not be made")?;
    let relay_has_ended = async {
        // Any end will do, that by an error as well.
        let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await;
    };
    // As the SDK sets it for plugins.
    let served = Server::builder()
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .add_routes(routes)
        .serve_with_incoming_shutdown(UnixListenerStream::new(listener), relay_has_ended);
    served.await.context("gRPC can not be served")
}
