//! Who is let in, and from where.

use longshore_tests::Result;
use reqwest::Method;
use serde_json::json;

use crate::served::Quay;

const OPERATOR: &str = "an-operators-token-0123456789abcdef";
const READER: &str = "a-readers-token-0123456789abcdef";

#[tokio::test]
async fn roles_come_from_tokens_and_decide_what_may_be_done() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", OPERATOR);
    quay.longshore
        .write("tokens", &format!("# who\nread_only {READER}\n"))?;
    let anybody = quay.serve(&["--tokens", "tokens"]).await?;
    for (path, status) in [
        ("/syncs", 401),
        ("/events", 401),
        ("/session", 401),
        ("/openapi.json", 200),
    ] {
        let answer = anybody.get(path).await?;
        assert_eq!(answer.status, status, "{path}");
        if status == 401 {
            assert_eq!(answer.refused(), (401, "token_missing".to_owned()));
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    assert_eq!(anybody.get("//").await?.status, 200, "the page asks for a token itself");
    let stranger = anybody.with_token("a-strangers-token-0123456789");
    assert_eq!(
        stranger.get("/syncs").await?.refused(),
        (401, "token_refused".to_owned())
    );

    let reader = stranger.with_token(READER);
    let session = reader.get("/session").await?.good();
    assert_eq!(
        (&session["role"], &session["tokens"]),
        (&json!("read_only"), &json!(true))
    );
    reader.get("/syncs").await?.good();
    for path in [
        "/syncs/people/run",
        "/syncs/people/pause",
        "/runs/last/cancel",
        "/rejects/replay",
        "/state/people/reset",
    ] {
        let refused = reader.post(path, json!({})).await?.refused();
        assert_eq!(refused, (403, "operators_only".to_owned()), "{path}");
    }
    assert_eq!(
        reader.get("/rejects/export").await?.refused(),
        (403, "operators_only".to_owned())
    );

    let operator = reader.with_token(OPERATOR);
    assert_eq!(operator.get("/session").await?.good()["role"], "operator");
    operator.run("people").await?;
    Ok(())
}

#[tokio::test]
async fn beyond_this_machine_nothing_is_served_without_tokens() -> Result<()> {
    let quay = Quay::open().await?;
    let refused = quay
        .longshore
        .run(["serve", "longshore.yml", "--listen", "0.0.0.0:0"])
        .await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("tokens_missing") && refused.stderr.contains("--tokens"),
        "{refused}"
    );
    let served = quay.serve(&["--listen", "0.0.0.0:0", "--no-authentication"]).await?;
    served.get("/syncs").await?.good();
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_no_good_keeps_the_daemon_from_starting() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", "tiny");
    let refused = quay.longshore.run(["serve", "longshore.yml"]).await?;
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert!(
        refused.stderr.contains("token_invalid") && refused.stderr.contains("LONGSHORE_OPERATOR_TOKEN"),
        "{refused}"
    );
    Ok(())
}

#[tokio::test]
async fn pages_of_others_and_foreign_names_are_refused() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&["--host", "longshore.internal"]).await?;
    let asked = async |headers: &[(&str, &str)]| served.ask(Method::GET, "/syncs", None, headers).await;
    assert_eq!(
        asked(&[("host", "evil.example")]).await?.refused(),
        (403, "host_refused".to_owned())
    );
    assert_eq!(asked(&[("host", "longshore.internal")]).await?.status, 200);
    assert_eq!(
        asked(&[("origin", "http://evil.example")]).await?.refused(),
        (403, "origin_refused".to_owned())
    );
    assert_eq!(
        asked(&[("sec-fetch-site", "cross-site")]).await?.refused(),
        (403, "origin_refused".to_owned())
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let sent = served
        .ask(Method::POST, "/syncs/numbers/run", Some("{}".to_owned()), &form)
        .await?;
    assert_eq!(sent.refused(), (415, "json_needed".to_owned()));
    assert_eq!(served.get("/syncs/numbers").await?.good()["phase"], "idle");
    Ok(())
}

#[tokio::test]
async fn every_answer_keeps_browsers_from_doing_more_with_it_than_to_show_it() -> Result<()> {
    let quay = Quay::open().await?;
    let served = quay.serve(&[]).await?;
    for path in ["//", "//assets/app.js", "/syncs", "/nothing", "//nothing"] {
        let answer = served.get(path).await?;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn metrics_are_for_who_may_look_and_health_is_for_anybody() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_READ_ONLY_TOKEN", READER);
    let anybody = quay.serve(&[]).await?;
    for path in ["//healthz", "//readyz"] {
        assert_eq!(anybody.get(path).await?.status, 200, "{path}");
    }
    assert_eq!(
        anybody.get("//metrics").await?.refused(),
        (401, "token_missing".to_owned())
    );
    let reader = anybody.with_token(READER);
    let metrics = reader.get("//metrics").await?;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text.contains("longshore_build_info{"), "{}", metrics.text);
    Ok(())
}
