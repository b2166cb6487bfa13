//! The `longshore` program in a directory of its own.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::{
    Context, Failure, PATIENCE, Result, binaries, eventually,
    processes::{self, Process},
};

/// What the contract gives a plugin to end after its parent, and time for a busy machine.
const PLUGINS_END_WITHIN: Duration = Duration::from_secs(15);

/// A working directory with configuration files, and the program to run in it.
///
/// The program gets an environment of its own: `PATH`, `TERM`, the working directory as `HOME`, and what [`set_variable`](Self::set_variable) adds.
#[derive(Debug)]
pub struct Longshore {
    folder: Folder,
    program: PathBuf,
    variables: BTreeMap<String, String>,
    patience: Duration,
    shows_messages: bool,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Longshore {
    /// An empty working directory that goes with the value. The program's own temporary files go there too.
    ///
    /// # Errors
    /// A program is not built, or no directory can be made.
    pub fn new() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("longshore-")
            .tempdir()
            .context("a temporary directory can not be made")?;
        let temporary_files = folder.path().join("tmp");
        std::fs::create_dir(&temporary_files).context("a temporary directory can not be made")?;
        let mut longshore = Self::in_place(Folder::Temporary(folder))?;
        longshore.set_variable("TMPDIR", &temporary_files.to_string_lossy());
        Ok(longshore)
    }

    /// A working directory that exists and stays.
    ///
    /// # Errors
    /// A program is not built.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        Self::in_place(Folder::Kept(folder.to_owned()))
    }

    fn in_place(folder: Folder) -> Result<Self> {
        Ok(Self {
            folder,
            program: binaries::longshore()?,
            // Daemons of tests that run at the same time would be in one another's way at the usual address.
            variables: BTreeMap::from([("LONGSHORE_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]),
            patience: 3 * PATIENCE,
            shows_messages: false,
        })
    }

    /// The working directory.
    pub fn folder(&self) -> &Path {
        match &self.folder {
            Folder::Temporary(folder) => folder.path(),
            Folder::Kept(path) => path,
        }
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Where the program keeps its state when the configuration does not say.
    pub fn state_file(&self) -> PathBuf {
        self.folder().join(".longshore/state.db")
    }

    /// Writes a file into the working directory.
    ///
    /// # Errors
    /// It can not be written.
    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        std::fs::write(self.folder().join(name), text).context(format!("{name} can not be written"))
    }

    /// An environment variable of all later runs.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// How long a run may take before it is killed and its test fails.
    pub fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Lets the program write its messages where this process writes its own, in place of capturing them.
    pub fn show_messages(&mut self) {
        self.shows_messages = true;
    }

    /// Starts the program.
    ///
    /// # Errors
    /// It can not be started.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<RunningLongshore> {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.spawn(command)
    }

    /// Starts the program through another one, which gets it and its arguments behind its own and has to become it in the end.
    ///
    /// # Errors
    /// That one can not be started.
    pub fn start_through(&self, other: &[&str], arguments: &[&str]) -> Result<RunningLongshore> {
        let (program, its_own) = other.split_first().context("another program has a name")?;
        let mut command = Command::new(program);
        command.args(its_own).arg(&self.program).args(arguments);
        self.spawn(command)
    }

    fn spawn(&self, mut command: Command) -> Result<RunningLongshore> {
        command
            .current_dir(self.folder())
            .env_clear()
            .envs(
                ["PATH", "TERM"]
                    .into_iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            )
            .env("HOME", self.folder())
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if self.shows_messages {
                Stdio::inherit()
            } else {
                Stdio::piped()
            })
            .kill_on_drop(true);
        let started = Instant::now();
        let mut child = command.spawn().context("longshore can not be started")?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        Ok(RunningLongshore {
            pid: pid.context("a started process has a number")?,
            stdout: Captured::from(child.stdout.take()),
            stderr: Captured::from(child.stderr.take()),
            child,
            started,
            patience: self.patience,
        })
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// It can not be started, or does not end within the [patience](Self::set_patience).
    pub async fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Finished> {
        self.start(arguments)?.finish().await
    }

    /// Runs the program with `--json` added, and gives what it prints.
    ///
    /// # Errors
    /// As for [`run`](Self::run); also when it exits with anything but 0, or prints something else.
    pub async fn json<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Result<Value> {
        let mut started: Vec<A> = Vec::new();
        started.extend(arguments);
        let arguments: Vec<&OsStr> = started
            .iter()
            .map(AsRef::as_ref)
            .chain([OsStr::new("--json")])
            .collect();
        let finished = self.run(arguments).await?;
        finished.succeeded()?.json()
    }

    /// Waits until no process of this directory is left.
    ///
    /// # Errors
    /// Some are left; the message names them.
    pub async fn leaves_nothing_running(&self) -> Result<()> {
        let gone = eventually("no process of the run is left", PLUGINS_END_WITHIN, async || {
            processes::at_work_in(self.folder()).is_empty().then_some(())
        });
        gone.await
            .context(format!("still there: {:?}", processes::at_work_in(self.folder())))
    }
}

/// A run that goes on. It is killed when dropped.
#[derive(Debug)]
pub struct RunningLongshore {
    child: Child,
    pid: i32,
    stdout: Captured,
    stderr: Captured,
    started: Instant,
    patience: Duration,
}

impl RunningLongshore {
    /// Its process number.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The plugin processes that it runs at the moment.
    pub fn plugins(&self) -> Vec<Process> {
        processes::children(self.pid)
    }

    /// Waits until it runs a plugin whose program has a name.
    ///
    /// # Errors
    /// It never does.
    pub async fn plugin(&self, program: &str) -> Result<Process> {
        eventually(&format!("{program} runs"), PATIENCE, async || {
            self.plugins().into_iter().find(|process| process.program() == program)
        })
        .await
    }

    /// Whether its messages have had these words so far.
    pub fn said(&self, words: &str) -> bool {
        self.stderr.text().contains(words)
    }

    /// How often its messages have had these words so far.
    pub fn said_times(&self, words: &str) -> usize {
        self.stderr.text().matches(words).count()
    }

    /// What it has printed so far.
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Sends a signal to it.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.pid).context("a process has a number")?;
        kill_process(pid, signal).context("longshore can not be signalled")
    }

    /// Waits for the end, and kills it when that does not come in time.
    ///
    /// # Errors
    /// It had to be killed; the message has its output.
    pub async fn finish(mut self) -> Result<Finished> {
        let in_time = tokio::time::timeout(self.patience, self.child.wait()).await;
        if in_time.is_err() {
            self.child.kill().await.context("longshore can not be killed")?;
        }
        let status = self.child.wait().await.context("longshore can not be waited for")?;
        let finished = Finished {
            status,
            stdout: self.stdout.whole().await?,
            stderr: self.stderr.whole().await?,
            took: self.started.elapsed(),
        };
        if in_time.is_ok() {
            return Ok(finished);
        }
        Err(Failure::new(format!(
            "longshore did not end within {:?} and was killed\n{finished}",
            self.patience
        )))
    }
}

/// A run that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed: data.
    pub stdout: String,
    /// What it said besides; empty when that was shown.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl Finished {
    /// The exit code; nothing when a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Whether this signal ended it.
    pub fn ended_by(&self, signal: Signal) -> bool {
        self.status.signal() == Some(signal.as_raw())
    }

    /// Itself, when it exited with 0.
    ///
    /// # Errors
    /// It did not; the message has its output.
    pub fn succeeded(self) -> Result<Self> {
        if self.status.success() {
            return Ok(self);
        }
        Err(Failure::new(format!("longshore failed\n{self}")))
    }

    /// What it printed, as JSON.
    ///
    /// # Errors
    /// It printed something else.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).context(format!("longshore printed no JSON\n{self}"))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            status, stdout, stderr, ..
        } = self;
        write!(formatter, "{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// One of a program's outputs: read all the time, so that the program never waits for a full pipe.
#[derive(Debug)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    reading: JoinHandle<()>,
}

impl Captured {
    fn from(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let filled = Arc::clone(&bytes);
        let reading = tokio::spawn(async move {
            let Some(mut stream) = stream else { return };
            let mut piece = Vec::with_capacity(8 * 1024);
            // What was read up to an error is worth more than the error.
            while let Ok(1..) = stream.read_buf(&mut piece).await {
                filled.lock().expect("appending does not panic").append(&mut piece);
            }
        });
        Self { bytes, reading }
    }

    /// What was read so far.
    fn text(&self) -> String {
        let bytes = self.bytes.lock().expect("appending does not panic");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Everything, of a program that has ended.
    async fn whole(mut self) -> Result<String> {
        // Whatever the program left running holds its output open.
        tokio::time::timeout(PLUGINS_END_WITHIN, &mut self.reading)
            .await
            .context("longshore has ended, but another process still holds its output open")?
            .context("the output was not read")?;
        Ok(self.text())
    }
}
