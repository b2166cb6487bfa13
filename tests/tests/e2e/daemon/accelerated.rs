//! An hour and a half of schedules in a minute and a half, with a daemon that is killed at random: every due time is done once, and nothing is lost.
//!
//! Twenty syncs of small PostgreSQL tables, written to all the while, into one sandbox. Which due times there are is counted in whole minutes here, by nothing
//! that the daemon uses.

mod account;
mod syncs;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use longshore_tests::{
    Context, Longshore, PostgresCluster, Result, RunningLongshore, SandboxOptions, SandboxProcess, eventually,
    shop::Configuration,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use account::Account;
use syncs::{SYNCS, Tables};

/// How many times as fast as the system's the daemon's clock runs.
const FACTOR: i32 = 60;

/// How long the daemon is killed again and again; twice that where no kill has hit a run by then.
const TROUBLE: Duration = Duration::from_secs(60);

/// Each sync is due within twenty minutes of the daemon's clock; what is left is for a machine that is busy.
const COMES_TO_REST_WITHIN: Duration = Duration::from_secs(120);

/// Between two looks at what the daemon has decided.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The clock that the daemon goes by.
#[derive(Clone, Copy)]
struct TestClock {
    base: DateTime<Utc>,
}

impl TestClock {
    fn now(self) -> DateTime<Utc> {
        self.base + (Utc::now() - self.base) * FACTOR
    }

    fn option(self) -> String {
        format!("{FACTOR}@{}", self.base.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

#[tokio::test]
async fn twenty_syncs_do_every_due_time_once_under_a_daemon_that_is_killed_again_and_again() -> Result<()> {
    let seed = std::env::var("LONGSHORE_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("LONGSHORE_TEST_SEED={seed} makes the same choices again");
    let mut chance = StdRng::seed_from_u64(seed);

    let database = PostgresCluster::shared().await?.create_database().await?;
    let tables = Tables::make(database).await?;
    let sandbox = SandboxProcess::start(SandboxOptions::default()).await?;
    let mut longshore = Longshore::new()?;
    for (name, value) in Configuration::variables() {
        longshore.set_variable(name, value);
    }
    longshore.write("longshore.yml", &tables.configuration(&sandbox))?;
    // Runs of a tenth of a second are hard to hit: some of the requests take longer.
    let slow = serde_json::json!([{ "kind": "slow", "ms": 600, "applied": true, "probability": 0.3 }]);
    sandbox.set_faults(slow).await?;

    let clock = TestClock { base: Utc::now() };
    let mut daemon = start(&longshore, clock).await?;
    let started_by = clock.now();
    let writing = tables.write(chance.random());
    let mut kills = 0;
    let trouble_ends = Instant::now() + TROUBLE;
    // Which kill hits a run is chance: it goes on until one has, within a bound.
    while Instant::now() < trouble_ends
        || (Instant::now() < trouble_ends + TROUBLE && Account::open(&longshore).await?.gone_on_with() == 0)
    {
        sleep(Duration::from_millis(chance.random_range(1_000..5_000))).await;
        if chance.random_bool(0.7) {
            // In the middle of a run, if there is one soon.
            let runs = async || (!daemon.plugins().is_empty()).then_some(());
            eventually("a plugin runs", Duration::from_secs(3), runs).await.ok();
            // Runs are short: half of the kills come as soon as there is one.
            let wait = if chance.random_bool(0.5) { 40 } else { 400 };
            sleep(Duration::from_millis(chance.random_range(0..wait))).await;
        }
        daemon.signal(Signal::KILL)?;
        daemon.finish().await?;
        kills += 1;
        sleep(Duration::from_millis(chance.random_range(0..1_500))).await;
        daemon = start(&longshore, clock).await?;
    }
    sandbox.clear_faults().await?;
    writing.stop().await?;
    let quiet_since = clock.now();

    eventually(
        "every sync has run since the last row was written",
        COMES_TO_REST_WITHIN,
        async || {
            sleep(LOOK_EVERY).await;
            let account = Account::open(&longshore).await.ok()?;
            (0..SYNCS)
                .all(|number| account.has_run_since(number, quiet_since))
                .then_some(())
        },
    )
    .await
    .context(format!("what the daemon said last:\n{}", last_words(&longshore).await))?;
    daemon.signal(Signal::TERM)?;
    let ended = daemon.finish().await?;
    assert_eq!(ended.code(), Some(0), "{ended}");

    tables.assert_delivered(&sandbox).await?;
    let account = Account::open(&longshore).await?;
    account.assert_every_due_time_done_once(started_by, quiet_since);
    let resumed = account.assert_each_run_did_one_turn();
    println!(
        "{kills} kills; {}; {resumed} runs were gone on with",
        account.in_words()
    );
    assert!(kills >= 5, "{kills} kills");
    assert!(resumed > 0, "none of {kills} kills hit a run");
    longshore.leaves_nothing_running().await
}

async fn start(longshore: &Longshore, clock: TestClock) -> Result<RunningLongshore> {
    let daemon = longshore.start(["serve", "--test-clock", &clock.option()])?;
    eventually("the daemon serves", longshore_tests::PATIENCE, async || {
        daemon.said("serving").then_some(())
    })
    .await?;
    Ok(daemon)
}

async fn last_words(longshore: &Longshore) -> String {
    match longshore.run(["syncs", "list"]).await {
        Ok(finished) => finished.stdout,
        Err(failure) => failure.to_string(),
    }
}
