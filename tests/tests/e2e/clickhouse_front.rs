//! The front of the ClickHouse engine answers as a server does. What does not ask it to misbehave runs against a real server too.

mod answers;
mod connection;
mod faults;
mod insertion;
mod process;
mod running;
mod streams;

use longshore_tests::{ClickHouseServer, Result};
use reqwest::{Response, StatusCode};

/// The text of an answer, and its status.
async fn answered(response: Response) -> (StatusCode, String) {
    let status = response.status();
    (status, response.text().await.unwrap())
}

/// Asks a statement with parameters in the URL.
async fn ask(server: &ClickHouseServer, parameters: &[(&str, &str)], statement: &str) -> Result<Response> {
    use longshore_tests::Context as _;
    let request = server.post(parameters, statement.to_owned());
    request.send().await.context("ClickHouse does not answer")
}

/// A header's value; empty when there is none.
fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or_default()
}
