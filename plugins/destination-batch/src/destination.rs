//! The plugin: what Longshore calls.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::Utc;
use longshore_sdk::{arrow::array::RecordBatch, destination::Preview, prelude::*};
use tracing::info;

use crate::{
    age, checks,
    dry_run::{self, DryRuns},
    mapping::TablePlan,
    preview::preview,
    sender::{self, LINGER, Writing},
    sending::{client::Client, delivery::Origin, pacer::Pacer, project::Project, request::Endpoint},
    spec::{EndpointChoice, Spec, Target},
};

/// Rows of a batch that go to `/profiles/update`: a few requests' worth, so that progress shows and a resumed run repeats little.
const UPDATE_BATCH_ROWS: u64 = 1_000;
/// Rows of a batch however slow the rate: below, a batch costs more than it saves.
const FEWEST_BATCH_ROWS: u64 = 100;
/// Seconds of sending that may be unacked where the rate sets the pace.
const PACED_SECONDS: u32 = 3;
/// Rows of a batch that go to `/profiles/mass-update`.
const MASS_UPDATE_BATCH_ROWS: u64 = 10_000;

/// The destination `batch`.
#[derive(Debug)]
pub struct BatchDestination {
    spec: Spec,
    project: Project,
    /// The endpoint that `prepare` chose for a table.
    endpoints: Mutex<HashMap<String, Endpoint>>,
    dry_runs: DryRuns,
}

impl Destination for BatchDestination {
    const NAME: &'static str = "batch";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const CAPABILITIES: DestinationCapabilities = DestinationCapabilities {
        write_modes: &[WriteMode::Append, WriteMode::Overwrite],
        delete_stale: false,
        preview: true,
        dry_run: true,
        reports_superseded: true,
    };

    type Spec = Spec;

    fn configure(spec: Spec) -> Result<Self> {
        let base = spec.check()?;
        let client = Client::new(&spec, base)?;
        let project = Project::new(&spec, client);
        Ok(Self {
            spec,
            project,
            endpoints: Mutex::default(),
            dry_runs: DryRuns::default(),
        })
    }

    async fn test_connection(&self) -> Vec<Check> {
        checks::test_connection(&self.project, self.spec.test_custom_id.as_deref()).await
    }

    async fn prepare(&self, run_id: &str, tables: Vec<TableToPrepare>) -> Result<Vec<PreparedTable>> {
        self.project.start_again();
        if tables.iter().any(|asked| asked.dry_run) {
            self.dry_runs.begin(run_id, Utc::now());
        }
        tables.iter().map(|asked| self.prepare_table(asked)).collect()
    }

    async fn write(&self, partition: WritePartition, batches: BatchReceiver, acks: AckSender) -> Result<()> {
        check_write_mode(self.spec.target, Some(partition.write_mode), &partition.table.name)?;
        let chosen = self
            .endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&partition.table.name)
            .copied();
        let endpoint = chosen.unwrap_or_else(|| self.choose_endpoint(partition.table.estimated_rows).0);
        let writing = Writing {
            plan: Arc::new(TablePlan::new(&partition.table, &self.spec)?),
            endpoint,
            origin: Origin::of(&partition),
            linger: self.spec.requests.linger.map_or(LINGER, |linger| linger.0),
            concurrency: self.spec.concurrency as usize,
            hold_uncertain: partition.hold_uncertain,
        };
        // A run that was prepared as a dry one stays one, whatever a stream of it says.
        let written = match self.dry_runs.of(&partition.run_id) {
            Some(dry_run) => {
                dry_run::write(&dry_run, &self.project, &self.spec.rate_limit, writing, batches, acks).await
            }
            None if partition.dry_run => Err(Error::protocol(
                "dry_run_unprepared",
                "A stream of a dry run came without the run being prepared as one",
            )),
            None => sender::write(&self.project, writing, batches, acks).await,
        };
        written.map_err(|error| error.with_table(&partition.table.name))
    }

    async fn preview(&self, table: Table, batches: Vec<RecordBatch>) -> Result<Preview> {
        let plan = Arc::new(TablePlan::new(&table, &self.spec)?);
        let (endpoint, _) = self.choose_endpoint(table.estimated_rows);
        preview(
            &plan,
            &batches,
            self.project.client.url(endpoint),
            self.project.request_limits(endpoint),
            Utc::now(),
        )
    }

    async fn estimate(&self, run_id: &str) -> Result<Estimate> {
        let dry_run = self.dry_runs.of(run_id).ok_or_else(|| {
            Error::protocol(
                "dry_run_unknown",
                format!("The run {run_id} was not prepared as a dry run"),
            )
        })?;
        Ok(dry_run.estimate(&self.spec.rate_limit))
    }
}

impl BatchDestination {
    fn prepare_table(&self, asked: &TableToPrepare) -> Result<PreparedTable> {
        let name = &asked.table.name;
        let write_mode = check_write_mode(self.spec.target, asked.write_mode, name)?;
        let plan = TablePlan::new(&asked.table, &self.spec)?;
        let (endpoint, reason) = self.choose_endpoint(asked.expected_rows);
        info!(table = %name, target = self.spec.target.name(), endpoint = endpoint.path(), reason, attributes = plan.attributes.len(), "table prepared");
        self.endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), endpoint);
        let is_events = self.spec.target == Target::ProfileEvents;
        Ok(PreparedTable {
            name: name.clone(),
            write_mode,
            redelivery_is_idempotent: !is_events,
            preferred_batch_rows: Some(self.batch_rows(endpoint, is_events)),
            preferred_unacked_rows: is_events.then(|| self.unacked_events(endpoint)),
            age_limit: age::limit(&plan, Utc::now()),
            identity_column: (!is_events).then(|| plan.column_name(plan.custom_id)),
            warnings: plan.warnings,
        })
    }

    /// Events that are paced come in batches of about a second's worth: what is on its way at a crash counts in batches.
    fn batch_rows(&self, endpoint: Endpoint, is_events: bool) -> u64 {
        let at_full_speed = match endpoint {
            Endpoint::Update => UPDATE_BATCH_ROWS,
            Endpoint::MassUpdate => MASS_UPDATE_BATCH_ROWS,
        };
        match self.seconds_worth(endpoint, 1).filter(|_| is_events) {
            Some(rows) => rows.clamp(FEWEST_BATCH_ROWS, at_full_speed),
            None => at_full_speed,
        }
    }

    /// What keeps every request that may be in flight full, and the next one of each in preparation: more would widen what a crash leaves uncertain, less
    /// would leave the API idle. Where the rate sets the pace, less is enough: what can be sent in [`PACED_SECONDS`], so that a run that is
    /// cancelled can still be acked in full.
    fn unacked_events(&self, endpoint: Endpoint) -> u64 {
        let operations = self.project.request_limits(endpoint).operations as u64;
        let in_flight = operations * u64::from(self.spec.concurrency) * 2;
        let paced = self.seconds_worth(endpoint, PACED_SECONDS).unwrap_or(u64::MAX);
        in_flight.min(paced).max(2 * self.batch_rows(endpoint, true))
    }

    /// Updates that the rate allows in so many seconds; `None` without a rate.
    fn seconds_worth(&self, endpoint: Endpoint, seconds: u32) -> Option<u64> {
        let rates = Some(&self.spec.rate_limit).filter(|rates| !rates.unlimited)?;
        let (_, per_second) = Pacer::rate(rates, endpoint);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the specification allows no rate below 0; a cast saturates"
        )]
        Some((per_second * f64::from(seconds)).ceil() as u64)
    }

    /// The endpoint, and why.
    fn choose_endpoint(&self, expected_rows: Option<u64>) -> (Endpoint, &'static str) {
        match (self.spec.endpoint, self.spec.target) {
            (EndpointChoice::Update, _) => (Endpoint::Update, "configured"),
            (EndpointChoice::MassUpdate, _) => (Endpoint::MassUpdate, "configured"),
            (EndpointChoice::Auto, Target::ProfileEvents) => (Endpoint::Update, "events are to arrive quickly"),
            (EndpointChoice::Auto, Target::ProfileAttributes) => match expected_rows {
                Some(rows) if rows > self.spec.auto_mass_update_rows => {
                    (Endpoint::MassUpdate, "more rows expected than auto_mass_update_rows")
                }
                Some(_) => (Endpoint::Update, "no more rows expected than auto_mass_update_rows"),
                None => (Endpoint::Update, "the number of rows is not known"),
            },
        }
    }
}

/// A profile is always an upsert, an event always an addition.
fn check_write_mode(target: Target, asked: Option<WriteMode>, table: &str) -> Result<WriteMode> {
    let natural = match target {
        Target::ProfileAttributes => WriteMode::Overwrite,
        Target::ProfileEvents => WriteMode::Append,
    };
    match asked {
        Some(mode) if mode != natural => {
            let message = format!(
                "The target {} can not be written with write_mode: {}",
                target.name(),
                mode.name()
            );
            let remedy = format!("Set write_mode: {}, or leave it out.", natural.name());
            Err(Error::config("write_mode_unsupported", message)
                .with_table(table)
                .with_remedy(remedy))
        }
        _ => Ok(natural),
    }
}

#[cfg(test)]
mod tests {
    use longshore_sdk::arrow::datatypes::{DataType, Field, Schema};
    use serde_json::json;

    use super::*;

    fn destination(changes: &serde_json::Value) -> BatchDestination {
        let mut spec = json!({ "target": "profile_events", "project_key": "p", "rest_api_key": "r", "base_url": "http://127.0.0.1:9" });
        for (key, value) in changes.as_object().unwrap() {
            spec[key] = value.clone();
        }
        BatchDestination::configure(serde_json::from_value(spec).unwrap()).unwrap()
    }

    fn events() -> TableToPrepare {
        let columns = ["custom_id", "event_name", "event_time"].map(|name| Field::new(name, DataType::Utf8, true));
        let table = Table::new("events", Arc::new(Schema::new(columns.to_vec())));
        TableToPrepare {
            table,
            write_mode: None,
            migrate_mode: MigrateMode::Safe,
            expected_rows: Some(10_000_000),
            dry_run: false,
        }
    }

    #[tokio::test]
    async fn events_go_to_update_and_keep_the_uncertain_window_small() {
        let prepared = destination(&json!({}))
            .prepare("run", vec![events()])
            .await
            .unwrap()
            .remove(0);
        assert_eq!(
            (prepared.preferred_batch_rows, prepared.preferred_unacked_rows),
            (Some(300), Some(900)),
            "one and three seconds' worth of the documented rate"
        );
        let unlimited = destination(&json!({ "rate_limit": { "unlimited": true } }));
        let prepared = unlimited.prepare("run", vec![events()]).await.unwrap().remove(0);
        assert_eq!(
            (prepared.preferred_batch_rows, prepared.preferred_unacked_rows),
            (Some(1_000), Some(3_200))
        );
        assert_eq!(prepared.warnings, Vec::<String>::new());
    }

    #[test]
    fn the_endpoint_can_be_chosen() {
        let mass_update = destination(&json!({ "endpoint": "mass_update" }));
        assert_eq!(mass_update.choose_endpoint(None).0, Endpoint::MassUpdate);
        let attributes = destination(&json!({ "target": "profile_attributes" }));
        assert_eq!(attributes.choose_endpoint(Some(1_000_000)).0, Endpoint::Update);
        assert_eq!(attributes.choose_endpoint(Some(1_000_001)).0, Endpoint::MassUpdate);
        assert_eq!(attributes.choose_endpoint(None).0, Endpoint::Update);
    }
}
