//! Another configuration in place of the one before, whole or not at all.

use std::{path::PathBuf, sync::Arc};

use longshore_config::{Configuration, Secrets};
use longshore_core::{Error, Result};
use tokio::task::JoinHandle;

use super::{Daemon, Ending, wishes::draining};
use crate::{
    engine::session,
    failure::Failure,
    figures::counted,
    loading,
    plugin_host::PluginHost,
    serve::{
        handle::{Answer, Event},
        plan,
    },
};

/// A configuration that is being checked. Starting the plugins for it takes a while, in which the daemon goes on.
pub(super) struct Reloading {
    checking: JoinHandle<Result<Configuration, Failure>>,
    /// Whoever asked for it, apart from signals.
    answers: Vec<Answer<()>>,
    /// Somebody asked once more, and who: the files may have changed since they were read. One more check answers all of them.
    again: Option<Vec<Answer<()>>>,
}

impl Daemon {
    /// Begins to load the configuration again; `None`: by a signal.
    pub(super) fn reload(&mut self, answer: Option<Answer<()>>) {
        if self.ending != Ending::No {
            if let Some(answer) = answer {
                answer.send(Err(draining())).ok();
            }
            return;
        }
        match &mut self.reloading {
            Some(reloading) => reloading.again.get_or_insert_default().extend(answer),
            None => self.begin_check(answer.into_iter().collect()),
        }
    }

    fn begin_check(&mut self, answers: Vec<Answer<()>>) {
        let check = check(self.runner.host(), self.options.paths.clone(), self.secrets.clone());
        self.reloading = Some(Reloading {
            checking: tokio::spawn(check),
            answers,
            again: None,
        });
    }

    /// The configuration that was checked; never ready while none is.
    pub(super) async fn checked(reloading: &mut Option<Reloading>) -> Result<Configuration, Failure> {
        let Some(Reloading { checking, .. }) = reloading else {
            return std::future::pending().await;
        };
        checking.await.unwrap_or_else(|error| {
            Err(
                Error::internal("reload_panicked", "The check of the configuration panicked")
                    .with_cause(&error)
                    .into(),
            )
        })
    }

    /// Takes a configuration that is right; of one that is not, says why, and everything stays as it was.
    pub(super) async fn reloaded(&mut self, checked: Result<Configuration, Failure>) {
        let Some(Reloading { answers, again, .. }) = self.reloading.take() else {
            return;
        };
        let outcome = match checked {
            Ok(configuration) => self.replace(configuration).await,
            Err(failure) => Err(failure),
        };
        let answer = outcome.map_err(|failure| self.refused(&failure));
        for waiting in answers {
            waiting.send(answer.clone()).ok();
        }
        if let Some(answers) = again {
            self.begin_check(answers);
        }
    }

    /// Nothing is reloaded any more.
    pub(super) fn stop_reloading(&mut self) {
        let Some(Reloading {
            checking,
            answers,
            again,
        }) = self.reloading.take()
        else {
            return;
        };
        checking.abort();
        for answer in answers.into_iter().chain(again.into_iter().flatten()) {
            answer.send(Err(draining())).ok();
        }
    }

    async fn replace(&mut self, configuration: Configuration) -> Result<(), Failure> {
        let (before, after) = (&self.configuration.settings.state, &configuration.settings.state);
        if before != after {
            let message = format!("The state of a daemon that runs can not be moved from {before} to {after}");
            return Err(Error::config("state_moves", message)
                .with_remedy("Restart it, or set `state` back.")
                .into());
        }
        let stored = self.store.list_scheduled().await?;
        let concurrent_runs = usize::from(configuration.settings.serve.concurrent_runs);
        self.scheduler.reload(plan(&configuration), stored, concurrent_runs);
        let syncs = configuration.sources.len();
        self.configuration = Arc::new(configuration);
        self.alerting.reconfigured(Arc::clone(&self.configuration));
        self.refuse_forgotten_replays();
        // Whoever is told of it may look at once.
        self.publish();
        tracing::info!(syncs, "the configuration was loaded anew");
        self.tell(Event::Reloaded);
        Ok(())
    }

    /// Says what is wrong, in the log at each place and in one sentence to whoever asked.
    fn refused(&self, failure: &Failure) -> Error {
        let diagnostics: Vec<String> = match failure {
            Failure::Configuration(diagnostics) => diagnostics.iter().map(ToString::to_string).collect(),
            failure => {
                let error = failure.to_error();
                vec![format!("{error} {}", error.remedy).trim_end().to_owned()]
            }
        };
        for diagnostic in &diagnostics {
            tracing::error!("{diagnostic}");
        }
        tracing::error!(errors = diagnostics.len(), "the configuration stays as it was");
        let first = diagnostics
            .first()
            .and_then(|first| first.lines().next())
            .unwrap_or_default();
        let message = format!(
            "The new configuration was refused, with {}: {first}",
            counted(diagnostics.len() as u64, "error", "errors")
        );
        self.tell(Event::ReloadRefused { diagnostics });
        Error::config("configuration_invalid", message)
            .with_remedy("Nothing was changed. `longshore validate` shows every place; mend them and reload again.")
    }
}

/// What `longshore validate` does.
async fn check(host: Arc<PluginHost>, paths: Vec<PathBuf>, secrets: Secrets) -> Result<Configuration, Failure> {
    let configuration = loading::load(paths, secrets).await?;
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    for warning in session::validate(&host, &configuration).await? {
        tracing::warn!("{warning}");
    }
    Ok(configuration)
}
