//! Compares what the sandbox received with what a table holds, row by row and field by field.
//!
//! What should arrive is worked out here from the conventions for column names alone, without any code of the plugins.

mod comparison;
mod events;
mod expectation;
mod normal;
mod profiles;

pub use comparison::{Comparison, Difference};
pub use expectation::Nulls;

use crate::{Origin, Result, SandboxProcess, shop::Target};

/// The two sides of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Oracle<'a> {
    origin: Origin<'a>,
    sandbox: &'a SandboxProcess,
    nulls: Nulls,
}

impl<'a> Oracle<'a> {
    /// A comparison of a shop's database with a sandbox, for a destination whose NULLs are omitted.
    pub fn new(database: impl Into<Origin<'a>>, sandbox: &'a SandboxProcess) -> Self {
        Self {
            origin: database.into(),
            sandbox,
            nulls: Nulls::Omit,
        }
    }

    /// The same for a destination with another policy for NULLs.
    #[must_use]
    pub fn with_nulls(mut self, nulls: Nulls) -> Self {
        self.nulls = nulls;
        self
    }

    /// Compares one of the shop's tables.
    ///
    /// # Errors
    /// One of the sides can not be asked.
    pub async fn compare(&self, target: Target) -> Result<Comparison> {
        match target {
            Target::Profiles => {
                self.compare_profiles("SELECT custom_id AS row_id, t.* FROM profiles AS t")
                    .await
            }
            Target::Events => {
                self.compare_events("SELECT event_id AS row_id, t.* FROM events AS t", &["event_id"])
                    .await
            }
        }
    }

    /// Compares the rows of a query, one a profile, with the profiles. The column `row_id` names a row in the result, and is not expected to arrive.
    ///
    /// # Errors
    /// As for [`compare`](Self::compare).
    pub async fn compare_profiles(&self, query: &str) -> Result<Comparison> {
        let expected = expectation::profiles(self.origin, query).await?;
        Ok(profiles::compare(expected, self.sandbox.profiles().await?, self.nulls))
    }

    /// Compares the rows of a query, one an event, with the events. The column `row_id` names a row in the result; it and the `ignored` columns are
    /// not expected to arrive.
    ///
    /// # Errors
    /// As for [`compare`](Self::compare).
    pub async fn compare_events(&self, query: &str, ignored: &[&str]) -> Result<Comparison> {
        let expected = expectation::events(self.origin, query, ignored).await?;
        Ok(events::compare(expected, self.sandbox.events().await?))
    }
}
