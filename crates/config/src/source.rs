//! `kind: source`: what is read, where it goes, and how a run behaves.

use std::ops::RangeInclusive;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::alerts::Alerts;
use crate::byte_size::ByteSize;
use crate::max_rejects::MaxRejects;
use crate::plugin_reference::{FreeSpec, Registry, TlsFiles};
use crate::rejects::Rejects;
use crate::schedule::SyncSchedule;

/// Partitions in flight when a document does not say: one can be read while the acks of another are awaited, and a
/// database in production notices little of it.
pub const DEFAULT_CONCURRENCY: u8 = 2;

/// Unacked bytes a partition may have in flight when a document does not say: eight messages of the largest usual size.
pub const DEFAULT_UNACKED_BYTES: ByteSize = ByteSize::from_mebibytes(8);

/// What `max_unacked_bytes` may be: less than the smallest usual message would stall every partition, more would
/// not be bounded memory any longer.
pub const UNACKED_BYTES: RangeInclusive<ByteSize> = ByteSize::from_bytes(256 << 10)..=ByteSize::from_mebibytes(1024);

/// The options of a source document, apart from the plugin's own.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourceSpec {
    /// The name of the source and of its sync: key of its state and history, unique among sources. Renaming it
    /// starts from an empty state.
    #[schemars(extend("format" = crate::formats::NAME, "pattern" = crate::formats::NAME_PATTERN, "examples" = ["shop"]))]
    pub name: String,
    /// The plugin: the name of a bundled one, the path to a local program, or the address of a running one, see
    /// `registry`.
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["postgresql", "clickhouse", "./plugins/my-source", "plugins.example.com:7777"]))]
    pub path: String,
    /// Where the plugin comes from.
    #[serde(default)]
    pub registry: Registry,
    /// The version of the plugin that is expected.
    #[serde(default)]
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["0.1.0"]))]
    pub version: Option<String>,
    /// The tables to read: names, or patterns with `*`, `?`, `[…]` and `{a,b}`. Case matters. A name that is exactly
    /// that of a table is never taken for a pattern.
    #[schemars(length(min = 1), inner(length(min = 1)), extend("examples" = [["profile_events"], ["public.*"]]))]
    pub tables: Vec<String>,
    /// Tables to leave out of what `tables` selects, written in the same way.
    #[serde(default)]
    #[schemars(inner(length(min = 1)), extend("examples" = [["public.audit_*"]]))]
    pub skip_tables: Vec<String>,
    /// The names of the destinations that every row goes to.
    #[schemars(length(min = 1), inner(length(min = 1)), extend("uniqueItems" = true, "examples" = [["batch"]]))]
    pub destinations: Vec<String>,
    /// When `longshore serve` runs the sync: a cron expression (in UTC), or a mapping with `cron` and `time_zone`, or with `every`. Without it, only by hand.
    #[serde(default)]
    pub schedule: Option<SyncSchedule>,
    /// How many partitions are moved at once.
    #[serde(default = "default_concurrency")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u8,
    /// How many rejected rows a run may have before it stops and fails: a count, or a share of the rows read such as
    /// "1%". Without it, any number.
    #[serde(default)]
    #[schemars(extend("examples" = [1000, "1%", "0.05%"]))]
    pub max_rejects: Option<MaxRejects>,
    /// How much data of one partition may be on its way without the destination's ack. Bounds memory.
    #[serde(default = "default_unacked_bytes")]
    #[schemars(schema_with = "unacked_bytes_schema")]
    pub max_unacked_bytes: ByteSize,
    /// What happens after a crash to rows of which nobody knows whether an append target got them.
    #[serde(default)]
    pub uncertain: Uncertain,
    /// What becomes of rejected rows.
    #[serde(default)]
    pub rejects: Rejects,
    /// Who is told when the sync fails, lags or rejects too much, and when it is well again.
    #[serde(default)]
    pub alerts: Option<Alerts>,
    /// Certificates for a running plugin; only with `registry: grpc`.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// The plugin's own options. `longshore plugin info` prints their schema.
    #[serde(default)]
    spec: FreeSpec,
}

/// What to do with rows of which nobody knows whether an append target got them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Uncertain {
    /// Send them again: nothing is lost, a few rows may be there twice.
    #[default]
    Resend,
    /// Hold them: they are not sent, and go to the ledger of rejects with the rule `uncertain_delivery`, for a person to look at. None is there
    /// twice; a few may be missing until somebody has looked. Only for tables with a key.
    Hold,
}

fn default_concurrency() -> u8 {
    DEFAULT_CONCURRENCY
}

fn default_unacked_bytes() -> ByteSize {
    DEFAULT_UNACKED_BYTES
}

fn unacked_bytes_schema(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = ByteSize::json_schema(generator);
    schema.insert("format".to_owned(), crate::formats::UNACKED_BYTE_SIZE.into());
    schema.insert("minimum".to_owned(), UNACKED_BYTES.start().bytes().into());
    schema.insert("maximum".to_owned(), UNACKED_BYTES.end().bytes().into());
    schema
}

/// The whole document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Source")]
pub(crate) struct SourceDocument {
    /// What the document describes.
    #[expect(dead_code, reason = "part of the schema")]
    kind: SourceKind,
    /// The options of the source.
    pub(crate) spec: SourceSpec,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum SourceKind {
    /// Where rows come from.
    Source,
}
