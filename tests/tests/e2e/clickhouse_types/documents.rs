//! JSON, and types that hold values of several types: they arrive as what the single value is.

use longshore_tests::{Result, shop::Target};

use super::{
    case::{Case, arrive},
    outcome::json,
};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

const JSON: &str = "toJSONString(@)";

#[tokio::test]
async fn json_arrives_in_events_and_is_refused_for_profiles() -> Result<()> {
    let values = [
        r#"'{"a": {"b": 1}, "c": ["x", "y"]}'"#,
        "'{}'",
        r#"'{"a": 18446744073709551615}'"#,
        r#"'{"a": -9223372036854775808, "t": true, "f": 0.1}'"#,
        r#"'{"list": [{"a": 1}, {"a": 2}]}'"#,
        r#"'{"mixed": [1, "x"]}'"#,
    ];
    let cases = [
        Case::new("JSON", json, &values),
        Case::new("JSON(a Int32)", json, &[r#"'{"a": 2147483647, "b": "é"}'"#]),
    ]
    .map(|case| case.shown(JSON));
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn a_variant_arrives_as_the_value_that_it_holds() -> Result<()> {
    let cases = [
        Case::new(
            "Variant(Array(String), Bool, String, UInt64)",
            json,
            &[
                "18446744073709551615::UInt64",
                "5::UInt64",
                "'text'",
                "''",
                "['a', 'b']",
                "true",
                "NULL",
            ],
        ),
        Case::new(
            "Variant(Float64, String)",
            json,
            &["0.1::Float64", "nan", "'nan'", "NULL"],
        ),
    ]
    .map(|case| case.never_null().shown(JSON));
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn dynamic_values_arrive_as_what_they_are() -> Result<()> {
    let case = Case::new(
        "Dynamic",
        json,
        &[
            "toInt64('-9223372036854775808')",
            "18446744073709551615::UInt64",
            "'text'",
            "['a', 'b']",
            "[1, 2]",
            "true",
            "toDate('2149-06-06')",
            "toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0')",
            "map('a', 1)",
            "NULL",
        ],
    );
    arrive(&[case.never_null().shown(JSON)], &TARGETS).await
}
