//! A client of the sandbox, and the sandboxes that it talks to.

use std::time::Duration;

use longshore_batch_sandbox::{Options, Running, Sandbox};
use reqwest::{Client, RequestBuilder, StatusCode};
use serde_json::{Value, json};

pub(crate) const PROJECT: &str = "project_one";
pub(crate) const KEY: &str = "rest_one";
/// Bound of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn options() -> Options {
    Options::for_project(PROJECT, KEY)
}

pub(crate) async fn start(options: Options) -> Running {
    Sandbox::start(options)
        .await
        .expect("a free port on loopback can be had")
}

pub(crate) fn http() -> Client {
    builder().build().unwrap()
}

pub(crate) fn builder() -> reqwest::ClientBuilder {
    // The client insists on a TLS provider, although nothing here uses TLS. A second installation changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().timeout(PATIENCE).no_proxy()
}

pub(crate) fn call(client: &Client, sandbox: &Running, endpoint: &str) -> RequestBuilder {
    client
        .post(format!("http://{}/2.11/profiles/{endpoint}", sandbox.address()))
        .header("Authorization", format!("Bearer {KEY}"))
        .header("X-Batch-Project", PROJECT)
        .header("Content-Type", "application/json")
}

pub(crate) async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer comes");
    let status = response.status();
    let text = response.text().await.expect("the answer is complete");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) async fn post(client: &Client, sandbox: &Running, endpoint: &str, body: &Value) -> (StatusCode, Value) {
    answer(call(client, sandbox, endpoint).body(body.to_string())).await
}

/// `count` operations, each with its own profile, one attribute and one event.
pub(crate) fn operations(first: usize, count: usize) -> Value {
    let operation = |number: usize| {
        json!({
            "identifiers": {"custom_id": format!("u{number}")},
            "attributes": {"number": number},
            "events": [{"name": "seen", "attributes": {"number": number}}],
        })
    };
    (first..first + count).map(operation).collect()
}

pub(crate) async fn control(client: &Client, sandbox: &Running, path: &str) -> (StatusCode, Value) {
    answer(client.get(format!("http://{}/_sandbox{path}", sandbox.address()))).await
}

pub(crate) async fn control_post(client: &Client, sandbox: &Running, path: &str, body: &Value) -> (StatusCode, Value) {
    let request = client.post(format!("http://{}/_sandbox{path}", sandbox.address()));
    answer(
        request
            .header("Content-Type", "application/json")
            .body(body.to_string()),
    )
    .await
}

/// Waits until `holds` does.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("never came true: {what}"));
}
