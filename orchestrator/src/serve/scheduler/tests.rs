//! The scheduler against a store that is a few fields, and a world in which time passes when a test says so.

mod chance;
mod due_times;
mod failures;
mod wishes;
mod world;
