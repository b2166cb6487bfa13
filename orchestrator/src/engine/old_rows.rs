//! Rows that a destination no longer takes because of their age: counted by the source and told before the first row is read, so that nobody learns from a
//! ledger full of rejects what could have been chosen beforehand.
//!
//! The destination knows the column and the instant, the source can count, and Longshore decides when it is worth the question: not when the table goes on from
//! a cursor that is younger than the bound.

use std::{cmp::Ordering, time::Duration};

use longshore_core::{
    CursorValue, Error,
    cursor::{TimeUnit, Timestamp},
};
use longshore_protocol::{convert::timestamp, status::from_status, v1};

use super::{plan::PlannedTable, session::Session};
use crate::figures::{self, grouped};

/// A run waits so long for the count; a source that can estimate does so then.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a source may take beyond that to say that it took too long.
const GRACE: Duration = Duration::from_secs(5);

/// What the user should know of the tables' ages, a text for each table and destination that has anything to say.
pub(super) async fn notices(
    session: &Session,
    run_id: &str,
    planned: &[PlannedTable],
    prepared: &[Vec<v1::PreparedTable>],
) -> Vec<String> {
    let mut notices = Vec::new();
    for (destination, answers) in session.destinations.iter().zip(prepared) {
        for (table, answer) in planned.iter().zip(answers) {
            let Some(limit) = &answer.age_limit else { continue };
            let Some(before) = limit.before.and_then(timestamp) else {
                tracing::warn!(
                    destination = destination.plugin.name,
                    "the destination's limit of age has no instant"
                );
                continue;
            };
            if !may_hold_older(table, &before) {
                continue;
            }
            let counted = count(session, run_id, &table.table.name, limit, before).await;
            notices.extend(notice(&table.table.name, limit, before, &counted));
        }
    }
    notices
}

/// Whether rows of before an instant may be among those that are read.
fn may_hold_older(table: &PlannedTable, before: &Timestamp) -> bool {
    if table.plan.partitions.is_empty() {
        return false;
    }
    const DAY: i64 = 86_400;
    // Without zone: taken as UTC, a few hours matter little here.
    let goes_on_from = match &table.cursor_before {
        Some(CursorValue::Timestamp(cursor)) => Timestamp {
            instant: true,
            ..*cursor
        },
        Some(CursorValue::Date(days)) => Timestamp {
            value: i64::from(*days) * DAY,
            unit: TimeUnit::Second,
            instant: true,
        },
        Some(_) | None => return true,
    };
    // Most rows are written when what they tell of happens: from a younger cursor on, hardly any is old, and those become rejects. Counting in every run would
    // cost as much as reading what is new.
    let (cursor, before) = (CursorValue::Timestamp(goes_on_from), CursorValue::Timestamp(*before));
    cursor.compare(&before) == Some(Ordering::Less)
}

/// What came of the question.
enum Counted {
    Rows { rows: u64, before: u64, note: String },
    Unknown(String),
}

async fn count(session: &Session, run_id: &str, table: &str, limit: &v1::AgeLimit, before: Timestamp) -> Counted {
    let plugin = &session.source.plugin;
    let able = plugin
        .description
        .source
        .as_ref()
        .is_some_and(|source| source.count_rows);
    if !able {
        return Counted::Unknown(format!("the source {} can not count them", plugin.name));
    }
    let request = v1::CountRowsRequest {
        run_id: run_id.to_owned(),
        table: table.to_owned(),
        column: limit.column.clone(),
        before: Some(before.into()),
        timeout_ms: u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX),
    };
    let mut source = plugin.source();
    let answer = tokio::time::timeout(PATIENCE + GRACE, source.count_rows(request)).await;
    match answer {
        Ok(Ok(response)) => {
            let response = response.into_inner();
            match response.count {
                Some(count) => Counted::Rows {
                    rows: count.rows,
                    before: count.before,
                    note: plugin.cleared(response.note),
                },
                None => Counted::Unknown(plugin.cleared(response.note)),
            }
        }
        Ok(Err(status)) => Counted::Unknown(plugin.cleared(in_short(&from_status(&status)))),
        Err(_) => Counted::Unknown(format!("counting took longer than {} s", PATIENCE.as_secs())),
    }
}

fn in_short(error: &Error) -> String {
    std::iter::once(&error.message)
        .chain(&error.causes)
        .cloned()
        .collect::<Vec<_>>()
        .join(": ")
}

fn notice(table: &str, limit: &v1::AgeLimit, before: Timestamp, counted: &Counted) -> Option<String> {
    let column = &limit.column;
    let (since, consequence, choices) = (shown(before), &limit.consequence, &limit.choices);
    let (rows, old, note) = match counted {
        Counted::Rows { before: 0, .. } => return None,
        Counted::Rows { rows, before, note } => (*rows, *before, note),
        Counted::Unknown(why) => {
            return Some(format!(
                "table {table}: how many rows have {column} before {since} is not known ({why}). {consequence}. {choices}"
            ));
        }
    };
    let about = if note.is_empty() {
        String::new()
    } else {
        format!(" ({note})")
    };
    let roughly = if note.is_empty() { "" } else { "about " };
    // Loud where it is most of the table: then it is hardly meant.
    let loud = if old.saturating_mul(2) >= rows {
        "MOST ROWS ARE TOO OLD: "
    } else {
        ""
    };
    Some(format!(
        "{loud}table {table}: {roughly}{} of {} to read ({}) {} {column} before {since}{about}. {consequence}. {choices}",
        grouped(old),
        figures::counted(rows, "row", "rows"),
        share(old, rows),
        if old == 1 { "has" } else { "have" },
    ))
}

/// In percent, without claiming all or nothing where it is not so.
fn share(part: u64, whole: u64) -> String {
    if part >= whole {
        return "100 %".to_owned();
    }
    let tenths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    match tenths {
        0 => "less than 0.1 %".to_owned(),
        tenths => format!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// An instant to the second, for people.
fn shown(at: Timestamp) -> String {
    let seconds = at.value.div_euclid(at.unit.per_second());
    chrono::DateTime::from_timestamp(seconds, 0).map_or_else(
        || CursorValue::Timestamp(at).to_string(),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> v1::AgeLimit {
        v1::AgeLimit {
            column: "event_time".to_owned(),
            before: None,
            consequence: "They are rejected".to_owned(),
            choices: "Choose.".to_owned(),
        }
    }

    fn at(value: i64, unit: TimeUnit) -> Timestamp {
        Timestamp {
            value,
            unit,
            instant: true,
        }
    }

    fn rows(rows: u64, before: u64, note: &str) -> Counted {
        Counted::Rows {
            rows,
            before,
            note: note.to_owned(),
        }
    }

    #[test]
    fn a_notice_has_count_share_consequence_and_choices() {
        let before = at(1_795_000_000_123, TimeUnit::Millisecond);
        let notice = |counted| notice("events", &limit(), before, &counted);
        assert_eq!(notice(rows(10, 0, "")), None);
        assert_eq!(
            notice(rows(200_000, 1_250, "")).unwrap(),
            "table events: 1,250 of 200,000 rows to read (0.6 %) have event_time before 2026-11-18 11:06:40 UTC. They are rejected. Choose."
        );
        assert_eq!(
            notice(rows(3, 2, "guessed")).unwrap(),
            "MOST ROWS ARE TOO OLD: table events: about 2 of 3 rows to read (66.6 %) have event_time before 2026-11-18 11:06:40 UTC (guessed). They are rejected. Choose."
        );
        assert_eq!(
            notice(Counted::Unknown("nobody counts".to_owned())).unwrap(),
            "table events: how many rows have event_time before 2026-11-18 11:06:40 UTC is not known (nobody counts). They are rejected. Choose."
        );
    }

    #[test]
    fn a_share_is_all_or_nothing_only_where_it_is() {
        let shares = [(1, 1), (999_999, 1_000_000), (1, 1_000_000), (1, 3)].map(|(part, whole)| share(part, whole));
        assert_eq!(shares, ["100 %", "99.9 %", "less than 0.1 %", "33.3 %"]);
    }

    #[test]
    fn who_goes_on_from_a_younger_cursor_is_not_asked() {
        let table = |cursor_before, partitions| PlannedTable {
            plan: v1::TablePlan {
                partitions: vec![v1::Partition::default(); partitions],
                ..v1::TablePlan::default()
            },
            table: v1::Table::default(),
            state_revision: 0,
            cursor_before,
            progress: Vec::new(),
        };
        let before = at(1_000, TimeUnit::Second);
        let cursor = |value| Some(CursorValue::Timestamp(at(value, TimeUnit::Microsecond)));
        assert!(may_hold_older(&table(None, 1), &before));
        assert!(may_hold_older(&table(Some(CursorValue::Int(5)), 1), &before));
        assert!(may_hold_older(&table(cursor(999_999_999), 1), &before));
        assert!(!may_hold_older(&table(cursor(1_000_000_000), 1), &before));
        assert!(!may_hold_older(&table(None, 0), &before), "nothing is read");
    }
}
