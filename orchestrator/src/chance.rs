//! Chance for jitter: it has to differ between processes, not to be secret, so the clock's low digits are enough.

/// A number in `[0, 1)`.
pub(crate) fn number() -> f64 {
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    f64::from(nanoseconds % 1_000_000) / 1_000_000.0
}
