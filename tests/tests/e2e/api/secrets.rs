//! No answer holds a secret.

use longshore_tests::{PASSWORD, PROJECT_KEY, REST_API_KEY, Result};
use serde_json::json;

use crate::served::Quay;

const OPERATOR: &str = "an-operators-token-0123456789abcdef";

#[tokio::test]
async fn no_answer_shows_a_secret_whatever_went_wrong() -> Result<()> {
    let mut quay = Quay::open().await?;
    quay.longshore.set_variable("LONGSHORE_OPERATOR_TOKEN", OPERATOR);
    quay.add_reject("eve").await?;
    // A row that holds what happens to be a secret of ours: shown rows are covered, too.
    quay.database
        .execute(&format!(
            "INSERT INTO people (ref, name, url__home) VALUES ('mallory', 'x', '{PASSWORD}')"
        ))
        .await?;
    let served = quay.serve(&[]).await?.with_token(OPERATOR);
    served.run("people").await?;
    // The error of a run that fails repeats what the source says.
    quay.database
        .execute(&format!(
            "ALTER TABLE people RENAME COLUMN last_updated_at TO \"{PASSWORD}\""
        ))
        .await?;
    served.run("people").await?;
    let failed = served.get("/runs/last").await?.good();
    assert_eq!(failed["status"], "failed", "{failed}");
    let mut seen = 0;
    for path in [
        "//",
        "/openapi.json",
        "/session",
        "/syncs",
        "/syncs/people",
        "/runs",
        "/runs/last",
        "/runs/last/log",
        "/rejects",
        "/rejects/1",
        "/rejects/2",
        "/rejects/counts",
        "/state",
        "/state/people",
        "/nothing",
    ] {
        let answer = served.get(path).await?;
        seen += answer.text.len();
        for secret in [PASSWORD, REST_API_KEY, PROJECT_KEY, OPERATOR] {
            assert!(!answer.text.contains(secret), "{path} shows {secret}: {}", answer.text);
        }
    }
    let wrong = served.post(&format!("/syncs/{PASSWORD}/run"), json!({})).await?;
    assert!(!wrong.text.contains(PASSWORD), "{}", wrong.text);
    assert!(
        served.get("/rejects/2").await?.text.contains("***"),
        "something was there to be covered"
    );
    assert!(seen > 10_000);
    Ok(())
}
