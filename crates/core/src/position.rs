//! Places in the order that a partition is read in.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{
    cursor::CursorValue,
    error::{Error, Result},
};

/// A place in the order `(cursor, key…)`: everything up to here was sent.
///
/// Order and resumption use the same columns. With a key that no two rows share a reader goes on behind exactly one row; without such a key a
/// checkpoint may lie only where the position changes, so that rows that share it are never torn apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The cursor there.
    pub cursor: CursorValue,
    /// Values of the key columns, in their order; `None` is NULL.
    pub key: Vec<Option<CursorValue>>,
}

impl Position {
    /// Reads the position of a checkpoint.
    ///
    /// # Errors
    /// `position_unreadable`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|error| {
            Error::protocol("position_unreadable", "The position of a checkpoint can not be read").with_cause(&error)
        })
    }

    /// The form that a checkpoint keeps: JSON, every value bit for bit.
    ///
    /// # Errors
    /// `position_unwritable`: never met; JSON can hold every position.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::internal("position_unwritable", "A position can not be written").with_cause(&error))
    }

    /// Orders two positions of one order, NULL keys last. `None` when they belong to different orders, or when only the source knows how two values
    /// of theirs compare.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        if self.key.len() != other.key.len() {
            return None;
        }
        let mut order = self.cursor.compare(&other.cursor)?;
        for (a, b) in self.key.iter().zip(&other.key) {
            if order != Ordering::Equal {
                return Some(order);
            }
            order = match (a, b) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(a), Some(b)) => a.compare(b)?,
            };
        }
        Some(order)
    }
}
