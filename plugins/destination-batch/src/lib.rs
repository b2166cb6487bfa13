//! Longshore plugin destination-batch.
