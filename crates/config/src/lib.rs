//! Configuration documents of Longshore: loading, substitution, validation with positions.
//!
//! [`Loader::load`] reads YAML files into a [`Configuration`], or refuses them with every [`Diagnostic`] at once. What needs a
//! plugin comes later and keeps its positions: [`Document::validate_plugin_spec`] for the plugin's own options,
//! [`TableSelection`] for the tables, [`Document::error_at`] for anything else. The crate's README.md is the road map.

mod alerts;
mod byte_size;
mod configuration;
mod destination;
mod diagnostic;
mod document;
mod files;
mod formats;
mod max_rejects;
mod pattern;
mod plugin_reference;
mod plugin_spec;
mod references;
mod rejects;
mod schedule;
mod schema;
mod secrets;
mod selection;
mod serve;
mod settings;
mod source;
mod substitution;
mod suggestion;
mod text;
mod yaml;

pub use alerts::{Alerts, Lag, LagError, Webhook, WebhookError};
pub use byte_size::{ByteSize, ByteSizeError};
pub use configuration::{Configuration, Configured, Destination, Loader, Source};
pub use destination::{DestinationSpec, MigrateMode, PkMode, WriteMode};
pub use diagnostic::{ConfigurationError, Diagnostic, Place, Related, Severity};
pub use document::Document;
pub use max_rejects::{MaxRejects, MaxRejectsError};
pub use plugin_reference::{Registry, TlsFiles};
pub use plugin_spec::PluginSpec;
pub use rejects::{RejectedValues, Rejects, Retention, RetentionError, Retry};
pub use schedule::{CatchUp, SyncSchedule};
pub use schema::schema;
pub use secrets::{Secrets, without_credentials};
pub use selection::TableSelection;
pub use serve::{DEFAULT_CONCURRENT_RUNS, Serve};
pub use settings::{History, Settings, StateLocation, StateLocationError};
pub use source::{DEFAULT_CONCURRENCY, DEFAULT_UNACKED_BYTES, SourceSpec, UNACKED_BYTES, Uncertain};
