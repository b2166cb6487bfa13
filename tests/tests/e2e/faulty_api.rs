//! An API that fails all the time, a little: every kind of fault befalls one request in a hundred, by a seed that is printed. Nothing is missing, nothing
//! is old, and only what was taken without a word comes twice.

use std::time::{SystemTime, UNIX_EPOCH};

use longshore_batch_sandbox::LoggedRequest;
use longshore_tests::{Context, Result, shop::Target};
use serde_json::{Value, json};

use crate::{report::Report, scene::Scene};

/// Names a seed, in place of a fresh one.
const SEED_VARIABLE: &str = "LONGSHORE_FAULT_SEED";

/// Small requests, so that there are thousands; a time-out shorter than a stall, and far longer than the sandbox takes otherwise.
const OPTIONS: [&str; 3] = [
    "requests: { update_operations: 4, linger: 10ms }",
    "timeouts: { request: 2s }",
    "retry: { first_delay: 10ms, max_delay: 100ms, rate_limited_delay: 20ms, max_attempts: 12, rate_limited_attempts: 20 }",
];

/// Milliseconds: beyond the time-out.
const STALL: u64 = 4_000;

/// Fewer requests would leave a chance worth speaking of that some fault does not fire.
const FEWEST_REQUESTS: u64 = 1_500;

fn seed() -> Result<u64> {
    if let Some(seed) = std::env::var_os(SEED_VARIABLE) {
        let text = seed.to_str().context("the seed is no text")?;
        return text.parse().context("the seed is no number");
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.context("the clock is before 1970")?;
    Ok((since.as_micros() % 1_000_000_000) as u64)
}

/// Each kind of fault for one request in a hundred, apart from the others.
fn faults(seed: u64) -> Value {
    let kinds = [
        json!({ "kind": "status_429", "burst": 3 }),
        json!({ "kind": "status_500" }),
        json!({ "kind": "status", "status": 500, "applied": true }),
        json!({ "kind": "status_503" }),
        json!({ "kind": "cut_before" }),
        json!({ "kind": "cut_after" }),
        json!({ "kind": "slow", "ms": STALL, "applied": true }),
        json!({ "kind": "slow", "ms": STALL, "applied": false }),
    ];
    let rules = kinds.into_iter().zip(seed..).map(|(mut rule, seed)| {
        rule["probability"] = json!(0.01);
        rule["seed"] = json!(seed);
        rule
    });
    rules.collect()
}

/// A sync under faults; fails when one of them never fired.
#[expect(
    clippy::print_stdout,
    reason = "whoever looks into a failure wants the same faults again"
)]
async fn sync_under_faults(scene: &Scene, target: Target, table: &str) -> Result<Report> {
    let seed = seed()?;
    println!("the faults' seed is {seed}: {SEED_VARIABLE}={seed} has them again");
    let mut configuration = scene.configuration(target).with_table(table);
    for option in OPTIONS {
        configuration = configuration.with_destination_option(option);
    }
    if target == Target::Profiles {
        configuration = configuration.with_destination_option("mapping: { id: { ignore: true } }");
    }
    scene.configure(target, &configuration)?;
    scene.sandbox.set_faults(faults(seed)).await?;
    let report = scene.sync_well(target).await?;
    scene.sandbox.clear_faults().await?;
    let counts = scene.sandbox.counts().await?;
    assert!(counts.requests >= FEWEST_REQUESTS, "{counts:?}");
    assert_eq!(
        (report.status.as_str(), report.rejects, report.attempt),
        ("completed", 0, 1),
        "seed {seed}: {report:?}"
    );
    let violations = scene.sandbox.violations().await?;
    assert_eq!(violations["count"], 0, "{violations}");
    Ok(report)
}

fn events_of<'a>(requests: impl IntoIterator<Item = &'a LoggedRequest>) -> u64 {
    requests.into_iter().filter_map(|request| request.events).sum::<usize>() as u64
}

#[tokio::test]
async fn every_event_is_there_and_only_those_of_requests_taken_without_a_word_are_there_twice() -> Result<()> {
    const EVENTS: i64 = 10_000;
    let scene = Scene::open(4_000, EVENTS).await?;
    let report = sync_under_faults(&scene, Target::Events, "events").await?;
    let comparison = scene.compare(Target::Events).await?;
    assert!(comparison.is_complete(), "{comparison}");
    let requests = scene.sandbox.requests().await?;
    let applied: Vec<_> = requests.iter().filter(|request| request.applied).collect();
    let (said, unsaid): (Vec<&LoggedRequest>, Vec<_>) =
        applied.into_iter().partition(|request| request.status == Some(202));
    // Each event was taken by exactly one request that said so; all further copies are those of requests that did not get to say it.
    assert_eq!(events_of(said), EVENTS as u64);
    let repeated = comparison.repeated.len() as u64;
    assert!(repeated > 0, "requests were cut after they had taken effect");
    assert_eq!(events_of(unsaid), repeated);
    assert!(repeated <= report.uncertain, "{repeated} came twice: {report:?}");
    scene.longshore.leaves_nothing_running().await
}

#[tokio::test]
async fn every_profile_is_as_its_last_row() -> Result<()> {
    let scene = Scene::open(1, 1).await?;
    // Five rows a profile, whose order by the cursor is that of their ids.
    let table = "CREATE TABLE visits (id bigint PRIMARY KEY, custom_id text NOT NULL, page text NOT NULL, visits bigint NOT NULL,
            last_updated_at timestamptz NOT NULL);
        INSERT INTO visits SELECT i, 'visitor-' || (i * 7919) % 2000, 'page ' || i % 13, i, now() - interval '1 hour' + i * interval '1 millisecond'
            FROM generate_series(1, 10000) AS i;
        ANALYZE visits";
    scene.shop.database().execute(table).await?;
    let report = sync_under_faults(&scene, Target::Profiles, "visits").await?;
    assert_eq!(report.only_table().delivered, 10_000);
    let last_rows = "SELECT DISTINCT ON (custom_id) custom_id AS row_id, custom_id, page, visits FROM visits ORDER BY custom_id, id DESC";
    let oracle = longshore_tests::oracle::Oracle::new(scene.shop.database(), &scene.sandbox);
    let comparison = oracle.compare_profiles(last_rows).await?;
    assert!(comparison.is_exact() && comparison.expected == 2_000, "{comparison}");
    scene.longshore.leaves_nothing_running().await
}
