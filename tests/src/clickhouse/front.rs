//! The process of the front.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::{Context, Failure, PATIENCE, Result, python};

/// The front's only user.
pub(super) const USER: &str = "longshore";
/// Its password.
pub(super) const PASSWORD: &str = "harbour-pilot";

/// How a server tells an error when the answer has already begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExceptionForm {
    /// Since 25.11: in a block with a tag that a header names; the connection is cut.
    #[default]
    Tagged,
    /// 24.11 to 25.10: after a marker; the connection is cut.
    Marked,
    /// Before 24.11: the bare text; the body is properly ended.
    Plain,
}

impl ExceptionForm {
    /// The name that fault rules use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Marked => "marked",
            Self::Plain => "plain",
        }
    }
}

/// How the front is to behave.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrontOptions {
    /// How errors in mid-stream are told, where no fault rule says otherwise.
    pub exception_form: ExceptionForm,
}

/// A running front. It ends when dropped, or with this process; its data goes with it.
#[derive(Debug)]
pub(super) struct FrontProcess {
    process: Child,
    pub(super) address: String,
    /// Held open: the file goes with the process, and what it said last is wanted then.
    log: File,
}

impl FrontProcess {
    /// Starts the front and waits until it listens.
    pub(super) async fn start(options: FrontOptions) -> Result<Self> {
        let interpreter = python::interpreter()?;
        let started = tokio::task::spawn_blocking(move || start_program(&interpreter, options));
        tokio::time::timeout(PATIENCE, started)
            .await
            .context("the front of ClickHouse does not say where it listens")?
            .context("the start of the front was not waited for")?
    }

    /// Its process number.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The last lines of its log.
    fn log(&mut self) -> String {
        const LINES: usize = 40;
        let mut bytes = Vec::new();
        // What can not be read is not worth hiding the test's own message.
        let _ = self.log.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for FrontProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write as _;
            // The test's own message matters more than a failure to add this one.
            let log = self.log();
            let _ = writeln!(std::io::stderr(), "the log of the ClickHouse front ends with\n{log}");
        }
        // It may have ended already; in both cases there is nothing left to do but to collect it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn start_program(interpreter: &Path, options: FrontOptions) -> Result<FrontProcess> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("support/clickhouse_front");
    let mut command = Command::new(interpreter);
    command
        .env_clear()
        .env("LONGSHORE_CLICKHOUSE_FRONT_PASSWORD", PASSWORD)
        // No compiled files beside the sources.
        .arg("-B")
        .arg(program)
        .args(["--user", USER, "--exit-with-stdin", "--log-to-folder"])
        .args(["--exception-form", options.exception_form.name()])
        // A group of its own: Ctrl-C on a terminal is for whoever owns the front.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    for variable in ["PATH", "TMPDIR"] {
        if let Some(value) = std::env::var_os(variable) {
            command.env(variable, value);
        }
    }
    let mut process = command
        .spawn()
        .context(format!("{} can not be started", interpreter.display()))?;
    let stdout = process.stdout.take().context("the front's output was not asked for")?;
    let mut line = String::new();
    BufReader::new(stdout)
        .read_line(&mut line)
        .context("the front's output can not be read")?;
    if line.is_empty() {
        let status = process.wait().context("the front can not be waited for")?;
        return Err(Failure::new(format!(
            "the front of ClickHouse does not start ({status}); its message is above. `cargo xtask python` brings the Python environment up to date"
        )));
    }
    let ready: Value = serde_json::from_str(&line).context("the front does not say where it listens")?;
    let text = |key: &str| {
        let value = ready[key].as_str().map(str::to_owned);
        value.context("the front does not say where it listens")
    };
    Ok(FrontProcess {
        address: text("address")?,
        log: File::open(text("log")?).context("the log of the front can not be read")?,
        process,
    })
}
