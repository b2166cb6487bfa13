//! `PROGRAM serve --network … --address … --log-level … --log-format …`

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use longshore_core::{Error, Result};
use tracing::level_filters::LevelFilter;

use super::{Plugin, lifeline, listener::Listener, telemetry};

#[derive(Parser)]
#[command(disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the plugin until told to stop. Longshore runs this itself; run it by hand for `registry: grpc`.
    Serve(Serve),
}

#[derive(Args)]
pub(super) struct Serve {
    /// Kind of socket to listen on.
    #[arg(long, value_enum, default_value_t = Network::Tcp)]
    pub(super) network: Network,
    /// Path of the Unix socket, or HOST:PORT.
    #[arg(long, default_value = "127.0.0.1:7777")]
    pub(super) address: String,
    /// Least level that is logged.
    #[arg(long, default_value = "info")]
    log_level: LevelFilter,
    /// Form of the log lines on standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// PEM file with this plugin's certificate: listen with mutual TLS. Needed to listen on anything but this machine.
    #[arg(long, requires_all = ["tls_key", "tls_client_ca"])]
    pub(super) tls_certificate: Option<std::path::PathBuf>,
    /// PEM file with the certificate's private key.
    #[arg(long, requires = "tls_certificate")]
    pub(super) tls_key: Option<std::path::PathBuf>,
    /// PEM file with the authority that Longshore's certificate must come from.
    #[arg(long, requires = "tls_certificate")]
    pub(super) tls_client_ca: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Network {
    Unix,
    Tcp,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Json,
    Text,
}

/// The process's exit status for a command line that makes no sense, as for Longshore itself.
const EXIT_USAGE: u8 = 2;

pub(super) fn run(plugin: Plugin) -> ExitCode {
    let CommandLine {
        command: Command::Serve(serve),
    } = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            let wrong = error.use_stderr();
            // Nothing is left to do when not even the help can be printed.
            error.print().ok();
            return if wrong {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    log_to_standard_error(&serve);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime
        .map_err(|error| Error::internal("runtime", "The runtime can not be started").with_cause(&error))
        .and_then(|runtime| {
            let outcome = runtime.block_on(serve_until_stopped(plugin, &serve));
            runtime.shutdown_background();
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(code = error.code, causes = ?error.causes, "{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_stopped(plugin: Plugin, serve: &Serve) -> Result<()> {
    let listener = Listener::bind(serve).await?;
    // Somebody who starts a plugin by hand may have no standard input to hold open; Longshore always uses a Unix socket.
    let follow_standard_input = serve.network == Network::Unix && !std::io::stdin().is_terminal();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = plugin.serve_on(listener, async {
        stopped.await.ok();
    });
    tokio::pin!(serving);
    tokio::select! {
        outcome = &mut serving => return outcome,
        told = lifeline::until_told_to_stop(follow_standard_input) => told?,
    }
    stop.send(()).ok();
    // Streams that are still open end with the process: everything that matters is with Longshore.
    let outcome = tokio::time::timeout(GRACE, serving).await.unwrap_or(Ok(()));
    telemetry::end().await;
    outcome
}

/// How long open calls may go on after the plugin was told to stop; well below the contract's 5 s.
const GRACE: std::time::Duration = std::time::Duration::from_millis(500);

fn log_to_standard_error(serve: &Serve) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(serve.log_level)
        .with_writer(std::io::stderr);
    match serve.log_format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .init(),
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
    }
}
