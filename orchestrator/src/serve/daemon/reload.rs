//! Another configuration in place of the one before, whole or not at all.

use std::sync::Arc;

use longshore_config::{Configuration, Diagnostic, Loader};
use longshore_core::{Error, Result};

use super::Daemon;
use crate::serve::{handle::Event, plan};

impl Daemon {
    pub(super) async fn reload_by_signal(&mut self) {
        if let Err(error) = self.reload().await {
            tracing::error!(%error, code = error.code, remedy = error.remedy, "the configuration stays as it was");
        }
    }

    /// Loads the configuration again. Whatever is wrong with it, everything stays as it was.
    pub(super) async fn reload(&mut self) -> Result<()> {
        let configuration = match self.load() {
            Ok(configuration) => configuration,
            Err(diagnostics) => {
                let diagnostics: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
                for diagnostic in &diagnostics {
                    tracing::error!("{diagnostic}");
                }
                let count = diagnostics.len();
                self.tell(Event::ReloadRefused { diagnostics });
                return Err(refused(&format!(
                    "The configuration has {count} errors and was refused"
                )));
            }
        };
        let (before, after) = (&self.configuration.settings.state, &configuration.settings.state);
        if before != after {
            let message = format!("The state of a daemon that runs can not be moved from {before} to {after}");
            self.tell(Event::ReloadRefused {
                diagnostics: vec![message.clone()],
            });
            return Err(refused(&message).with_remedy("Restart it, or set `state` back."));
        }
        let stored = self.store.list_scheduled().await?;
        let concurrent_runs = usize::from(configuration.settings.serve.concurrent_runs);
        self.scheduler.reload(plan(&configuration), stored, concurrent_runs);
        let syncs = configuration.sources.len();
        self.configuration = Arc::new(configuration);
        self.refuse_forgotten_replays();
        self.learn_all().await?;
        tracing::info!(syncs, "the configuration was loaded anew");
        self.tell(Event::Reloaded);
        Ok(())
    }

    fn load(&self) -> Result<Configuration, Vec<Diagnostic>> {
        let loader = Loader::new().with_secrets(self.secrets.clone());
        let configuration = loader.load(&self.options.paths).map_err(|error| error.diagnostics)?;
        for warning in &configuration.warnings {
            tracing::warn!("{warning}");
        }
        Ok(configuration)
    }
}

fn refused(message: &str) -> Error {
    Error::config("configuration_invalid", message)
        .with_remedy("Nothing was changed. `longshore validate` shows every place; mend them and reload again.")
}
