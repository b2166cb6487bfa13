//! A plugin's options, checked.

use std::fmt;

use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;
use crate::text::MASK;

/// A plugin's options: valid for the schema they were checked against, secrets included. For `Configure` and for
/// nothing else; `Debug` shows the keys only.
///
/// A value that is one whole `${…}` without quotes has the type that the schema wants; where the schema takes text, or
/// says nothing, it is text.
#[derive(Clone, PartialEq)]
pub struct PluginSpec {
    options: Map<String, Value>,
    /// Pointers of what the schema calls secret.
    secret: Vec<String>,
    warnings: Vec<Diagnostic>,
}

impl PluginSpec {
    pub(crate) fn new(options: Map<String, Value>, secret: Vec<String>, warnings: Vec<Diagnostic>) -> Self {
        Self {
            options,
            secret,
            warnings,
        }
    }

    /// The options by key.
    pub fn options(&self) -> &Map<String, Value> {
        &self.options
    }

    /// The options as JSON text.
    pub fn to_json(&self) -> String {
        Value::Object(self.options.clone()).to_string()
    }

    /// The options with `***` for each that the schema calls secret: they are the same when nothing but a secret has changed.
    pub fn without_secrets(&self) -> Value {
        let mut options = Value::Object(self.options.clone());
        for pointer in &self.secret {
            if let Some(value) = options.pointer_mut(pointer) {
                *value = Value::from(MASK);
            }
        }
        options
    }

    /// What a person should look at: secrets that can not be kept out of text.
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}

impl fmt::Debug for PluginSpec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_map()
            .entries(self.options.keys().map(|key| (key, format_args!("***"))))
            .finish()
    }
}
