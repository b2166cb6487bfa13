//! Faults of the front, on demand.

use reqwest::Method;
use serde_json::Value;

use super::access::{self, Access};
use crate::{Context, Failure, Result};

const FAULTS: &str = "/_front/faults";

/// A rule by which the front misbehaves.
#[derive(Debug)]
#[must_use = "a fault that did not fire makes a test one of nothing: see `over` and `fired`"]
pub struct ClickHouseFault {
    access: Access,
    number: u64,
}

impl ClickHouseFault {
    pub(super) async fn add(access: Access, rule: Value) -> Result<Self> {
        let request = access.plain(Method::POST, FAULTS)?.body(rule.to_string());
        let answer = access::text(request.send().await.context("the front does not answer")?).await?;
        let answer: Value = serde_json::from_str(&answer).context("the front does not number the fault")?;
        let number = answer["number"]
            .as_u64()
            .context("the front does not number the fault")?;
        Ok(Self { access, number })
    }

    /// Removes the rule.
    ///
    /// # Errors
    /// It did not fire as often as it was to, which would make the test one of nothing.
    pub async fn over(self) -> Result<()> {
        let rule = self.remove().await?;
        if rule["fired"].is_u64() && rule["fired"] == rule["times"] {
            return Ok(());
        }
        Err(Failure::new(format!(
            "this fault did not fire as often as it should: {rule}"
        )))
    }

    /// Removes the rule, and tells how often it fired.
    ///
    /// # Errors
    /// The front does not say so.
    pub async fn fired(self) -> Result<u64> {
        let rule = self.remove().await?;
        rule["fired"].as_u64().context("the front does not count the fault")
    }

    async fn remove(self) -> Result<Value> {
        let request = self
            .access
            .plain(Method::DELETE, &format!("{FAULTS}/{}", self.number))?;
        let answer = access::text(request.send().await.context("the front does not answer")?).await?;
        serde_json::from_str(&answer).context("the front shows no rule")
    }
}
