//! What is wrong, where, and how to mend it.

use std::fmt;

use serde::Serialize;

use crate::text::printable;

/// Whether a configuration can be used in spite of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// The configuration is used; somebody should look.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// A position in a file, with the line it is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// Number of the line, from 1.
    pub line: usize,
    /// Number of the character in the line, from 1.
    pub column: usize,
    /// The line as it may be shown: secrets are masked, tabs and control characters replaced, a very long line
    /// cut around the position.
    pub source_line: String,
    /// First character of `source_line` to underline, from 0.
    #[serde(skip)]
    pub(crate) caret_start: usize,
    /// How many characters of `source_line` to underline, at least 1.
    #[serde(skip)]
    pub(crate) caret_length: usize,
}

/// A second place that belongs to the same finding, such as the first of two definitions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Related {
    /// What the place has to do with the finding.
    pub message: String,
    /// The file, as it was named on the command line.
    pub file: String,
    /// The position in the file.
    #[serde(flatten)]
    pub place: Place,
}

/// One finding about the configuration.
///
/// `Display` renders it over several lines in the manner of `rustc`, without colour and without a final newline.
/// `Serialize` gives a flat object with `severity`, `message`, `file`, and where known `line`, `column`, `source_line`,
/// `help` and `related`. Neither ever contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The file (or directory), as it was named on the command line.
    pub file: String,
    /// The position, unless the finding is about the file as a whole.
    #[serde(flatten)]
    pub place: Option<Place>,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Other places that belong to the finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// An error about a file as a whole.
    pub(crate) fn about_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: file.into(),
            place: None,
            help: None,
            related: Vec::new(),
        }
    }

    /// The same finding with a way to mend it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding as a warning.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The number of the line, from 1, unless the finding is about the file as a whole.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The number of the character in the line, from 1, unless the finding is about the file as a whole.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self
            .place
            .iter()
            .chain(self.related.iter().map(|related| &related.place))
            .map(|place| place.line.to_string().len())
            .max()
            .unwrap_or(1);
        write!(formatter, "{}: {}", self.severity, printable(&self.message))?;
        match &self.place {
            Some(place) => render_place(formatter, gutter, &self.file, place)?,
            None => write!(formatter, "\n{:gutter$}--> {}", "", printable(&self.file))?,
        }
        for related in &self.related {
            write!(formatter, "\nnote: {}", related.message)?;
            render_place(formatter, gutter, &related.file, &related.place)?;
        }
        if let Some(help) = &self.help {
            write!(formatter, "\n{:gutter$} = help: {}", "", printable(help))?;
        }
        Ok(())
    }
}

fn render_place(formatter: &mut fmt::Formatter<'_>, gutter: usize, file: &str, place: &Place) -> fmt::Result {
    write!(formatter, "\n{:gutter$}--> {file}:{}:{}", "", place.line, place.column)?;
    write!(formatter, "\n{:gutter$} |", "")?;
    let line = format!("{:>gutter$} | {}", place.line, place.source_line);
    write!(formatter, "\n{}", line.trim_end())?;
    write!(
        formatter,
        "\n{:gutter$} | {:indent$}{}",
        "",
        "",
        "^".repeat(place.caret_length),
        indent = place.caret_start
    )
}

/// Why a configuration was refused: at least one error, and the warnings found on the way, in the order of the files.
///
/// `Display` renders all of them, a blank line between two, and a closing line that counts the errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigurationError {
    /// Everything that was found. At least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in &self.diagnostics {
            write!(formatter, "{diagnostic}\n\n")?;
        }
        let errors = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count();
        let noun = if errors == 1 { "error" } else { "errors" };
        write!(formatter, "{errors} {noun} in the configuration")
    }
}

impl std::error::Error for ConfigurationError {}
