//! The request that carries an alert.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use reqwest::{Client, StatusCode, Url, redirect};
use serde_json::Value;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// Between the first two tries; each later pause is three times as long, jitter comes on top.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long somebody waits for an alert to arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries at most.
    pub tries: u32,
}

impl Patience {
    /// For an alert that is new.
    pub const NEW: Self = Self { tries: 4 };
    /// For one that is only to be stored, and told with a later occasion.
    pub const NONE: Self = Self { tries: 0 };
    /// For one that did not arrive before, and comes again with the next occasion.
    pub const AGAIN: Self = Self { tries: 1 };
}

/// Sends alerts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Sender {
    /// Made for the first alert: a machine without certificates can do without a client as long as nothing is told.
    http: Arc<OnceLock<Client>>,
}

/// Why an alert did not arrive; without the address, which is a secret.
#[derive(Debug)]
pub(super) enum NotDelivered {
    Address,
    Client(reqwest::Error),
    Answer(StatusCode),
    NoAnswer(reqwest::Error),
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address can not be used"),
            Self::Client(error) => {
                f.write_str("the HTTPS client can not be set up; this machine may have no root certificates")?;
                with_causes(f, error)
            }
            Self::Answer(status) => write!(f, "the answer was {status}"),
            Self::NoAnswer(error) => {
                f.write_str("no answer came")?;
                with_causes(f, error)
            }
        }
    }
}

fn with_causes(f: &mut fmt::Formatter<'_>, error: &reqwest::Error) -> fmt::Result {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

impl NotDelivered {
    /// Whether trying again soon can help.
    fn can_pass(&self) -> bool {
        match self {
            Self::Address | Self::Client(_) => false,
            Self::Answer(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            Self::NoAnswer(_) => true,
        }
    }
}

impl Sender {
    fn client(&self) -> Result<&Client, NotDelivered> {
        if let Some(client) = self.http.get() {
            return Ok(client);
        }
        // Another part of the process may have installed it: one is as good as the other.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST)
            // What is told goes to the configured address and nowhere else.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(NotDelivered::Client)?;
        Ok(self.http.get_or_init(|| client))
    }

    /// Posts a message, several times where that can help.
    pub(super) async fn send(&self, address: &str, message: &Value, patience: Patience) -> Result<(), NotDelivered> {
        let address: Url = address.parse().map_err(|_| NotDelivered::Address)?;
        let mut pause = FIRST_PAUSE;
        for _ in 1..patience.tries {
            match self.send_once(&address, message).await {
                Err(why) if why.can_pass() => tracing::debug!(%why, "an alert is sent again"),
                done => return done,
            }
            tokio::time::sleep(pause.mul_f64(1.0 + crate::chance::number() / 4.0)).await;
            pause *= 3;
        }
        self.send_once(&address, message).await
    }

    async fn send_once(&self, address: &Url, message: &Value) -> Result<(), NotDelivered> {
        let request = self
            .client()?
            .post(address.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(message.to_string());
        let answer = request.send().await;
        let answer = answer.map_err(|error| NotDelivered::NoAnswer(error.without_url()))?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(NotDelivered::Answer(answer.status())),
        }
    }
}
