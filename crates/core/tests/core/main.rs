//! The algebra as its users see it.
#![allow(clippy::unwrap_used, reason = "a test that can not go on panics")]

mod documents;
mod order;
mod resume;
mod values;
