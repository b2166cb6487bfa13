//! Which rejects a person means.

use clap::Args;
use longshore_core::Error;
use longshore_state::{RejectFilter, RejectStatus, StateStore};

use crate::history::{require_sync, run_called};

/// What a reject must have to be meant; what is not given does not restrict.
#[derive(Args, Clone, Default)]
pub(crate) struct Filters {
    /// Of this sync only.
    #[arg(long)]
    pub(crate) sync: Option<String>,
    /// Of this table only.
    #[arg(long)]
    pub(crate) table: Option<String>,
    /// Refused by this destination only.
    #[arg(long)]
    pub(crate) destination: Option<String>,
    /// Recorded by this run only: its id, or `last`.
    #[arg(long)]
    pub(crate) run: Option<String>,
    /// Under this rule only.
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// About this column only.
    #[arg(long)]
    pub(crate) column: Option<String>,
    /// Only those that stand there: pending, redelivered, superseded, filtered or discarded.
    #[arg(long)]
    pub(crate) status: Option<RejectStatus>,
}

impl Filters {
    /// As the store takes them. A sync that is `configured` need not have been run.
    ///
    /// # Errors
    /// `sync_unknown`, `run_unknown`: an empty answer would look like one.
    pub(crate) async fn resolve(&self, store: &dyn StateStore, configured: &[String]) -> Result<RejectFilter, Error> {
        let run_id = match &self.run {
            Some(run) => Some(run_called(store, run).await?.run.run_id),
            None => None,
        };
        if let Some(sync) = self.sync.as_ref().filter(|&sync| !configured.contains(sync)) {
            require_sync(store, sync).await?;
        }
        Ok(RejectFilter {
            sync: self.sync.clone(),
            table: self.table.clone(),
            destination: self.destination.clone(),
            run_id,
            rule: self.rule.clone(),
            column: self.column.clone(),
            status: self.status,
            ..RejectFilter::default()
        })
    }

    /// Whether anything is restricted.
    pub(crate) fn is_empty(&self) -> bool {
        let restricted = [
            &self.sync,
            &self.table,
            &self.destination,
            &self.run,
            &self.rule,
            &self.column,
        ];
        restricted.into_iter().all(Option::is_none) && self.status.is_none()
    }

    /// Whether they mean rejects that something has come of already.
    pub(crate) fn means_resolved(&self) -> bool {
        self.status.is_some_and(|status| status != RejectStatus::Pending)
    }
}
