//! What a command prints: data on standard output, failures on standard error, neither with a secret.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
};

use longshore_config::Secrets;
use longshore_core::{Error, Result};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) use crate::figures::grouped;

use crate::{
    failure::{Exit, Failure},
    in_clear,
    printable::printable,
};

/// Where a command's words go.
pub(crate) struct Output {
    json: bool,
    secrets: Secrets,
}

impl Output {
    pub(crate) fn new(json: bool, secrets: Secrets) -> Self {
        Self { json, secrets }
    }

    /// Prints one piece of data: as JSON when the user wants it, else as `text` says it.
    pub(crate) fn data<T: Serialize>(&self, data: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        if !self.json {
            let lines = text(data);
            let lines: Vec<String> = lines.split('\n').map(printable).collect();
            let names = match self.secrets.is_empty() {
                true => Vec::new(),
                false => in_clear::names_in(&in_json(data)?),
            };
            return write_out(&self.secrets.redact_beside(&lines.join("\n"), &names));
        }
        let mut value = in_json(data)?;
        in_clear::redact(&self.secrets, &mut value);
        write_out(&format!("{value}\n"))
    }

    /// Prints text that is data in itself, such as a completion script.
    pub(crate) fn text(&self, text: &str) -> Result<()> {
        write_out(&self.secrets.redact(text))
    }

    /// Whether the user wants JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints rows that are to come back as they are: a value that happens to hold a secret's text must not be sent as asterisks later.
    pub(crate) fn exact(&self, text: &str) -> Result<()> {
        write_out(text)
    }

    /// Says something beside the data.
    pub(crate) fn note(&self, text: &str) {
        self.note_beside(text, &[]);
    }

    fn note_beside(&self, text: &str, names: &[String]) {
        let text = self.secrets.redact_beside(text, names);
        // Whoever has closed standard error does not want to hear about it.
        writeln!(io::stderr(), "{}", text.trim_end()).ok();
    }

    /// Shows why a command failed, and says how to exit.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        self.explain(failure);
        if self.json {
            let mut value = json!({ "error": failure_in_json(failure) });
            in_clear::redact(&self.secrets, &mut value);
            // The failure itself decides the exit code, also when nobody can be told.
            write_out(&format!("{value}\n")).ok();
        }
        failure.exit()
    }

    /// Shows why a command failed, to a person.
    pub(crate) fn explain(&self, failure: &Failure) {
        match failure {
            Failure::Configuration(diagnostics) => diagnostics
                .iter()
                .for_each(|diagnostic| self.note(&diagnostic.to_string())),
            Failure::Error(error) | Failure::TooManyRejects(error) => {
                self.note_beside(&in_words(error), &in_clear::names_of_error(error));
            }
            Failure::Cancelled => self.note("cancelled"),
        }
    }
}

fn in_words(error: &Error) -> String {
    let (red, bold, plain) = if colourful() {
        ("\x1b[31;1m", "\x1b[1m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    let mut text = format!(
        "{red}error{plain}[{}]: {bold}{}{plain}",
        error.code,
        printable(&error.message)
    );
    let mut line = |name: &str, words: &str| {
        write!(text, "\n  {name}: {}", printable(words)).expect("a String takes every text");
    };
    if !error.table.is_empty() && !error.message.contains(&error.table) {
        line("table", &error.table);
    }
    error.causes.iter().for_each(|cause| line("cause", cause));
    if !error.remedy.is_empty() {
        line("help", &error.remedy);
    }
    text
}

fn in_json<T: Serialize>(data: &T) -> Result<Value> {
    serde_json::to_value(data)
        .map_err(|error| Error::internal("json", "The data can not be written as JSON").with_cause(&error))
}

fn failure_in_json(failure: &Failure) -> Value {
    match failure {
        Failure::Configuration(diagnostics) => json!({ "code": "configuration_invalid", "diagnostics": diagnostics }),
        other => json!(other.to_error()),
    }
}

fn colourful() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

fn write_out(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    match written {
        // `longshore … | head` is no failure of ours.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written
            .map_err(|error| Error::internal("output", "Standard output can not be written to").with_cause(&error)),
    }
}

/// Rows of text in columns, with a heading; numbers to the right.
pub(crate) struct Columns {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Columns {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| printable(cell)).collect());
    }

    /// The table as text; `nothing` when it has no rows.
    pub(crate) fn render(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return format!("{nothing}\n");
        }
        let headings: Vec<String> = self.headings.iter().map(|&heading| heading.to_owned()).collect();
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .chain([&headings])
                .map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..headings.len()).map(width).collect();
        // A heading stands where its cells do.
        let numeric = |column: usize| self.rows.iter().all(|row| is_number(&row[column]));
        let numeric: Vec<bool> = (0..headings.len()).map(numeric).collect();
        let mut text = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let placed = row.iter().zip(widths.iter().zip(&numeric));
            let cells = placed.map(|(cell, (&width, &numeric))| match numeric {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            let line: Vec<String> = cells.collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty()
        && cell
            .chars()
            .all(|character| character.is_ascii_digit() || character == ',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_an_error_are_shown_and_not_obeyed() {
        let error = Error::source("broken", "It \u{7} broke").with_remedy("Mend\u{1b}c it.");
        assert!(!in_words(&error).replace(['\n'], "").contains(char::is_control));
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut columns = Columns::new(&["TABLE", "ROWS"]);
        columns.row(vec!["größe".to_owned(), "1,000".to_owned()]);
        columns.row(vec!["x".to_owned(), "7".to_owned()]);
        assert_eq!(columns.render("none"), "TABLE   ROWS\ngröße  1,000\nx          7\n");
        assert_eq!(Columns::new(&["A"]).render("none"), "none\n");
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_its_remedy() {
        let cause = io::Error::other("the reason");
        let error = Error::source("broken", "It broke")
            .with_table("orders")
            .with_cause(&cause)
            .with_remedy("Mend it.");
        assert_eq!(
            in_words(&error),
            "error[broken]: It broke\n  table: orders\n  cause: the reason\n  help: Mend it."
        );
    }
}
