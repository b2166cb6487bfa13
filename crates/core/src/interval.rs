//! Intervals of cursor values, open or closed at either end.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::{cursor::CursorValue, range::CursorRange};

/// One end of a [`Interval`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// No end on this side.
    #[default]
    Open,
    /// Up to this value, the value included.
    Included(CursorValue),
    /// Up to this value, the value left out.
    Excluded(CursorValue),
}

impl Bound {
    /// The value at this end; `None` where the range has no end.
    #[must_use]
    pub fn value(&self) -> Option<&CursorValue> {
        match self {
            Self::Open => None,
            Self::Included(value) | Self::Excluded(value) => Some(value),
        }
    }
}

/// A stretch of cursor values, open or closed at either end. The default is everything.
///
/// Its questions are answered with `None` where values have no order that is known here: values of different types, and text, whose order is the
/// source's. NULL is no cursor value and in no range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Where it begins.
    #[serde(default)]
    pub from: Bound,
    /// Where it ends.
    #[serde(default)]
    pub to: Bound,
}

impl From<CursorRange> for Interval {
    /// A [`CursorRange`] holds its beginning and leaves its end out.
    fn from(range: CursorRange) -> Self {
        Self {
            from: range.from.map_or(Bound::Open, Bound::Included),
            to: range.to.map_or(Bound::Open, Bound::Excluded),
        }
    }
}

impl Interval {
    /// Whether a value lies in it.
    #[must_use]
    pub fn contains(&self, value: &CursorValue) -> Option<bool> {
        let after_begin = match &self.from {
            Bound::Open => true,
            Bound::Included(from) => value.compare(from)?.is_ge(),
            Bound::Excluded(from) => value.compare(from)?.is_gt(),
        };
        let before_end = match &self.to {
            Bound::Open => true,
            Bound::Included(to) => value.compare(to)?.is_le(),
            Bound::Excluded(to) => value.compare(to)?.is_lt(),
        };
        Some(after_begin && before_end)
    }

    /// Whether no value can lie in it, because it ends before it begins.
    #[must_use]
    pub fn is_empty(&self) -> Option<bool> {
        let (Some(from), Some(to)) = (self.from.value(), self.to.value()) else {
            return Some(false);
        };
        Some(match from.compare(to)? {
            Ordering::Less => false,
            Ordering::Equal => !matches!((&self.from, &self.to), (Bound::Included(_), Bound::Included(_))),
            Ordering::Greater => true,
        })
    }

    /// What lies in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        Some(Self {
            from: tighter(&self.from, &other.from, Ordering::Greater)?,
            to: tighter(&self.to, &other.to, Ordering::Less)?,
        })
    }

    /// What lies in either: one interval where the two overlap, touch, or one is empty; otherwise both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Option<Vec<Self>> {
        if self.is_empty()? {
            return Some(vec![other.clone()]);
        }
        if other.is_empty()? {
            return Some(vec![self.clone()]);
        }
        if apart(&self.to, &other.from)? || apart(&other.to, &self.from)? {
            return Some(vec![self.clone(), other.clone()]);
        }
        Some(vec![Self {
            from: wider(&self.from, &other.from, Ordering::Less)?,
            to: wider(&self.to, &other.to, Ordering::Greater)?,
        }])
    }

    /// Whether everything that lies in `other` lies in it too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> Option<bool> {
        if other.is_empty()? {
            return Some(true);
        }
        Some(self.intersection(other)? == *other)
    }
}

/// The end that lets less through: the one that lies in the direction `inwards` of the other; at equal values the one that leaves its value out.
fn tighter(a: &Bound, b: &Bound, inwards: Ordering) -> Option<Bound> {
    let (Some(value_a), Some(value_b)) = (a.value(), b.value()) else {
        return Some(if a.value().is_some() { a.clone() } else { b.clone() });
    };
    let order = value_a.compare(value_b)?;
    let a_is_tighter = order == inwards || order == Ordering::Equal && matches!(a, Bound::Excluded(_));
    Some(if a_is_tighter { a.clone() } else { b.clone() })
}

/// The end that lets more through: the one that lies in the direction `outwards` of the other; at equal values the one that includes its value.
fn wider(a: &Bound, b: &Bound, outwards: Ordering) -> Option<Bound> {
    let (Some(value_a), Some(value_b)) = (a.value(), b.value()) else {
        return Some(Bound::Open);
    };
    let order = value_a.compare(value_b)?;
    let a_is_wider = order == outwards || order == Ordering::Equal && matches!(a, Bound::Included(_));
    Some(if a_is_wider { a.clone() } else { b.clone() })
}

/// Whether a value could lie between the end of one range and the beginning of another.
fn apart(end: &Bound, begin: &Bound) -> Option<bool> {
    let (Some(end_at), Some(begin_at)) = (end.value(), begin.value()) else {
        return Some(false);
    };
    Some(match end_at.compare(begin_at)? {
        Ordering::Less => true,
        Ordering::Equal => matches!((end, begin), (Bound::Excluded(_), Bound::Excluded(_))),
        Ordering::Greater => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bound() -> impl Strategy<Value = Bound> {
        let value = || (-6_i64..6).prop_map(CursorValue::Int);
        prop_oneof![
            Just(Bound::Open),
            value().prop_map(Bound::Included),
            value().prop_map(Bound::Excluded)
        ]
    }

    fn range() -> impl Strategy<Value = Interval> {
        (bound(), bound()).prop_map(|(from, to)| Interval { from, to })
    }

    /// Tenths between the whole numbers of the ranges' ends stand for all values that can lie between them.
    fn decimal(range: &Interval) -> Interval {
        let convert = |bound: &Bound| {
            let of = |value: &CursorValue| CursorValue::Decimal(value.to_string());
            match bound {
                Bound::Open => Bound::Open,
                Bound::Included(value) => Bound::Included(of(value)),
                Bound::Excluded(value) => Bound::Excluded(of(value)),
            }
        };
        Interval {
            from: convert(&range.from),
            to: convert(&range.to),
        }
    }

    fn members(range: &Interval) -> Vec<String> {
        let halves = (-16_i32..=16).map(|halves| {
            format!(
                "{}{}.{}",
                if halves < 0 { "-" } else { "" },
                halves.abs() / 2,
                halves.abs() % 2 * 5
            )
        });
        halves
            .filter(|text| range.contains(&CursorValue::Decimal(text.clone())).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn a_range_is_empty_when_nothing_lies_in_it(range in range()) {
            let range = decimal(&range);
            prop_assert_eq!(range.is_empty(), Some(members(&range).is_empty()));
        }

        #[test]
        fn an_intersection_holds_what_lies_in_both(a in range(), b in range()) {
            let (a, b) = (decimal(&a), decimal(&b));
            let both: Vec<String> = members(&a).into_iter().filter(|text| members(&b).contains(text)).collect();
            prop_assert_eq!(members(&a.intersection(&b).unwrap()), both);
        }

        #[test]
        fn a_union_holds_what_lies_in_either_or_is_two_pieces(a in range(), b in range()) {
            let (a, b) = (decimal(&a), decimal(&b));
            let either = |text: &String| members(&a).contains(text) || members(&b).contains(text);
            let everything = Interval::default();
            let expected: Vec<String> = members(&everything).into_iter().filter(either).collect();
            if let [union] = &a.union(&b).unwrap()[..] {
                prop_assert_eq!(members(union), expected);
                prop_assert!(union.covers(&a).unwrap() && union.covers(&b).unwrap());
            } else {
                let first = members(&everything).iter().position(|text| *text == expected[0]).unwrap();
                let stretch = &members(&everything)[first..first + expected.len()];
                prop_assert_ne!(stretch, &expected[..], "there is a gap");
            }
        }

        #[test]
        fn a_range_covers_another_when_all_its_members_are_members(a in range(), b in range()) {
            let (a, b) = (decimal(&a), decimal(&b));
            prop_assume!(!matches!((&a.from, &b.from), (Bound::Open, Bound::Open)) || !matches!((&a.to, &b.to), (Bound::Open, Bound::Open)));
            if a.covers(&b).unwrap() {
                prop_assert!(members(&b).iter().all(|text| members(&a).contains(text)));
            }
        }

        #[test]
        fn half_open_ranges_that_follow_each_other_hold_every_value_once(a in -6_i64..6, more in 0_i64..6, value in -20_i64..20) {
            let piece = |from: Option<i64>, to: Option<i64>| {
                Interval::from(CursorRange { from: from.map(CursorValue::Int), to: to.map(CursorValue::Int) })
            };
            let pieces = [piece(None, Some(a)), piece(Some(a), Some(a + more)), piece(Some(a + more), None)];
            let holding = pieces.iter().filter(|piece| piece.contains(&CursorValue::Int(value)).unwrap()).count();
            prop_assert_eq!(holding, 1);
        }

        #[test]
        fn a_range_survives_json(range in range()) {
            let text = serde_json::to_string(&range).unwrap();
            prop_assert_eq!(serde_json::from_str::<Interval>(&text).unwrap(), range);
        }
    }

    #[test]
    fn values_without_an_order_have_no_answer() {
        let text = Interval {
            from: Bound::Included(CursorValue::Text("a".to_owned())),
            to: Bound::Open,
        };
        assert_eq!(text.contains(&CursorValue::Text("b".to_owned())), None);
        assert_eq!(text.contains(&CursorValue::Int(1)), None);
        assert_eq!(text.is_empty(), Some(false));
    }
}
