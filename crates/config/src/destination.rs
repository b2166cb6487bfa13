//! `kind: destination`: where rows go, and how they are written there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plugin_reference::{FreeSpec, Registry, TlsFiles};

/// The options of a destination document, apart from the plugin's own.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestinationSpec {
    /// The name that sources refer to; unique among destinations.
    #[schemars(extend("format" = crate::formats::NAME, "pattern" = crate::formats::NAME_PATTERN, "examples" = ["batch"]))]
    pub name: String,
    /// The plugin: the name of a bundled one, the path to a local program, or the address of a running one, see
    /// `registry`.
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["batch", "discard", "./plugins/my-destination", "plugins.example.com:7777"]))]
    pub path: String,
    /// Where the plugin comes from.
    #[serde(default)]
    pub registry: Registry,
    /// The version of the plugin that is expected.
    #[serde(default)]
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["0.1.0"]))]
    pub version: Option<String>,
    /// How rows meet rows that are there already. Without it, the way that is natural to the destination.
    #[serde(default)]
    pub write_mode: Option<WriteMode>,
    /// What may be done to a target whose shape differs from the table's.
    #[serde(default)]
    pub migrate_mode: MigrateMode,
    /// Which columns are the key at the destination.
    #[serde(default)]
    pub pk_mode: PkMode,
    /// Certificates for a running plugin; only with `registry: grpc`.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// The plugin's own options. `longshore plugin info` prints their schema.
    #[serde(default)]
    spec: FreeSpec,
}

/// How rows meet rows that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WriteMode {
    /// Every row is added; what is there stays.
    Append,
    /// A row replaces the one with the same key.
    Overwrite,
    /// A row replaces the one with the same key; what a complete run did not contain is removed.
    OverwriteDeleteStale,
}

/// What may be done to a target whose shape differs from the table's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MigrateMode {
    /// Only changes that lose nothing, such as a new column; anything else stops the run.
    #[default]
    Safe,
    /// Every change that is needed, even if data at the destination is lost.
    Forced,
}

/// Which columns are the key at the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PkMode {
    /// The table's own primary key.
    #[default]
    Default,
}

/// The whole document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Destination")]
pub(crate) struct DestinationDocument {
    /// What the document describes.
    #[expect(dead_code, reason = "part of the schema")]
    kind: DestinationKind,
    /// The options of the destination.
    pub(crate) spec: DestinationSpec,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(crate) enum DestinationKind {
    /// Where rows go.
    Destination,
}
