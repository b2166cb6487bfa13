//! The twenty syncs: their schedules, their tables, who writes to them, and what has to arrive.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use longshore_tests::{
    Context, Database, PROJECT_KEY, Result, SandboxProcess, USER,
    shop::{BATCH_KEY_VARIABLE, PASSWORD_VARIABLE},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

/// How many syncs there are.
pub(super) const SYNCS: usize = 20;

/// Destinations that they share: those that share one take turns.
const DESTINATIONS: usize = 5;

/// Rows of a table that are written again and again.
const ROWS: i32 = 40;

/// A schedule, and the minutes at which it is due, counted without it.
pub(super) struct Times {
    schedule: &'static str,
    /// Due at each minute since 1970 that leaves `phase` when it is divided by this.
    every: i64,
    phase: i64,
    pub(super) catches_up: bool,
}

const TIMES: [Times; 5] = [
    Times {
        schedule: "'*/10 * * * *'",
        every: 10,
        phase: 0,
        catches_up: true,
    },
    // 5:45 ahead of UTC, the year round: minutes 5, 20, 35 and 50 there are 20, 35, 50 and 5 here.
    Times {
        schedule: "{ cron: '5-59/15 * * * *', time_zone: Asia/Kathmandu }",
        every: 15,
        phase: 5,
        catches_up: true,
    },
    Times {
        schedule: "{ every: 12m, jitter: 4m }",
        every: 12,
        phase: 0,
        catches_up: true,
    },
    Times {
        schedule: "{ every: 15m, catch_up: skip }",
        every: 15,
        phase: 0,
        catches_up: false,
    },
    Times {
        schedule: "{ cron: '*/20 * * * *', time_zone: Europe/Paris, jitter: 2m, catch_up: skip }",
        every: 20,
        phase: 0,
        catches_up: false,
    },
];

pub(super) fn times_of(number: usize) -> &'static Times {
    &TIMES[number % TIMES.len()]
}

pub(super) fn name_of(number: usize) -> String {
    format!("sync-{number:02}")
}

impl Times {
    /// The due times after the first instant, up to the second.
    pub(super) fn between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let minute = |at: DateTime<Utc>| at.timestamp().div_euclid(60);
        (minute(after) + 1..=minute(until))
            .filter(|minute| (minute - self.phase) % self.every == 0)
            .map(|minute| DateTime::from_timestamp(60 * minute, 0).unwrap())
            .collect()
    }
}

/// Twenty small tables.
pub(super) struct Tables {
    database: Database,
}

impl Tables {
    pub(super) async fn make(database: Database) -> Result<Self> {
        let statements: String = (0..SYNCS)
            .map(|number| {
                format!(
                    "CREATE TABLE visits_{number:02} (custom_id text PRIMARY KEY, visits bigint NOT NULL, last_updated_at timestamptz NOT NULL);
                     CREATE INDEX ON visits_{number:02} (last_updated_at, custom_id);
                     INSERT INTO visits_{number:02} SELECT '{number:02}-' || row, 0, clock_timestamp() FROM generate_series(1, {ROWS}) AS row;"
                )
            })
            .collect();
        database.execute(&statements).await?;
        Ok(Self { database })
    }

    pub(super) fn configuration(&self, sandbox: &SandboxProcess) -> String {
        let (port, database) = (self.database.port(), self.database.name());
        let sources = (0..SYNCS).map(|number| {
            format!(
                "kind: source\nspec:\n  name: {}\n  path: postgresql\n  tables: [visits_{number:02}]\n  destinations: [batch-{}]\n  schedule: {}\n  \
                 spec:\n    host: 127.0.0.1\n    port: {port}\n    database: {database}\n    username: {USER}\n    \
                 password: ${{{PASSWORD_VARIABLE}}}\n    cursor: last_updated_at\n---\n",
                name_of(number),
                number % DESTINATIONS,
                times_of(number / 4).schedule,
            )
        });
        let destinations = (0..DESTINATIONS).map(|number| {
            format!(
                "kind: destination\nspec:\n  name: batch-{number}\n  path: batch\n  spec:\n    target: profile_attributes\n    base_url: {}\n    \
                 project_key: {PROJECT_KEY}\n    rest_api_key: ${{{BATCH_KEY_VARIABLE}}}\n    rate_limit: {{ unlimited: true }}\n---\n",
                sandbox.base_url()
            )
        });
        let settings = "kind: settings\nspec: { serve: { concurrent_runs: 4 } }\n".to_owned();
        sources.chain(destinations).chain([settings]).collect()
    }

    /// Writes rows until it is stopped: single ones, and now and then several in a transaction that stays open for a while, so that rows appear later than
    /// their cursors say.
    pub(super) fn write(&self, seed: u64) -> Writing {
        let stop = CancellationToken::new();
        let (stopped, database) = (stop.clone(), self.database.clone());
        let mut chance = StdRng::seed_from_u64(seed);
        let task = tokio::spawn(async move {
            let connection = database.connect().await?;
            while !stopped.is_cancelled() {
                let slow = chance.random_bool(0.05);
                let statements = if slow { 4 } else { 1 };
                connection
                    .batch_execute("BEGIN")
                    .await
                    .context("a transaction can begin")?;
                for _ in 0..statements {
                    let table = chance.random_range(0..SYNCS);
                    let row = chance.random_range(1..=2 * ROWS);
                    let statement = format!(
                        "INSERT INTO visits_{table:02} VALUES ('{table:02}-{row}', 1, clock_timestamp())
                         ON CONFLICT (custom_id) DO UPDATE SET visits = visits_{table:02}.visits + 1, last_updated_at = clock_timestamp()"
                    );
                    connection
                        .batch_execute(&statement)
                        .await
                        .context("a row can be written")?;
                    if slow {
                        sleep(Duration::from_millis(chance.random_range(0..200))).await;
                    }
                }
                connection
                    .batch_execute("COMMIT")
                    .await
                    .context("a transaction can end")?;
                sleep(Duration::from_millis(chance.random_range(0..40))).await;
            }
            Ok(())
        });
        Writing { stop, task }
    }

    /// The sandbox holds what the tables hold, and nothing else.
    pub(super) async fn assert_delivered(&self, sandbox: &SandboxProcess) -> Result<()> {
        let connection = self.database.connect().await?;
        let mut expected = BTreeMap::new();
        for number in 0..SYNCS {
            let query = format!("SELECT custom_id, visits FROM visits_{number:02}");
            for row in connection.query(&query, &[]).await.context("the tables can be read")? {
                expected.insert(row.get::<_, String>(0), row.get::<_, i64>(1));
            }
        }
        assert!(expected.values().sum::<i64>() > 300, "there was writing: {expected:?}");
        let profiles = sandbox.profiles().await?.into_iter();
        let received: BTreeMap<String, i64> = profiles
            .map(|profile| {
                let visits = profile.attributes.get("visits").and_then(serde_json::Value::as_i64);
                (profile.custom_id, visits.unwrap_or(-1))
            })
            .collect();
        let differences: Vec<_> = expected
            .iter()
            .filter(|(id, visits)| received.get(*id) != Some(visits))
            .map(|(id, visits)| format!("{id}: {visits} in the table, {:?} at the sandbox", received.get(id)))
            .collect();
        assert!(differences.is_empty(), "{differences:#?}");
        assert_eq!(expected.len(), received.len(), "the sandbox holds what no table has");
        Ok(())
    }
}

/// Somebody who writes.
pub(super) struct Writing {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Writing {
    pub(super) async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.task.await.context("the writer does not panic")?
    }
}
