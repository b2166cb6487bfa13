//! Why a command did not do what it was asked to: shown once, at the top, and turned into an exit code.

use std::process::ExitCode;

use longshore_config::{ConfigurationError, Diagnostic};
use longshore_core::{Domain, Error};

/// The code of what is recorded with a run that somebody ended.
pub(crate) const CANCELLED: &str = "cancelled";

/// Why a command stopped.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong, with every place that is.
    Configuration(Vec<Diagnostic>),
    /// Anything else.
    Error(Error),
    /// The user stopped it.
    Cancelled,
    /// The run ended, with more rejects than `max_rejects` allows.
    TooManyRejects(Error),
}

/// The exit codes of the command line; documented in README.md and `longshore --help`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// A bug, or the machine failed.
    Internal = 1,
    /// The configuration or the command line is wrong.
    Configuration = 2,
    /// The source failed.
    Source = 3,
    /// The destination failed.
    Destination = 4,
    /// More rejects than `max_rejects`.
    Rejects = 5,
    /// Stopped by the user: 128 + SIGINT.
    Cancelled = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    /// The exit code that it stands for.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Configuration(_) => Exit::Configuration,
            Self::Cancelled => Exit::Cancelled,
            Self::TooManyRejects(_) => Exit::Rejects,
            Self::Error(error) => match error.domain {
                Domain::Config => Exit::Configuration,
                Domain::Source => Exit::Source,
                Domain::Destination => Exit::Destination,
                Domain::Protocol | Domain::Internal => Exit::Internal,
            },
        }
    }

    /// The error to record with a run.
    #[must_use]
    pub fn to_error(&self) -> Error {
        match self {
            Self::Error(error) | Self::TooManyRejects(error) => error.clone(),
            Self::Cancelled => Error::config(CANCELLED, "The run was cancelled"),
            Self::Configuration(diagnostics) => {
                let Some(first) = diagnostics.first() else {
                    return Error::config("configuration_invalid", "The configuration is wrong");
                };
                let place = match (first.line(), first.column()) {
                    (Some(line), Some(column)) => format!("{}:{line}:{column}", first.file),
                    _ => first.file.clone(),
                };
                let help = first.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
                Error::config("configuration_invalid", first.message.clone()).with_remedy(format!("At {place}{help}"))
            }
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Configuration(diagnostics)
    }
}

impl From<ConfigurationError> for Failure {
    fn from(error: ConfigurationError) -> Self {
        Self::Configuration(error.diagnostics)
    }
}
