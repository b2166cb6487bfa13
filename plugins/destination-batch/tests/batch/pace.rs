//! The documented rates, kept. Short: a few seconds beyond the burst show the rate. How much of it is used is measured by `cargo xtask pace`.

use std::time::{Duration, Instant};

use longshore_batch_sandbox::{FaultKind, FaultRule, Limit, Rate};
use longshore_sdk::prelude::*;
use serde_json::json;

use crate::rows::{destination, events_from, profiles, project, sandbox, spec};

#[tokio::test]
async fn two_streams_share_one_bucket_and_are_never_refused() {
    let running = sandbox(|options| options.update_limit = Limit::Documented).await;
    let changes = json!({ "rate_limit": {}, "requests": {} });
    let harness = destination(spec(running.address(), "profile_events", &changes)).await;
    // Each event is of a profile of its own: 2,500 updates take (2,500 - 1,000) / 300 = 5 seconds.
    let streams = [events_from(0, 1_250, i64::MAX), events_from(10_000, 1_250, i64::MAX)];
    let start = Instant::now();
    let writes = streams
        .iter()
        .map(|(table, batch)| harness.write(table.clone(), WriteMode::Append, std::slice::from_ref(batch)));
    for written in futures_util::future::join_all(writes).await {
        assert_eq!(written.unwrap().counts.delivered, 1_250);
    }
    let elapsed = start.elapsed();
    let counts = project(&running).counts();
    assert_eq!((counts.too_many_requests, counts.events), (0, 2_500));
    assert!(elapsed >= Duration::from_secs(5), "{elapsed:?}");
    running.stop().await;
}

#[tokio::test]
async fn mass_update_keeps_its_rate_without_a_refusal() {
    let running = sandbox(|options| options.mass_update_limit = Limit::Documented).await;
    let changes = json!({ "rate_limit": {}, "requests": {}, "endpoint": "mass_update" });
    let harness = destination(spec(running.address(), "profile_attributes", &changes)).await;
    let (table, batch) = profiles(40_000);
    let batches: Vec<_> = (0..4).map(|index| batch.slice(index * 10_000, 10_000)).collect();
    let start = Instant::now();
    let written = harness.write(table, WriteMode::Overwrite, &batches).await.unwrap();
    let elapsed = start.elapsed();
    assert_eq!(written.counts.delivered, 40_000);
    let counts = project(&running).counts();
    assert_eq!((counts.too_many_requests, counts.profiles), (0, 40_000));
    // One stream, whose requests wait one after the other behind the bucket, or several at once.
    assert!(
        written.rate_limit_wait >= Duration::from_secs(2),
        "{:?}",
        written.rate_limit_wait
    );
    // (40,000 - 9,500) / 10,000 = 3.05 seconds at least. How much of the rate is used is measured by `cargo xtask pace`.
    assert!(elapsed >= Duration::from_secs(3), "{elapsed:?}");
    running.stop().await;
}

#[tokio::test]
async fn requests_that_are_sent_again_pay_again() {
    let rate = Rate {
        per_second: 1_000,
        burst: 200,
    };
    let running = sandbox(|options| options.update_limit = Limit::Limited(rate)).await;
    // Each takes effect, and so takes its tokens, and is sent once more.
    running
        .sandbox()
        .set_faults(vec![FaultRule::always(FaultKind::CutAfter).after(3).next(8)]);
    let changes = json!({ "rate_limit": { "update": { "updates_per_second": 1_000.0, "burst": 200 } } });
    let harness = destination(spec(running.address(), "profile_attributes", &changes)).await;
    let (table, batch) = profiles(2_000);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    let counts = project(&running).counts();
    assert_eq!(running.sandbox().faults()[0].fired, 8);
    assert!(counts.operations > 2_000, "{counts:?}");
    assert_eq!((written.counts.delivered, counts.too_many_requests), (2_000, 0));
    running.stop().await;
}

#[tokio::test]
async fn a_bucket_that_something_else_empties_pauses_everything_and_loses_nothing() {
    let slower = Rate {
        per_second: 100,
        burst: 200,
    };
    let running = sandbox(|options| options.update_limit = Limit::Limited(slower)).await;
    let changes = json!({ "rate_limit": {}, "retry": { "rate_limited_delay": "1s" } });
    let harness = destination(spec(running.address(), "profile_attributes", &changes)).await;
    let (table, batch) = profiles(600);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    let counts = project(&running).counts();
    assert!(counts.too_many_requests > 0);
    assert_eq!((written.counts.delivered, counts.profiles), (600, 600));
    running.stop().await;
}
