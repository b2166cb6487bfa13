//! Questions over HTTP, as the server's one user.

use std::time::Duration;

use reqwest::{Body, Client, RequestBuilder, Response, StatusCode, Url};

use crate::{Context, Failure, Result, http};

/// Longer than any statement of a test takes.
const CALL_BOUND: Duration = Duration::from_secs(120);

/// Where a server is, and who asks.
#[derive(Clone, Debug)]
pub(super) struct Access {
    client: Client,
    /// Without user and password.
    pub(super) base: Url,
    pub(super) user: String,
    pub(super) password: String,
}

impl Access {
    /// From `http://user:password@host:port`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut base = Url::parse(text).context("the address of the ClickHouse server is no URL")?;
        let user = decoded(base.username());
        let password = decoded(base.password().unwrap_or_default());
        let bare = base.set_username("").and_then(|()| base.set_password(None));
        bare.map_err(|()| Failure::new("the address of the ClickHouse server has no host"))?;
        Ok(Self {
            client: client()?,
            base,
            user: if user.is_empty() { "default".to_owned() } else { user },
            password,
        })
    }

    /// The host to connect to.
    pub(super) fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    /// The port to connect to.
    pub(super) fn port(&self) -> u16 {
        self.base.port_or_known_default().unwrap_or_default()
    }

    /// A request with parameters in the URL and credentials in headers; without them, the statement is the body.
    pub(super) fn post(&self, parameters: &[(&str, &str)], body: impl Into<Body>) -> RequestBuilder {
        let mut url = self.base.clone();
        url.query_pairs_mut().extend_pairs(parameters);
        self.client
            .post(url)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", &self.password)
            .body(body)
    }

    /// A request without credentials to another path.
    pub(super) fn plain(&self, method: reqwest::Method, path: &str) -> Result<RequestBuilder> {
        let url = self.base.join(path).context("a path of the server is no URL")?;
        Ok(self.client.request(method, url))
    }

    /// The whole answer to a statement, as text.
    pub(super) async fn ask(&self, statement: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let response = self.post(parameters, statement.to_owned()).send().await;
        let response = response.context("ClickHouse does not answer")?;
        text(response)
            .await
            .context(format!("this statement fails: {statement}"))
    }
}

/// The text of an answer that is none of an error.
pub(super) async fn text(response: Response) -> Result<String> {
    let status = response.status();
    let text = response.text().await.context("the answer of ClickHouse breaks off")?;
    if status == StatusCode::OK {
        return Ok(text);
    }
    Err(Failure::new(format!(
        "ClickHouse answers {status}: {}",
        text.trim_end()
    )))
}

fn decoded(text: &str) -> String {
    let pairs = format!("text={}", text.replace('+', "%2B"));
    let url = Url::parse(&format!("http://host/?{pairs}"));
    let value = url.ok().and_then(|url| Some(url.query_pairs().next()?.1.into_owned()));
    value.unwrap_or_default()
}

fn client() -> Result<Client> {
    http::client()
        // Bodies are looked at as they are sent.
        .no_gzip()
        // A server is shared by tests that each have a runtime of their own; a connection lives no longer than the runtime that opened it.
        .pool_max_idle_per_host(0)
        .timeout(CALL_BOUND)
        .build()
        .context("an HTTP client can not be made")
}
