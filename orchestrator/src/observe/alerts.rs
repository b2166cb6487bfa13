//! Alerts by webhook: a condition of a sync is told of once when it begins to hold, and once when it does not any more.
//!
//! | module | what it is |
//! |---|---|
//! | [`condition`] | which conditions hold after what has happened. Pure |
//! | [`step`] | what is to be told, by what was told before. Pure |
//! | [`message`] | what is told, as JSON |
//! | [`webhook`] | the request, with time-out and retries |
//!
//! What is to be told is stored before it is sent, and marked as told once it has arrived: a restart forgets nothing, and repeats at most what had arrived without
//! our hearing of it.

pub mod condition;
pub mod message;
pub mod step;
pub mod webhook;

use std::{collections::BTreeMap, sync::Arc};

use longshore_config::{Alerts, Secrets, Source};
use longshore_core::Result;
use longshore_state::{StateStore, StoredAlert, UnixMicros};

use super::metrics::Metrics;
use crate::in_clear;
use condition::{Condition, Ended, Verdicts};
use message::Message;
use step::{Known, Step};
use webhook::{Patience, Sender};

/// Tells of conditions. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Alerter {
    store: Arc<dyn StateStore>,
    secrets: Secrets,
    metrics: Metrics,
    sender: Sender,
}

impl Alerter {
    /// An alerter whose conditions are kept in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn StateStore>, secrets: Secrets, metrics: Metrics) -> Self {
        Self {
            store,
            secrets,
            metrics,
            sender: Sender::default(),
        }
    }

    /// A sync ended: tells what follows from it, also from its lag.
    ///
    /// # Errors
    /// Those of the store. A webhook that does not answer is no error: it is tried again with the next call.
    pub async fn run_ended(&self, source: &Source, ended: &Ended, now: UnixMicros, patience: Patience) -> Result<()> {
        let Some(rules) = &source.spec.alerts else {
            return self.forget(&source.spec.name).await;
        };
        let mut verdicts = condition::after_a_run(rules, ended);
        match self.lag(source, rules, now).await {
            Ok(lag) => verdicts.extend(lag),
            // What is known of the run is told all the same.
            Err(error) => tracing::warn!(sync = source.spec.name, %error, "the lag of its tables is not known"),
        }
        self.settle(source, rules, verdicts, now, patience).await
    }

    /// Time has passed: tells what follows from it, and what could not be told before.
    ///
    /// # Errors
    /// As [`run_ended`](Self::run_ended).
    pub async fn time_passed(&self, source: &Source, now: UnixMicros, patience: Patience) -> Result<()> {
        let Some(rules) = &source.spec.alerts else {
            return self.forget(&source.spec.name).await;
        };
        let verdicts = self.lag(source, rules, now).await?;
        self.settle(source, rules, verdicts, now, patience).await
    }

    /// By what the state says: another process may have run the sync too.
    async fn lag(&self, source: &Source, rules: &Alerts, now: UnixMicros) -> Result<Verdicts> {
        if rules.max_lag.is_some() {
            let sync = &source.spec.name;
            self.metrics.know_cursors(self.store.as_ref(), sync).await?;
        }
        let tables = self.metrics.cursors().at(now);
        let of_sync = tables.into_iter().filter(|table| table.sync == source.spec.name);
        Ok(condition::of_lag(rules, of_sync.map(|table| (table.table, table.lag))))
    }

    /// Nobody wants to be told of this sync any more.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget(&self, sync: &str) -> Result<()> {
        for alert in self.store.list_alerts(Some(sync)).await? {
            self.store.remove_alert(sync, &alert.condition).await?;
            self.metrics.alert(sync, &alert.condition, false);
        }
        Ok(())
    }

    async fn settle(
        &self,
        source: &Source,
        rules: &Alerts,
        verdicts: Verdicts,
        now: UnixMicros,
        patience: Patience,
    ) -> Result<()> {
        let sync = &source.spec.name;
        let stored = self.store.list_alerts(Some(sync)).await?;
        let mut stored: BTreeMap<String, StoredAlert> = stored
            .into_iter()
            .map(|alert| (alert.condition.clone(), alert))
            .collect();
        for (condition, verdict) in verdicts {
            let known = stored.get(condition.name());
            let step = step::step(known.map(Known::of), verdict.is_some());
            let known_since = known.map(|known| known.since);
            let message = Message {
                sync,
                condition,
                firing: verdict.is_some(),
                since: known_since.unwrap_or(now),
                at: now,
                details: verdict,
            };
            if let Some(alert) = self.take(&step, message, now).await? {
                stored.insert(condition.name().to_owned(), alert);
            } else if step != Step::Stay {
                stored.remove(condition.name());
            }
        }
        for condition in Condition::ALL {
            let fires = stored.get(condition.name()).is_some_and(|alert| alert.firing);
            self.metrics.alert(sync, condition.name(), fires);
        }
        if patience == Patience::NONE {
            return Ok(());
        }
        for alert in stored.into_values().filter(|alert| !alert.told) {
            self.tell(rules, alert, patience).await?;
        }
        Ok(())
    }

    /// Stores a step; what is stored then, where that is something new.
    async fn take(&self, step: &Step, message: Message<'_>, now: UnixMicros) -> Result<Option<StoredAlert>> {
        let (sync, condition) = (message.sync, message.condition.name());
        let (firing, told) = match step {
            Step::Stay => return Ok(None),
            Step::Forget => {
                self.store.remove_alert(sync, condition).await?;
                return Ok(None);
            }
            Step::Tell { firing } => (*firing, false),
            Step::TakeBack => (true, true),
        };
        let mut message = message.to_json();
        in_clear::redact(&self.secrets, &mut message);
        let alert = StoredAlert {
            sync: sync.to_owned(),
            condition: condition.to_owned(),
            firing,
            since: now,
            told,
            message,
        };
        self.store.set_alert(alert.clone()).await?;
        Ok(Some(alert))
    }

    async fn tell(&self, rules: &Alerts, alert: StoredAlert, patience: Patience) -> Result<()> {
        let (sync, condition) = (alert.sync.clone(), alert.condition.clone());
        match self.sender.send(rules.url.reveal(), &alert.message, patience).await {
            Ok(()) => {
                self.metrics.alert_sent(&sync, true);
                match alert.firing {
                    true => self.store.set_alert(StoredAlert { told: true, ..alert }).await,
                    false => self.store.remove_alert(&sync, &condition).await,
                }
            }
            Err(why) => {
                self.metrics.alert_sent(&sync, false);
                tracing::warn!(sync, condition, %why, "an alert did not reach its webhook; it is tried again later");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
