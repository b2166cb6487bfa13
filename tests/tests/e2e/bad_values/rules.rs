//! Every rule that the destination's README lists is provoked by a table here, or stands below with the reason why none can.

use std::collections::BTreeSet;

use super::{events, profiles};
use crate::pages::text_of;

const README: &str = "plugins/destination-batch/README.md";

/// Rules that no content of a PostgreSQL table provokes.
const EXCEPTIONS: [(&str, &str); 7] = [
    (
        "custom_id_invalid",
        "the custom id of these tables is a text; JSON that is none is refused in the plugin's own tests",
    ),
    (
        "request_malformed",
        "Batch's answer to a request, not a property of a row",
    ),
    (
        "request_too_large",
        "Batch's answer to a request, not a property of a row",
    ),
    (
        "request_refused",
        "Batch's answer to a request, not a property of a row",
    ),
    (
        "refused_by_batch…",
        "Batch's answer to a request, not a property of a row",
    ),
    (
        "refused_by_batch_attribute",
        "Batch's answer to a request, not a property of a row",
    ),
    ("uncertain_delivery", "an answer that was lost, not a property of a row"),
];

/// The names in the README's list, which are all of lower-case letters and `_`.
fn documented() -> BTreeSet<String> {
    let page = text_of(README);
    let (_, after) = page.split_once("### The rules").expect("the README lists the rules");
    let section = after.split("\n## ").next().unwrap_or_default();
    let section = section.split("\n### ").next().unwrap_or_default();
    let names = section.split('`').skip(1).step_by(2);
    let is_rule = |name: &&str| {
        name.chars()
            .all(|letter| letter.is_ascii_lowercase() || matches!(letter, '_' | '…'))
    };
    names.filter(is_rule).map(str::to_owned).collect()
}

#[test]
fn each_documented_rule_is_provoked_or_excused() {
    let documented = documented();
    assert!(documented.len() > 60, "{documented:?}");
    let cases = [profiles::table().cases, events::table().cases].concat();
    let provoked: BTreeSet<String> = cases.iter().map(|case| case.rule.to_owned()).collect();
    let excused: BTreeSet<String> = EXCEPTIONS.iter().map(|(rule, _)| (*rule).to_owned()).collect();
    let unprovoked: Vec<_> = documented
        .difference(&provoked)
        .filter(|rule| !excused.contains(*rule))
        .collect();
    assert!(unprovoked.is_empty(), "no table provokes {unprovoked:?}");
    let undocumented: Vec<_> = provoked
        .union(&excused)
        .filter(|rule| !documented.contains(*rule))
        .collect();
    assert!(undocumented.is_empty(), "the README does not list {undocumented:?}");
    let both: Vec<_> = provoked.intersection(&excused).collect();
    assert!(both.is_empty(), "{both:?} are provoked and need no excuse");
}
