//! Time, CPU and memory of a program, of everything that it starts, and of the servers that it asks.
//!
//! CPU of the program and the sum of what it started are exact to the kernel's tick of 10 ms: they are read after its end, before it is waited for. How they are divided
//! among the programs started, and peaks of memory, are as of the last look before the end.

mod proc;
mod watch;

use std::{
    fs::File,
    io::{Read as _, Seek as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use longshore_tests::{Context, Failure, PATIENCE, Result, eventually};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde::{Deserialize, Serialize};

use watch::Watch;

/// Between two looks. Long enough to take less than one per cent of a CPU, short enough that a process of a few seconds is known to one per cent.
const PAUSE: Duration = Duration::from_millis(20);

/// What a program used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProcessUse {
    /// Its file name; for servers, what they are.
    pub(crate) program: String,
    /// Whether it ran before and after, and worked for the measured program.
    pub(crate) is_server: bool,
    /// User and system time, in seconds.
    pub(crate) cpu_seconds: f64,
    /// The most memory resident at once, in bytes. Of PostgreSQL: private memory of the largest process that served a connection, without the shared buffers.
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// A server that runs on and works for the measured program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    /// A process that does all the work itself.
    Single {
        /// What to call it.
        name: &'static str,
        /// Its number.
        pid: i32,
    },
    /// PostgreSQL: each connection has a process of its own, which ends with it.
    Postgresql {
        /// The number of the parent of those processes.
        pid: i32,
    },
}

/// What was measured of a program that ended well.
#[derive(Debug)]
pub(crate) struct Measured {
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// The program, what it started, then the servers.
    pub(crate) processes: Vec<ProcessUse>,
    /// What it printed; nothing when that was sent elsewhere.
    pub(crate) stdout: String,
}

/// Where the output of a program goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// It is small and wanted.
    Kept,
    /// To `/dev/null`.
    Discarded,
}

/// Runs a program to its end and measures it.
///
/// # Errors
/// It can not be started, or fails; the message has the end of what it said.
pub(crate) async fn measure(command: &mut Command, output: Output, servers: &[Server]) -> Result<Measured> {
    let shown = format!("{command:?}");
    let mut stdout = temporary_file()?;
    let mut stderr = temporary_file()?;
    let to_stdout = match output {
        Output::Kept => Stdio::from(duplicate(&stdout)?),
        Output::Discarded => Stdio::null(),
    };
    command
        .stdin(Stdio::null())
        .stdout(to_stdout)
        .stderr(Stdio::from(duplicate(&stderr)?));
    let before: Vec<f64> = servers.iter().map(|server| server.begin()).collect::<Result<_>>()?;
    let mut watch = Watch::new(servers.iter().find_map(Server::postmaster));
    let started = Instant::now();
    let mut child = Measuring::start(command)?;
    watch.begin(child.pid());
    let end = child.end();
    tokio::pin!(end);
    loop {
        watch.look();
        if let Ok(ended) = tokio::time::timeout(PAUSE, &mut end).await {
            ended?;
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let (_, cpu) = proc::look(child.pid()).context("a process that was not waited for is still known")?;
    let status = child.collect()?;
    if !status.success() {
        let said = text_of(&mut stderr)?;
        let printed = text_of(&mut stdout)?;
        return Err(Failure::new(format!("{shown} fails ({status})\n{said}\n{printed}")));
    }
    let mut processes = watch.processes(cpu);
    for (server, before) in servers.iter().zip(before) {
        processes.push(server.end(before, &watch).await?);
    }
    Ok(Measured {
        seconds,
        processes,
        stdout: text_of(&mut stdout)?,
    })
}

impl Server {
    fn postmaster(&self) -> Option<i32> {
        match self {
            Self::Postgresql { pid } => Some(*pid),
            Self::Single { .. } => None,
        }
    }

    /// CPU seconds until now; the peak of memory begins anew.
    fn begin(&self) -> Result<f64> {
        if let Self::Single { pid, .. } = self
            && !proc::forget_peak_memory(*pid)
        {
            return Err(Failure::new("the kernel does not reset the peak of a process's memory"));
        }
        self.cpu_seconds()
    }

    /// Of a single process its own; of PostgreSQL that of its processes which have ended.
    fn cpu_seconds(&self) -> Result<f64> {
        let (Self::Single { pid, .. } | Self::Postgresql { pid }) = self;
        let (_, cpu) = proc::look(*pid).context("a server that is measured has ended")?;
        Ok(match self {
            Self::Single { .. } => cpu.own,
            Self::Postgresql { .. } => cpu.waited_for,
        })
    }

    async fn end(&self, before: f64, watch: &Watch) -> Result<ProcessUse> {
        match self {
            Self::Single { name, pid } => Ok(ProcessUse {
                program: (*name).to_owned(),
                is_server: true,
                cpu_seconds: self.cpu_seconds()? - before,
                peak_memory_bytes: proc::memory(*pid).map(|memory| memory.peak),
            }),
            Self::Postgresql { .. } => {
                // A process is counted when it has ended, and it does so a moment after its client.
                eventually("the connections to PostgreSQL are gone", PATIENCE, async || {
                    watch.server_is_idle().then_some(())
                })
                .await?;
                Ok(ProcessUse {
                    program: "postgres".to_owned(),
                    is_server: true,
                    cpu_seconds: self.cpu_seconds()? - before,
                    peak_memory_bytes: watch.server_peak(),
                })
            }
        }
    }
}

/// The measured process. It is killed when dropped before its end.
struct Measuring {
    child: Child,
    collected: bool,
}

impl Measuring {
    fn start(command: &mut Command) -> Result<Self> {
        let child = command.spawn().context(format!(
            "{} can not be started",
            command.get_program().to_string_lossy()
        ))?;
        Ok(Self {
            child,
            collected: false,
        })
    }

    fn pid(&self) -> i32 {
        Pid::from_child(&self.child).as_raw_nonzero().get()
    }

    /// Comes when the process has ended. It is not collected: what it used can still be read.
    fn end(&self) -> impl Future<Output = Result<()>> + use<> {
        let pid = Pid::from_child(&self.child);
        let waiting = tokio::task::spawn_blocking(move || {
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        });
        async move {
            let waited = waiting.await.context("the measured program was not waited for")?;
            waited.context("the measured program can not be waited for").map(drop)
        }
    }

    fn collect(&mut self) -> Result<std::process::ExitStatus> {
        self.collected = true;
        self.child.wait().context("the measured program can not be collected")
    }
}

impl Drop for Measuring {
    fn drop(&mut self) {
        if !self.collected {
            // It may have ended already; in both cases there is nothing left to do but to collect it.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn temporary_file() -> Result<File> {
    tempfile::tempfile().context("a temporary file can not be made")
}

fn duplicate(file: &File) -> Result<File> {
    file.try_clone().context("a file can not be opened twice")
}

fn text_of(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind().context("an output can not be read")?;
    file.read_to_end(&mut bytes).context("an output can not be read")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_and_what_it_starts_are_told_apart() {
        let mut command = Command::new("/bin/sh");
        // The shell itself does nothing; what it starts counts for a while.
        command.args([
            "-c",
            "awk 'BEGIN { for (i = 0; i < 3000000; i++) n += i; print n }'; echo done",
        ]);
        let measured = measure(&mut command, Output::Kept, &[]).await.unwrap();
        assert!(measured.stdout.ends_with("done\n"), "{measured:?}");
        let [shell, counter] = measured.processes.as_slice() else {
            panic!("two programs ran: {measured:?}");
        };
        assert_eq!(shell.program, "sh");
        assert!(counter.program.contains("awk"), "{counter:?}");
        assert!(counter.cpu_seconds > shell.cpu_seconds, "{measured:?}");
        assert!(counter.peak_memory_bytes > Some(100_000), "{measured:?}");
    }

    #[tokio::test]
    async fn children_that_run_the_same_program_are_told_apart_too() {
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "/bin/sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done'; true",
        ]);
        let measured = measure(&mut command, Output::Discarded, &[]).await.unwrap();
        let programs: Vec<&str> = measured
            .processes
            .iter()
            .map(|process| process.program.as_str())
            .collect();
        assert_eq!(programs, ["sh", "sh (its children)"], "{measured:?}");
    }

    #[tokio::test]
    async fn a_program_that_fails_is_an_error_with_what_it_said() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo no luck >&2; exit 3"]);
        let failure = measure(&mut command, Output::Discarded, &[]).await.unwrap_err();
        assert!(failure.to_string().contains("no luck"), "{failure}");
    }
}
