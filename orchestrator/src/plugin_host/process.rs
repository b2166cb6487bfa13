//! The process of a plugin that Longshore started: one task owns it, waits for its end, and ends it when asked.

use std::{
    fmt,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use longshore_config::Secrets;
use longshore_core::{Error, Result};
use longshore_protocol::limits;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::{Child, ChildStdin, Command},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::Instrument as _;

use super::{
    guard,
    output::{LastLines, forward},
};
use crate::api::access::{OPERATOR_VARIABLE, READ_ONLY_VARIABLE};

/// How long an error waits for the news that the plugin behind it has died.
const DEATH_NEWS: Duration = Duration::from_millis(500);

/// Signals that a program does not bring upon itself.
const FROM_OUTSIDE: [Signal; 4] = [Signal::HUP, Signal::INT, Signal::KILL, Signal::TERM];

/// A running plugin.
pub(super) struct PluginProcess {
    ended: watch::Receiver<Option<Ending>>,
    stop: mpsc::Sender<()>,
    owner: JoinHandle<()>,
    group: Option<Pid>,
}

/// How a plugin ended; displayed as what is said of it behind its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    status: Option<ExitStatus>,
    last_lines: Vec<String>,
}

impl PluginProcess {
    pub(super) fn spawn(
        label: &str,
        program: &Path,
        socket: &Path,
        guard_program: &Path,
        secrets: Secrets,
    ) -> Result<Self> {
        let mut command = Command::new(guard_program);
        command
            .arg(guard::COMMAND)
            .arg(std::process::id().to_string())
            .arg(program)
            .args(["serve", "--network", "unix", "--address"])
            .arg(socket)
            .args(["--log-level", log_level(), "--log-format", "json"])
            // The lifeline: it is never written to and closes with this process.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for Longshore alone, which then ends its plugins in order.
            .process_group(0)
            .kill_on_drop(true);
        // Secrets reach a plugin through its specification only. What was substituted into the configuration came from this environment.
        command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, value)| is_harmless(name, value, &secrets)));
        let mut child = command.spawn().map_err(|error| {
            Error::config(
                "plugin_not_started",
                format!("The plugin {label} can not be started from {}", program.display()),
            )
            .with_cause(&error)
        })?;
        let last_lines = LastLines::default();
        let mut forwarders = Vec::new();
        if let Some(output) = child.stdout.take() {
            forwarders.push(tokio::spawn(
                forward(label.to_owned(), output, secrets.clone(), last_lines.clone()).in_current_span(),
            ));
        }
        if let Some(output) = child.stderr.take() {
            forwarders.push(tokio::spawn(
                forward(label.to_owned(), output, secrets, last_lines.clone()).in_current_span(),
            ));
        }
        // Taken out, because waiting for a child closes the standard input that is still in it.
        let lifeline = child.stdin.take();
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let (ended_sender, ended) = watch::channel(None);
        let (stop, stop_requests) = mpsc::channel(1);
        let owned = OwnedChild {
            child,
            _lifeline: lifeline,
            group,
            forwarders,
            last_lines,
            label: label.to_owned(),
        };
        let owning = own(owned, stop_requests).in_current_span();
        let owner = tokio::spawn(async move {
            // Who waits for the end may push spans next: the one that the task ran in is let go of before.
            let ending = owning.await;
            ended_sender.send_replace(Some(ending));
        });
        Ok(Self {
            ended,
            stop,
            owner,
            group,
        })
    }

    /// Asks the process to end and waits until it has.
    pub(super) async fn stop(&self) {
        // When the owner does not listen any more, the process has ended already.
        self.stop.send(()).await.ok();
        let mut ended = self.ended.clone();
        ended.wait_for(Option::is_some).await.ok();
    }

    /// The news of the process's death, if it comes within a moment.
    pub(super) async fn death(&self) -> Option<Ending> {
        tokio::time::timeout(DEATH_NEWS, self.died()).await.ok()
    }

    /// Waits for the process's end.
    pub(super) async fn died(&self) -> Ending {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(ending) => ending.clone().unwrap_or_default(),
            Err(_) => Ending::default(),
        }
    }
}

impl Drop for PluginProcess {
    fn drop(&mut self) {
        self.owner.abort();
        if self.ended.borrow().is_none()
            && let Some(group) = self.group
        {
            // A process that has just ended by itself is no failure.
            kill_process_group(group, Signal::KILL).ok();
        }
    }
}

struct OwnedChild {
    child: Child,
    /// The other end of the plugin's standard input: it closes when this process is gone.
    _lifeline: Option<ChildStdin>,
    group: Option<Pid>,
    forwarders: Vec<JoinHandle<()>>,
    last_lines: LastLines,
    label: String,
}

/// Waits for the end of the process, and ends it when asked.
async fn own(mut owned: OwnedChild, mut stop: mpsc::Receiver<()>) -> Ending {
    let mut asked = false;
    let status = tokio::select! {
        status = owned.child.wait() => status,
        _ = stop.recv() => {
            asked = true;
            terminate(&mut owned).await
        }
    };
    if let Some(group) = owned.group {
        // Whatever the plugin itself has started goes with it; usually nothing is left.
        kill_process_group(group, Signal::KILL).ok();
    }
    for forwarder in owned.forwarders {
        // The last lines may still be in the pipe. A grandchild that holds it open must not hold us up.
        if tokio::time::timeout(DEATH_NEWS, forwarder).await.is_err() {
            tracing::debug!(plugin = owned.label, "the plugin's output stays open after its end");
        }
    }
    let ending = Ending {
        status: status.ok(),
        last_lines: owned.last_lines.get(),
    };
    if asked {
        tracing::debug!(plugin = owned.label, "{ending}");
    }
    ending
}

/// SIGTERM, and SIGKILL after the contract's deadline.
async fn terminate(owned: &mut OwnedChild) -> std::io::Result<ExitStatus> {
    if let Some(process) = owned.group {
        // A process that has just ended by itself is no failure.
        kill_process(process, Signal::TERM).ok();
    }
    if let Ok(status) = tokio::time::timeout(limits::STOP_DEADLINE, owned.child.wait()).await {
        return status;
    }
    tracing::warn!(
        plugin = owned.label,
        "the plugin did not end within {} s and is killed",
        limits::STOP_DEADLINE.as_secs()
    );
    owned.child.start_kill()?;
    owned.child.wait().await
}

impl Ending {
    /// Whether somebody else ended it, such as the kernel for want of memory: nothing that it would do again when it is started again.
    pub(super) fn came_from_outside(&self) -> bool {
        let signal = self.status.and_then(|status| status.signal());
        signal.is_some_and(|signal| FROM_OUTSIDE.iter().any(|outside| outside.as_raw() == signal))
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status.map(|status| (status.code(), status.signal())) {
            Some((Some(code), _)) => write!(f, "exited with status {code}")?,
            Some((None, Some(signal))) => write!(f, "was killed by signal {signal}{}", signal_name(signal))?,
            Some((None, None)) | None => f.write_str("ended")?,
        }
        if self.last_lines.is_empty() {
            return f.write_str(" without a word");
        }
        f.write_str("; its last words: ")?;
        f.write_str(&self.last_lines.join(" | "))
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => " (SIGHUP)",
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL; by a person, or by the kernel when memory runs out)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

/// Whether a plugin may have a variable of our environment: unless it is, or holds, what is secret, or is meant for us alone and may hold it.
fn is_harmless(name: &std::ffi::OsStr, value: &std::ffi::OsStr, secrets: &Secrets) -> bool {
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
        return true;
    };
    let is_ours = [OPERATOR_VARIABLE, READ_ONLY_VARIABLE].contains(&name)
        || name.starts_with("OTEL_EXPORTER_OTLP") && name.ends_with("_HEADERS");
    if is_ours {
        return false;
    }
    !secrets.are_in(value)
}

/// The level that plugins are asked for: the finest that Longshore itself would print.
fn log_level() -> &'static str {
    use tracing::level_filters::LevelFilter;
    match LevelFilter::current() {
        LevelFilter::TRACE => "trace",
        LevelFilter::DEBUG => "debug",
        LevelFilter::WARN => "warn",
        LevelFilter::ERROR | LevelFilter::OFF => "error",
        _ => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signal_of_somebody_else_is_a_death_from_outside() {
        let ended = |wait_status| Ending {
            status: Some(ExitStatus::from_raw(wait_status)),
            last_lines: Vec::new(),
        };
        for outside in [Signal::HUP, Signal::INT, Signal::KILL, Signal::TERM] {
            assert!(ended(outside.as_raw()).came_from_outside(), "{outside:?}");
        }
        for own in [Signal::ABORT, Signal::SEGV, Signal::ILL, Signal::BUS] {
            assert!(!ended(own.as_raw()).came_from_outside(), "{own:?}");
        }
        // As the kernel has it, the status of an exit is in the second byte.
        for status in [0, 1, 9, 137] {
            assert!(!ended(status << 8).came_from_outside(), "exit {status}");
        }
        assert!(!Ending::default().came_from_outside());
    }

    #[test]
    fn a_plugin_gets_no_variable_that_is_a_secret_or_holds_one() {
        let secrets = Secrets::new();
        ["shop", "hunter2hunter2"]
            .iter()
            .for_each(|secret| secrets.insert(secret));
        secrets.state("shop");
        for (name, value, harmless) in [
            ("PATH", "/opt/shop/bin:/usr/bin", true),
            ("HOME", "/home/shop", true),
            ("PGDATABASE", "shop_orders", true),
            ("PGPASSWORD", "shop", false),
            ("DATABASE_URL", "postgresql://me:shop@db/x", false),
            ("HEADERS", "key=hunter2hunter2", false),
            ("LONGSHORE_OPERATOR_TOKEN", "not known yet", false),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer word", false),
            ("OTEL_SERVICE_NAME", "shops", true),
        ] {
            assert_eq!(is_harmless(name.as_ref(), value.as_ref(), &secrets), harmless, "{name}");
        }
    }
}
