//! `longshore serve`

use clap::Args;
use longshore_schedule::Span;

use super::{ConfigurationFiles, Context};
use crate::{
    failure::{Exit, Failure},
    serve::{self, DEFAULT_DRAIN_TIMEOUT, Options, Surroundings, clock::Clock},
};

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigurationFiles,
    /// How long running syncs may go on after SIGTERM or Ctrl-C before they are stopped in order; the next start goes on with them.
    #[arg(long, value_name = "TIME", default_value_t = Span::from_seconds(DEFAULT_DRAIN_TIMEOUT.as_secs() as u32))]
    drain_timeout: Span,
    /// For tests: a clock that runs FACTOR times as fast as the system's from INSTANT on, for schedules and nothing else.
    #[arg(long, hide = true, value_name = "FACTOR@INSTANT", env = "LONGSHORE_TEST_CLOCK")]
    test_clock: Option<Clock>,
}

/// Runs syncs by their schedules until it is told to end.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.files)?;
    let options = Options {
        paths: arguments.files.paths,
        drain_timeout: arguments.drain_timeout.duration(),
        clock: arguments.test_clock.unwrap_or_default(),
    };
    if options.clock != Clock::default() {
        tracing::warn!("schedules go by a clock for tests");
    }
    let around = Surroundings {
        host: context.plugin_host()?,
        store: context.store(&configuration).await?,
        secrets: context.secrets.clone(),
        holder: context.holder(),
        cancel: context.cancel.clone(),
        observation: context.observation.clone(),
    };
    serve::run(configuration, options, around).await?;
    Ok(Exit::Done)
}
