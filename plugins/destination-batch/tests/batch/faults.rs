//! A server that fails: nothing is missing, nothing stale, and repeats only where they can not be avoided.

use longshore_batch_sandbox::{AttributeValue, FaultKind, FaultRule, Running};
use longshore_sdk::prelude::*;
use serde_json::{Value as Json, json};

use crate::rows::{destination, events, numbers, project, sandbox, spec, table, text};

/// Short enough that a stalled request is given up within the test, and long enough that no other one is on a busy machine.
fn changes() -> Json {
    json!({ "timeouts": { "connect": "2s", "request": "3s", "idle": "10s" }, "requests": { "update_operations": 20 } })
}

fn status(status: u16) -> FaultKind {
    FaultKind::Status {
        status,
        retry_after_s: None,
        error_code: None,
        applied: false,
    }
}

/// Each of these faults twice, one after the other.
fn inject(running: &Running, kinds: Vec<FaultKind>) {
    let rules = kinds
        .into_iter()
        .zip(1..)
        .map(|(kind, place)| FaultRule::always(kind).after(place * 5).next(2))
        .collect();
    running.sandbox().set_faults(rules);
}

fn assert_all_fired(running: &Running) -> u64 {
    let reports = running.sandbox().faults();
    assert!(
        reports.iter().all(|report| report.fired > 0),
        "a fault did not fire: {reports:?}"
    );
    reports.iter().map(|report| report.fired).sum()
}

#[tokio::test]
async fn every_event_arrives_and_none_twice_while_nothing_is_cut_after_it_was_applied() {
    let running = sandbox(|_| ()).await;
    inject(
        &running,
        vec![
            status(429),
            status(500),
            status(503),
            FaultKind::CutBefore,
            FaultKind::Slow {
                ms: 6_000,
                applied: false,
            },
        ],
    );
    let harness = destination(spec(running.address(), "profile_events", &changes())).await;
    let (table, batch) = events(6_000, 1_000);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.rejects.len()), (6_000, 0));
    let duplicates = project(&running).duplicates(5);
    assert_eq!((duplicates.distinct, duplicates.repeated), (6_000, 0));
    assert_all_fired(&running);
    running.stop().await;
}

#[tokio::test]
async fn events_of_requests_cut_after_they_were_applied_are_the_only_ones_to_repeat() {
    let running = sandbox(|_| ()).await;
    inject(&running, vec![FaultKind::CutAfter]);
    let harness = destination(spec(running.address(), "profile_events", &changes())).await;
    let (table, batch) = events(6_000, 1_000);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!(written.counts.delivered, 6_000);
    let duplicates = project(&running).duplicates(5);
    let fired = usize::try_from(assert_all_fired(&running)).unwrap();
    assert_eq!(duplicates.distinct, 6_000);
    // At most 20 profiles of 15 events in each request that was cut.
    assert!(
        (1..=fired * 20 * 15).contains(&duplicates.repeated),
        "{} repeats after {fired} cuts",
        duplicates.repeated
    );
    running.stop().await;
}

#[tokio::test]
async fn every_profile_ends_as_its_last_row() {
    let running = sandbox(|_| ()).await;
    let kinds = vec![
        status(429),
        status(500),
        status(503),
        FaultKind::CutBefore,
        FaultKind::CutAfter,
    ];
    inject(&running, kinds);
    let harness = destination(spec(running.address(), "profile_attributes", &changes())).await;
    let (rows, profiles) = (20_000, 700);
    let (table, batch) = table(vec![
        (
            "custom_id",
            text((0..rows).map(|index| Some(format!("u{}", index % profiles)))),
        ),
        ("value", numbers(0..rows)),
    ]);
    let batches: Vec<_> = (0..20).map(|index| batch.slice(index * 1_000, 1_000)).collect();
    let written = harness.write(table, WriteMode::Overwrite, &batches).await.unwrap();
    assert_eq!(written.counts.delivered, 20_000);
    let project = project(&running);
    for row in rows - profiles..rows {
        let profile = project.profile(&format!("u{}", row % profiles)).unwrap();
        assert_eq!(
            profile.attribute("value"),
            Some(&AttributeValue::Integer(row)),
            "u{}",
            row % profiles
        );
    }
    assert_all_fired(&running);
    running.stop().await;
}

#[tokio::test]
async fn operations_that_the_api_refuses_are_rejected_and_the_rest_is_delivered() {
    let running = sandbox(|_| ()).await;
    running.sandbox().set_faults(vec![
        FaultRule::always(FaultKind::PartialErrors { operations: 3 }).next(1),
    ]);
    let harness = destination(spec(running.address(), "profile_attributes", &json!({}))).await;
    let (table, batch) = crate::rows::profiles(50);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.counts.rejected), (47, 3));
    assert_eq!(project(&running).counts().profiles, 47);
    assert!(
        written
            .rejects
            .iter()
            .all(|reject| reject.whole_row && !reject.key.is_empty())
    );
    running.stop().await;
}
