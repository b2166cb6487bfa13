//! What a change of the clock does to due times. Paris: 2026-03-29 02:00 → 03:00 (01:00 UTC), 2026-10-25 03:00 → 02:00 (01:00 UTC).

use super::support::{at, cron, next};

#[test]
fn a_fixed_time_keeps_its_place_on_the_wall_across_both_changes() {
    let daily = cron("30 8 * * *", "Europe/Paris");
    assert_eq!(
        next(&daily, "2026-03-27T12:00:00Z", 3),
        ["2026-03-28T07:30:00Z", "2026-03-29T06:30:00Z", "2026-03-30T06:30:00Z"]
    );
    assert_eq!(
        next(&daily, "2026-10-23T12:00:00Z", 3),
        ["2026-10-24T06:30:00Z", "2026-10-25T07:30:00Z", "2026-10-26T07:30:00Z"]
    );
}

#[test]
fn a_fixed_time_in_a_gap_is_due_at_the_first_instant_after_it() {
    assert_eq!(
        next(&cron("30 2 * * *", "Europe/Paris"), "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
}

#[test]
fn several_fixed_times_in_one_gap_are_due_once() {
    assert_eq!(
        next(&cron("0,30 2 * * *", "Europe/Paris"), "2026-03-28T12:00:00Z", 3),
        ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"]
    );
}

#[test]
fn a_fixed_time_before_a_gap_is_not_due_a_second_time_after_it() {
    assert_eq!(
        next(&cron("30 1 * * *", "Europe/Paris"), "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T00:30:00Z", "2026-03-29T23:30:00Z"]
    );
}

#[test]
fn a_gap_at_midnight_keeps_its_day() {
    // Santiago left out 00:00 to 01:00 on 2025-09-07.
    assert_eq!(
        next(&cron("0 0 * * *", "America/Santiago"), "2025-09-06T12:00:00Z", 2),
        ["2025-09-07T04:00:00Z", "2025-09-08T03:00:00Z"]
    );
}

#[test]
fn a_fixed_time_that_comes_twice_is_due_the_first_time_only() {
    assert_eq!(
        next(&cron("30 2 * * *", "Europe/Paris"), "2026-10-24T12:00:00Z", 2),
        ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    );
    // Asked between the two: the second one is not due.
    assert_eq!(
        next(&cron("30 2 * * *", "Europe/Paris"), "2026-10-25T00:45:00Z", 1),
        ["2026-10-26T01:30:00Z"]
    );
}

#[test]
fn lists_and_ranges_of_hours_are_fixed_times() {
    assert_eq!(
        next(&cron("30 2,14 * * *", "Europe/Paris"), "2026-03-28T14:00:00Z", 3),
        ["2026-03-29T01:00:00Z", "2026-03-29T12:30:00Z", "2026-03-30T00:30:00Z"]
    );
    assert_eq!(
        next(&cron("30 1-3 * * *", "Europe/Paris"), "2026-10-24T23:00:00Z", 4),
        [
            "2026-10-24T23:30:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T02:30:00Z",
            "2026-10-26T00:30:00Z"
        ]
    );
}

#[test]
fn steps_follow_the_wall_through_a_gap_and_through_a_repeated_hour() {
    assert_eq!(
        next(&cron("*/30 * * * *", "Europe/Paris"), "2026-03-29T00:15:00Z", 4),
        [
            "2026-03-29T00:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-03-29T01:30:00Z",
            "2026-03-29T02:00:00Z"
        ]
    );
    assert_eq!(
        next(&cron("*/30 * * * *", "Europe/Paris"), "2026-10-25T00:15:00Z", 4),
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
    // Two o'clock comes not at all, and then twice.
    assert_eq!(
        next(&cron("*/30 2 * * *", "Europe/Paris"), "2026-03-28T12:00:00Z", 1),
        ["2026-03-30T00:00:00Z"]
    );
    assert_eq!(
        next(&cron("*/30 2 * * *", "Europe/Paris"), "2026-10-24T12:00:00Z", 4),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z"
        ]
    );
}

#[test]
fn a_change_by_half_an_hour_is_a_change() {
    // Lord Howe: 2026-04-05 02:00 → 01:30 (15:00 UTC the day before), 2026-10-04 02:00 → 02:30.
    assert_eq!(
        next(&cron("45 1 * * *", "Australia/Lord_Howe"), "2026-04-04T00:00:00Z", 2),
        ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]
    );
    assert_eq!(
        next(&cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2),
        ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
    );
}

#[test]
fn zones_that_are_off_by_half_and_quarter_hours_are_right() {
    assert_eq!(
        next(&cron("0 9 * * *", "Asia/Kolkata"), "2026-01-01T00:00:00Z", 1),
        ["2026-01-01T03:30:00Z"]
    );
    assert_eq!(
        next(&cron("0 9 * * *", "Asia/Kathmandu"), "2026-01-01T00:00:00Z", 1),
        ["2026-01-01T03:15:00Z"]
    );
}

#[test]
fn a_day_that_a_country_left_out_does_not_end_its_schedules() {
    // Samoa had no 30 December 2011.
    assert_eq!(
        next(&cron("0 12 * * *", "Pacific/Apia"), "2011-12-29T23:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]
    );
    assert_eq!(
        next(&cron("0 */8 * * *", "Pacific/Apia"), "2011-12-30T03:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2011-12-30T18:00:00Z"]
    );
}

#[test]
fn looking_back_finds_what_looking_ahead_has_found_on_the_days_of_change() {
    for text in [
        "30 2 * * *",
        "*/20 * * * *",
        "0 */3 * * *",
        "15 1,2,3 * * *",
        "0-59 2 * * *",
    ] {
        let schedule = cron(text, "Europe/Paris");
        for day in ["2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z"] {
            let mut latest = schedule.latest_until(at(day)).unwrap();
            for minute in 0..12 * 60 {
                let now = at(day) + chrono::TimeDelta::minutes(minute);
                while let Some(next) = schedule.next_after(latest).filter(|next| *next <= now) {
                    latest = next;
                }
                assert_eq!(schedule.latest_until(now), Some(latest), "{text} at {now}");
            }
        }
    }
}
