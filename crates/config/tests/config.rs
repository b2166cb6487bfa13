//! Configurations as a user writes them, loaded from files.

#[path = "config/support.rs"]
mod support;

#[path = "config/envelope.rs"]
mod envelope;
#[path = "config/files.rs"]
mod files;
#[path = "config/golden.rs"]
mod golden;
#[path = "config/plugin_spec.rs"]
mod plugin_spec;
#[path = "config/redaction.rs"]
mod redaction;
#[path = "config/robustness.rs"]
mod robustness;
#[path = "config/schema.rs"]
mod schema;
#[path = "config/selection.rs"]
mod selection;
#[path = "config/substitution.rs"]
mod substitution;
