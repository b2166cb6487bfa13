//! The plugin protocol of Longshore: generated types, Arrow framing, limits.
