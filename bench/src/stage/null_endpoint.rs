//! The HTTP server that takes everything and answers at once.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use longshore_tests::{Context, Result, http};
use serde::Deserialize;

use crate::programs;

/// The server's process. It ends when dropped, or with this process.
pub(crate) struct NullEndpoint {
    process: Child,
    address: String,
}

/// What has come so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Received {
    /// Calls, of whatever size.
    pub(crate) calls: u64,
    /// Bytes of their bodies.
    pub(crate) bytes: u64,
}

#[derive(Deserialize)]
struct Ready {
    address: String,
}

impl NullEndpoint {
    pub(crate) fn start() -> Result<Self> {
        let mut process = Command::new(programs::beside_this("longshore-bench-null-endpoint")?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the null endpoint can not be started")?;
        let stdout = process.stdout.take().context("the output was asked for")?;
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .context("the null endpoint's output can not be read")?;
        let ready: Ready = serde_json::from_str(&line).context("the null endpoint does not say where it listens")?;
        Ok(Self {
            process,
            address: ready.address,
        })
    }

    pub(crate) fn pid(&self) -> Result<i32> {
        i32::try_from(self.process.id()).context("a process number is small")
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn received(&self) -> Result<Received> {
        let client = http::client().build().context("an HTTP client can not be made")?;
        let response = client.get(format!("{}/counts", self.base_url())).send().await;
        let text = response
            .context("the null endpoint does not answer")?
            .text()
            .await
            .context("the null endpoint's answer breaks off")?;
        serde_json::from_str(&text).context("the null endpoint tells no counts")
    }
}

impl Drop for NullEndpoint {
    fn drop(&mut self) {
        // It may have ended already; in both cases there is nothing left to do but to collect it.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
