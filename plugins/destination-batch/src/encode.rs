//! From Arrow rows to JSON bytes.

pub(crate) mod batch;
pub(crate) mod cell;
pub(crate) mod column;
pub(crate) mod rows;
