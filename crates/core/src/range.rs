//! A stretch of cursor values that somebody names to be read again.

use serde::{Deserialize, Serialize};

use crate::{
    cursor::{CursorType, CursorValue, ParseCursorError},
    interval::Interval,
};

/// The values `v` with `from <= v < to`; an absent end is open. Half-open ranges that meet leave nothing out and repeat nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorRange {
    /// The least value that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CursorValue>,
    /// The least value beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<CursorValue>,
}

impl CursorRange {
    /// The same range with ends of a column's type, for ends that are text because whoever named them did not know it.
    ///
    /// # Errors
    /// When a text is no value of that type.
    pub fn typed(self, cursor_type: CursorType) -> Result<Self, ParseCursorError> {
        let end = |end: Option<CursorValue>| match end {
            Some(CursorValue::Text(text)) => cursor_type.parse(&text).map(Some),
            end => Ok(end),
        };
        Ok(Self {
            from: end(self.from)?,
            to: end(self.to)?,
        })
    }

    /// Whether no value belongs to it. Ends whose order only the source knows (text) are taken as they are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Interval::from(self.clone()).is_empty().unwrap_or(false)
    }

    /// Whether a value belongs to it; `None` when only the source can tell.
    #[must_use]
    pub fn contains(&self, value: &CursorValue) -> Option<bool> {
        Interval::from(self.clone()).contains(value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(from: Option<i64>, to: Option<i64>) -> CursorRange {
        CursorRange {
            from: from.map(CursorValue::Int),
            to: to.map(CursorValue::Int),
        }
    }

    proptest! {
        #[test]
        fn ranges_that_meet_hold_every_value_once(value: i64, meeting: i64) {
            let value = CursorValue::Int(value);
            let held = [range(None, Some(meeting)), range(Some(meeting), None)].map(|range| range.contains(&value).unwrap());
            prop_assert!(held[0] != held[1]);
        }

        #[test]
        fn an_empty_range_contains_nothing(from: i64, to: i64, value: i64) {
            let range = range(Some(from), Some(to));
            prop_assert_eq!(range.is_empty(), from >= to);
            prop_assert!(!range.is_empty() || !range.contains(&CursorValue::Int(value)).unwrap());
        }
    }

    #[test]
    fn ends_are_read_as_the_columns_type() {
        let named = CursorRange {
            from: Some(CursorValue::Text("7".to_owned())),
            to: Some(CursorValue::Int(9)),
        };
        assert_eq!(named.clone().typed(CursorType::Int), Ok(range(Some(7), Some(9))));
        assert!(named.typed(CursorType::Uuid).is_err());
    }

    #[test]
    fn the_order_of_text_is_the_sources_matter() {
        let text = |text: &str| Some(CursorValue::Text(text.to_owned()));
        let range = CursorRange {
            from: text("b"),
            to: text("a"),
        };
        assert!(!range.is_empty());
        assert_eq!(range.contains(&CursorValue::Text("a".to_owned())), None);
    }
}
