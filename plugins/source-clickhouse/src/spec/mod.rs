//! The specification of the source, as users write it.

mod table_options;

use std::{collections::BTreeMap, fmt, net::IpAddr};

use longshore_sdk::{
    incremental::{Overlap, Span},
    prelude::*,
};
use schemars::JsonSchema;
use serde::Deserialize;

pub use table_options::TableOptions;

/// Rows of a table that one partition reads, when nothing else is configured: seconds of work each.
const PARTITION_ROWS: u64 = 1_000_000;

/// Queries that one source runs at once, when nothing else is configured. A ClickHouse query uses several cores by itself.
const PARALLEL_READS: u32 = 4;

/// Reads tables, views and queries of a ClickHouse server over its HTTP interface.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Host name or address of the server.
    pub host: String,
    /// Port of the server's HTTP interface; 8123 when not given, 8443 with `ssl`.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The default database: its tables have bare names, those of others are called `database.table`.
    #[serde(default = "default_name")]
    pub database: String,
    /// User to log in as.
    #[serde(default = "default_name", alias = "user")]
    pub username: String,
    /// Password of the user.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub password: Option<String>,
    /// Encrypt the connection (HTTPS), and check the server's certificate and name.
    #[serde(default)]
    pub ssl: bool,
    /// File with the certificates (PEM) of the authorities that may have signed the server's certificate; the system's own when not given.
    #[serde(default)]
    pub ssl_root_certificate: Option<String>,
    /// Column that new and changed rows move forward, such as `last_updated_at`. It applies to every table; `table_options` can say otherwise.
    /// Without it, tables are read whole in every run.
    #[serde(default)]
    pub cursor: Option<String>,
    /// How far behind the stored cursor the next run looks for rows that appeared late: a duration for dates and times ("10m" when not given), a number
    /// for integer columns (1000000 when not given).
    #[serde(default)]
    pub overlap: Option<Overlap>,
    /// The newest rows are left for the next run until they are this old; "5s" when not given.
    #[serde(default)]
    pub settle: Option<Span>,
    /// Read the merged state of tables whose engine replaces, collapses or adds up rows (FINAL), so that a superseded version is never sent after a newer
    /// one; true when not given.
    #[serde(default = "yes", rename = "final")]
    pub merged: bool,
    /// What applies to single tables, by their name as listed. A name with `query` becomes a table of its own.
    #[serde(default)]
    pub table_options: BTreeMap<String, TableOptions>,
    /// What becomes of strings that are no UTF-8 text, in columns that are read as text.
    #[serde(default)]
    pub invalid_utf8: InvalidUtf8,
    /// ClickHouse settings that every query is sent with, such as `max_memory_usage`.
    #[serde(default)]
    pub settings: BTreeMap<String, Setting>,
    /// Compression of what the server sends.
    #[serde(default)]
    pub compression: Compression,
    /// How long to wait for a connection; "15s" when not given.
    #[serde(default)]
    pub connect_timeout: Option<Span>,
    /// How long one query may run on the server; without limit when not given.
    #[serde(default)]
    pub query_timeout: Option<Span>,
    /// How many queries read at once; 4 when not given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 64))]
    pub parallel_reads: Option<u32>,
    /// About how many rows one partition of a large table holds; partitions are read in parallel. 1000000 when not given.
    #[serde(default)]
    #[schemars(range(min = 1000))]
    pub partition_rows: Option<u64>,
}

/// What becomes of a string that is no UTF-8 text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvalidUtf8 {
    /// It is delivered as `\x` and its bytes in hexadecimal, as PostgreSQL writes bytes; the log says how many there were.
    #[default]
    Hexadecimal,
    /// The table stops, with the row's key.
    Error,
}

/// The value of a ClickHouse setting.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// `true` or `false`.
    Switch(bool),
    /// A whole number.
    Number(i64),
    /// A number with a fraction.
    Fraction(f64),
    /// Text.
    Text(String),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => write!(f, "{}", u8::from(*on)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Fraction(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Whether and how the server compresses what it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// `none` for a server on this machine, `lz4` for others.
    #[default]
    Auto,
    /// Not at all.
    None,
    /// With LZ4: little work, about half the bytes.
    Lz4,
}

fn default_name() -> String {
    "default".to_owned()
}

fn yes() -> bool {
    true
}

impl Spec {
    /// Checks what can be checked without a connection.
    ///
    /// # Errors
    /// `spec_invalid`, with the field at fault.
    pub fn check(&self) -> Result<()> {
        let invalid =
            |field: &str, message: String| Err(Error::config("spec_invalid", message).with_field(format!("/{field}")));
        if self.host.trim().is_empty() || self.host.contains(['/', '@', '?', '#']) {
            return invalid("host", "`host` must be a host name or an address alone".to_owned());
        }
        if self.ssl_root_certificate.is_some() && !self.ssl {
            return invalid(
                "ssl_root_certificate",
                "`ssl_root_certificate` has no effect without `ssl: true`".to_owned(),
            );
        }
        // They travel in HTTP headers.
        for (field, value) in [("username", Some(&self.username)), ("password", self.password.as_ref())] {
            if value.is_some_and(|value| !value.chars().all(|symbol| symbol.is_ascii_graphic() || symbol == ' ')) {
                return invalid(field, format!("`{field}` may hold printable ASCII characters only"));
            }
        }
        for name in self.settings.keys() {
            if RESERVED_SETTINGS.iter().any(|reserved| name.starts_with(reserved)) || name.contains(OVERFLOW_MODE) {
                return invalid(
                    &format!("settings/{}", name.replace('~', "~0").replace('/', "~1")),
                    format!("The setting `{name}` is the source's own"),
                );
            }
        }
        for (name, options) in &self.table_options {
            options.read.check(name, &self.database)?;
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

    /// Whether a table's merged state is read.
    #[must_use]
    pub fn merged_of(&self, table: &str) -> bool {
        self.table_options
            .get(table)
            .and_then(|options| options.merged)
            .unwrap_or(self.merged)
    }

    /// Where the server listens.
    #[must_use]
    pub fn address(&self) -> String {
        let port = self.port.unwrap_or(if self.ssl { 8443 } else { 8123 });
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]:{port}"),
            _ => format!("{}:{port}", self.host),
        }
    }

    /// Whether the server is on this machine, as far as its name tells.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    }

    /// How many queries read at once.
    #[must_use]
    pub fn parallel_reads(&self) -> usize {
        self.parallel_reads.unwrap_or(PARALLEL_READS).max(1) as usize
    }

    /// About how many rows a partition holds.
    #[must_use]
    pub fn partition_rows(&self) -> u64 {
        self.partition_rows.unwrap_or(PARTITION_ROWS).max(1)
    }
}

/// Beginnings of the names of settings that would change what the source relies on, or that are parameters of the interface.
const RESERVED_SETTINGS: &[&str] = &[
    "additional_result_filter",
    "additional_table_filters",
    "cancel_http_readonly_queries_on_client_close",
    "database",
    "default_format",
    "defer_partition_pruning_after_final",
    "do_not_merge_across_partitions_select_final",
    "enable_http_compression",
    "fallback_to_stale_replicas_for_distributed_queries",
    "final",
    "http_write_exception_in_output_format",
    "limit",
    "offset",
    "optimize_move_to_prewhere_if_final",
    "output_format_arrow_",
    "output_format_json_",
    "param_",
    "password",
    "query",
    "session_id",
    "session_timezone",
    "skip_unavailable_shards",
    "use_skip_indexes_if_final_exact_mode",
    "user",
];

/// What a name of a setting has in it that could end an answer early without an error.
const OVERFLOW_MODE: &str = "_overflow_mode";

impl fmt::Debug for Spec {
    /// Without secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spec")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .field("ssl", &self.ssl)
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
        let spec = spec(json!({"host": "db", "cursor": "updated_at"})).unwrap();
        assert_eq!((spec.database.as_str(), spec.username.as_str()), ("default", "default"));
        assert_eq!(spec.address(), "db:8123");
        assert_eq!(spec.cursor_of("orders"), Some("updated_at"));
        assert!(spec.merged_of("orders") && !spec.is_loopback());
    }

    #[test]
    fn the_port_follows_the_encryption_and_addresses_are_written_as_in_a_url() {
        let address = |value| spec(value).unwrap().address();
        assert_eq!(address(json!({"host": "db", "ssl": true})), "db:8443");
        assert_eq!(address(json!({"host": "::1", "port": 1})), "[::1]:1");
        for loopback in ["127.0.0.1", "::1", "localhost"] {
            assert!(spec(json!({"host": loopback})).unwrap().is_loopback());
        }
    }

    #[test]
    fn a_tables_own_options_count_before_the_sources() {
        let spec = spec(json!({"host": "db", "cursor": "updated_at", "final": false,
            "table_options": {"countries": {"cursor": null}, "orders": {"cursor": "changed", "final": true}, "items": {"settle": "1m"}}}))
        .unwrap();
        assert_eq!(spec.cursor_of("countries"), None);
        assert_eq!(spec.cursor_of("orders"), Some("changed"));
        assert_eq!(spec.cursor_of("items"), Some("updated_at"));
        assert!(spec.merged_of("orders") && !spec.merged_of("items"));
    }

    #[test]
    fn contradictions_name_the_field() {
        let cases = [
            (json!({"host": " "}), "/host"),
            (json!({"host": "http://db"}), "/host"),
            (json!({"host": "db", "password": "ü"}), "/password"),
            (
                json!({"host": "db", "ssl_root_certificate": "ca.pem"}),
                "/ssl_root_certificate",
            ),
            (
                json!({"host": "db", "settings": {"output_format_arrow_string_as_string": 1}}),
                "/settings/output_format_arrow_string_as_string",
            ),
            (
                json!({"host": "db", "table_options": {"a/b": {"query": "select 1", "where": "true"}}}),
                "/table_options/a~1b/where",
            ),
            (
                json!({"host": "db", "table_options": {"default.t": {}}}),
                "/table_options/default.t",
            ),
        ];
        for (value, field) in cases {
            let error = spec(value.clone()).unwrap_err();
            assert!(error.starts_with(&format!("{field} ")), "{value}: {error}");
        }
        for unknown in [
            json!({}),
            json!({"host": "h", "hots": "db"}),
            json!({"host": "h", "table_options": {"t": {"curser": "x"}}}),
            json!({"host": "h", "compression": "best"}),
        ] {
            assert!(spec(unknown.clone()).is_err(), "{unknown}");
        }
    }

    #[test]
    fn settings_are_written_as_the_server_takes_them() {
        let spec = spec(json!({"host": "db", "settings": {"a": true, "b": 5, "c": 0.5, "d": "x"}})).unwrap();
        let written: Vec<String> = spec.settings.values().map(ToString::to_string).collect();
        assert_eq!(written, ["1", "5", "0.5", "x"]);
    }

    #[test]
    fn secrets_are_marked_in_the_schema_and_absent_from_debug_output() {
        let schema = schemars::schema_for!(Spec).to_value();
        assert_eq!(schema["properties"]["password"]["writeOnly"], json!(true));
        for (name, property) in schema["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{name} is not documented");
        }
        let options = schema["$defs"]["TableOptions"]["properties"].as_object().unwrap();
        assert!(options.contains_key("null_cursor") && options.contains_key("binary_columns"));
        for (name, property) in options {
            assert!(property["description"].is_string(), "{name} is not documented");
        }
        let spec = spec(json!({"host": "db", "password": "canary"})).unwrap();
        assert!(!format!("{spec:?}").contains("canary"));
    }
}
