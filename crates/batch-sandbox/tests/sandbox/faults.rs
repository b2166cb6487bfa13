//! Faults on demand, over real sockets.

use std::time::Duration;

use longshore_batch_sandbox::{FaultKind, FaultRule, Running};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{
    KEY, PATIENCE, PROJECT, builder, call, control, control_post, eventually, http, operations, options, post, start,
};

fn profiles(sandbox: &Running) -> usize {
    sandbox.sandbox().project(PROJECT).unwrap().counts().profiles
}

/// Everything that the server sends on a connection until it closes it.
async fn raw_answer(sandbox: &Running, body: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let head = format!(
        "POST /2.11/profiles/update HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer {KEY}\r\nX-Batch-Project: {PROJECT}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer));
    // A reset is a close too.
    let _ = reading.await.expect("the server closes the connection");
    answer
}

#[tokio::test]
async fn a_cut_before_applying_leaves_nothing_behind_and_a_cut_after_it_everything() {
    let sandbox = start(options()).await;
    let body = operations(0, 1).to_string();
    for (kind, profiles_afterwards) in [(FaultKind::CutBefore, 0), (FaultKind::CutAfter, 1)] {
        sandbox.sandbox().set_faults(vec![FaultRule::always(kind).next(1)]);
        assert_eq!(raw_answer(&sandbox, &body).await, b"", "not one byte of an answer");
        assert_eq!(profiles(&sandbox), profiles_afterwards);
        let report = &sandbox.sandbox().faults()[0];
        assert_eq!((report.seen, report.fired), (1, 1));
    }
    assert_eq!(
        post(&http(), &sandbox, "update", &operations(0, 1)).await.0,
        StatusCode::ACCEPTED,
        "then all is well"
    );
    let project = sandbox.sandbox().project(PROJECT).unwrap();
    let counts = project.counts();
    assert_eq!((counts.requests, counts.unanswered, counts.applied_requests), (3, 2, 2));
    assert_eq!(
        project.duplicates(10).repeated,
        1,
        "the retry after the cut repeats the event"
    );
    let logged = sandbox.sandbox().requests(0, 10);
    let shape: Vec<_> = logged
        .iter()
        .map(|entry| (entry.fault.as_deref(), entry.applied, entry.status))
        .collect();
    let expected = [
        (Some("cut_before"), false, None),
        (Some("cut_after"), true, None),
        (None, true, Some(202)),
    ];
    assert_eq!(shape, expected);
}

#[tokio::test]
async fn an_http2_connection_is_cut_as_well() {
    let sandbox = start(options()).await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    assert_eq!(
        post(&client, &sandbox, "update", &operations(0, 1)).await.0,
        StatusCode::ACCEPTED
    );
    sandbox
        .sandbox()
        .set_faults(vec![FaultRule::always(FaultKind::CutAfter).next(1)]);
    let outcome = call(&client, &sandbox, "update")
        .body(operations(1, 1).to_string())
        .send()
        .await;
    assert!(outcome.is_err());
    assert_eq!(profiles(&sandbox), 2);
}

#[tokio::test]
async fn error_answers_come_on_demand_and_take_no_effect() {
    let sandbox = start(options()).await;
    let client = http();
    let cases = [
        (
            json!({"kind": "status_429", "retry_after_s": 2}),
            429,
            "TOO_MANY_REQUESTS",
            Some("2"),
        ),
        (json!({"kind": "status_429"}), 429, "TOO_MANY_REQUESTS", None),
        (json!({"kind": "status_500"}), 500, "SERVER_ERROR", None),
        (
            json!({"kind": "status_503", "retry_after_s": 7}),
            503,
            "MAINTENANCE",
            Some("7"),
        ),
        (
            json!({"kind": "status", "status": 401}),
            401,
            "AUTHENTICATION_INVALID",
            None,
        ),
        (
            json!({"kind": "status", "status": 502, "error_code": "BAD_GATEWAY"}),
            502,
            "BAD_GATEWAY",
            None,
        ),
    ];
    for (mut rule, status, code, retry_after) in cases {
        rule["next"] = json!(1);
        let (accepted, _) = control_post(&client, &sandbox, "/faults", &json!({"rules": [rule]})).await;
        assert_eq!(accepted, StatusCode::OK, "{rule}");
        let response = call(&client, &sandbox, "update")
            .body(operations(0, 1).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status);
        let header = response
            .headers()
            .get("retry-after")
            .map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header.as_deref(), retry_after);
        assert!(response.text().await.unwrap().contains(code));
        assert_eq!(profiles(&sandbox), 0);
        let (_, report) = control(&client, &sandbox, "/faults").await;
        assert_eq!(report["rules"][0]["fired"], 1);
    }
    let applied = json!({"rules": [{"kind": "status", "status": 504, "applied": true}]});
    control_post(&client, &sandbox, "/faults", &applied).await;
    assert_eq!(
        post(&client, &sandbox, "update", &operations(0, 1)).await.0,
        StatusCode::GATEWAY_TIMEOUT
    );
    assert_eq!(profiles(&sandbox), 1, "this one took effect");
}

#[tokio::test]
async fn a_slow_call_takes_effect_before_or_after_its_delay() {
    let sandbox = start(options()).await;
    let impatient = builder().timeout(Duration::from_millis(200)).build().unwrap();
    for (applied, profiles_afterwards) in [(false, 0), (true, 1)] {
        sandbox
            .sandbox()
            .set_faults(vec![FaultRule::always(FaultKind::Slow { ms: 60_000, applied }).next(1)]);
        let outcome = call(&impatient, &sandbox, "update")
            .body(operations(0, 1).to_string())
            .send()
            .await;
        assert!(outcome.unwrap_err().is_timeout());
        let entries = usize::from(applied) + 1;
        eventually("the call is recorded once the client has left", || {
            sandbox.sandbox().requests(0, 10).len() == entries
        })
        .await;
        assert_eq!(profiles(&sandbox), profiles_afterwards, "applied: {applied}");
        assert_eq!(sandbox.sandbox().requests(0, 10).last().unwrap().status, None);
    }
    sandbox
        .sandbox()
        .set_faults(vec![FaultRule::always(FaultKind::Slow { ms: 50, applied: false })]);
    let started = std::time::Instant::now();
    assert_eq!(
        post(&http(), &sandbox, "update", &operations(1, 1)).await.0,
        StatusCode::ACCEPTED
    );
    assert!(started.elapsed() >= Duration::from_millis(50));
    assert_eq!(profiles(&sandbox), 2);
}

#[tokio::test]
async fn operations_are_refused_and_answers_garbled_on_demand() {
    let sandbox = start(options()).await;
    let client = http();
    sandbox.sandbox().set_faults(vec![
        FaultRule::always(FaultKind::PartialErrors { operations: 2 }).next(1),
        FaultRule::always(FaultKind::Garbled).next(1),
    ]);
    let (status, body) = post(&client, &sandbox, "update", &operations(0, 3)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let refused: Vec<_> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["bulk_index"].clone())
        .collect();
    assert_eq!(refused, [0, 1]);
    assert_eq!(profiles(&sandbox), 1);

    let (status, body) = post(&client, &sandbox, "update", &operations(3, 3)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(body.is_string(), "the answer is not JSON");
    assert_eq!(profiles(&sandbox), 4);
}

#[tokio::test]
async fn a_fault_waits_for_an_authenticated_call_of_its_endpoint() {
    let sandbox = start(options()).await;
    let client = http();
    let rules = json!({"rules": [{"kind": "status_500", "endpoint": "mass_update", "next": 1}]});
    control_post(&client, &sandbox, "/faults", &rules).await;
    let wrong_key = client.post(format!("http://{}/2.11/profiles/mass-update", sandbox.address()));
    let wrong_key = wrong_key
        .header("Authorization", "Bearer wrong")
        .header("X-Batch-Project", PROJECT)
        .body("[]");
    assert_eq!(wrong_key.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        post(&client, &sandbox, "update", &operations(0, 1)).await.0,
        StatusCode::ACCEPTED
    );
    assert_eq!(sandbox.sandbox().faults()[0].fired, 0);
    assert_eq!(
        post(&client, &sandbox, "mass-update", &operations(0, 1)).await.0,
        StatusCode::INTERNAL_SERVER_ERROR
    );
    assert_eq!(
        post(&client, &sandbox, "mass-update", &operations(0, 1)).await.0,
        StatusCode::ACCEPTED
    );

    let cleared = client.delete(format!("http://{}/_sandbox/faults", sandbox.address()));
    let (_, last) = crate::client::answer(cleared).await;
    assert_eq!(last["rules"][0]["fired"], 1);
    assert!(sandbox.sandbox().faults().is_empty());
}
