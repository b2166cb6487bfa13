//! JSON in columns.

use std::fmt::Display;

use longshore_core::Error;
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, Type, ValueRef},
};
use serde::{Serialize, de::DeserializeOwned};

use super::failure::Failure;

/// A column that holds JSON text.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Json)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// The JSON text of a value that is about to be stored.
pub(super) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| {
        Error::internal("state_failed", "A value can not be written as JSON")
            .with_cause(&error)
            .into()
    })
}

/// The JSON text of a value that may be absent.
pub(super) fn to_json_option<T: Serialize>(value: Option<&T>) -> Result<Option<String>, Failure> {
    value.map(to_json).transpose()
}

/// The value of a column of JSON text that may be NULL.
pub(super) fn json_option<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Json<T>>>(column)?.map(|json| json.0))
}

/// The value of a column of JSON text.
pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    Ok(row.get::<_, Json<T>>(column)?.0)
}

/// A column holds what nobody wrote: the file is damaged.
pub(super) fn damaged(column: &str, kind: Type, message: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, kind, format!("column {column}: {message}").into())
}
