//! Intervals, and what they are aligned to.

use longshore_schedule::{Every, Span};
use proptest::prelude::*;

use super::support::{at, every, next};

#[test]
fn an_interval_is_aligned_to_utc_whenever_somebody_asks() {
    let quarter = every("15m");
    for asked in [
        "2026-11-26T10:00:00Z",
        "2026-11-26T10:07:31Z",
        "2026-11-26T10:14:59.999Z",
    ] {
        assert_eq!(
            next(&quarter, asked, 2),
            ["2026-11-26T10:15:00Z", "2026-11-26T10:30:00Z"]
        );
    }
    assert_eq!(
        quarter.latest_until(at("2026-11-26T10:14:59.999Z")),
        Some(at("2026-11-26T10:00:00Z"))
    );
}

#[test]
fn a_change_of_the_clock_does_not_touch_an_interval() {
    assert_eq!(
        next(&every("1h"), "2026-03-29T00:30:00Z", 3),
        ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-29T03:00:00Z"]
    );
}

#[test]
fn an_interval_that_no_run_fits_into_is_refused() {
    assert!(Every::new("4s".parse().unwrap()).is_err());
    assert!(Every::new(Span::default()).is_err());
    assert!(Every::new(Every::SHORTEST).is_ok());
}

proptest! {
    #[test]
    fn the_next_due_time_follows_the_latest_one(seconds in 5_u32..1_000_000, instant in -4_000_000_000_i64..8_000_000_000) {
        let schedule = every(&format!("{seconds}s"));
        let now = chrono::DateTime::from_timestamp(instant, 0).unwrap();
        let (latest, next) = (schedule.latest_until(now).unwrap(), schedule.next_after(now).unwrap());
        prop_assert!(latest <= now && now < next);
        prop_assert_eq!((next - latest).num_seconds(), i64::from(seconds));
        prop_assert_eq!(schedule.next_after(latest), Some(next));
    }
}
