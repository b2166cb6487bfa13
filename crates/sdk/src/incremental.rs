//! Incremental reading, as far as it is the same for every database: options under the same names and with the same meaning, checks of the stored cursor, the
//! arithmetic of the window that is read again, what checkpoints and plans keep.
//!
//! Everything here is pure; what a database alone knows (SQL, types, transactions) stays in its plugin.

mod columns;
mod cursor_column;
mod duration;
mod known;
mod options;
mod overlap;
mod seen;
mod server_clock;
mod settle;
mod stored;
mod window;

pub use columns::{Columns, nearest};
pub use cursor_column::CursorColumn;
pub use duration::Span;
pub use known::{Baseline, KnownRows, LeftOut, Recount};
pub use options::{NamedStart, NullCursor, ReadOptions, StartFrom, options_pointer};
pub use overlap::Overlap;
pub use seen::{RowMarks, SeenRows, delivered_before};
pub use server_clock::ServerClock;
pub use settle::Unsettled;
pub use stored::{descriptor_of, read_descriptor, read_source_state, source_state_of};
pub use window::{before, fits, greater, lesser};
