//! `tables` and `skip_tables` against what a source offers.

use longshore_config::{Diagnostic, TableSelection};

use super::support::{Site, places};

const OFFERED: [&str; 9] = [
    "public.orders",
    "public.Orders",
    "public.order_items",
    "audit.log",
    "weird.a*b",
    "weird.a-b",
    "weird.with \"quotes\" and 'more'",
    "weird.[x]",
    "läden.東京",
];

fn selection(tables: &str, skip: &str) -> TableSelection {
    let site = Site::with(&format!(
        "kind: source\nspec:\n  name: shop\n  path: postgresql\n  tables: {tables}\n  skip_tables: {skip}\n  destinations: [batch]\n---\nkind: destination\nspec: {{name: batch, path: batch}}\n"
    ));
    TableSelection::of(&site.loaded().sources[0])
}

fn select(tables: &str, skip: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    let offered: Vec<String> = OFFERED.map(str::to_owned).to_vec();
    selection(tables, skip).select(&offered)
}

fn selected(tables: &str, skip: &str) -> Vec<String> {
    select(tables, skip).unwrap_or_else(|diagnostics| panic!("{}", diagnostics[0]))
}

#[test]
fn names_and_patterns_select_in_the_order_offered_and_each_table_once() {
    assert_eq!(
        selected("['audit.*', public.orders, 'public.order*']", "[]"),
        ["public.orders", "public.order_items", "audit.log"]
    );
    assert_eq!(selected("['*']", "[]"), OFFERED);
    assert_eq!(selected("['{audit,läden}.*']", "[]"), ["audit.log", "läden.東京"]);
    assert_eq!(selected("['läden.?京']", "[]"), ["läden.東京"]);
}

#[test]
fn what_is_skipped_is_not_selected() {
    assert_eq!(
        selected("['public.*']", "['public.order_*', public.Orders]"),
        ["public.orders"]
    );
}

#[test]
fn case_matters() {
    assert_eq!(selected("[public.Orders]", "[]"), ["public.Orders"]);
    assert_eq!(selected("['public.O*']", "[]"), ["public.Orders"]);
}

#[test]
fn an_exact_name_wins_over_its_reading_as_a_pattern() {
    assert_eq!(selected("['weird.a*b']", "[]"), ["weird.a*b"]);
    assert_eq!(selected("['weird.[x]']", "[]"), ["weird.[x]"]);
    assert_eq!(selected("['weird.a?b']", "[]"), ["weird.a*b", "weird.a-b"]);
    assert_eq!(selected("['weird.a\\*b*']", "[]"), ["weird.a*b"]);
    assert_eq!(
        selected("[\"weird.with \\\"quotes\\\" and 'more'\"]", "[]"),
        ["weird.with \"quotes\" and 'more'"]
    );
}

#[test]
fn a_name_or_pattern_without_a_table_is_refused_at_its_place_with_the_nearest_name() {
    let diagnostics =
        select("[orders, public.ordr_items, 'nothing.*', 'a[']", "[adit.log]").expect_err("five mistakes");
    assert_eq!(
        places(&diagnostics),
        [
            (5, 12, "the source has no table `orders`".to_owned()),
            (5, 20, "the source has no table `public.ordr_items`".to_owned()),
            (5, 39, "no table of the source matches `nothing.*`".to_owned()),
            (
                5,
                52,
                "`a[` is neither a table nor a valid pattern: a `[` has no closing `]`".to_owned()
            ),
            (6, 17, "the source has no table `adit.log`".to_owned()),
        ]
    );
    let helps: Vec<&str> = diagnostics
        .iter()
        .filter_map(|diagnostic| diagnostic.help.as_deref())
        .collect();
    assert_eq!(helps[0], "did you mean `public.orders`?");
    assert_eq!(helps[1], "did you mean `public.order_items`?");
    assert!(
        helps[2].starts_with("the source has: `public.orders`, "),
        "{}",
        helps[2]
    );
    assert_eq!(helps[4], "did you mean `audit.log`?");
}

#[test]
fn a_selection_that_skips_everything_is_refused() {
    let diagnostics = select("[audit.log]", "['audit.*']").expect_err("nothing is left");
    assert_eq!(
        places(&diagnostics),
        [(6, 16, "`skip_tables` leaves none of the selected tables".to_owned())]
    );
}

#[test]
fn a_source_without_tables_says_so() {
    let diagnostics = selection("[a]", "[]").select(&[]).expect_err("no table");
    assert!(
        diagnostics[0].to_string().contains("offers no table at all"),
        "{}",
        diagnostics[0]
    );
}

#[test]
fn exact_names_are_given_when_nothing_else_can_be_meant() {
    let exact = |tables: &str, skip: &str| selection(tables, skip).exact_names();
    assert_eq!(
        exact("[a.b, 'c \"d\" é', a.b]", "[]"),
        Some(vec!["a.b".to_owned(), "c \"d\" é".to_owned()])
    );
    assert_eq!(exact("[a.b, 'c*']", "[]"), None);
    assert_eq!(exact("[a.b, c]", "[c]"), None);
}
