//! Truth values and numbers.

use longshore_tests::{Result, shop::Target};

use super::{
    case::{Case, arrive},
    outcome::{boolean, float, fraction, integer, plain},
};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

#[tokio::test]
async fn truth_values_and_integers_arrive_to_the_limits_of_64_bits_and_are_refused_beyond() -> Result<()> {
    let cases = [
        Case::new("Bool", boolean, &["false", "true"]),
        Case::new("Int8", integer, &["-128", "127", "0"]),
        Case::new("Int16", integer, &["-32768", "32767"]),
        Case::new("Int32", integer, &["-2147483648", "2147483647"]),
        Case::new("Int64", integer, &["'-9223372036854775808'", "'9223372036854775807'"]),
        Case::new("UInt8", integer, &["0", "255"]),
        Case::new("UInt16", integer, &["0", "65535"]),
        Case::new("UInt32", integer, &["0", "4294967295"]),
        Case::new(
            "UInt64",
            integer,
            &[
                "0",
                "'9223372036854775807'",
                "'9223372036854775808'",
                "'18446744073709551615'",
            ],
        ),
        Case::new("SimpleAggregateFunction(max, UInt16)", integer, &["0", "65535"])
            .with_nullable("SimpleAggregateFunction(max, Nullable(UInt16))"),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn integers_of_128_and_256_bits_arrive_as_their_digits() -> Result<()> {
    let cases = [
        Case::new(
            "Int128",
            plain,
            &[
                "'-170141183460469231731687303715884105728'",
                "'170141183460469231731687303715884105727'",
                "'0'",
            ],
        ),
        Case::new("UInt128", plain, &["'0'", "'340282366920938463463374607431768211455'"]),
        Case::new(
            "Int256",
            plain,
            &[
                "'-57896044618658097711785492504343953926634992332820282019728792003956564819968'",
                "'57896044618658097711785492504343953926634992332820282019728792003956564819967'",
            ],
        ),
        Case::new(
            "UInt256",
            plain,
            &[
                "'0'",
                "'115792089237316195423570985008687907853269984665640564039457584007913129639935'",
            ],
        ),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn floats_arrive_with_every_digit_and_what_is_no_number_is_refused() -> Result<()> {
    let cases = [
        Case::new(
            "Float32",
            float,
            &[
                "'nan'",
                "'inf'",
                "'-inf'",
                "'3.4028235e38'",
                "'1e-45'",
                "'-0.0'",
                "'0.1'",
                "16777216",
            ],
        ),
        Case::new(
            "Float64",
            float,
            &[
                "'nan'",
                "'inf'",
                "'-inf'",
                "'1.7976931348623157e308'",
                "'5e-324'",
                "'-0.0'",
                "'0.1'",
                "'123456789.12345679'",
            ],
        ),
        Case::new("BFloat16", float, &["1.5", "-2", "0"]),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn decimals_arrive_exactly_or_not_at_all() -> Result<()> {
    let whole = |digits: usize| ["", "-"].map(|sign| format!("'{sign}{}'", "9".repeat(digits)));
    let mixed = |before: usize, after: usize| {
        ["", "-"].map(|sign| format!("'{sign}{}.{}'", "9".repeat(before), "9".repeat(after)))
    };
    let case = |of: &str, mapping, values: [String; 2], more: &[&str]| {
        let mut all: Vec<&str> = values.iter().map(String::as_str).collect();
        all.extend(more);
        Case::new(of, mapping, &all)
    };
    let cases = [
        case("Decimal32(4)", fraction, mixed(5, 4), &["'0'", "'-0.0001'", "'12'"]),
        case(
            "Decimal32(9)",
            fraction,
            mixed(1, 9).map(|text| text.replacen('9', "0", 1)),
            &["'0.5'"],
        ),
        case("Decimal64(0)", integer, whole(18), &["'0'"]),
        case("Decimal64(4)", fraction, mixed(14, 4), &["'12345678901.2345'", "'1.5'"]),
        case(
            "Decimal128(0)",
            integer,
            whole(38),
            &["'9223372036854775807'", "'9223372036854775808'"],
        ),
        case(
            "Decimal128(10)",
            fraction,
            mixed(28, 10),
            &["'1.5'", "'12345.0123456789'"],
        ),
        case("Decimal256(20)", fraction, mixed(56, 20), &["'-1.5'"]),
        case("Decimal(76, 0)", integer, whole(76), &["'42'"]),
    ];
    arrive(&cases, &TARGETS).await
}
