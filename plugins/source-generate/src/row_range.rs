//! A partition's rows, and a position among them.

use std::ops::Range;

use longshore_sdk::prelude::*;
use serde::{Deserialize, Serialize};

/// Rows with an `id` from `from` up to and including `to`. This is a partition's descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowRange {
    from: u64,
    to: u64,
}

impl RowRange {
    /// The rows after `last` up to and including `to`, in so many parts of nearly one size, none of them empty.
    pub(crate) fn divide(last: u64, to: u64, parts: u32) -> Vec<Self> {
        let rows = to.saturating_sub(last);
        let parts = u64::from(parts).min(rows);
        let bound = |part: u64| last + mul_div(rows, part, parts);
        (0..parts)
            .map(|part| Self {
                from: bound(part) + 1,
                to: bound(part + 1),
            })
            .collect()
    }

    pub(crate) fn partition(self) -> Partition {
        let Self { from, to } = self;
        Partition {
            id: format!("id-{from}-{to}"),
            descriptor: format!(r#"{{"from":{from},"to":{to}}}"#),
            estimated_rows: Some(to + 1 - from),
            total_order: true,
        }
    }

    pub(crate) fn of(partition: &Partition) -> Result<Self> {
        serde_json::from_str(&partition.descriptor)
            .map_err(|error| Error::protocol("partition_broken", "A partition can not be read").with_cause(&error))
    }

    /// The ids that are left to read after a position.
    pub(crate) fn after(self, position: Option<&[u8]>) -> Result<Range<u64>> {
        let from = match position {
            None => self.from,
            Some(position) => {
                last_id(position)
                    .ok_or_else(|| Error::protocol("position_broken", "The position of a checkpoint can not be read"))?
                    + 1
            }
        };
        Ok(from..self.to + 1)
    }
}

/// The position after a row.
pub(crate) fn position_after(id: u64) -> Vec<u8> {
    id.to_string().into_bytes()
}

fn last_id(position: &[u8]) -> Option<u64> {
    std::str::from_utf8(position).ok()?.parse().ok()
}

/// `value * part / parts` where the product does not fit 64 bits.
fn mul_div(value: u64, part: u64, parts: u64) -> u64 {
    let quotient = u128::from(value) * u128::from(part) / u128::from(parts);
    u64::try_from(quotient).expect("a part of a value is not more than the value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_every_row_once() {
        for (last, to, parts) in [
            (0, 10, 3),
            (7, 8, 4),
            (0, 1_000_001, 7),
            (5, 5, 2),
            (0, u64::MAX - 1, 9),
        ] {
            let ranges = RowRange::divide(last, to, parts);
            let mut next = last + 1;
            for range in &ranges {
                assert_eq!(range.from, next);
                assert!(range.to >= range.from);
                next = range.to + 1;
            }
            assert_eq!(next, to + 1);
            assert!(ranges.len() <= parts as usize);
        }
    }

    #[test]
    fn a_partition_names_its_rows_and_resumes_after_a_position() {
        let range = RowRange { from: 5, to: 9 };
        assert_eq!(RowRange::of(&range.partition()).unwrap(), range);
        assert_eq!(range.after(None).unwrap(), 5..10);
        assert_eq!(range.after(Some(&position_after(7))).unwrap(), 8..10);
        assert!(range.after(Some(&position_after(9))).unwrap().is_empty());
        assert_eq!(range.after(Some(b"x")).unwrap_err().code, "position_broken");
    }
}
