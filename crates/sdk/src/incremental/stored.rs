//! Documents of the source's own that Longshore keeps for it: a partition's descriptor with the plan, the source's part of the state between runs.

use longshore_core::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

/// The text of a partition's descriptor.
///
/// # Errors
/// `descriptor_unwritable`; never for plain values.
pub fn descriptor_of(work: &impl Serialize) -> Result<String> {
    serde_json::to_string(work).map_err(|error| {
        Error::internal(
            "descriptor_unwritable",
            "The descriptor of a partition can not be written",
        )
        .with_cause(&error)
    })
}

/// Reads what [`descriptor_of`] wrote.
///
/// # Errors
/// `descriptor_unreadable`.
pub fn read_descriptor<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::protocol(
            "descriptor_unreadable",
            "The descriptor of a partition can not be read; another version of the plugin wrote it",
        )
        .with_cause(&error)
    })
}

/// The text of a source's part of the state. The document names its version.
///
/// # Errors
/// `state_unwritable`; never for plain values.
pub fn source_state_of(document: &impl Serialize) -> Result<String> {
    serde_json::to_string(document)
        .map_err(|error| Error::internal("state_unwritable", "The state can not be written").with_cause(&error))
}

/// Reads what [`source_state_of`] wrote.
///
/// # Errors
/// `state_unreadable`: it is damaged, or a newer version wrote it.
pub fn read_source_state<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::source(
            "state_unreadable",
            "The source's part of the stored state can not be read",
        )
        .with_remedy(
            "Use the version of Longshore that wrote it, or `longshore state reset` to read the table from its beginning.",
        )
        .with_cause(&error)
    })
}
