//! Cursors: looked at, set, forgotten.

use longshore_tests::Result;
use reqwest::Method;
use serde_json::{Value, json};

use crate::served::{Answer, Quay, Served};

async fn put(served: &Served, table: &str, body: Value) -> Result<Answer> {
    let path = format!("/state/people/tables/{table}");
    served.ask(Method::PUT, &path, Some(body.to_string()), &[]).await
}

#[tokio::test]
async fn a_cursor_is_set_and_forgotten_with_the_checks_of_the_command_line() -> Result<()> {
    let quay = Quay::open().await?;
    quay.add_people(4).await?;
    let served = quay.serve(&[]).await?;
    let early = put(&served, "people", json!({ "value": "2020-01-01T00:00:00Z" })).await?;
    assert_eq!(early.refused(), (422, "cursor_type_unknown".to_owned()));
    served.run("people").await?;
    let listed = served.get("/state?sync=people").await?.good();
    assert_eq!(
        (&listed["states"][0]["table"], &listed["states"][0]["revision"]),
        (&json!("people"), &json!(1))
    );

    for (body, status, code) in [
        (json!({ "value": "yesterday" }), 422, "cursor_invalid"),
        (json!({ "value": "7", "type": "int" }), 422, "cursor_type_mismatch"),
        (json!({ "value": "7", "type": "integer" }), 400, "cursor_type_invalid"),
        (json!({}), 400, "body_invalid"),
    ] {
        assert_eq!(
            put(&served, "people", body.clone()).await?.refused(),
            (status, code.to_owned()),
            "{body}"
        );
    }
    let set = put(&served, "people", json!({ "value": "2020-01-01T00:00:00Z" }))
        .await?
        .good();
    assert_eq!(set["revision"], 2);
    assert_eq!(
        served.run("people").await?["history"][1]["rows"],
        4,
        "rows behind the new cursor are delivered again"
    );

    let forgotten = served
        .post("/state/people/reset", json!({ "table": "people", "confirmed": true }))
        .await?
        .good();
    assert_eq!(
        (&forgotten["states"], &forgotten["table"]),
        (&json!(1), &json!("people"))
    );
    assert_eq!(served.get("/state/people").await?.good()["states"], json!([]));
    Ok(())
}
