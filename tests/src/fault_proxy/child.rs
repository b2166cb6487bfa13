//! The real plugin, as a child that does not outlive its proxy.

use std::{
    ffi::OsString,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitCode, ExitStatus, Stdio},
};

use hyper_util::rt::TokioIo;
use longshore_protocol::limits;
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    net::UnixStream,
    process::{Child, Command},
};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::{plan::Control, watch::end_by, wire::Wires};
use crate::{Context, Result};

/// The real plugin's process.
pub(super) struct RealPlugin {
    child: Child,
    socket: PathBuf,
}

/// The arguments that Longshore gave, and the place of the socket's path among them.
pub(super) struct Arguments {
    all: Vec<OsString>,
    address: usize,
}

impl Arguments {
    /// What follows the program's name.
    pub(super) fn parse(all: Vec<OsString>) -> Result<Self> {
        let flag = all.iter().position(|argument| argument == "--address");
        let address = flag.context("there is no --address")? + 1;
        all.get(address).context("--address has no value")?;
        Ok(Self { all, address })
    }

    /// Where the proxy is to listen.
    pub(super) fn socket(&self) -> &Path {
        Path::new(&self.all[self.address])
    }

    /// The same for the real plugin, which listens beside the proxy.
    fn for_plugin(mut self) -> (Vec<OsString>, PathBuf) {
        let socket = self.socket().with_extension("real");
        self.all[self.address] = socket.clone().into_os_string();
        (self.all, socket)
    }
}

impl RealPlugin {
    /// Starts the plugin. It has this process's standard streams: its words go where this process's would, and the end of Longshore is the end of its
    /// standard input. The guard ties its life to the calling thread's.
    pub(super) fn start(control: &Control, arguments: Arguments) -> Result<Self> {
        let (arguments, socket) = arguments.for_plugin();
        let child = Command::new(&control.guard)
            .arg("plugin-guard")
            .arg(std::process::id().to_string())
            .arg(&control.plugin)
            .args(arguments)
            .stdin(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("the real plugin can not be started")?;
        Ok(Self { child, socket })
    }

    pub(super) fn pid(&self) -> Result<i32> {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        pid.context("the real plugin has ended")
    }

    /// A channel to it, with the sizes of Longshore's own, over connections that `wires` can cut.
    pub(super) fn channel(&self, wires: Wires) -> Channel {
        let socket = self.socket.clone();
        let connect = service_fn(move |_| {
            let (socket, wires) = (socket.clone(), wires.clone());
            async move { Ok::<_, std::io::Error>(TokioIo::new(wires.connect(UnixStream::connect(socket).await?))) }
        });
        Endpoint::from_static("http://plugin.invalid")
            .initial_stream_window_size(limits::STREAM_WINDOW_BYTES)
            .initial_connection_window_size(limits::CONNECTION_WINDOW_BYTES)
            .connect_with_connector_lazy(connect)
    }

    /// Waits for its end.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus> {
        self.child.wait().await.context("the real plugin can not be waited for")
    }

    /// Asks it to end, and waits until it has. Whoever asks kills both when that takes too long.
    pub(super) async fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            // A process that has just ended by itself is no failure.
            kill_process(pid, Signal::TERM).ok();
        }
        self.ended().await
    }
}

/// Ends this process as the plugin ended.
pub(super) fn end_like(status: ExitStatus) -> Result<ExitCode> {
    if let Some(signal) = status.signal() {
        end_by(signal)?;
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
