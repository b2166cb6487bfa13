//! Longshore plugin source-generate.
