//! JSON Schema at work: our own for the envelope, a plugin's for its `spec`.

mod conformity;
mod editor;
mod violation;
mod wording;
mod write_only;

pub use editor::schema;

pub(crate) use conformity::{CompiledSchema, Conformity, Reserved, check};
pub(crate) use editor::{destination_schema, settings_schema, source_schema};
pub(crate) use wording::{Finding, Target};
