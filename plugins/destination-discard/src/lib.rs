//! Longshore plugin destination-discard.
