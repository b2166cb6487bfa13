//! A database of a server.

use serde_json::{Map, Value};

use super::access::Access;
use crate::{Context, Result};

/// A database for one test.
#[derive(Clone, Debug)]
pub struct ClickHouseDatabase {
    access: Access,
    name: String,
}

impl ClickHouseDatabase {
    pub(super) fn new(access: Access, name: String) -> Self {
        Self { access, name }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The host to connect to.
    pub fn host(&self) -> &str {
        self.access.host()
    }

    /// The port of the server's HTTP interface.
    pub fn port(&self) -> u16 {
        self.access.port()
    }

    /// The user of the tests.
    pub fn user(&self) -> &str {
        &self.access.user
    }

    /// The user's password.
    pub fn password(&self) -> &str {
        &self.access.password
    }

    /// Runs statements, one after another; they are separated by a `;` at the end of a line.
    ///
    /// # Errors
    /// A statement fails. Those before it have taken effect.
    pub async fn execute(&self, statements: &str) -> Result<()> {
        for statement in statements.split(";\n").map(str::trim).filter(|text| !text.is_empty()) {
            self.ask(statement, "Null", &[]).await?;
        }
        Ok(())
    }

    /// Runs one statement with values for its `{name:Type}`.
    ///
    /// # Errors
    /// The statement fails.
    pub async fn execute_with(&self, statement: &str, values: &[(&str, i64)]) -> Result<()> {
        let named = |(name, value): &(&str, i64)| (format!("param_{name}"), value.to_string());
        let values: Vec<(String, String)> = values.iter().map(named).collect();
        self.ask(statement, "Null", &values).await.map(drop)
    }

    /// The rows of a query, each an object with the values as JSON has them; numbers of 64 bits and more are text.
    ///
    /// # Errors
    /// The query fails.
    pub async fn rows(&self, query: &str) -> Result<Vec<Map<String, Value>>> {
        let text = self.ask(query, "JSONEachRow", &[]).await?;
        let row = |line: &str| serde_json::from_str(line).context(format!("this query gives no rows: {query}"));
        text.lines().map(row).collect()
    }

    /// The one value that a query gives, as text.
    ///
    /// # Errors
    /// The query fails.
    pub async fn value(&self, query: &str) -> Result<String> {
        let text = self.ask(query, "TabSeparatedRaw", &[]).await?;
        Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
    }

    /// The one number that a query gives.
    ///
    /// # Errors
    /// The query fails, or gives something else.
    pub async fn count(&self, query: &str) -> Result<i64> {
        let value = self.value(query).await?;
        value.parse().context(format!("this query gives no integer: {query}"))
    }

    async fn ask(&self, statement: &str, format: &str, values: &[(String, String)]) -> Result<String> {
        let mut parameters = vec![
            ("database", self.name.as_str()),
            ("default_format", format),
            ("output_format_json_quote_64bit_integers", "1"),
        ];
        parameters.extend(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.access.ask(statement, &parameters).await
    }
}

/// A name in backquotes.
pub(super) fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
