//! The age that events may have, for a warning before a run: each event is judged when it is encoded.

use chrono::{DateTime, Utc};
use longshore_sdk::{
    core::cursor::{TimeUnit, Timestamp},
    prelude::*,
};

use crate::{limits::EVENT_AGE_RESERVE, mapping::TablePlan, spec::LateEvents};

/// What to do instead, in words that follow any policy.
const CHOICES: &str = "\
Choose with `late_events` in the destination's spec: `reject` records them as rejects, `send_without_time` sends them as if they happened on arrival, \
`skip` leaves them out and counts them as filtered. `start_from: now` in the source's `table_options` begins with the rows that come after the first sync.";

/// Which rows of a table are too old now; `None` for a table without times.
pub(crate) fn limit(plan: &TablePlan, now: DateTime<Utc>) -> Option<AgeLimit> {
    let column = plan.column_name(plan.event_time?);
    let before = plan.limits.earliest_event(now, EVENT_AGE_RESERVE)?;
    let hours = plan.limits.event_age.as_secs().div_ceil(3_600);
    let becomes = match plan.late_events {
        LateEvents::Reject => "they are rejected, and recorded in the ledger (late_events: reject)",
        LateEvents::SendWithoutTime => {
            "they are sent without their time, as if they happened on arrival (late_events: send_without_time)"
        }
        LateEvents::Skip => "they are left out, and counted as filtered (late_events: skip)",
    };
    Some(AgeLimit {
        column,
        before: Timestamp {
            value: before.timestamp_micros(),
            unit: TimeUnit::Microsecond,
            instant: true,
        },
        consequence: format!("Batch takes events of the last {hours} hours only, so {becomes}"),
        choices: CHOICES.to_owned(),
    })
}
