//! The program: from its arguments to its end.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use futures_util::StreamExt as _;
use longshore_protocol::{
    limits,
    v1::{destination_server::DestinationServer, plugin_server::PluginServer, source_server::SourceServer},
};
use tokio::{
    net::UnixListener,
    signal::unix::{SignalKind, signal},
};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

use super::{
    child::{Arguments, RealPlugin, end_like},
    cuts::Cuts,
    destination::DestinationProxy,
    folder::{Folder, Pair},
    plan::{Control, Role},
    plugin::PluginProxy,
    source::SourceProxy,
    watch::{Watch, complain},
    wire::Wires,
};
use crate::{Context, Failure, Result, processes::Process};

/// Runs the proxy to its end: `PROGRAM serve …`, where the name of the program says where its folder is and which role it has.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let name = arguments.next().map(PathBuf::from).unwrap_or_default();
    // One thread, the first: the real plugin is tied to the life of the thread that starts it.
    let outcome = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime can not be started")
        .and_then(|runtime| runtime.block_on(run(&name, arguments.collect())));
    outcome.unwrap_or_else(|failure| {
        complain(&failure);
        ExitCode::FAILURE
    })
}

async fn run(name: &Path, arguments: Vec<OsString>) -> Result<ExitCode> {
    let (folder, role) = place(name)?;
    let control = folder.control(role)?;
    let arguments = Arguments::parse(arguments)?;
    let listener = UnixListener::bind(arguments.socket()).context("the proxy can not listen")?;
    let mut plugin = RealPlugin::start(&control, arguments)?;
    let (calls, peer) = (Wires::default(), Wires::default());
    let cuts = Cuts::listen(folder.clone(), role, calls.clone(), peer.clone())?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM can not be listened to")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT can not be listened to")?;
    let identity = |pid: i32| Process::look_up(pid).context("a process that was just started runs");
    let pair = Pair {
        proxy: identity(i32::try_from(std::process::id()).context("a process has a number")?)?.identity(),
        plugin: identity(plugin.pid()?)?.identity(),
    };
    folder.announce(role, pair)?;
    let serving = serve(listener, &plugin, &control, folder, (calls, peer));
    let status = tokio::select! {
        status = plugin.ended() => status?,
        served = serving => return served.map(|()| ExitCode::SUCCESS),
        failed = cuts.follow() => return failed.map(|()| ExitCode::FAILURE),
        _ = terminate.recv() => plugin.stop().await?,
        _ = interrupt.recv() => plugin.stop().await?,
    };
    end_like(status)
}

/// The proxy's folder and role: it is called `…/faulty-ROLE`.
fn place(name: &Path) -> Result<(Folder, Role)> {
    let file = name.file_name().and_then(|file| file.to_str()).unwrap_or_default();
    let role = Role::ALL
        .into_iter()
        .find(|role| file == format!("faulty-{}", role.name()));
    match (role, name.parent()) {
        (Some(role), Some(folder)) => Ok((Folder(folder.to_owned()), role)),
        _ => Err(Failure::new(format!(
            "{} does not stand in a folder of fault proxies",
            name.display()
        ))),
    }
}

/// Serves the plugin's services, each over the real one's.
fn serve(
    listener: UnixListener,
    plugin: &RealPlugin,
    control: &Control,
    folder: Folder,
    (calls, peer): (Wires, Wires),
) -> impl Future<Output = Result<()>> + use<> {
    let channel = plugin.channel(calls.clone());
    let watch = Arc::new(Watch::new(folder, control.plan));
    let source = SourceServer::new(SourceProxy::new(channel.clone(), Arc::clone(&watch)));
    let destination = DestinationServer::new(DestinationProxy::new(channel.clone(), watch));
    let plugin = PluginServer::new(PluginProxy::new(control.role, channel, peer));
    let incoming = UnixListenerStream::new(listener).map(move |stream| stream.map(|stream| calls.connect(stream)));
    let router = Server::builder()
        .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .add_service(plugin)
        .add_service(
            source
                .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
                .max_encoding_message_size(limits::MAX_MESSAGE_BYTES),
        )
        .add_service(
            destination
                .max_decoding_message_size(limits::MAX_MESSAGE_BYTES)
                .max_encoding_message_size(limits::MAX_MESSAGE_BYTES),
        );
    async move {
        router
            .serve_with_incoming(incoming)
            .await
            .context("the proxy can not serve")
    }
}
