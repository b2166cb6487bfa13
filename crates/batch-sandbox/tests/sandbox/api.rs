//! The emulated endpoints.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_batch_sandbox::{Clock, Credentials, ManualClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{KEY, PROJECT, answer, builder, call, http, operations, options, post, start};

#[tokio::test]
async fn a_call_is_authenticated_by_project_and_key() {
    let mut options = options();
    options.projects.push(Credentials {
        project_key: "project_two".to_owned(),
        rest_api_key: "rest_two".to_owned(),
    });
    let sandbox = start(options).await;
    let client = http();
    let cases = [
        (Some("Bearer rest_one"), Some("project_one"), true),
        (Some("Bearer rest_two"), Some("project_two"), true),
        (Some("Bearer rest_two"), Some("project_one"), false),
        (Some("Bearer wrong"), Some("project_one"), false),
        (Some("rest_one"), Some("project_one"), false),
        (Some("Basic rest_one"), Some("project_one"), false),
        (Some("Bearer rest_one"), Some("project_three"), false),
        (Some("Bearer rest_one"), None, false),
        (None, Some("project_one"), false),
    ];
    for (authorization, project, is_valid) in cases {
        let url = format!("http://{}/2.11/profiles/update", sandbox.address());
        let mut request = client.post(url).header("Content-Type", "application/json").body("[]");
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some(project) = project {
            request = request.header("X-Batch-Project", project);
        }
        let (status, body) = answer(request).await;
        if is_valid {
            assert_eq!((status, body), (StatusCode::ACCEPTED, json!({"code": "SUCCESS"})));
        } else {
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{authorization:?} {project:?}");
            assert_eq!(body["error_code"], "AUTHENTICATION_INVALID");
            assert!(body["error_message"].is_string());
        }
    }
}

#[tokio::test]
async fn other_routes_and_versions_are_not_found() {
    let sandbox = start(options()).await;
    let client = http();
    for path in [
        "/",
        "/2.11",
        "/2.11/profiles",
        "/2.11/profiles/update/",
        "/2.11/profiles/view",
        "/9.9/profiles/update",
        "//",
    ] {
        let request = client.post(format!("http://{}{path}", sandbox.address()));
        let request = request
            .header("Authorization", format!("Bearer {KEY}"))
            .header("X-Batch-Project", PROJECT);
        let (status, body) = answer(request.body("[]")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(body["error_code"], "ROUTE_NOT_FOUND", "{path}");
    }
    for version in longshore_batch_sandbox::limits::API_VERSIONS {
        let url = format!("http://{}/{version}/profiles/mass-update", sandbox.address());
        let request = client
            .post(url)
            .header("Authorization", format!("Bearer {KEY}"))
            .header("X-Batch-Project", PROJECT);
        let (status, _) = answer(request.header("Content-Type", "application/json").body("[]")).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{version}");
    }
}

#[tokio::test]
async fn calls_that_can_not_be_read_are_refused_whole() {
    let mut options = options();
    options.max_body_bytes = 1_000;
    let sandbox = start(options).await;
    let client = http();
    let update = || call(&client, &sandbox, "update");

    let get = client.request(
        Method::GET,
        format!("http://{}/2.11/profiles/update", sandbox.address()),
    );
    let plain = client.post(format!("http://{}/2.11/profiles/update", sandbox.address()));
    let plain = plain
        .header("Authorization", format!("Bearer {KEY}"))
        .header("X-Batch-Project", PROJECT);
    let cases = [
        (get, 405, "METHOD_NOT_ALLOWED"),
        (
            plain.header("Content-Type", "text/plain").body("[]"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (
            update().header("Content-Encoding", "gzip").body("[]"),
            415,
            "UNSUPPORTED_MEDIA_TYPE",
        ),
        (update().body(" ".repeat(1_001)), 413, "PAYLOAD_TOO_LARGE"),
        (update().body("{}"), 400, "MALFORMED_PARAMETER"),
        (update().body("[{]"), 400, "MALFORMED_PARAMETER"),
        (
            update().body(r#"[{"identifiers":{"custom_id":"a"}},{}]"#),
            400,
            "MALFORMED_PARAMETER",
        ),
    ];
    for (request, expected, code) in cases {
        let (status, body) = answer(request).await;
        assert_eq!(
            (status.as_u16(), &body["error_code"]),
            (expected, &json!(code)),
            "{body}"
        );
    }
    let (status, _) = answer(update().body(format!("{}[]", " ".repeat(998)))).await;
    assert_eq!(status, StatusCode::ACCEPTED, "1,000 bytes are taken");
    let counts = sandbox.sandbox().project(PROJECT).unwrap().counts();
    assert_eq!((counts.profiles, counts.applied_requests), (0, 1));
}

#[tokio::test]
async fn the_operations_of_a_call_are_limited_by_endpoint() {
    let sandbox = start(options().without_rate_limits()).await;
    let client = http();
    for (endpoint, most) in [("update", 200), ("mass-update", 10_000)] {
        let (status, body) = post(&client, &sandbox, endpoint, &operations(0, most)).await;
        assert_eq!(
            (status, body),
            (StatusCode::ACCEPTED, json!({"code": "SUCCESS"})),
            "{endpoint}"
        );
        let (status, body) = post(&client, &sandbox, endpoint, &operations(0, most + 1)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{endpoint}");
        assert_eq!(body["error_code"], "MALFORMED_PARAMETER");
    }
    let counts = sandbox.sandbox().project(PROJECT).unwrap().counts();
    assert_eq!(
        (counts.profiles, counts.events, counts.operations),
        (10_000, 10_200, 10_200)
    );
}

#[tokio::test]
async fn the_bucket_of_a_project_empties_and_fills_with_time() {
    let clock = Arc::new(ManualClock::starting_at("2026-11-20T12:00:00Z".parse().unwrap()));
    let mut options = options();
    options.clock = clock.clone();
    options.projects.push(Credentials {
        project_key: "project_two".to_owned(),
        rest_api_key: KEY.to_owned(),
    });
    let sandbox = start(options).await;
    let client = http();
    let full = operations(0, 200);
    for _ in 0..5 {
        assert_eq!(post(&client, &sandbox, "update", &full).await.0, StatusCode::ACCEPTED);
    }
    let response = call(&client, &sandbox, "update")
        .body(operations(0, 1).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(
        response.headers().get("retry-after").is_none(),
        "no page documents this header"
    );
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["error_code"], "TOO_MANY_REQUESTS");

    assert_eq!(
        post(&client, &sandbox, "mass-update", &operations(0, 10_000)).await.0,
        StatusCode::ACCEPTED,
        "the other endpoint has its own bucket"
    );
    assert_eq!(
        post(&client, &sandbox, "mass-update", &operations(0, 1)).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    let other = client.post(format!("http://{}/2.11/profiles/update", sandbox.address()));
    let other = other
        .header("Authorization", format!("Bearer {KEY}"))
        .header("X-Batch-Project", "project_two");
    let other = other.header("Content-Type", "application/json").body(full.to_string());
    assert_eq!(answer(other).await.0, StatusCode::ACCEPTED, "so has the other project");

    clock.advance(Duration::from_millis(667));
    assert_eq!(post(&client, &sandbox, "update", &full).await.0, StatusCode::ACCEPTED);
    assert_eq!(
        post(&client, &sandbox, "update", &full).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    let counts = sandbox.sandbox().project(PROJECT).unwrap().counts();
    assert_eq!(counts.too_many_requests, 3);
}

#[tokio::test]
async fn refused_pieces_are_listed_and_the_rest_is_applied() {
    let clock = Arc::new(ManualClock::starting_at("2026-11-20T12:00:00Z".parse().unwrap()));
    let mut options = options();
    options.clock = clock.clone();
    let sandbox = start(options).await;
    let body = json!([
        {"identifiers": {"custom_id": "good"}, "attributes": {"plan": "pro"}},
        {"identifiers": {"custom_id": "undefined"}, "attributes": {"plan": "pro"}},
        {"identifiers": {"custom_id": "mixed"}, "attributes": {"plan": "", "age": 5}, "events": [
            {"name": "old", "time": "2026-11-19T11:59:59Z"},
            {"name": "fresh", "time": "2026-11-20T11:59:59Z", "attributes": {"a": null, "b": "kept"}},
        ]},
    ]);
    let (status, answer) = post(&http(), &sandbox, "update", &body).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(answer["code"], "SUCCESS_WITH_PARTIAL_ERRORS");
    let errors = answer["errors"].as_array().unwrap();
    let shape: Vec<_> = errors
        .iter()
        .map(|error| {
            (
                error["bulk_index"].as_u64().unwrap(),
                error["category"].as_str().unwrap(),
                error["attribute"].as_str(),
            )
        })
        .collect();
    let expected = [
        (1, "identifier", None),
        (2, "attribute", Some("plan")),
        (2, "event", None),
        (2, "event", Some("a")),
    ];
    assert_eq!(shape, expected);

    let project = sandbox.sandbox().project(PROJECT).unwrap();
    assert_eq!(project.counts().profiles, 2);
    assert!(project.profile("undefined").is_none());
    assert!(project.profile("mixed").unwrap().attribute("plan").is_none());
    let events = project.events(0, usize::MAX);
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].name.as_str(), events[0].attributes.as_str()),
        ("fresh", r#"{"b":"kept"}"#)
    );
    assert_eq!(events[0].received_at, clock.wall());
}

#[tokio::test]
async fn gzip_is_taken_when_allowed() {
    let mut options = options();
    options.accept_gzip = true;
    options.max_body_bytes = 100_000;
    let sandbox = start(options).await;
    let client = http();
    let zipped = |plain: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let send = |body: Vec<u8>| {
        answer(
            call(&client, &sandbox, "update")
                .header("Content-Encoding", "gzip")
                .body(body),
        )
    };
    assert_eq!(
        send(zipped(operations(0, 3).to_string().as_bytes())).await.0,
        StatusCode::ACCEPTED
    );
    assert_eq!(send(b"not gzip".to_vec()).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(
        send(zipped(&vec![b' '; 100_001])).await.0,
        StatusCode::PAYLOAD_TOO_LARGE
    );
    assert_eq!(sandbox.sandbox().project(PROJECT).unwrap().counts().profiles, 3);
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken_too() {
    let sandbox = start(options()).await;
    let client = builder().http2_prior_knowledge().build().unwrap();
    let response = call(&client, &sandbox, "update")
        .body(operations(0, 2).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_calls_lose_and_repeat_nothing() {
    let sandbox = Arc::new(start(options().without_rate_limits()).await);
    let client = http();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let (sandbox, client) = (sandbox.clone(), client.clone());
        tasks.spawn(async move {
            for call in 0..10 {
                let body = operations((task * 10 + call) * 200, 200);
                assert_eq!(post(&client, &sandbox, "update", &body).await.0, StatusCode::ACCEPTED);
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let project = sandbox.sandbox().project(PROJECT).unwrap();
    let counts = project.counts();
    assert_eq!((counts.profiles, counts.events, counts.requests), (16_000, 16_000, 80));
    let mut numbers: Vec<usize> = project
        .events(0, usize::MAX)
        .iter()
        .map(|event| {
            serde_json::from_str::<Value>(&event.attributes).unwrap()["number"]
                .as_u64()
                .unwrap() as usize
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..16_000).collect::<Vec<_>>());
    assert_eq!(project.duplicates(1).repeated, 0);
}
