//! The control API.

use longshore_batch_sandbox::{Credentials, Rate, ViolationKind};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{KEY, PROJECT, call, control, control_post, http, operations, options, post, start};

fn lines(text: &Value) -> Vec<Value> {
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn dumps_hold_every_profile_and_event_once() {
    let sandbox = start(options().without_rate_limits()).await;
    let client = http();
    assert_eq!(
        post(&client, &sandbox, "mass-update", &operations(0, 2_500)).await.0,
        StatusCode::ACCEPTED
    );

    let profiles = lines(&control(&client, &sandbox, "/profiles").await.1);
    let expected =
        |number: usize| json!({"custom_id": format!("u{number}"), "attributes": {"number": number}, "events": 1});
    assert_eq!(profiles, (0..2_500).map(expected).collect::<Vec<_>>());

    let events = lines(
        &control(&client, &sandbox, &format!("/events?project={PROJECT}"))
            .await
            .1,
    );
    assert_eq!(events.len(), 2_500);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence"], number);
        assert_eq!(
            (&event["custom_id"], &event["name"]),
            (&json!(format!("u{number}")), &json!("seen"))
        );
        assert_eq!(
            (&event["attributes"], &event["time"]),
            (&json!({"number": number}), &Value::Null)
        );
        assert!(event["received_at"].is_string());
    }
    let page = lines(&control(&client, &sandbox, "/events?from=990&limit=1015").await.1);
    let sequences: Vec<_> = page.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (990..2_005).collect::<Vec<_>>());
    assert_eq!(control(&client, &sandbox, "/profiles?from=2500").await.1, json!(""));
}

#[tokio::test]
async fn one_profile_and_its_events_are_found_by_any_custom_id() {
    let sandbox = start(options()).await;
    let client = http();
    let custom_id = "a/b c&d=é";
    let event = json!({"name": "e", "attributes": {"$label": "x"}});
    let body = json!([{"identifiers": {"custom_id": custom_id}, "attributes": {"date(d)": "1990-01-02T00:00:00Z"}, "events": [event]}]);
    post(&client, &sandbox, "update", &body).await;
    post(&client, &sandbox, "update", &body).await;

    let query = "custom_id=a%2Fb%20c%26d%3D%C3%A9";
    let (_, profile) = control(&client, &sandbox, &format!("/profile?{query}")).await;
    let expected = json!({"custom_id": custom_id, "attributes": {"date(d)": "1990-01-02T00:00:00Z"}, "events": 2});
    assert_eq!(profile, expected);
    let (_, events) = control(&client, &sandbox, &format!("/profile/events?{query}")).await;
    assert_eq!(events.as_array().unwrap().len(), 2);
    assert_eq!(events[1]["attributes"], json!({"$label": "x"}));
    let (_, duplicates) = control(&client, &sandbox, "/duplicates").await;
    assert_eq!(
        (&duplicates["distinct"], &duplicates["repeated"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(duplicates["groups"][0]["sequences"], json!([0, 1]));
    assert_eq!(
        control(&client, &sandbox, "/profile?custom_id=nobody").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_request_log_says_what_happened_and_keeps_the_last_bodies() {
    let mut options = options();
    options.logged_requests = 3;
    options.kept_bodies = 2;
    let sandbox = start(options).await;
    let client = http();
    for count in 1..=4 {
        post(&client, &sandbox, "update", &operations(0, count)).await;
    }
    post(&client, &sandbox, "mass-update", &json!({})).await;
    let (_, log) = control(&client, &sandbox, "/requests").await;
    let log = log.as_array().unwrap();
    assert_eq!(log.len(), 3, "the log is bounded");
    let bytes = operations(0, 4).to_string().len();
    assert_eq!(
        (&log[1]["sequence"], &log[1]["endpoint"], &log[1]["version"]),
        (&json!(3), &json!("update"), &json!("2.11"))
    );
    assert_eq!(
        (&log[1]["status"], &log[1]["operations"], &log[1]["bytes"]),
        (&json!(202), &json!(4), &json!(bytes))
    );
    assert_eq!((&log[1]["applied"], &log[2]["applied"]), (&json!(true), &json!(false)));
    assert_eq!(
        (&log[2]["status"], &log[2]["error_code"]),
        (&json!(400), &json!("MALFORMED_PARAMETER"))
    );
    assert!(!json!(log).to_string().contains(KEY));
    let (_, tail) = control(&client, &sandbox, "/requests?from=4").await;
    assert_eq!(tail.as_array().unwrap().len(), 1);

    let (status, body) = control(&client, &sandbox, "/requests/body?sequence=3").await;
    assert_eq!((status, body), (StatusCode::OK, operations(0, 4)));
    assert_eq!(
        control(&client, &sandbox, "/requests/body?sequence=2").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn strict_mode_records_what_a_careful_client_never_does() {
    let mut options = options();
    options.strict = true;
    let sandbox = start(options).await;
    let client = http();
    post(&client, &sandbox, "update", &operations(0, 3)).await;
    assert_eq!(sandbox.sandbox().violations().count, 0);

    let twice =
        json!([{"identifiers": {"custom_id": "a"}}, {"identifiers": {"custom_id": "a"}, "attributes": {"Bad": 1}}]);
    for body in [json!([]), twice, json!({})] {
        post(&client, &sandbox, "update", &body).await;
    }
    let violations = sandbox.sandbox().violations();
    let kinds: Vec<_> = violations.first.iter().map(|violation| violation.kind).collect();
    let expected = [
        ViolationKind::EmptyCall,
        ViolationKind::RepeatedCustomId,
        ViolationKind::PartialError,
        ViolationKind::RefusedCall,
    ];
    assert_eq!(kinds, expected);
    let (status, body) = control(&client, &sandbox, "/violations").await;
    assert_eq!((status, &body["count"]), (StatusCode::OK, &json!(4)));
    assert_eq!(body["first"][2]["error"]["attribute"], "Bad");
}

#[tokio::test]
async fn violations_can_not_be_asked_for_without_strict_mode() {
    let sandbox = start(options()).await;
    assert_eq!(control(&http(), &sandbox, "/violations").await.0, StatusCode::CONFLICT);
}

#[tokio::test]
async fn strict_mode_counts_profiles_in_two_calls_at_once() {
    let mut options = options();
    options.strict = true;
    let sandbox = start(options).await;
    let client = http();
    let rules = json!({"rules": [{"kind": "slow", "ms": 60_000, "next": 1}]});
    control_post(&client, &sandbox, "/faults", &rules).await;
    let project = sandbox.sandbox().project(PROJECT).unwrap().clone();
    let body = operations(0, 2);
    let slow = tokio::spawn(call(&client, &sandbox, "update").body(body.to_string()).send());
    crate::client::eventually("the slow call took effect", || project.counts().profiles == 2).await;
    post(&client, &sandbox, "update", &operations(1, 2)).await;
    assert_eq!(project.counts().overlapping_operations, 1);
    slow.abort();
    crate::client::eventually("the slow call ended", || project.counts().unanswered == 1).await;
    post(&client, &sandbox, "update", &body).await;
    assert_eq!(project.counts().overlapping_operations, 1);
}

#[tokio::test]
async fn limits_are_lifted_and_changed_at_run_time() {
    let sandbox = start(options()).await;
    let client = http();
    let own = Rate {
        per_second: 1,
        burst: 3,
    };
    let (status, limits) = control_post(&client, &sandbox, "/limits", &json!({"update": {"limited": own}})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        limits[PROJECT],
        json!({"update": {"limited": {"per_second": 1, "burst": 3}}, "mass_update": "documented"})
    );
    assert_eq!(
        post(&client, &sandbox, "update", &operations(0, 3)).await.0,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        post(&client, &sandbox, "update", &operations(0, 3)).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    control_post(&client, &sandbox, "/limits", &json!({"update": "unlimited"})).await;
    for _ in 0..20 {
        assert_eq!(
            post(&client, &sandbox, "update", &operations(0, 200)).await.0,
            StatusCode::ACCEPTED
        );
    }
    control_post(&client, &sandbox, "/limits", &json!({"update": "documented"})).await;
    assert_eq!(
        control(&client, &sandbox, "/limits").await.1[PROJECT]["update"],
        "documented"
    );
}

#[tokio::test]
async fn projects_are_apart_and_reset_apart() {
    let mut options = options();
    options.projects.push(Credentials {
        project_key: "project_two".to_owned(),
        rest_api_key: KEY.to_owned(),
    });
    let sandbox = start(options).await;
    let client = http();
    post(&client, &sandbox, "update", &operations(0, 3)).await;
    let second = client.post(format!("http://{}/2.11/profiles/update", sandbox.address()));
    let second = second
        .header("Authorization", format!("Bearer {KEY}"))
        .header("X-Batch-Project", "project_two");
    let second = second
        .header("Content-Type", "application/json")
        .body(operations(0, 2).to_string());
    assert_eq!(second.send().await.unwrap().status(), StatusCode::ACCEPTED);

    let profiles = |counts: &Value| {
        (
            counts[PROJECT]["profiles"].clone(),
            counts["project_two"]["profiles"].clone(),
        )
    };
    assert_eq!(
        profiles(&control(&client, &sandbox, "/counts").await.1),
        (json!(3), json!(2))
    );
    assert_eq!(
        control(&client, &sandbox, "/profiles").await.0,
        StatusCode::BAD_REQUEST,
        "which project?"
    );
    assert_eq!(
        control(&client, &sandbox, "/profiles?project=nine").await.0,
        StatusCode::NOT_FOUND
    );

    let (status, _) = control_post(&client, &sandbox, &format!("/reset?project={PROJECT}"), &json!({})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        profiles(&control(&client, &sandbox, "/counts").await.1),
        (json!(0), json!(2))
    );
    let left = sandbox.sandbox().requests(0, 10);
    assert_eq!(
        left.iter().map(|entry| entry.project.as_deref()).collect::<Vec<_>>(),
        [Some("project_two")]
    );
    control_post(&client, &sandbox, "/reset", &json!({})).await;
    assert_eq!(
        profiles(&control(&client, &sandbox, "/counts").await.1),
        (json!(0), json!(0))
    );
}

#[tokio::test]
async fn misspelt_control_calls_are_refused_and_not_ignored() {
    let sandbox = start(options()).await;
    let client = http();
    for path in ["/counts?projekt=x", "/events?form=5", "/profile", "/requests?from=-1"] {
        assert_eq!(
            control(&client, &sandbox, path).await.0,
            StatusCode::BAD_REQUEST,
            "{path}"
        );
    }
    assert_eq!(control(&client, &sandbox, "/nothing").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        control(&client, &sandbox, "/reset").await.0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    for (path, body) in [
        ("/faults", json!({"rules": [{"kind": "explode"}]})),
        ("/faults", json!({"rules": [{"kind": "slow"}]})),
        ("/faults", json!([])),
        ("/limits", json!({"update": "none"})),
        ("/limits", json!({"updates": "unlimited"})),
    ] {
        assert!(
            control_post(&client, &sandbox, path, &body).await.0.is_client_error(),
            "{path} {body}"
        );
    }
    assert_eq!(control(&client, &sandbox, "/health").await.1, json!({"status": "ok"}));
}
