//! `longshore-batch-sandbox`: the emulator as a process of its own.
//!
//! Prints one JSON line on stdout once it listens; logs go to stderr. Ends on SIGTERM and SIGINT.

use std::error::Error;
use std::io::{IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use longshore_batch_sandbox::{Credentials, Options, Sandbox};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// A local emulator of the Batch Profile API, with its documented limits.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    address: SocketAddr,
    /// Allow an address that other machines can reach. The control API has no authentication.
    #[arg(long)]
    allow_remote: bool,
    /// Key of the (only) project.
    #[arg(long, requires = "rest_api_key")]
    project_key: Option<String>,
    /// REST API key of the project given with --project-key.
    #[arg(long, env = "LONGSHORE_SANDBOX_REST_API_KEY", hide_env_values = true)]
    rest_api_key: Option<String>,
    /// A project and its REST API key; can be given several times.
    #[arg(long = "project", value_name = "KEY=REST_API_KEY", value_parser = parse_project)]
    projects: Vec<Credentials>,
    /// An API version to answer, in place of the known ones; can be given several times.
    #[arg(long = "api-version", value_name = "VERSION")]
    versions: Vec<String>,
    /// Lift both rate limits.
    #[arg(long)]
    no_rate_limit: bool,
    /// Record what a careful client never does; see /_sandbox/violations.
    #[arg(long)]
    strict: bool,
    /// Take gzip bodies, which Batch is not known to take.
    #[arg(long)]
    accept_gzip: bool,
    /// Largest request body in bytes.
    #[arg(long, default_value_t = longshore_batch_sandbox::limits::DEFAULT_BODY_BYTES)]
    max_body_bytes: usize,
    /// Calls that the request log holds.
    #[arg(long, default_value_t = 10_000)]
    logged_requests: usize,
    /// Request bodies that the request log holds.
    #[arg(long, default_value_t = 16)]
    kept_bodies: usize,
    /// Also write the JSON line to this file, whole or not at all.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// End when standard input ends, so that a killed parent leaves nothing behind.
    #[arg(long)]
    exit_with_stdin: bool,
    /// What to log, as a filter of tracing-subscriber.
    #[arg(long, default_value = "info")]
    log_level: String,
}

fn parse_project(text: &str) -> Result<Credentials, String> {
    match text.split_once('=') {
        Some((project_key, rest_api_key)) if !project_key.is_empty() && !rest_api_key.is_empty() => Ok(Credentials {
            project_key: project_key.to_owned(),
            rest_api_key: rest_api_key.to_owned(),
        }),
        _ => Err("expected KEY=REST_API_KEY".to_owned()),
    }
}

impl Arguments {
    fn into_options(self) -> Options {
        let mut options = Options::for_project("", "");
        options.projects = self.projects;
        if let (Some(project_key), Some(rest_api_key)) = (self.project_key, self.rest_api_key) {
            options.projects.push(Credentials {
                project_key,
                rest_api_key,
            });
        }
        if !self.versions.is_empty() {
            options.versions = self.versions;
        }
        options.address = self.address;
        options.allow_remote = self.allow_remote;
        options.strict = self.strict;
        options.accept_gzip = self.accept_gzip;
        options.max_body_bytes = self.max_body_bytes;
        options.logged_requests = self.logged_requests;
        options.kept_bodies = self.kept_bodies;
        if self.no_rate_limit {
            options = options.without_rate_limits();
        }
        options
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_new(&arguments.log_level);
    let Ok(filter) = filter else {
        let _ = writeln!(std::io::stderr(), "error: --log-level is not a valid filter");
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            let causes: String = causes.map(|cause| format!(": {cause}")).collect();
            tracing::error!("{error}{causes}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let ready_file = arguments.ready_file.clone();
    let exit_with_stdin = arguments.exit_with_stdin;
    let no_rate_limit = arguments.no_rate_limit;

    let running = Sandbox::start(arguments.into_options()).await?;
    let line = format!("{}\n", serde_json::json!({ "address": running.address().to_string() }));
    if let Some(path) = &ready_file {
        write_whole(path, &line)?;
    }
    let mut stdout = std::io::stdout();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()?;
    tracing::info!(address = %running.address(), no_rate_limit, "listening");

    let reason = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
        () = end_of_stdin(exit_with_stdin) => "end of standard input",
    };
    tracing::info!(reason, "ending");
    running.stop().await;
    Ok(())
}

/// Writes beside the file and renames, so that a reader never sees half a line.
fn write_whole(path: &Path, line: &str) -> std::io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    std::fs::write(&beside, line)?;
    std::fs::rename(&beside, path)
}

/// Waits for the end of standard input; for ever when not asked to.
async fn end_of_stdin(wanted: bool) {
    if !wanted {
        return std::future::pending().await;
    }
    let (ended, wait) = oneshot::channel::<()>();
    // A plain thread: a read of standard input can not be cancelled, and a runtime would wait for it at the end.
    std::thread::spawn(move || {
        let mut buffer = [0; 1_024];
        let mut stdin = std::io::stdin();
        while matches!(stdin.read(&mut buffer), Ok(1..)) {}
        drop(ended);
    });
    // An error means that the sender is gone: that is the message.
    let _ = wait.await;
}
