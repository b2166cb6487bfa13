//! The specification of the source, as users write it.

mod table_options;

use std::{collections::BTreeMap, fmt};

use longshore_sdk::{
    incremental::{Overlap, Span},
    prelude::*,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use table_options::TableOptions;

/// Reads tables, views and queries of a PostgreSQL database (version 12 or newer).
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Host name or address of the server; a path such as /var/run/postgresql is the directory of its Unix socket.
    #[serde(default)]
    pub host: Option<String>,
    /// Port of the server; 5432 when not given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Name of the database.
    #[serde(default)]
    pub database: Option<String>,
    /// User to log in as.
    #[serde(default, alias = "user")]
    pub username: Option<String>,
    /// Password of the user.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub password: Option<String>,
    /// A connection string, `postgresql://…` or `key=value …`, in place of host, port, database, username and password.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub connection_string: Option<String>,
    /// Whether and how the connection is encrypted; `prefer` when not given.
    #[serde(default)]
    pub sslmode: Option<SslMode>,
    /// File with the certificates (PEM) of the authorities that may have signed the server's certificate; the system's own when not given.
    #[serde(default)]
    pub ssl_root_certificate: Option<String>,
    /// File with the client's certificate (PEM), for servers that ask for one.
    #[serde(default)]
    pub ssl_client_certificate: Option<String>,
    /// File with the private key (PEM) of the client's certificate.
    #[serde(default)]
    pub ssl_client_key: Option<String>,
    /// The default schema: its tables have bare names, those of other schemas are called `schema.table`.
    #[serde(default = "default_schema")]
    pub schema: String,
    /// Column that new and changed rows move forward, such as `last_updated_at`. It applies to every table; `table_options` can say otherwise.
    /// Without it, tables are read whole in every run.
    #[serde(default)]
    pub cursor: Option<String>,
    /// How far behind the stored cursor the next run looks for rows that appeared late: a duration for dates and times ("10m", the default), a
    /// number for integer columns (1000000 when not given). Must be longer than the longest writing transaction.
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// The newest rows of a view, foreign table or query are left for the next run until they are this old; "5s" when not given. Tables need no
    /// delay, unless their own `settle` asks for one: what commits late is found by its transaction.
    #[serde(default)]
    pub settle: Option<Span>,
    /// What applies to single tables, by their name as listed. A name with `query` becomes a table of its own.
    #[serde(default)]
    pub table_options: BTreeMap<String, TableOptions>,
    /// How long to wait for a connection; "15s" when not given.
    #[serde(default)]
    pub connect_timeout: Option<Span>,
    /// How long one statement may run; without limit when not given.
    #[serde(default)]
    pub statement_timeout: Option<Span>,
    /// Size in mebibytes of the pieces that a table read whole is divided into; pieces are read in parallel. 256 when not given.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub partition_megabytes: Option<u32>,
}

/// Whether and how a connection is encrypted, with the meaning PostgreSQL's own clients give these words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server can, otherwise not.
    #[default]
    Prefer,
    /// Encrypted; the server's certificate is checked only when `ssl_root_certificate` is given, then as with `verify-ca`.
    Require,
    /// Encrypted; the certificate must be signed by a known authority.
    VerifyCa,
    /// Encrypted; the certificate must be signed by a known authority and name the host. Use this across networks.
    VerifyFull,
}

fn default_schema() -> String {
    "public".to_owned()
}

impl Spec {
    /// Checks what can be checked without a connection.
    ///
    /// # Errors
    /// `spec_invalid`, with the field at fault.
    pub fn check(&self) -> Result<()> {
        let invalid =
            |field: &str, message: String| Error::config("spec_invalid", message).with_field(format!("/{field}"));
        match (&self.connection_string, &self.host) {
            (Some(_), _) => {
                let parts = [
                    ("host", self.host.is_some()),
                    ("port", self.port.is_some()),
                    ("database", self.database.is_some()),
                    ("username", self.username.is_some()),
                    ("password", self.password.is_some()),
                ];
                if let Some((field, _)) = parts.into_iter().find(|(_, given)| *given) {
                    return Err(invalid(
                        field,
                        format!("`connection_string` and `{field}` exclude each other"),
                    ));
                }
            }
            (None, None) => {
                return Err(invalid(
                    "host",
                    "Either `host` or `connection_string` must be given".to_owned(),
                ));
            }
            (None, Some(_)) => {
                for (field, value) in [("database", &self.database), ("username", &self.username)] {
                    if value.is_none() {
                        return Err(invalid(field, format!("`{field}` must be given with `host`")));
                    }
                }
            }
        }
        if self.ssl_client_certificate.is_some() != self.ssl_client_key.is_some() {
            return Err(invalid(
                "ssl_client_key",
                "`ssl_client_certificate` and `ssl_client_key` must be given together".to_owned(),
            ));
        }
        for (name, options) in &self.table_options {
            options.read.check(name, &self.schema)?;
        }
        Ok(())
    }

    /// The options of a table; none of them set when it has no entry.
    #[must_use]
    pub fn options(&self, table: &str) -> TableOptions {
        self.table_options.get(table).cloned().unwrap_or_default()
    }

    /// The cursor column that a table must have, if it is to be read incrementally.
    #[must_use]
    pub fn cursor_of(&self, table: &str) -> Option<&str> {
        let of_source = self.cursor.as_deref();
        match self.table_options.get(table) {
            Some(options) => options.read.cursor_or(of_source),
            None => of_source,
        }
    }
}

impl fmt::Debug for Spec {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("schema", &self.schema)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn spec(value: Value) -> Result<Spec, String> {
        let spec: Spec = serde_json::from_value(value).map_err(|error| error.to_string())?;
        spec.check()
            .map_err(|error| format!("{} {}", error.field, error.message))?;
        Ok(spec)
    }

    #[test]
    fn a_short_specification_is_enough() {
        let spec = spec(json!({"host": "db", "database": "shop", "user": "sync", "cursor": "updated_at"})).unwrap();
        assert_eq!(
            (spec.schema.as_str(), spec.username.as_deref()),
            ("public", Some("sync"))
        );
        assert_eq!(spec.cursor_of("orders"), Some("updated_at"));
    }

    #[test]
    fn a_null_cursor_in_the_options_means_a_full_read() {
        let spec = spec(
            json!({"connection_string": "postgresql://db/shop", "cursor": "updated_at",
            "table_options": {"countries": {"cursor": null}, "orders": {"cursor": "changed"}, "items": {}}}),
        )
        .unwrap();
        assert_eq!(spec.cursor_of("countries"), None);
        assert_eq!(spec.cursor_of("orders"), Some("changed"));
        assert_eq!(spec.cursor_of("items"), Some("updated_at"));
    }

    #[test]
    fn contradictions_name_the_field() {
        let cases = [
            (json!({}), "/host"),
            (json!({"host": "db", "username": "u"}), "/database"),
            (json!({"connection_string": "postgresql://db", "port": 1}), "/port"),
            (
                json!({"connection_string": "x", "ssl_client_key": "k"}),
                "/ssl_client_key",
            ),
            (
                json!({"connection_string": "x", "table_options": {"a/b": {"query": "select 1", "where": "true"}}}),
                "/table_options/a~1b/where",
            ),
        ];
        for (value, field) in cases {
            let error = spec(value.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{field} ")), "{value}: {error}");
        }
        for unknown in [
            json!({"hots": "db"}),
            json!({"host": "h", "table_options": {"t": {"curser": "x"}}}),
            json!({"host": "h", "sslmode": "on"}),
        ] {
            assert!(spec(unknown.clone()).is_err(), "{unknown}");
        }
    }

    #[test]
    fn secrets_are_marked_in_the_schema_and_absent_from_debug_output() {
        let schema = schemars::schema_for!(Spec).to_value();
        for secret in ["password", "connection_string"] {
            assert_eq!(schema["properties"][secret]["writeOnly"], json!(true), "{secret}");
        }
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name} is not documented");
        }
        let spec = spec(json!({"host": "db", "database": "d", "username": "u", "password": "canary"})).unwrap();
        assert!(!format!("{spec:?}").contains("canary"));
    }
}
