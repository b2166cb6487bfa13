//! One connection that writes transaction after transaction.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::statement::{Profiles, Statement, Written};
use crate::{Connection, Context, Result, soak::tally::Tally};

/// What kind of transactions a writer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temper {
    /// Short ones, many of them.
    Lively,
    /// Long ones, over which several syncs come and go.
    Slow,
    /// Such that are prepared first and end some time later.
    TwoPhase,
    /// Single statements of thousands of rows with one cursor.
    Bulk,
}

impl Temper {
    /// The longest pauses, in milliseconds: within a transaction, and between two.
    fn pauses(self) -> (u64, u64) {
        match self {
            Self::Lively => (60, 400),
            Self::Slow => (2_500, 1_000),
            Self::TwoPhase => (100, 1_500),
            Self::Bulk => (10, 9_000),
        }
    }
}

/// A connection that writes.
pub(super) struct Writer<'a> {
    connection: Connection,
    temper: Temper,
    chance: StdRng,
    profiles: Profiles,
    tally: &'a Tally,
    transactions: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(connection: Connection, number: usize, temper: Temper, seed: u64, tally: &'a Tally) -> Self {
        let profiles = Profiles {
            writer: number,
            used: 0,
        };
        Self {
            connection,
            temper,
            chance: StdRng::seed_from_u64(seed),
            profiles,
            tally,
            transactions: 0,
        }
    }

    /// Writes until told to stop; the transaction in hand comes to its end.
    pub(super) async fn write_until(mut self, stop: &CancellationToken) -> Result<()> {
        let (_, between) = self.temper.pauses();
        while !stop.is_cancelled() {
            self.transaction().await?;
            let pause = self.pause(between);
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }

    async fn transaction(&mut self) -> Result<()> {
        self.run("BEGIN").await?;
        let mut written = Vec::new();
        for _ in 0..self.statements() {
            if self.temper != Temper::Bulk && self.chance.random_bool(0.2) {
                written.extend(self.savepoint().await?);
            } else {
                written.push(self.statement().await?);
            }
            let (within, _) = self.temper.pauses();
            let pause = self.pause(within);
            sleep(pause).await;
        }
        let ending = self.end(&written).await?;
        self.transactions += 1;
        self.tally
            .add(|counts| *counts.transactions.entry(ending).or_default() += 1);
        Ok(())
    }

    /// What was written under a savepoint, unless that was taken back.
    async fn savepoint(&mut self) -> Result<Vec<Written>> {
        self.run("SAVEPOINT inner_work").await?;
        let mut written = Vec::new();
        for _ in 0..self.chance.random_range(1..=2) {
            written.push(self.statement().await?);
        }
        if self.chance.random_bool(0.4) {
            self.run("ROLLBACK TO SAVEPOINT inner_work").await?;
            written.clear();
        }
        self.run("RELEASE SAVEPOINT inner_work").await?;
        Ok(written)
    }

    /// Ends the transaction in one of the ways there are.
    async fn end(&mut self, written: &[Written]) -> Result<&'static str> {
        if self.chance.random_bool(0.15) {
            self.run("ROLLBACK").await?;
            return Ok("rolled back");
        }
        if self.temper != Temper::TwoPhase {
            self.count(written);
            self.run("COMMIT").await?;
            return Ok("committed");
        }
        let name = format!("{}-{}", self.profiles.writer, self.transactions);
        self.run(&format!("PREPARE TRANSACTION '{name}'")).await?;
        let pause = self.pause(6_000);
        sleep(pause).await;
        if self.chance.random_bool(0.2) {
            self.run(&format!("ROLLBACK PREPARED '{name}'")).await?;
            return Ok("prepared and rolled back");
        }
        self.count(written);
        self.run(&format!("COMMIT PREPARED '{name}'")).await?;
        Ok("prepared and committed")
    }

    /// Counts what a commit that is about to be sent makes visible. Whatever a completed sync had read by now, it had read without these rows.
    fn count(&self, written: &[Written]) {
        for Written { target, rows, cursor } in written {
            let is_late = cursor.is_some_and(|cursor| self.tally.is_late(*target, cursor));
            self.tally.add(|counts| {
                counts.rows += rows;
                counts.late_rows += if is_late { *rows } else { 0 };
            });
        }
    }

    async fn statement(&mut self) -> Result<Written> {
        let statement = match self.temper {
            Temper::Bulk => Statement::bulk(&mut self.chance, &mut self.profiles),
            _ => Statement::small(&mut self.chance, &mut self.profiles),
        };
        statement.execute(&self.connection).await
    }

    fn statements(&mut self) -> u32 {
        match self.temper {
            Temper::Bulk => 1,
            _ => self.chance.random_range(1..=5),
        }
    }

    fn pause(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.chance.random_range(0..most))
    }

    async fn run(&self, command: &str) -> Result<()> {
        self.connection
            .batch_execute(command)
            .await
            .context(format!("a writer can not {command}"))
    }
}
