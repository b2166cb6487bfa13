//! `longshore serve`

mod http;

use std::time::Duration;

use clap::Args;
use longshore_config::Configuration;
use longshore_core::Error;
use longshore_schedule::Span;
use tokio::net::TcpListener;

use super::{ConfigurationFiles, Context};
use crate::{
    engine::session,
    failure::{Exit, Failure},
    plugin_host::PluginHost,
    serve::{self, DEFAULT_DRAIN_TIMEOUT, MetricsHttp, Options, Surroundings, clock::Clock},
};
use http::HttpArguments;

/// Plugins that take longer to look at their options are waited for no longer before syncs are served.
const CHECKED_WITHIN: Duration = Duration::from_secs(15);

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    files: ConfigurationFiles,
    /// How long running syncs may go on after SIGTERM or Ctrl-C before they are stopped in order; the next start goes on with them.
    #[arg(long, value_name = "TIME", default_value_t = Span::from_seconds(DEFAULT_DRAIN_TIMEOUT.as_secs() as u32))]
    drain_timeout: Span,
    /// Answer /metrics (for Prometheus), /healthz and /readyz at this address, without a token: best one that only this machine or a network of your own reaches. Asked under its address, localhost, or a name of --host.
    #[arg(long, value_name = "HOST:PORT")]
    metrics_listen: Option<String>,
    #[command(flatten)]
    http: HttpArguments,
    /// For tests: a clock that runs FACTOR times as fast as the system's from INSTANT on, for schedules and nothing else.
    #[arg(long, hide = true, value_name = "FACTOR@INSTANT", env = "LONGSHORE_TEST_CLOCK")]
    test_clock: Option<Clock>,
}

/// Runs syncs by their schedules until it is told to end.
pub(super) async fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let configuration = context.load(&arguments.files).await?;
    let options = Options {
        paths: arguments.files.paths,
        drain_timeout: arguments.drain_timeout.duration(),
        clock: arguments.test_clock.unwrap_or_default(),
    };
    if options.clock != Clock::default() {
        tracing::warn!("schedules go by a clock for tests");
    }
    let host = context.plugin_host()?;
    // Before anybody is answered: what is secret and what is a name is then known.
    tokio::select! {
        () = session::learn(&host, &configuration) => {}
        () = context.cancel.cancelled() => {}
    }
    tokio::select! {
        () = tell_mistakes(&host, &configuration) => {}
        () = context.cancel.cancelled() => {}
    }
    let store = context.store(&configuration).await?;
    let held = match serve::hold(&store, context.holder(), &context.cancel).await {
        // Asked to end while it waited: nothing was begun.
        Err(Failure::Cancelled) => return Ok(Exit::Done),
        held => held?,
    };
    let opened = async {
        let hosts = arguments.http.hosts();
        let metrics_http = match &arguments.metrics_listen {
            Some(address) => {
                let listener = listen(address).await?;
                Some(MetricsHttp { listener, hosts })
            }
            None => None,
        };
        Ok::<_, Failure>((metrics_http, arguments.http.open(context).await?))
    };
    let (metrics_http, http) = match opened.await {
        Ok(opened) => opened,
        Err(failure) => {
            if let Err(error) = held.release().await {
                tracing::debug!(%error, "the state could not be given back; the next daemon takes it over");
            }
            return Err(failure);
        }
    };
    let around = Surroundings {
        host,
        store,
        secrets: context.secrets.clone(),
        holder: context.holder(),
        held,
        observation: context.observation.clone(),
        metrics_http,
        cancel: context.cancel.clone(),
    };
    serve::run(configuration, options, around, http).await?;
    Ok(Exit::Done)
}

/// Says at once what `longshore validate` finds in the options of plugins. A reload with it is refused; at a start there is nothing to go on with instead, and the
/// syncs without a mistake are better served than not.
async fn tell_mistakes(host: &PluginHost, configuration: &Configuration) {
    let checked = tokio::time::timeout(CHECKED_WITHIN, session::validate(host, configuration)).await;
    match checked {
        Ok(Ok(warnings)) => warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
        Ok(Err(Failure::Configuration(mistakes))) => {
            for mistake in &mistakes {
                tracing::error!("{mistake}");
            }
            tracing::error!(
                errors = mistakes.len(),
                "the configuration has mistakes: the syncs that have them will fail until it is mended and reloaded"
            );
        }
        Ok(Err(failure)) => {
            let error = failure.to_error();
            tracing::warn!(code = error.code, %error, "not every plugin could be asked whether its options are right");
        }
        Err(_) => tracing::warn!(
            "not every plugin has said within {} s whether its options are right",
            CHECKED_WITHIN.as_secs()
        ),
    }
}

async fn listen(address: &str) -> Result<TcpListener, Error> {
    let unusable = |error: std::io::Error| {
        Error::config("metrics_address", format!("Metrics can not be answered at {address}"))
            .with_cause(&error)
            .with_remedy("Name a free address of this machine, such as 127.0.0.1:9464.")
    };
    let listener = TcpListener::bind(address).await.map_err(unusable)?;
    let address = listener.local_addr().map_err(unusable)?;
    tracing::info!(%address, "metrics and health are answered");
    Ok(listener)
}
