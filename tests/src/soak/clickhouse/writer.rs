//! One client that inserts, again and again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::OVERLAP_SECONDS;
use crate::{ClickHouseDatabase, Result, shop::Target, soak::tally::Tally};

/// A client that writes.
pub(super) struct Writer<'a> {
    database: &'a ClickHouseDatabase,
    number: usize,
    chance: StdRng,
    tally: &'a Tally,
    /// The latest version of each of its profiles, by number. Nobody else touches them.
    versions: Vec<i64>,
    /// Events that it has inserted.
    events: i64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(database: &'a ClickHouseDatabase, number: usize, seed: u64, tally: &'a Tally) -> Self {
        Self {
            database,
            number,
            chance: StdRng::seed_from_u64(seed),
            tally,
            versions: Vec::new(),
            events: 0,
        }
    }

    pub(super) async fn write_until(mut self, stop: &CancellationToken) -> Result<()> {
        while !stop.is_cancelled() {
            match self.chance.random_range(0..100) {
                0..50 => self.insert_events().await?,
                50..97 => self.write_profiles().await?,
                _ => self.database.execute("OPTIMIZE TABLE profiles FINAL").await?,
            }
            let pause = Duration::from_millis(self.chance.random_range(50..900));
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Events under ids that no other writer uses; now and then many with one cursor.
    async fn insert_events(&mut self) -> Result<()> {
        let is_tie = self.chance.random_bool(0.004);
        let rows = if is_tie {
            1_000
        } else {
            self.chance.random_range(1..=12)
        };
        let moment = self.moment();
        let written = moment.format("%Y-%m-%d %H:%M:%S%.6f");
        let (number, first) = (self.number as i64, self.events);
        self.events += rows;
        let statement = format!(
            "INSERT INTO events SELECT {number} + 100 * ({first} + number), 'customer-1', 'happened', now64(6), '{written}' FROM numbers({rows})"
        );
        self.insert(Target::Events, rows, moment, &statement).await
    }

    /// New profiles and newer versions of known ones, in one part.
    async fn write_profiles(&mut self) -> Result<()> {
        let moment = self.moment();
        let written = moment.format("%Y-%m-%d %H:%M:%S%.6f");
        let rows = self.chance.random_range(1..=8);
        let mut values = Vec::new();
        for _ in 0..rows {
            if self.versions.is_empty() || self.chance.random_bool(0.3) {
                self.versions.push(0);
            }
            let profile = self.chance.random_range(0..self.versions.len());
            self.versions[profile] += 1;
            let (writer, version) = (self.number, self.versions[profile]);
            values.push(format!("('{writer}-{profile}', {version}, '{written}')"));
        }
        let statement = format!("INSERT INTO profiles VALUES {}", values.join(", "));
        self.insert(Target::Profiles, rows, moment, &statement).await
    }

    /// The time that rows carry: often some time before they are inserted.
    fn moment(&mut self) -> DateTime<Utc> {
        let late = match self.chance.random_bool(0.6) {
            true => 0,
            false => self.chance.random_range(0..i64::from(OVERLAP_SECONDS) * 1_000 / 3),
        };
        Utc::now() - TimeDelta::milliseconds(late)
    }

    /// Whatever a completed sync had read by now, it had read without these rows.
    async fn insert(&self, target: Target, rows: i64, moment: DateTime<Utc>, statement: &str) -> Result<()> {
        let is_late = self.tally.is_late(target, moment.timestamp_micros());
        self.database.execute(statement).await?;
        self.tally.add(|counts| {
            counts.rows += rows.unsigned_abs();
            counts.late_rows += if is_late { rows.unsigned_abs() } else { 0 };
            *counts.transactions.entry("inserted").or_default() += 1;
        });
        Ok(())
    }
}
