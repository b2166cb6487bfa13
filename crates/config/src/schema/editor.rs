//! The schemas of the documents.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::destination::DestinationDocument;
use crate::settings::SettingsDocument;
use crate::source::SourceDocument;

/// The JSON Schema (draft 2020-12) of one configuration document of any kind, for editors.
///
/// A plugin's own `spec` is a free object in it. A value that is substituted (`${…}`) counts as the text that stands in
/// the file, so that an editor may complain about `concurrency: ${N}`, which is fine at run time.
pub fn schema() -> Value {
    let mut generator = generator();
    let kinds = [
        generator.subschema_for::<SourceDocument>(),
        generator.subschema_for::<DestinationDocument>(),
        generator.subschema_for::<SettingsDocument>(),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Longshore configuration document",
        "description": "One YAML document of a Longshore configuration; a file may hold several, separated by `---`.",
        "anyOf": kinds,
        "$defs": generator.take_definitions(true),
    })
}

/// The schema of a `kind: source` document.
pub(crate) fn source_schema() -> Value {
    root_schema::<SourceDocument>()
}

/// The schema of a `kind: destination` document.
pub(crate) fn destination_schema() -> Value {
    root_schema::<DestinationDocument>()
}

/// The schema of a `kind: settings` document.
pub(crate) fn settings_schema() -> Value {
    root_schema::<SettingsDocument>()
}

fn root_schema<T: JsonSchema>() -> Value {
    generator().into_root_schema_for::<T>().to_value()
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}
