//! Every kind of answer, and what becomes of the rows.

use std::time::{Duration, Instant};

use longshore_sdk::{core::balance::DestinationCounts, harness::UncertainRows, prelude::*};
use serde_json::json;

use crate::{
    endpoint::{Answer, Endpoint, answer, success},
    rows::{KEY, PROJECT, destination, events, profiles, spec, table, text},
};

#[tokio::test]
async fn requests_carry_the_documented_headers_and_address() {
    let endpoint = Endpoint::start(|_, _| success()).await;
    let harness = destination(spec(
        endpoint.address,
        "profile_attributes",
        &json!({ "api_version": "2.13" }),
    ))
    .await;
    let (table, batch) = profiles(1);
    harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    let seen = endpoint.seen();
    assert_eq!(seen[0].path, "/2.13/profiles/update");
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {KEY}"));
    assert_eq!(seen[0].headers["x-batch-project"], PROJECT);
    assert_eq!(seen[0].headers["content-type"], "application/json");
}

#[tokio::test]
async fn refused_credentials_end_the_run_at_once_and_are_not_tried_again() {
    for status in [401, 403] {
        let endpoint = Endpoint::start(move |_, _| {
            answer(
                status,
                r#"{"error_code":"AUTHENTICATION_INVALID","error_message":"no"}"#,
            )
        })
        .await;
        let harness = destination(spec(
            endpoint.address,
            "profile_attributes",
            &json!({ "concurrency": 1 }),
        ))
        .await;
        let (table, batch) = profiles(1_000);
        let error = harness
            .write(table.clone(), WriteMode::Overwrite, std::slice::from_ref(&batch))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.scope),
            ("credentials_refused", false, Scope::Run)
        );
        assert!(
            error.remedy.contains("rest_api_key") && error.remedy.contains("project_key"),
            "{}",
            error.remedy
        );
        assert!(!format!("{error:?}").contains(KEY));
        assert_eq!(endpoint.seen().len(), 1);
        harness
            .write(table.clone(), WriteMode::Overwrite, std::slice::from_ref(&batch))
            .await
            .unwrap_err();
        assert_eq!(endpoint.seen().len(), 1, "other streams of the run send nothing either");
        harness.prepare(table.clone(), None).await.unwrap();
        harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
        assert_eq!(endpoint.seen().len(), 2, "a new run tries again");
    }
}

#[tokio::test]
async fn too_many_requests_pauses_for_as_long_as_the_server_asks() {
    let endpoint = Endpoint::start(|_, index| match index {
        0 => Answer {
            retry_after: Some("1"),
            ..answer(429, r#"{"error_code":"TOO_MANY_REQUESTS"}"#)
        },
        _ => success(),
    })
    .await;
    let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
    let (table, batch) = profiles(1_000);
    let start = Instant::now();
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!(written.counts.delivered, 1_000);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(endpoint.seen().len(), 6);
}

#[tokio::test]
async fn endless_refusals_end_in_a_retryable_error() {
    for (status, code) in [
        (429, "rate_limited"),
        (500, "server_failed"),
        (503, "server_unavailable"),
    ] {
        let endpoint = Endpoint::start(move |_, _| answer(status, "")).await;
        let changes = json!({ "retry": { "max_attempts": 3, "first_delay": "1ms", "max_delay": "2ms", "rate_limited_delay": "1ms", "rate_limited_attempts": 3 } });
        let harness = destination(spec(endpoint.address, "profile_attributes", &changes)).await;
        let (table, batch) = profiles(1);
        let error = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.scope),
            (code, true, Scope::Run)
        );
        assert_eq!(endpoint.seen().len(), 3);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_a_retryable_error_with_its_cause() {
    let changes = json!({ "retry": { "max_attempts": 2, "first_delay": "1ms" } });
    let harness = destination(spec("127.0.0.1:9", "profile_attributes", &changes)).await;
    let (table, batch) = profiles(1);
    let error = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), ("unreachable", true));
    assert!(!error.causes.is_empty());
}

#[tokio::test]
async fn a_request_refused_whole_is_halved_until_the_row_at_fault_is_found() {
    let is_bad = |id: &String| id == "u13" || id == "u77";
    // The last two are not among the answers that Batch documents.
    for status in [400, 413, 409, 451] {
        let endpoint = Endpoint::start(move |request, _| {
            if request.ids().iter().any(is_bad) {
                answer(status, r#"{"error_code":"MALFORMED"}"#)
            } else {
                success()
            }
        })
        .await;
        let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
        let (table, batch) = profiles(100);
        let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
        assert_eq!(
            written.counts,
            DestinationCounts {
                delivered: 98,
                rejected: 2,
                ..DestinationCounts::default()
            }
        );
        let mut keys: Vec<_> = written
            .rejects
            .iter()
            .map(|reject| (reject.key.as_str(), reject.row, reject.whole_row))
            .collect();
        keys.sort_unstable();
        assert_eq!(keys, [("u13", 13, true), ("u77", 77, true)]);
        assert!(
            written.rejects[0].reason.contains(&format!("HTTP {status}")),
            "{}",
            written.rejects[0].reason
        );
    }
}

#[tokio::test]
async fn while_every_request_is_refused_the_run_stops_and_the_table_does_not_end_among_the_rejects() {
    for (status, code) in [(400, "request_malformed"), (418, "request_refused")] {
        let endpoint = Endpoint::start(move |_, _| answer(status, r#"{"error_code":"MALFORMED"}"#)).await;
        let changes = json!({ "concurrency": 1 });
        let harness = destination(spec(endpoint.address, "profile_attributes", &changes)).await;
        let (table, batch) = profiles(1_000);
        let batches: Vec<_> = (0..10).map(|index| batch.slice(index * 100, 100)).collect();
        let (written, end) = harness
            .write_to_the_end(table, WriteMode::Overwrite, &batches, UncertainRows::default())
            .await;
        let error = end.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.scope),
            (code, false, Scope::Run)
        );
        assert!(error.message.contains("100 rows in a row"), "{}", error.message);
        assert!(written.rejects.len() < 100, "{}", written.rejects.len());
        assert!(endpoint.seen().len() < 400, "{}", endpoint.seen().len());
    }
}

#[tokio::test]
async fn refused_rows_among_others_do_not_stop_the_run_however_many() {
    let endpoint = Endpoint::start(|request, _| {
        let is_odd = |id: &String| id.ends_with(['1', '3', '5', '7', '9']);
        if request.ids().iter().any(is_odd) {
            answer(400, "")
        } else {
            success()
        }
    })
    .await;
    let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
    let (table, batch) = profiles(400);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.counts.rejected), (200, 200));
}

#[tokio::test]
async fn an_event_that_becomes_too_old_during_a_pause_is_not_sent_with_its_time() {
    let policies = [("reject", 1, 1, 0), ("skip", 1, 0, 1), ("send_without_time", 2, 0, 0)];
    let tries = policies.map(|(policy, delivered, rejected, filtered)| async move {
        let endpoint = Endpoint::start(|_, index| match index {
            0 => Answer {
                retry_after: Some("11"),
                ..answer(429, "")
            },
            _ => success(),
        })
        .await;
        // Of 20 seconds, encoding leaves 15 for waiting and travelling, sending 5: what is 4 seconds old waits too long in a pause of 11.
        let changes = json!({ "limits": { "event_age": "20s" }, "late_events": policy });
        let harness = destination(spec(endpoint.address, "profile_events", &changes)).await;
        let now = chrono::Utc::now();
        let time = |age: i64| Some((now - chrono::TimeDelta::seconds(age)).to_rfc3339());
        let (table, batch) = table(vec![
            ("custom_id", text([Some("a"), Some("a")])),
            ("event_name", text([Some("old"), Some("young")])),
            ("event_time", text([time(4), time(0)])),
        ]);
        let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
        assert_eq!(
            written.counts,
            DestinationCounts {
                delivered,
                rejected,
                filtered,
            },
            "{policy}"
        );
        let rules: Vec<_> = written
            .rejects
            .iter()
            .map(|reject| (reject.rule.as_str(), reject.column.as_str()))
            .collect();
        let expected = [("event_too_old", "event_time")];
        assert_eq!(rules, expected[..usize::try_from(rejected).unwrap()], "{policy}");
        let seen = endpoint.seen();
        assert_eq!(seen.len(), 2, "{policy}");
        let sent = seen[1].operations[0]["events"].as_array().unwrap();
        let old = sent.iter().find(|event| event["name"] == "old");
        assert_eq!(old.is_some(), policy == "send_without_time", "{policy}");
        assert!(old.is_none_or(|event| event.get("time").is_none()), "{policy}");
    });
    futures_util::future::join_all(tries).await;
}

#[tokio::test]
async fn of_events_merged_into_one_operation_only_the_one_at_fault_is_rejected() {
    let endpoint = Endpoint::start(|request, _| {
        let numbers = request
            .operations
            .iter()
            .flat_map(|operation| operation["events"].as_array().unwrap().clone());
        if numbers.into_iter().any(|event| event["attributes"]["number"] == 7) {
            answer(400, "")
        } else {
            success()
        }
    })
    .await;
    let harness = destination(spec(endpoint.address, "profile_events", &json!({}))).await;
    let (table, batch) = events(15, 1);
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!(
        written.counts,
        DestinationCounts {
            delivered: 14,
            rejected: 1,
            ..DestinationCounts::default()
        }
    );
    assert_eq!(written.rejects[0].row, 7);
    let accepted = endpoint
        .seen()
        .iter()
        .filter(|request| request.operations.len() == 1)
        .count();
    assert!(accepted >= 4, "{accepted}");
}

#[tokio::test]
async fn partial_errors_lead_back_to_their_rows() {
    let body = r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[
        {"bulk_index":0,"category":"attribute","attribute":"plan","reason":"gold is not allowed"},
        {"bulk_index":1,"category":"identifier","reason":"bad id"}]}"#;
    let endpoint = Endpoint::start(move |_, _| answer(202, body)).await;
    let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
    let (table, batch) = table(vec![
        ("custom_id", text([Some("a"), Some("b"), Some("c")])),
        ("Plan", text([Some("gold"); 3])),
    ]);
    let written = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap();
    assert_eq!(
        written.counts,
        DestinationCounts {
            delivered: 2,
            rejected: 1,
            ..DestinationCounts::default()
        }
    );
    let shown: Vec<_> = written
        .rejects
        .iter()
        .map(|reject| {
            (
                reject.row,
                reject.column.as_str(),
                reject.whole_row,
                reject.reason.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (0, "Plan", false, "Batch: … is not allowed"),
            (1, "", true, "Batch: bad id")
        ]
    );
}

#[tokio::test]
async fn events_sent_together_are_held_when_batch_refuses_one_and_does_not_say_which() {
    let body = r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[
        {"bulk_index":0,"category":"event","reason":"bad"},
        {"bulk_index":1,"category":"event","reason":"bad"}]}"#;
    let endpoint = Endpoint::start(move |_, _| answer(202, body)).await;
    let harness = destination(spec(endpoint.address, "profile_events", &json!({}))).await;
    let (mut table, batch) = events(3, 2);
    table.primary_key = vec!["number".to_owned()];
    let written = harness.write(table, WriteMode::Append, &[batch]).await.unwrap();
    assert_eq!((written.counts.delivered, written.counts.rejected), (0, 3));
    let mut shown: Vec<_> = written
        .rejects
        .iter()
        .map(|reject| {
            (
                reject.row,
                reject.rule.as_str(),
                reject.key.as_str(),
                reject.primary_key.as_str(),
            )
        })
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            (0, "uncertain_delivery", "u0", "number = 0"),
            (1, "refused_by_batch_event", "u1", "number = 1"),
            (2, "uncertain_delivery", "u0", "number = 2"),
        ]
    );
}

#[tokio::test]
async fn a_success_that_can_not_be_read_is_an_error() {
    for body in [
        "<html>",
        "{}",
        r#"{"code":"SUCCESS_WITH_PARTIAL_ERRORS","errors":[{"bulk_index":9}]}"#,
    ] {
        let endpoint = Endpoint::start(move |_, _| answer(202, body)).await;
        let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
        let (table, batch) = profiles(1);
        let error = harness.write(table, WriteMode::Overwrite, &[batch]).await.unwrap_err();
        assert_eq!(error.code, "answer_unreadable", "{body}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let endpoint = Endpoint::start(|_, _| answer(307, "")).await;
    let harness = destination(spec(endpoint.address, "profile_attributes", &json!({}))).await;
    let (table, batch) = profiles(1);
    assert_eq!(
        harness
            .write(table, WriteMode::Overwrite, &[batch])
            .await
            .unwrap_err()
            .code,
        "redirected"
    );
}
