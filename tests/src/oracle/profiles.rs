//! Profiles: one row, one profile.

use std::collections::HashMap;

use super::{Comparison, Nulls, expectation::ExpectedProfile, normal};
use crate::ReceivedProfile;

pub(super) fn compare(expected: Vec<ExpectedProfile>, received: Vec<ReceivedProfile>, nulls: Nulls) -> Comparison {
    let mut comparison = Comparison {
        expected: expected.len(),
        received: received.len(),
        ..Comparison::default()
    };
    let mut expected: HashMap<String, ExpectedProfile> = expected
        .into_iter()
        .map(|profile| (profile.custom_id.clone(), profile))
        .collect();
    for profile in received {
        let Some(wanted) = expected.remove(&profile.custom_id) else {
            comparison.unexpected.push(profile.custom_id);
            continue;
        };
        let mut attributes = normal::attributes(profile.attributes);
        if nulls == Nulls::Omit {
            attributes.retain(|key, _| !wanted.null_keys.contains(key));
        }
        comparison.compare_attributes(&wanted.row_id, wanted.attributes, attributes);
    }
    comparison.missing = expected.into_values().map(|profile| profile.row_id).collect();
    comparison.missing.sort_unstable();
    comparison
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::oracle::Difference;

    fn expected(custom_id: &str, attributes: Value, null_keys: &[&str]) -> ExpectedProfile {
        ExpectedProfile {
            row_id: custom_id.to_owned(),
            custom_id: custom_id.to_owned(),
            attributes: attributes.as_object().unwrap().clone(),
            null_keys: null_keys.iter().map(ToString::to_string).collect(),
        }
    }

    fn received(custom_id: &str, attributes: Value) -> ReceivedProfile {
        ReceivedProfile {
            custom_id: custom_id.to_owned(),
            attributes: attributes.as_object().unwrap().clone(),
        }
    }

    #[test]
    fn equal_profiles_are_equal() {
        let wanted = vec![expected("a", json!({"plan": "pro", "value": 12}), &["country"])];
        let found = vec![received("a", json!({"value": 12.0, "plan": "pro"}))];
        assert!(compare(wanted, found, Nulls::Unset).is_exact());
    }

    #[test]
    fn missing_unexpected_and_different_profiles_are_named() {
        let wanted = vec![
            expected("a", json!({"plan": "pro"}), &[]),
            expected("b", json!({"plan": "pro", "vip": true}), &[]),
        ];
        let found = vec![
            received("b", json!({"plan": "free", "extra": 1})),
            received("c", json!({})),
        ];
        let comparison = compare(wanted, found, Nulls::Omit);
        assert_eq!(
            (comparison.missing.as_slice(), comparison.unexpected.as_slice()),
            (["a".to_owned()].as_slice(), ["c".to_owned()].as_slice())
        );
        let difference = |key: &str, expected, received| Difference {
            row: "b".to_owned(),
            key: key.to_owned(),
            expected,
            received,
        };
        comparison.different.iter().for_each(|found| assert_eq!(found.row, "b"));
        for one in [
            difference("plan", Some(json!("pro")), Some(json!("free"))),
            difference("extra", None, Some(json!(1))),
            difference("vip", Some(json!(true)), None),
        ] {
            assert!(comparison.different.contains(&one), "{one} in {comparison}");
        }
    }

    #[test]
    fn null_leaves_an_attribute_or_takes_it_away() {
        let wanted = || vec![expected("a", json!({}), &["country"])];
        let found = || vec![received("a", json!({"country": "FR"}))];
        assert!(compare(wanted(), found(), Nulls::Omit).is_exact());
        assert!(!compare(wanted(), found(), Nulls::Unset).is_exact());
    }
}
