//! Keeps Batch up to date from PostgreSQL, and never loses a row.
