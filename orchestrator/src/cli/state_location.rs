//! Where the commands that look into the state find it.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use longshore_config::{StateLocation, without_credentials};
use longshore_core::Error;
use longshore_state::StateStore;

use super::Context;
use crate::{failure::Failure, loading};

/// Where the state is.
#[derive(Args, Clone)]
pub(super) struct StateArguments {
    /// Take the state's location from this configuration; may be given several times. Without it, `sqlite:.longshore/state.db`.
    #[arg(long = "config", value_name = "CONFIGURATION", conflicts_with = "state")]
    configuration: Vec<PathBuf>,
    /// Where the state is.
    #[arg(long, env = "LONGSHORE_STATE", hide_env_values = true, value_name = "sqlite:PATH")]
    state: Option<String>,
}

impl StateArguments {
    /// Where the state is. Of a configuration the settings alone are looked at: what is stored holds no secret, so none is needed to show it.
    pub(super) async fn location(&self, context: &Context) -> Result<StateLocation, Failure> {
        if !self.configuration.is_empty() {
            let loaded = loading::load_settings(self.configuration.clone(), context.secrets.clone());
            return tokio::select! {
                loaded = loaded => Ok(loaded?.state),
                () = context.cancel.cancelled() => Err(Failure::Cancelled),
            };
        }
        match &self.state {
            Some(text) => Ok(text.parse().map_err(|error| {
                let message = format!("`{}` is no place for state", without_credentials(text));
                Error::config("state_location", message).with_cause(&error)
            })?),
            None => Ok(StateLocation::default()),
        }
    }

    /// Opens the state.
    pub(super) async fn open(&self, context: &Context) -> Result<Arc<dyn StateStore>, Failure> {
        let location = self.location(context).await?;
        if !self.configuration.is_empty() {
            return Ok(longshore_state::open(&location.to_string()).await?);
        }
        // Looking must not make anything: a missing file more likely is a wrong directory.
        if !location.sqlite_path().is_file() {
            return Err(
                Error::config("state_missing", format!("There is no state at {location}"))
                    .with_remedy("Run this where `longshore sync` was run, or name the place with --state or --config.")
                    .into(),
            );
        }
        Ok(longshore_state::open(&location.to_string()).await?)
    }
}
