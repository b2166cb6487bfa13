//! Which plugin a document means and how it is reached: the part that sources and destinations share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a plugin comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// A plugin that is installed together with longshore; `path` is its name.
    #[default]
    Bundled,
    /// A program on this machine; `path` is the path to it.
    Local,
    /// A plugin that is already running; `path` is its address, such as `plugins.example.com:7777` or
    /// `unix:/run/plugin.sock`.
    Grpc,
}

/// The files of a mutual TLS connection to a running plugin (`registry: grpc`). Paths are looked up from the directory
/// of the configuration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// Certificates (PEM) of the authorities that may vouch for the plugin.
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["tls/ca.pem"]))]
    pub ca: String,
    /// This side's certificate chain (PEM).
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["tls/longshore.pem"]))]
    pub certificate: String,
    /// The private key (PEM) of this side's certificate.
    #[schemars(extend("format" = crate::formats::NON_BLANK, "examples" = ["tls/longshore.key"]))]
    pub key: String,
}

/// Placeholder for the plugin's own `spec`: free here, validated and handed out by
/// [`Document::validate_plugin_spec`](crate::Document::validate_plugin_spec), so that no secret is kept twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
pub(crate) struct FreeSpec;

impl<'de> Deserialize<'de> for FreeSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}
