//! Runs that send nothing.

use std::sync::Arc;

use longshore_sdk::{arrow::array::TimestampMicrosecondArray, core::balance::DestinationCounts, prelude::*};
use serde_json::json;

use crate::rows::{destination, events, profiles, project, sandbox, spec, table, text};

#[tokio::test]
async fn rows_are_acked_as_they_would_be_and_nothing_is_sent() {
    let running = sandbox(|_| ()).await;
    let mut harness = destination(spec(running.address(), "profile_events", &json!({}))).await;
    harness.set_dry_run(true);
    let (table, batch) = events(5_000, 37);
    harness.prepare(table.clone(), None).await.unwrap();
    let batches: Vec<_> = (0..5).map(|index| batch.slice(index * 1_000, 1_000)).collect();
    let written = harness.write(table.clone(), WriteMode::Append, &batches).await.unwrap();
    let delivered = DestinationCounts {
        delivered: 5_000,
        ..DestinationCounts::default()
    };
    assert_eq!((written.counts, written.rejects), (delivered, vec![]));
    assert_eq!(project(&running).counts().requests, 0);

    let estimate = harness.estimate().await.unwrap();
    let [totals] = estimate.requests.as_slice() else {
        panic!("{estimate:?}")
    };
    assert_eq!(
        (totals.table.as_str(), totals.endpoint.as_str()),
        ("shop", "profiles/update")
    );
    // Up to 15 events of a profile are one update: 5 profiles have 136 events, 32 have 135.
    assert_eq!(totals.operations, 5 * 10 + 32 * 9, "{totals:?}");
    assert!(totals.requests > 0 && totals.bytes > 5_000 * 20, "{totals:?}");
    assert_eq!(estimate.paced_ms, None, "nothing sets a pace");
    running.stop().await;
}

#[tokio::test]
async fn a_run_that_was_prepared_as_a_dry_one_stays_one_whatever_a_stream_says() {
    let running = sandbox(|_| ()).await;
    let mut harness = destination(spec(running.address(), "profile_attributes", &json!({}))).await;
    let (table, batch) = profiles(300);
    harness.set_dry_run(true);
    harness.prepare(table.clone(), None).await.unwrap();
    harness.set_dry_run(false);
    let written = harness
        .write(table.clone(), WriteMode::Overwrite, std::slice::from_ref(&batch))
        .await
        .unwrap();
    assert_eq!(written.counts.delivered, 300);
    assert_eq!(project(&running).counts().requests, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_dry_stream_of_a_run_that_is_none_is_refused() {
    let running = sandbox(|_| ()).await;
    let mut harness = destination(spec(running.address(), "profile_attributes", &json!({}))).await;
    let (table, batch) = profiles(3);
    harness.prepare(table.clone(), None).await.unwrap();
    harness.set_dry_run(true);
    let error = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
    assert_eq!(error.code, "dry_run_unprepared");
    assert_eq!(project(&running).counts().requests, 0);
    assert_eq!(harness.estimate().await.unwrap_err().code, "dry_run_unknown");
    running.stop().await;
}

#[tokio::test]
async fn later_rows_of_a_profile_wait_for_the_one_on_its_way_as_they_would() {
    let running = sandbox(|_| ()).await;
    let changes = json!({ "rate_limit": {} });
    let mut harness = destination(spec(running.address(), "profile_attributes", &changes)).await;
    harness.set_dry_run(true);
    // 500 profiles, each three times: a table that is read while the rate holds requests back.
    let ids = (0..1_500).map(|index| Some(format!("u{}", index % 500)));
    let (table, batch) = table(vec![
        ("custom_id", text(ids)),
        ("plan", text((0..1_500).map(|index| Some(format!("p{index}"))))),
    ]);
    harness.prepare(table.clone(), None).await.unwrap();
    let batches: Vec<_> = (0..3).map(|index| batch.slice(index * 500, 500)).collect();
    let written = harness.write(table, WriteMode::Overwrite, &batches).await.unwrap();
    assert_eq!(written.counts.delivered, 1_500);
    let estimate = harness.estimate().await.unwrap();
    let operations = estimate.requests[0].operations;
    // 400 first versions fill two requests; everything else waits, and is one update of each profile.
    assert_eq!(operations, 400 + 500, "{estimate:?}");
    assert_eq!(estimate.paced_ms, Some(0), "the burst takes them all: {estimate:?}");
    running.stop().await;
}

#[tokio::test]
async fn an_event_is_judged_by_its_age_when_its_turn_comes() {
    let running = sandbox(|_| ()).await;
    let slow = json!({ "rate_limit": { "update": { "updates_per_second": 1.0, "burst": 1 } } });
    let mut harness = destination(spec(running.address(), "profile_events", &slow)).await;
    harness.set_dry_run(true);
    // All are 20 minutes short of a day old, and 3,000 of them take 50 minutes.
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let time = i64::try_from(now.as_micros()).unwrap() - (24 * 60 - 20) * 60 * 1_000_000;
    let (table, batch) = table(vec![
        ("custom_id", text((0..3_000).map(|index| Some(format!("u{index}"))))),
        ("event_name", text((0..3_000).map(|_| Some("bought")))),
        (
            "event_time",
            Arc::new(TimestampMicrosecondArray::from_iter_values((0..3_000).map(|_| time))) as _,
        ),
    ]);
    harness.prepare(table.clone(), None).await.unwrap();
    let batches: Vec<_> = (0..30).map(|index| batch.slice(index * 100, 100)).collect();
    let written = harness.write(table, WriteMode::Append, &batches).await.unwrap();
    assert!(written.rejects.iter().all(|reject| reject.rule == "event_too_old"));
    // Twenty minutes, less the quarter of a minute that is kept in reserve, are 1,185 events; a batch is judged at once.
    let delivered = written.counts.delivered;
    assert!((1_100..=1_300).contains(&delivered), "{delivered}");
    assert_eq!(written.counts.rejected, 3_000 - delivered);
    running.stop().await;
}

#[tokio::test]
async fn the_age_limit_of_a_table_of_events_has_its_column_and_the_choices() {
    let running = sandbox(|_| ()).await;
    let changes = json!({ "late_events": "skip" });
    let harness = destination(spec(running.address(), "profile_events", &changes)).await;
    let (table, _) = events(1, 1);
    let limit = harness.prepare(table, None).await.unwrap().age_limit.unwrap();
    assert_eq!(limit.column, "event_time");
    assert!(limit.consequence.contains("24 hours") && limit.consequence.contains("late_events: skip"));
    for choice in ["reject", "send_without_time", "skip", "start_from: now"] {
        assert!(limit.choices.contains(choice), "{choice}: {}", limit.choices);
    }
    let harness = destination(spec(running.address(), "profile_attributes", &json!({}))).await;
    let (table, _) = profiles(1);
    assert_eq!(harness.prepare(table, None).await.unwrap().age_limit, None);
    running.stop().await;
}
