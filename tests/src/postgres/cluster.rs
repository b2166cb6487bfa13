//! One server with its own data directory, that goes when its owner goes.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Connection, Database, postgres_programs};
use crate::{Context, Failure, PATIENCE, Result, eventually};

/// The superuser of every cluster.
pub const USER: &str = "longshore";
/// Its password, asked for over TCP.
pub const PASSWORD: &str = "harbour-pilot";

/// Another process can take a free port between the look and the server's start.
const PORT_ATTEMPTS: usize = 5;

/// A throwaway server on a Unix socket and on 127.0.0.1, in a temporary directory.
///
/// The socket trusts whoever can reach it; TCP asks for [`PASSWORD`]. The server ends and its directory is removed when the value is
/// dropped or its process ends, be it by SIGKILL: a small shell script holds the other end of a pipe.
#[derive(Debug)]
pub struct PostgresCluster {
    folder: TempDir,
    port: u16,
    server: Child,
    lifeline: Option<ChildStdin>,
    databases: AtomicU32,
}

/// Who the server runs as: it refuses to run as root.
#[derive(Clone, Copy)]
struct Account {
    user: u32,
    group: u32,
}

impl PostgresCluster {
    /// Makes a cluster and waits until it takes connections.
    ///
    /// # Errors
    /// PostgreSQL is not installed, or does not start; the message has the end of its log.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// As [`start`](Self::start), with settings of `postgresql.conf` such as `shared_buffers=1GB` in place of those that tests have.
    ///
    /// # Errors
    /// As for [`start`](Self::start); also when the server does not take a setting.
    pub async fn start_with(settings: &[&str]) -> Result<Self> {
        let programs = postgres_programs()?;
        let account = account()?;
        let folder = tempfile::Builder::new()
            .prefix("longshore-pg-")
            .tempdir()
            .context("a temporary directory can not be made")?;
        if let Some(account) = account {
            chown(folder.path(), Some(account.user), Some(account.group))
                .context("the data directory can not be handed to the server's user")?;
        }
        let (initdb, target) = (programs.join("initdb"), folder.path().to_owned());
        tokio::task::spawn_blocking(move || initialize(&initdb, &target, account))
            .await
            .context("initdb was not waited for")??;
        let mut folder = folder;
        for _ in 1..PORT_ATTEMPTS {
            match Self::serve(&programs, folder, account, settings).await? {
                Started::Ready(cluster) => return Ok(*cluster),
                Started::PortTaken(unused) => folder = unused,
            }
        }
        Err(Failure::new("no free port could be had for PostgreSQL"))
    }

    /// The cluster that the tests of one process share. It ends with the process.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self> {
        static SHARED: OnceCell<PostgresCluster> = OnceCell::const_new();
        SHARED.get_or_try_init(Self::start).await
    }

    /// An empty database of its own name.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_database(&self) -> Result<Database> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.create_database_named(&name).await
    }

    /// An empty database.
    ///
    /// # Errors
    /// There is one of this name, or the server refuses.
    pub async fn create_database_named(&self, name: &str) -> Result<Database> {
        let administration = Connection::open(self.socket_folder(), self.port, "postgres").await?;
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        administration
            .batch_execute(&statement)
            .await
            .context(format!("the database {name} can not be made"))?;
        Ok(Database::new(
            self.socket_folder().to_owned(),
            self.port,
            name.to_owned(),
        ))
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of the Unix socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process number of the server itself, the parent of the processes that serve connections.
    ///
    /// # Errors
    /// It has ended.
    pub fn pid(&self) -> Result<i32> {
        let file = self.folder.path().join("data/postmaster.pid");
        let text = fs::read_to_string(file).context("the server's file with its process number can not be read")?;
        let first = text.lines().next().and_then(|line| line.parse().ok());
        first.context("the server's file holds no process number")
    }

    /// The last lines of the server's log.
    pub fn log(&self) -> String {
        end_of_log(self.folder.path())
    }

    async fn serve(programs: &Path, folder: TempDir, account: Option<Account>, settings: &[&str]) -> Result<Started> {
        let port = free_port()?;
        let mut command = server_command(programs, folder.path(), port, account);
        // The last one of a name counts.
        for setting in settings {
            command.args(["-c", setting]);
        }
        let mut server = command.spawn().context("a shell for PostgreSQL can not be started")?;
        let mut cluster = Self {
            lifeline: server.stdin.take(),
            folder,
            port,
            server,
            databases: AtomicU32::new(1),
        };
        let ready = eventually("PostgreSQL takes connections", PATIENCE, async || {
            if let Ok(Some(_)) = cluster.server.try_wait() {
                return Some(false);
            }
            let connection = Connection::open(cluster.folder.path(), port, "postgres").await;
            connection.is_ok().then_some(true)
        });
        match ready.await {
            Ok(true) => Ok(Started::Ready(Box::new(cluster))),
            Ok(false) if cluster.log().contains("Address already in use") => cluster.into_unused(),
            Ok(false) => Err(Failure::new(format!("PostgreSQL does not start:\n{}", cluster.log()))),
            Err(failure) => Err(failure).context(format!("the log of PostgreSQL ends with\n{}", cluster.log())),
        }
    }

    /// The initialized directory of a server that has ended by itself.
    fn into_unused(mut self) -> Result<Started> {
        let other = tempfile::Builder::new()
            .prefix("longshore-pg-")
            .tempdir()
            .context("a temporary directory can not be made")?;
        Ok(Started::PortTaken(std::mem::replace(&mut self.folder, other)))
    }
}

enum Started {
    Ready(Box<PostgresCluster>),
    PortTaken(TempDir),
}

impl Drop for PostgresCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            use std::io::Write as _;
            // The test's own message matters more than a failure to add this one.
            let _ = writeln!(std::io::stderr(), "the log of PostgreSQL ends with\n{}", self.log());
        }
        drop(self.lifeline.take());
        // Bounded: the script kills a server that does not end by itself.
        let _ = self.server.wait();
    }
}

fn server_command(programs: &Path, folder: &Path, port: u16, account: Option<Account>) -> Command {
    let mut command = plain_command(Path::new("/bin/sh"), folder, account);
    command
        .args(["-c", include_str!("lifeline.sh"), "longshore-postgres"])
        .arg(folder)
        .arg(folder.join("log"))
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(["-p", &port.to_string()]);
    let settings = [
        "listen_addresses=127.0.0.1",
        "max_connections=200",
        "max_prepared_transactions=20",
        "shared_buffers=128MB",
        "max_wal_size=2GB",
        // Nothing here outlives a crash of the machine, so nothing need be on its disk.
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "log_timezone=UTC",
        "timezone=UTC",
    ];
    for setting in settings {
        command.args(["-c", setting]);
    }
    // A group of its own: Ctrl-C on a terminal is for whoever owns the cluster, who then ends it.
    command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null());
    command
}

fn initialize(initdb: &Path, folder: &Path, account: Option<Account>) -> Result<()> {
    let password_file = folder.join("password");
    fs::write(&password_file, PASSWORD).context("the password file can not be written")?;
    let output = plain_command(initdb, folder, account)
        .args(["--username", USER, "--auth-local=trust", "--auth-host=scram-sha-256"])
        .args(["--no-locale", "--encoding=UTF8", "--no-sync", "--no-instructions"])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("--pgdata")
        .arg(folder.join("data"))
        .output()
        .context("initdb can not be started")?;
    if output.status.success() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "initdb fails: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

/// A command with nothing of this process's environment but the path, so that no `PG…` variable of a user matters.
fn plain_command(program: &Path, folder: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().current_dir(folder);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    if let Some(account) = account {
        command.uid(account.user).gid(account.group);
    }
    command
}

/// The account to change to: nobody's when this process is not root.
fn account() -> Result<Option<Account>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let (Some(user), Some(group)) = (id(&["-u", name]), id(&["-g", name])) {
            return Ok(Some(Account { user, group }));
        }
    }
    Err(Failure::new(
        "PostgreSQL does not run as root, and there is no user `postgres` to run it as",
    ))
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port can be had on 127.0.0.1")?;
    Ok(listener.local_addr().context("the port is unknown")?.port())
}

fn end_of_log(folder: &Path) -> String {
    const LINES: usize = 40;
    let log: PathBuf = folder.join("log");
    let text = fs::read(&log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
