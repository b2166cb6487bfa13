//! The request that carries an alert.

use std::{fmt, time::Duration};

use longshore_core::{Error, Result};
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
    /// For one that did not arrive before, and comes again with the next occasion.
    pub const AGAIN: Self = Self { tries: 1 };
}

/// Sends alerts. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    http: Client,
}

/// Why an alert did not arrive; without the address, which is a secret.
#[derive(Debug)]
pub(super) enum NotDelivered {
    Address,
    Answer(StatusCode),
    NoAnswer(reqwest::Error),
}

impl fmt::Display for NotDelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address can not be used"),
            Self::Answer(status) => write!(f, "the answer was {status}"),
            Self::NoAnswer(error) => {
                write!(f, "no answer came: {error}")?;
                let mut cause = std::error::Error::source(error);
                while let Some(error) = cause {
                    write!(f, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            }
        }
    }
}

impl NotDelivered {
    /// Whether trying again soon can help.
    fn can_pass(&self) -> bool {
        match self {
            Self::Address => false,
            Self::Answer(status) => {
                status.is_server_error()
                    || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(status)
            }
            Self::NoAnswer(_) => true,
        }
    }
}

impl Sender {
    pub(super) fn new() -> Result<Self> {
        // Another part of the process may have installed it: one is as good as the other.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST)
            // What is told goes to the configured address and nowhere else.
            .redirect(redirect::Policy::none())
            .build();
        let http = client.map_err(|error| {
            Error::config("client_failed", "The HTTPS client for alerts can not be set up")
                .with_remedy("Install this machine's root certificates (Debian: the package ca-certificates).")
                .with_cause(&error)
        })?;
        Ok(Self { http })
    }

    /// Posts a message, several times where that can help.
    pub(super) async fn send(
        &self,
        address: &str,
        message: &Value,
        patience: Patience,
    ) -> std::result::Result<(), NotDelivered> {
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

    async fn send_once(&self, address: &Url, message: &Value) -> std::result::Result<(), NotDelivered> {
        let request = self
            .http
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
