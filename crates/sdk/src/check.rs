//! What a connection test tried and how it went.

use longshore_core::Error;
use longshore_protocol::v1;

/// One thing that a connection test tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was tried, such as "log in".
    pub name: String,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, without secrets.
    pub message: String,
    /// What the user can do; empty when there is nothing to do.
    pub remedy: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Passed,
    /// It works, but the user should know something.
    Warning,
    /// It does not work.
    Failed,
    /// Not tried, or not to be known, because another check failed.
    Skipped,
}

impl Check {
    /// It went as it should.
    pub fn passed(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Outcome::Passed,
            message: message.into(),
            remedy: String::new(),
        }
    }

    /// It works, but the user should know something.
    pub fn warning(name: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Outcome::Warning,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// It does not work.
    pub fn failed(name: impl Into<String>, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Outcome::Failed,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// It was not tried, because an earlier check failed.
    pub fn skipped(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: Outcome::Skipped,
            message: message.into(),
            remedy: String::new(),
        }
    }

    /// A check that failed with an error: its message, its causes and its remedy.
    pub fn from_error(name: impl Into<String>, error: &Error) -> Self {
        let mut message = error.message.clone();
        for cause in &error.causes {
            message.push_str(": ");
            message.push_str(cause);
        }
        Self::failed(name, message, error.remedy.clone())
    }

    /// The checks of steps that are gone through in order, when an error ended them: those before passed, those after were not tried. Each step is
    /// named with the codes of the errors that it can end in; an error of no step belongs to the last.
    #[must_use]
    pub fn steps(steps: &[(&str, &[&str])], error: &Error) -> Vec<Self> {
        let failed = steps
            .iter()
            .position(|(_, codes)| codes.contains(&error.code.as_str()))
            .unwrap_or(steps.len().saturating_sub(1));
        let check = |(index, (name, _)): (usize, &(&str, &[&str]))| match index.cmp(&failed) {
            std::cmp::Ordering::Less => Self::passed(*name, "as it should"),
            std::cmp::Ordering::Equal => Self::from_error(*name, error),
            std::cmp::Ordering::Greater => Self::skipped(*name, "an earlier step failed"),
        };
        steps.iter().enumerate().map(check).collect()
    }
}

impl From<Check> for v1::Check {
    fn from(check: Check) -> Self {
        let outcome = match check.outcome {
            Outcome::Passed => v1::check::Outcome::Passed,
            Outcome::Warning => v1::check::Outcome::Warning,
            Outcome::Failed => v1::check::Outcome::Failed,
            Outcome::Skipped => v1::check::Outcome::Skipped,
        };
        Self {
            name: check.name,
            outcome: outcome.into(),
            message: check.message,
            remedy: check.remedy,
        }
    }
}
