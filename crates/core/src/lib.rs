//! The rules of Longshore, without I/O: cursor values, state documents, the decisions of a run, the retry policy, errors.
//!
//! Everything here is a pure function of its arguments: no clock, no file, no socket, no runtime. Time comes in as a value. What may
//! lose a row if it is wrong lives in this crate, where it can be tested without a database.
//!
//! | module | what it decides |
//! |---|---|
//! | [`cursor`] | what a cursor value is, how it is written and read back without loss |
//! | [`interval`] | intervals of cursor values, open or closed |
//! | [`position`] | where a reader is in the order `(cursor, key…)` |
//! | [`fencing`] | who may move what is stored |
//! | [`range`] | a stretch of cursor values to be read again |
//! | [`state`] | the stored state of a table, its versioned document, its promotion at the end of a run |
//! | [`fingerprints`] | the bounded memory of rows that a later run may see again: each by itself, or a sketch of them |
//! | [`partition`] | when a checkpoint may be committed, when a partition is done |
//! | [`balance`] | the conservation law of a run |
//! | [`retry`] | how long to wait before trying again, and when to stop |
//! | [`error`] | the error that every part of Longshore speaks |

pub mod balance;
pub mod cursor;
pub mod error;
pub mod fencing;
pub mod fingerprints;
pub mod interval;
pub mod partition;
pub mod position;
pub mod range;
pub mod retry;
pub mod state;

pub use cursor::CursorValue;
pub use error::{Domain, Error, Result, Scope};
pub use position::Position;
pub use state::TableState;
