//! Days and times.

use longshore_tests::{Result, shop::Target};

use super::{
    case::{Case, arrive},
    outcome::{instant, plain},
};

const TARGETS: [Target; 2] = [Target::Profiles, Target::Events];

/// The engine's text, in UTC.
const IN_UTC: &str = "toString(toTimeZone(@, 'UTC'))";

#[tokio::test]
async fn days_arrive_as_their_first_moment() -> Result<()> {
    let cases = [
        Case::new("Date", instant, &["'1970-01-01'", "'2149-06-06'", "'2024-02-29'"]).time(),
        Case::new("Date32", instant, &["'1900-01-01'", "'2299-12-31'", "'1969-12-31'"]).time(),
    ];
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn seconds_arrive_in_utc_whatever_zone_they_are_shown_in() -> Result<()> {
    // The last two are one hour apart, and the same hour of the clock in New York.
    let values = ["0", "4294967295", "1577836800", "1699162200", "1699165800"];
    let cases = [
        "DateTime",
        "DateTime('UTC')",
        "DateTime('Asia/Tokyo')",
        "DateTime('America/New_York')",
    ]
    .map(|of| Case::new(of, instant, &values).shown(IN_UTC).time());
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn fractions_of_a_second_arrive_with_all_their_digits() -> Result<()> {
    let mut cases = Vec::new();
    for digits in 0..=9 {
        let fraction = &"123456789"[..digits];
        let point = if digits == 0 { "" } else { "." };
        // Nanoseconds, in which Arrow holds seven digits and more, end in 2262.
        let last = if digits < 7 {
            format!("2299-12-31 23:59:59{point}{}", "9".repeat(digits))
        } else {
            format!("2262-04-11 23:47:16.{}", &"854775807"[..digits])
        };
        let moments = ["1900-01-01 00:00:00", "1969-12-31 23:59:59", "2020-01-01 00:00:00"];
        let mut values: Vec<String> = moments
            .iter()
            .map(|moment| format!("toDateTime64('{moment}{point}{fraction}', {digits}, 'UTC')"))
            .collect();
        values.push(format!("toDateTime64('{last}', {digits}, 'UTC')"));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        for of in [
            format!("DateTime64({digits})"),
            format!("DateTime64({digits}, 'UTC')"),
            format!("DateTime64({digits}, 'America/New_York')"),
        ] {
            cases.push(Case::new(&of, instant, &values).shown(IN_UTC).time());
        }
    }
    arrive(&cases, &TARGETS).await
}

#[tokio::test]
async fn times_of_day_arrive_as_the_engine_writes_them() -> Result<()> {
    let cases = [
        Case::new(
            "Time",
            plain,
            &["'00:00:00'", "'23:59:59'", "'-12:00:00'", "'999:59:59'"],
        ),
        Case::new("Time64(3)", plain, &["'00:00:00.001'", "'-999:59:59.999'"]),
    ];
    arrive(&cases, &TARGETS).await
}
