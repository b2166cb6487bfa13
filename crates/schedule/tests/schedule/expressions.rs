//! Cron expressions: which days they mean, and what is said of those that mean none.

use longshore_schedule::{Cron, CronError, Zone, zone_names};

use super::support::{at, cron, next};

#[test]
fn leap_days_come_in_leap_years_only() {
    assert_eq!(
        next(&cron("0 0 29 2 *", "UTC"), "2026-01-01T00:00:00Z", 2),
        ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]
    );
    // 2100 is none.
    assert_eq!(
        next(&cron("0 0 29 2 *", "UTC"), "2096-03-01T00:00:00Z", 1),
        ["2104-02-29T00:00:00Z"]
    );
}

#[test]
fn the_31st_is_left_out_where_there_is_none_and_the_last_day_is_not() {
    assert_eq!(
        next(&cron("0 0 31 * *", "UTC"), "2026-01-31T00:00:00Z", 2),
        ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]
    );
    assert_eq!(
        next(&cron("0 0 L * *", "UTC"), "2028-01-31T00:00:00Z", 2),
        ["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]
    );
}

#[test]
fn a_day_of_the_month_and_a_day_of_the_week_are_alternatives() {
    // 2026-12-01 is a Tuesday.
    assert_eq!(
        next(&cron("0 0 1 * MON", "UTC"), "2026-11-30T12:00:00Z", 2),
        ["2026-12-01T00:00:00Z", "2026-12-07T00:00:00Z"]
    );
}

#[test]
fn names_of_days_months_and_schedules_are_known() {
    assert_eq!(
        next(&cron("0 6 * jan sun", "UTC"), "2026-06-01T00:00:00Z", 1),
        ["2027-01-03T06:00:00Z"]
    );
    assert_eq!(
        next(&cron("0 6 * * 7", "UTC"), "2026-11-26T00:00:00Z", 1),
        ["2026-11-29T06:00:00Z"]
    );
    assert_eq!(
        next(&cron("@daily", "Asia/Tokyo"), "2026-11-26T00:00:00Z", 1),
        ["2026-11-26T15:00:00Z"]
    );
}

#[test]
fn seconds_of_the_instant_asked_about_do_not_matter() {
    assert_eq!(
        next(&cron("*/5 * * * *", "UTC"), "2026-11-26T10:04:59.999999Z", 1),
        ["2026-11-26T10:05:00Z"]
    );
    assert_eq!(
        next(&cron("*/5 * * * *", "UTC"), "2026-11-26T10:05:00Z", 1),
        ["2026-11-26T10:10:00Z"]
    );
    let schedule = cron("*/5 * * * *", "UTC");
    assert_eq!(
        schedule.latest_until(at("2026-11-26T10:05:00Z")),
        Some(at("2026-11-26T10:05:00Z"))
    );
    assert_eq!(
        schedule.latest_until(at("2026-11-26T10:04:59Z")),
        Some(at("2026-11-26T10:00:00Z"))
    );
}

#[test]
fn what_is_due_once_in_many_years_is_found_looking_back() {
    let leap_day_on_a_sunday = cron("0 0 29 2 *", "UTC");
    assert_eq!(
        leap_day_on_a_sunday.latest_until(at("2027-01-01T00:00:00Z")),
        Some(at("2024-02-29T00:00:00Z"))
    );
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let refused = |text: &str| Cron::parse(text, Zone::UTC).unwrap_err().to_string();
    assert!(refused("60 * * * *").starts_with("field 1, the minute, can not be `60`: it takes 0 to 59"));
    assert!(refused("0 24 * * *").starts_with("field 2, the hour, can not be `24`"));
    assert!(refused("0 0 0 * *").starts_with("field 3, the day of the month, can not be `0`"));
    assert!(refused("0 0 1 FOO *").starts_with("field 4, the month, can not be `FOO`"));
    assert!(refused("0 0 * * 8").starts_with("field 5, the day of the week, can not be `8`"));
    assert!(refused("*/0 * * * *").starts_with("field 1"));
    assert_eq!(Cron::parse("* * * *", Zone::UTC), Err(CronError::Fields(4)));
    assert_eq!(
        Cron::parse("0 */5 * * * *", Zone::UTC),
        Err(CronError::Fields(6)),
        "seconds are not taken"
    );
    assert_eq!(Cron::parse("", Zone::UTC), Err(CronError::Fields(0)));
    assert_eq!(
        Cron::parse("@often", Zone::UTC),
        Err(CronError::Name("@often".to_owned()))
    );
}

#[test]
fn an_expression_that_no_day_matches_is_refused() {
    assert_eq!(Cron::parse("0 0 30 2 *", Zone::UTC), Err(CronError::Never));
    assert_eq!(Cron::parse("0 0 31 4,6,9,11 *", Zone::UTC), Err(CronError::Never));
}

#[test]
fn zones_are_known_by_their_names() {
    assert_eq!("Europe/Paris".parse::<Zone>().unwrap().name(), "Europe/Paris");
    assert_eq!(
        "Europe/Pari".parse::<Zone>().unwrap_err().to_string(),
        "there is no time zone `Europe/Pari`"
    );
    assert!(zone_names().any(|name| name == "Asia/Kathmandu"));
}
