//! The command line. Data goes to standard output, everything else to standard error.
//!
//! One file for each command, under the command's name. A command returns data and a [`Failure`] or not; how either is printed is decided in
//! `output`, once.

mod completions;
mod confirmation;
mod console;
mod init;
mod known_sync;
mod man;
mod output;
mod panics;
mod plugin;
mod preview;
mod progress_display;
mod rejects;
mod runs;
mod schema;
mod serve;
mod state;
mod state_location;
mod sync;
mod syncs;
mod tables;
mod test_connection;
mod validate;

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Parser, Subcommand, ValueEnum};
use longshore_config::{Configuration, Secrets, Source};
use longshore_core::Error;
use longshore_state::{Holder, StateStore};
use longshore_telemetry::Target;
use tokio_util::sync::CancellationToken;
use tracing::level_filters::LevelFilter;

use crate::{
    failure::{Exit, Failure},
    loading,
    observe::{Observation, metrics::Metrics, telemetry::Telemetry},
    plugin_host::PluginHost,
};
use console::Console;
use output::Output;

/// Moves rows from databases to where they are needed, and never loses one.
#[derive(Parser)]
#[command(name = "longshore", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 internal error; 2 configuration or usage, a sync that is being run already,
or no daemon where one is needed; 3 source; 4 destination;
5 finished or stopped with more rejects than max_rejects, or refused again in a replay; 130 cancelled.";

#[derive(Args, Clone)]
struct Global {
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// Least level that is logged to standard error; without it, `info` for `serve` and `warn` for everything else.
    #[arg(long, global = true, value_name = "LEVEL", value_parser = ["off", "error", "warn", "info", "debug", "trace"])]
    log_level: Option<String>,
    /// Form of log lines.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Write a configuration to start from.
    Init(init::Arguments),
    /// Check the configuration, without connecting to anything.
    Validate(ConfigurationFiles),
    /// Try everything that a sync would need, and say what to do where something fails.
    TestConnection(Selected),
    /// List the tables that a source offers.
    Tables(tables::Arguments),
    /// Show the exact requests for the first rows; sends nothing.
    Preview(preview::Arguments),
    /// Run syncs, each to its end.
    Sync(sync::Arguments),
    /// Run syncs by their schedules, until it is told to end.
    Serve(serve::Arguments),
    /// Look at the syncs of a daemon, pause, resume, run and cancel them.
    Syncs(syncs::Arguments),
    /// Look at cursors, set them, reset them.
    State(state::Arguments),
    /// Look at past and interrupted runs.
    Runs(runs::Arguments),
    /// Look at rows and columns that were refused, mend them, send them again.
    Rejects(rejects::Arguments),
    /// Look at plugins.
    Plugin(plugin::Arguments),
    /// Print the JSON Schema of configuration documents, for editors.
    Schema,
    /// Print a completion script for a shell.
    Completions(completions::Arguments),
    /// Write man pages: one for the program, and one for each command.
    Man(man::Arguments),
}

/// The configuration when none is named.
const DEFAULT_CONFIGURATION: &str = "longshore.yml";

/// Where the configuration is.
#[derive(Args, Clone)]
struct ConfigurationFiles {
    /// Files, or directories with *.yml and *.yaml files.
    #[arg(default_value = DEFAULT_CONFIGURATION, value_name = "CONFIGURATION")]
    paths: Vec<PathBuf>,
}

/// Some of the configuration's sources.
#[derive(Args, Clone)]
struct Selected {
    #[command(flatten)]
    files: ConfigurationFiles,
    /// Only this source; may be given several times. Without it, all.
    #[arg(long = "source", value_name = "NAME")]
    sources: Vec<String>,
}

/// What every command has at hand.
struct Context {
    output: Output,
    console: Console,
    secrets: Secrets,
    invocation_id: String,
    observation: Observation,
    /// Where plugins push their spans.
    spans_to: Option<Target>,
    /// Cancelled at the first Ctrl-C.
    cancel: CancellationToken,
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let command_line = match CommandLine::try_parse() {
        Ok(command_line) => command_line,
        Err(error) => {
            // Nothing is left to do when not even the help can be printed.
            error.print().ok();
            return if error.use_stderr() {
                Exit::Configuration.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    let CommandLine { command, global } = command_line;
    let secrets = Secrets::new();
    panics::keep_secrets(secrets.clone());
    let output = Output::new(global.json, secrets.clone());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let failure = Error::internal("runtime", "The runtime can not be started")
                .with_cause(&error)
                .into();
            return output.failure(&failure).into();
        }
    };
    let (telemetry, unusable) = {
        let _within = runtime.enter();
        Telemetry::from_environment(&secrets, |name| std::env::var(name).ok())
    };
    let console = Console::new(secrets.clone());
    let observation = Observation {
        metrics: Metrics::new(telemetry.meter()),
        ..Observation::default()
    };
    let level: LevelFilter = match (&global.log_level, &command) {
        (Some(level), _) => level.parse().expect("clap accepts only names of levels"),
        // A daemon's log is where people look for what it did.
        (None, Command::Serve(_)) => LevelFilter::INFO,
        (None, _) => LevelFilter::WARN,
    };
    console.log(level, global.log_format == LogFormat::Json, &observation, &telemetry);
    for error in unusable {
        tracing::warn!(%error, "traces or metrics are not pushed");
    }
    let context = Context {
        output,
        console,
        secrets,
        invocation_id: uuid::Uuid::now_v7().to_string(),
        observation,
        spans_to: telemetry.for_plugins().cloned(),
        cancel: CancellationToken::new(),
    };
    listen_to_signals(&context.cancel);
    let outcome = runtime.block_on(async {
        match command {
            // A sync ends in order by itself.
            Command::Sync(arguments) => sync::run(&arguments, &context).await,
            // A daemon drains.
            Command::Serve(arguments) => serve::run(arguments, &context).await,
            // So does what sends rejects again.
            Command::Rejects(arguments) if arguments.ends_in_order() => rejects::run(arguments, &context).await,
            command => tokio::select! {
                outcome = dispatch(command, &context) => outcome,
                () = context.cancel.cancelled() => Err(Failure::Cancelled),
            },
        }
    });
    // The connection to the collector lives in the runtime.
    telemetry.end();
    // Nobody waits for a thread that hangs.
    runtime.shutdown_background();
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => context.output.failure(&failure).into(),
    }
}

async fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::Validate(files) => validate::run(&files, context).await,
        Command::TestConnection(selected) => test_connection::run(&selected, context).await,
        Command::Tables(arguments) => tables::run(&arguments, context).await,
        Command::Preview(arguments) => preview::run(&arguments, context).await,
        Command::Sync(arguments) => sync::run(&arguments, context).await,
        Command::Serve(arguments) => serve::run(arguments, context).await,
        Command::Syncs(arguments) => syncs::run(arguments, context).await,
        Command::State(arguments) => state::run(arguments, context).await,
        Command::Runs(arguments) => runs::run(arguments, context).await,
        Command::Rejects(arguments) => rejects::run(arguments, context).await,
        Command::Plugin(arguments) => plugin::run(arguments, context).await,
        Command::Schema => schema::run(context),
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Man(arguments) => man::run(&arguments, context),
    }
}

/// Follows signals on a thread with a runtime of its own: whatever hangs in the other one, a second signal ends the process.
fn listen_to_signals(cancel: &CancellationToken) {
    let cancel = cancel.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let listening = runtime.and_then(|runtime| {
        let named = std::thread::Builder::new().name("longshore-signals".to_owned());
        // It ends with the process.
        named.spawn(move || runtime.block_on(follow_signals(cancel)))
    });
    if let Err(error) = listening {
        tracing::warn!(%error, "signals can not be listened to: a sync will not end in order");
    }
}

/// The first SIGINT or SIGTERM asks for an orderly end, the second one ends at once.
async fn follow_signals(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::warn!("signals can not be listened to: a sync will not end in order");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if cancel.is_cancelled() {
            // Plugins die with this process; what was committed is committed.
            std::process::exit(i32::from(Exit::Cancelled as u8));
        }
        tracing::warn!("stopping: what is on its way may still be acked; interrupt again to end at once");
        cancel.cancel();
    }
}

impl Context {
    async fn load(&self, files: &ConfigurationFiles) -> Result<Configuration, Failure> {
        let configuration = tokio::select! {
            loaded = loading::load(files.paths.clone(), self.secrets.clone()) => loaded?,
            () = self.cancel.cancelled() => return Err(Failure::Cancelled),
        };
        for warning in &configuration.warnings {
            self.output.note(&warning.to_string());
        }
        Ok(configuration)
    }

    fn plugin_host(&self) -> Result<PluginHost, Failure> {
        let guard = std::env::current_exe().map_err(|error| {
            Error::internal("own_program", "The path of this program can not be found").with_cause(&error)
        })?;
        let host = PluginHost::new(self.secrets.clone(), guard, self.invocation_id.clone())?;
        Ok(host.pushing_spans(self.spans_to.as_ref()))
    }

    async fn store(&self, configuration: &Configuration) -> Result<Arc<dyn StateStore>, Failure> {
        Ok(longshore_state::open(&configuration.settings.state.to_string()).await?)
    }

    fn holder(&self) -> Holder {
        Holder::current(self.invocation_id.clone())
    }
}

impl Selected {
    /// The sources meant.
    fn of<'c>(&self, configuration: &'c Configuration) -> Result<Vec<&'c Source>, Failure> {
        if self.sources.is_empty() {
            return Ok(configuration.sources.iter().collect());
        }
        let find = |name: &String| {
            configuration.source(name).ok_or_else(|| {
                let names: Vec<&str> = configuration
                    .sources
                    .iter()
                    .map(|source| source.spec.name.as_str())
                    .collect();
                Error::config("source_unknown", format!("The configuration has no source `{name}`"))
                    .with_remedy(format!("Its sources are: {}.", names.join(", ")))
                    .into()
            })
        };
        self.sources.iter().map(find).collect()
    }
}
