//! What arrives.

use std::{sync::Arc, time::Duration};

use longshore_batch_sandbox::{AttributeValue, Endpoint};
use longshore_sdk::{
    arrow::array::{ArrayRef, Date32Array},
    core::balance::DestinationCounts,
    prelude::*,
    protocol::v1,
};
use serde_json::json;

use crate::rows::{destination, events, numbers_of, profiles, project, sandbox, spec, table, text};

fn no_changes() -> serde_json::Value {
    json!({})
}

fn delivered(rows: u64) -> DestinationCounts {
    DestinationCounts {
        delivered: rows,
        ..Default::default()
    }
}

#[tokio::test]
async fn profiles_arrive_with_their_types() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_attributes", &no_changes())).await;
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("b")])),
        ("batch__email_address", text([Some("a@mail.example"), None])),
        ("plan", text([Some("gold"), Some("free")])),
        ("interests", text([Some("[\"bikes\"]"), None])),
        ("url__avatar", text([Some("https://x.y/a.png"), None])),
        (
            "date__birthday",
            Arc::new(Date32Array::from(vec![Some(0), None])) as ArrayRef,
        ),
        ("last_updated_at", text([Some("x"), Some("x")])),
    ]);
    let prepared = harness.prepare(table.clone(), None).await.unwrap();
    assert_eq!(
        (prepared.write_mode(), prepared.redelivery_is_idempotent),
        (v1::WriteMode::Overwrite, true)
    );
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!((written.counts, written.rejects), (delivered(2), vec![]));
    assert!(
        written.rate_limit_wait < Duration::from_millis(500),
        "there is no rate to wait for"
    );
    let project = project(&running);
    let a = project.profile("a").unwrap();
    assert_eq!(
        a.attribute("$email_address"),
        Some(&AttributeValue::Text("a@mail.example".into()))
    );
    assert_eq!(a.attribute("plan"), Some(&AttributeValue::Text("gold".into())));
    assert_eq!(
        a.attribute("interests"),
        Some(&AttributeValue::Texts(Box::new(["bikes".into()])))
    );
    assert_eq!(
        a.attribute("url(avatar)"),
        Some(&AttributeValue::Url("https://x.y/a.png".into()))
    );
    assert_eq!(
        a.attribute("date(birthday)"),
        Some(&AttributeValue::Date("1970-01-01T00:00:00Z".into()))
    );
    assert_eq!(a.attributes.len(), 5, "the cursor is not sent");
    assert_eq!(project.profile("b").unwrap().attributes.len(), 1);
    assert_eq!(running.sandbox().violations().count, 0);
    running.stop().await;
}

#[tokio::test]
async fn every_event_arrives_once_and_in_the_order_of_its_profile() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_events", &no_changes())).await;
    let (table, batch) = events(5_000, 37);
    let prepared = harness.prepare(table.clone(), None).await.unwrap();
    assert_eq!(
        (prepared.write_mode(), prepared.redelivery_is_idempotent),
        (v1::WriteMode::Append, false)
    );
    assert!(prepared.preferred_unacked_rows > 0);
    let batches: Vec<_> = (0..5).map(|index| batch.slice(index * 1_000, 1_000)).collect();
    let written = harness.write(table, WriteMode::Append, &batches).await.unwrap();
    assert_eq!((written.counts, written.rejects), (delivered(5_000), vec![]));
    let project = project(&running);
    assert_eq!((project.counts().events, project.duplicates(1).repeated), (5_000, 0));
    for profile in 0..37 {
        let expected: Vec<i64> = (0..5_000).filter(|number| number % 37 == profile).collect();
        assert_eq!(numbers_of(&project, &format!("u{profile}")), expected);
    }
    assert_eq!(
        project.counts().overlapping_operations,
        0,
        "two requests in flight for one profile"
    );
    assert_eq!(running.sandbox().violations().count, 0);
    running.stop().await;
}

#[tokio::test]
async fn streams_of_one_process_never_have_one_profile_in_flight_twice() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_events", &no_changes())).await;
    let tables: Vec<_> = (0..4).map(|_| events(2_000, 50)).collect();
    let streams = tables
        .iter()
        .map(|(table, batch)| harness.write(table.clone(), WriteMode::Append, std::slice::from_ref(batch)));
    for written in futures_util::future::join_all(streams).await {
        assert_eq!(written.unwrap().counts, delivered(2_000));
    }
    let counts = project(&running).counts();
    assert_eq!((counts.events, counts.overlapping_operations), (8_000, 0));
    running.stop().await;
}

#[tokio::test]
async fn the_last_row_of_a_profile_wins_across_batches() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_attributes", &no_changes())).await;
    let rows = 3_000;
    let (table, batch) = table(vec![
        (
            "custom_id",
            text((0..rows).map(|index| Some(format!("u{}", index % 7)))),
        ),
        ("value", crate::rows::numbers(0..rows)),
    ]);
    let batches: Vec<_> = (0..30).map(|index| batch.slice(index * 100, 100)).collect();
    let written = harness.write(table, WriteMode::Overwrite, &batches).await.unwrap();
    assert_eq!(written.counts, delivered(3_000), "merged rows count as delivered");
    let project = project(&running);
    for row in rows - 7..rows {
        let profile = project.profile(&format!("u{}", row % 7)).unwrap();
        assert_eq!(profile.attribute("value"), Some(&AttributeValue::Integer(row)));
    }
    running.stop().await;
}

#[tokio::test]
async fn the_endpoint_follows_the_expected_rows() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(
        running.address(),
        "profile_attributes",
        &json!({ "auto_mass_update_rows": 100 }),
    ))
    .await;
    for (expected, endpoint) in [(100, Endpoint::Update), (101, Endpoint::MassUpdate)] {
        running.sandbox().reset(None);
        let (mut table, batch) = profiles(500);
        table.estimated_rows = Some(expected);
        harness.prepare(table.clone(), None).await.unwrap();
        harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
        let endpoints = project(&running).counts().endpoints;
        assert_eq!(
            endpoints.get(&endpoint).map(|counts| counts.operations),
            Some(500),
            "{expected}: {endpoints:?}"
        );
    }
    running.stop().await;
}

#[tokio::test]
async fn bad_rows_and_fields_are_rejected_by_rule_and_nothing_bad_is_sent() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_attributes", &no_changes())).await;
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), None, Some("c")])),
        ("plan", text([Some(""), Some("x"), Some("gold")])),
    ]);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!(
        written.counts,
        DestinationCounts {
            delivered: 2,
            rejected: 1,
            filtered: 0,
        }
    );
    let shown: Vec<_> = written
        .rejects
        .iter()
        .map(|reject| {
            (
                reject.row,
                reject.column.as_str(),
                reject.rule.as_str(),
                reject.whole_row,
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (0, "plan", "string_empty", false),
            (1, "custom_id", "custom_id_missing", true)
        ]
    );
    assert_eq!(running.sandbox().violations().count, 0);
    running.stop().await;
}

/// Which items a profile has already is known to Batch alone, so that it is the one to refuse what becomes too long.
#[tokio::test]
async fn an_addition_that_batch_refuses_costs_that_column_alone_and_is_told() {
    let running = sandbox(|_| ()).await;
    let changes = json!({ "mapping": { "sports": { "kind": "string_array" } } });
    let harness = destination(spec(running.address(), "profile_attributes", &changes)).await;
    let full = json!((0..25).map(|item| item.to_string()).collect::<Vec<_>>());
    let one_more = json!({ "$add": ["one more"] });
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("a")])),
        ("sports", text([Some(full.to_string()), Some(one_more.to_string())])),
        ("plan", text([Some("free"), Some("gold")])),
    ]);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!(written.counts, delivered(2));
    let told: Vec<_> = written
        .rejects
        .iter()
        .map(|reject| (reject.row, &*reject.column, &*reject.rule, reject.whole_row))
        .collect();
    assert_eq!(told, [(1, "sports", "refused_by_batch_attribute", false)]);
    assert!(
        written.rejects[0].reason.contains("more than 25 items"),
        "{:?}",
        written.rejects
    );
    let profile = serde_json::to_value(project(&running).profile("a").unwrap()).unwrap();
    assert_eq!(profile["attributes"]["plan"], "gold");
    assert_eq!(profile["attributes"]["sports"], full);
    running.stop().await;
}

#[tokio::test]
async fn late_events_can_be_skipped_and_are_counted_as_filtered() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(
        running.address(),
        "profile_events",
        &json!({ "late_events": "skip" }),
    ))
    .await;
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("a")])),
        ("event_name", text([Some("x"), Some("x")])),
        ("event_time", text([Some("2020-01-01T00:00:00Z"), None])),
    ]);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!(
        written.counts,
        DestinationCounts {
            delivered: 1,
            rejected: 0,
            filtered: 1,
        }
    );
    running.stop().await;
}

#[tokio::test]
async fn an_event_a_little_ahead_of_this_machines_clock_waits_for_its_time() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(running.address(), "profile_events", &no_changes())).await;
    let ahead = |milliseconds| Some((chrono::Utc::now() + chrono::TimeDelta::milliseconds(milliseconds)).to_rfc3339());
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("b")])),
        ("event_name", text([Some("x"), Some("x")])),
        ("event_time", text([ahead(1_500), ahead(60_000)])),
    ]);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.counts.rejected), (1, 1));
    assert_eq!(written.rejects[0].rule, "event_in_future");
    // The sandbox takes none of the future.
    assert_eq!(running.sandbox().violations().count, 0);
    assert_eq!(project(&running).counts().events, 1);
    running.stop().await;
}

#[tokio::test]
async fn a_mode_that_the_target_does_not_have_is_refused_with_a_remedy() {
    let running = sandbox(|_| ()).await;
    for (target, mode, remedy) in [
        ("profile_attributes", WriteMode::Append, "overwrite"),
        ("profile_events", WriteMode::Overwrite, "append"),
    ] {
        let harness = destination(spec(running.address(), target, &no_changes())).await;
        let error = harness.prepare(events(1, 1).0, Some(mode)).await.unwrap_err();
        assert_eq!(error.code, "write_mode_unsupported");
        assert!(error.remedy.contains(remedy), "{}", error.remedy);
    }
    let harness = destination(spec(running.address(), "profile_events", &no_changes())).await;
    assert_eq!(
        harness.prepare(profiles(1).0, None).await.unwrap_err().code,
        "column_missing"
    );
    running.stop().await;
}

#[tokio::test]
async fn a_preview_shows_the_requests_and_sends_nothing() {
    let running = sandbox(|_| ()).await;
    let harness = destination(spec(
        running.address(),
        "profile_attributes",
        &json!({ "requests": { "update_operations": 2 } }),
    ))
    .await;
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("b"), Some("c"), None])),
        ("plan", text([Some("x"); 4])),
    ]);
    let preview = harness.preview(table, &[batch]).await.unwrap();
    let bodies: Vec<serde_json::Value> = preview
        .requests
        .iter()
        .map(|request| serde_json::from_str(&request.body).unwrap())
        .collect();
    let operation = |id: &str| json!({ "identifiers": { "custom_id": id }, "attributes": { "plan": "x" } });
    assert_eq!(
        bodies,
        [json!([operation("a"), operation("b")]), json!([operation("c")])]
    );
    assert!(
        preview
            .requests
            .iter()
            .all(|request| request.method == "POST" && request.url.ends_with("/2.11/profiles/update"))
    );
    assert_eq!(preview.rejects.len(), 1);
    assert_eq!(project(&running).counts().requests, 0);
    running.stop().await;
}

#[tokio::test]
async fn the_connection_test_tries_the_keys_only_with_an_id_to_do_it_with() {
    let running = sandbox(|_| ()).await;
    let outcomes = async |changes: serde_json::Value| {
        let checks = destination(spec(running.address(), "profile_attributes", &changes))
            .await
            .test_connection()
            .await
            .unwrap();
        checks
            .iter()
            .map(|check| (check.outcome(), check.remedy.contains("rest_api_key")))
            .collect::<Vec<_>>()
    };
    use v1::check::Outcome;
    assert_eq!(
        outcomes(no_changes()).await,
        [(Outcome::Passed, false), (Outcome::Warning, false)]
    );
    assert_eq!(project(&running).counts().requests, 0);
    assert_eq!(
        outcomes(json!({ "test_custom_id": "t" })).await,
        [(Outcome::Passed, false), (Outcome::Passed, false)]
    );
    assert_eq!(
        outcomes(json!({ "test_custom_id": "t", "rest_api_key": "wrong" })).await,
        [(Outcome::Passed, false), (Outcome::Failed, true)]
    );
    assert_eq!(
        outcomes(json!({ "base_url": "http://127.0.0.1:9" })).await,
        [(Outcome::Failed, false), (Outcome::Skipped, false)]
    );
    running.stop().await;
}

#[tokio::test]
async fn compressed_requests_arrive_where_they_are_taken() {
    let running = sandbox(|options| options.accept_gzip = true).await;
    let harness = destination(spec(
        running.address(),
        "profile_attributes",
        &json!({ "compression": "gzip" }),
    ))
    .await;
    let (table, batch) = profiles(300);
    assert_eq!(
        harness
            .write(table, WriteMode::Overwrite, &[batch])
            .await
            .unwrap()
            .counts,
        delivered(300)
    );
    assert_eq!(project(&running).counts().profiles, 300);
    running.stop().await;
}
