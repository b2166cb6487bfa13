//! The error that every part of Longshore speaks, on both sides of the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Shorthand for results with Longshore's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Whose matter an error is. It decides the exit code of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The user's configuration or command line is wrong.
    Config,
    /// The source failed.
    Source,
    /// The destination failed.
    Destination,
    /// A peer broke the plugin contract.
    Protocol,
    /// A bug.
    Internal,
}

/// How much an error affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One row.
    Row,
    /// One batch.
    Batch,
    /// One partition: it can be tried again from its last checkpoint.
    Partition,
    /// The whole run.
    Run,
}

/// What went wrong, for a program (`code`, `domain`, `scope`, `retryable`) and for a person (`message`, `remedy`).
///
/// The message is one sentence without secrets and without cell values. Causes are attached, not formatted into the text; whoever prints the
/// error prints the chain once. The value crosses the wire without loss.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    /// Stable name, lower case, words joined by underscores, such as `table_not_found`.
    pub code: String,
    /// Whose matter it is.
    pub domain: Domain,
    /// How much it affects.
    pub scope: Scope,
    /// Whether the same attempt can succeed later without anybody changing anything.
    pub retryable: bool,
    /// What happened.
    pub message: String,
    /// What the user can do; empty when there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The table concerned; empty when none is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// JSON pointer into the plugin's specification, for [`Domain::Config`]; empty elsewhere.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl Error {
    /// An error of a domain, with scope [`Scope::Run`], not retryable.
    pub fn new(domain: Domain, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            domain,
            scope: Scope::Run,
            retryable: false,
            message: message.into(),
            remedy: String::new(),
            table: String::new(),
            field: String::new(),
            causes: Vec::new(),
        }
    }

    /// The user's configuration or command line is wrong.
    pub fn config(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Domain::Config, code, message)
    }

    /// The source failed.
    pub fn source(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Domain::Source, code, message)
    }

    /// The destination failed.
    pub fn destination(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Domain::Destination, code, message)
    }

    /// A peer broke the plugin contract.
    pub fn protocol(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Domain::Protocol, code, message)
    }

    /// A bug.
    pub fn internal(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Domain::Internal, code, message)
    }

    /// Says what the user can do about it.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Names the table concerned.
    #[must_use]
    pub fn with_table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// Names the place in the plugin's specification, as a JSON pointer.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = field.into();
        self
    }

    /// Says how much is affected.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Says that the same attempt can succeed later.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Attaches a cause and the causes of that cause.
    #[must_use]
    pub fn with_cause(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            let text = error.to_string();
            // Many libraries repeat their cause in their own text: keep only what adds something.
            if self.causes.last().is_none_or(|previous| !previous.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }
}

impl fmt::Display for Error {
    /// The message alone; the chain and the remedy are printed by whoever shows the error to a person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_attached_outermost_first_and_not_repeated() {
        let io = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        let error = Error::config("file_missing", "The file can not be read").with_cause(&io);
        assert_eq!(error.causes, ["no such file"]);
        assert_eq!(error.to_string(), "The file can not be read");
    }

    #[test]
    fn an_error_survives_json_without_loss() {
        let error = Error::source("gone", "The table is gone")
            .with_table("t")
            .with_remedy("Look")
            .retryable();
        let text = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<Error>(&text).unwrap(), error);
    }
}
