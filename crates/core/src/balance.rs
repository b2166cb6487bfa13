//! The conservation law of a run: `read = delivered + rejected + filtered + deduplicated`, from three independent counters.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What a source counted: `read = emitted + filtered + deduplicated`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// Rows fetched from the database.
    pub read: u64,
    /// Rows handed to Longshore.
    pub emitted: u64,
    /// Rows left out by a declared rule.
    pub filtered: u64,
    /// Rows left out because an earlier run had delivered them.
    pub deduplicated: u64,
}

/// What one destination counted: `received = delivered + rejected + filtered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationCounts {
    /// Rows that are durable.
    pub delivered: u64,
    /// Rows refused as a whole and recorded.
    pub rejected: u64,
    /// Rows left out by a declared rule.
    pub filtered: u64,
}

impl AddAssign for SourceCounts {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.emitted += other.emitted;
        self.filtered += other.filtered;
        self.deduplicated += other.deduplicated;
    }
}

impl AddAssign for DestinationCounts {
    fn add_assign(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.rejected += other.rejected;
        self.filtered += other.filtered;
    }
}

impl DestinationCounts {
    /// Rows accounted for.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.delivered + self.rejected + self.filtered
    }
}

/// Checks that nothing was lost between a source, the orchestrator that forwarded `forwarded` rows, and one destination.
///
/// # Errors
/// `unbalanced`: with the three counts, because a run that does not balance must fail loudly.
pub fn check(table: &str, source: SourceCounts, forwarded: u64, destination: DestinationCounts) -> Result<()> {
    let source_balances = source.read == source.emitted + source.filtered + source.deduplicated;
    if source_balances && source.emitted == forwarded && forwarded == destination.total() {
        return Ok(());
    }
    Err(Error::protocol(
        "unbalanced",
        format!(
            "The rows of table {table} do not balance: the source read {} (emitted {}, filtered {}, deduplicated {}), Longshore forwarded {forwarded}, \
             the destination accounts for {} (delivered {}, rejected {}, filtered {})",
            source.read,
            source.emitted,
            source.filtered,
            source.deduplicated,
            destination.total(),
            destination.delivered,
            destination.rejected,
            destination.filtered,
        ),
    )
    .with_table(table)
    .with_remedy("One of the plugins miscounts or loses rows. The table's cursor was not moved; please report this with the run's log."))
}

/// Checks that every row that was sent again from the ledger is accounted for: retried = redelivered + rejected again + filtered.
///
/// # Errors
/// `unbalanced`.
pub fn check_retried(table: &str, retried: u64, destination: DestinationCounts) -> Result<()> {
    if retried == destination.total() {
        return Ok(());
    }
    let message = format!(
        "The rejected rows of table {table} that were sent again do not balance: Longshore counts {retried}, the destination accounts for {} \
         (delivered {}, rejected {}, filtered {})",
        destination.total(),
        destination.delivered,
        destination.rejected,
        destination.filtered,
    );
    Err(Error::protocol("unbalanced", message)
        .with_table(table)
        .with_remedy("The destination miscounts or loses rows; please report this with the run's log."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: SourceCounts = SourceCounts {
        read: 10,
        emitted: 7,
        filtered: 2,
        deduplicated: 1,
    };

    #[test]
    fn equal_counts_balance() {
        assert!(
            check(
                "t",
                SOURCE,
                7,
                DestinationCounts {
                    delivered: 5,
                    rejected: 1,
                    filtered: 1,
                }
            )
            .is_ok()
        );
    }

    #[test]
    fn a_row_that_was_sent_again_and_is_not_accounted_for_is_an_error() {
        let one_of_each = DestinationCounts {
            delivered: 1,
            rejected: 1,
            filtered: 1,
        };
        assert!(check_retried("t", 3, one_of_each).is_ok());
        assert_eq!(check_retried("t", 4, one_of_each).unwrap_err().code, "unbalanced");
    }

    #[test]
    fn a_row_missing_at_any_of_the_three_places_is_an_error() {
        let all = DestinationCounts {
            delivered: 7,
            ..Default::default()
        };
        assert!(check("t", SourceCounts { read: 11, ..SOURCE }, 7, all).is_err());
        assert!(check("t", SOURCE, 6, all).is_err());
        assert!(
            check(
                "t",
                SOURCE,
                7,
                DestinationCounts {
                    delivered: 6,
                    ..Default::default()
                }
            )
            .is_err()
        );
    }
}
