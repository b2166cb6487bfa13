//! What the author of a Longshore plugin depends on.
