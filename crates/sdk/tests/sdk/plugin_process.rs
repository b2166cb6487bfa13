//! An example as Longshore starts it.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use longshore_sdk::protocol::v1::{self, plugin_client::PluginClient};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, Command},
    time::{interval, timeout},
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};

/// For what takes milliseconds on a machine that has nothing else to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

const POLL: Duration = Duration::from_millis(5);

/// An example's program, which `cargo test` builds beside this test.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo build -p longshore-sdk --examples` makes it",
        program.display()
    );
    program
}

/// An example that listens.
pub(crate) struct PluginProcess {
    pub(crate) channel: Channel,
    child: Child,
    logs: BufReader<ChildStderr>,
    _directory: TempDir,
}

impl PluginProcess {
    /// Starts an example on a Unix socket and connects.
    pub(crate) async fn start(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("plugin.sock");
        let address = socket.to_str().unwrap();
        let (child, logs) = spawn(
            name,
            &["--network", "unix", "--address", address, "--log-level", "debug"],
        );
        Self {
            channel: connected(&socket).await,
            child,
            logs,
            _directory: directory,
        }
    }

    pub(crate) async fn configure(&self, role: v1::Role, spec: &Value) -> Result<(), Status> {
        let request = v1::ConfigureRequest {
            spec_json: spec.to_string(),
            invocation_id: "test".to_owned(),
            role: role.into(),
            telemetry: None,
        };
        PluginClient::new(self.channel.clone())
            .configure(request)
            .await
            .map(drop)
    }

    pub(crate) fn terminate(&self) {
        signal(&self.child, Signal::TERM);
    }

    /// Closes the process's standard input, as the end of Longshore does.
    pub(crate) fn cut_lifeline(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits until the process has ended by itself; answers how, and what it had logged.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap();
        let mut logged = String::new();
        self.logs.read_to_string(&mut logged).await.unwrap();
        (status, logged)
    }
}

/// Starts an example with these flags, its standard input held open.
pub(crate) fn spawn(name: &str, flags: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let mut child = Command::new(example(name))
        .arg("serve")
        .args(flags)
        .args(["--log-format", "json"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let logs = BufReader::new(child.stderr.take().unwrap());
    (child, logs)
}

/// Runs an example that is to end by itself.
pub(crate) async fn run(name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(example(name));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    timeout(DEADLINE, command.output()).await.unwrap().unwrap()
}

/// The next log line that has this field, and the field's text.
pub(crate) async fn logged(logs: &mut BufReader<ChildStderr>, field: &str) -> String {
    let find = async {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(logs.read_line(&mut line).await.unwrap() > 0, "the process has ended");
            let entry: Value = serde_json::from_str(&line).unwrap();
            if let Some(text) = entry[field].as_str() {
                return text.to_owned();
            }
        }
    };
    timeout(DEADLINE, find).await.unwrap()
}

fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
}

async fn connected(socket: &Path) -> Channel {
    let endpoint = Endpoint::from_shared(format!("unix:{}", socket.display())).unwrap();
    let connect = async {
        let mut poll = interval(POLL);
        loop {
            poll.tick().await;
            if let Ok(channel) = endpoint.connect().await {
                return channel;
            }
        }
    };
    timeout(DEADLINE, connect).await.unwrap()
}
