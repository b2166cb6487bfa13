//! Longshore plugin source-postgresql.
