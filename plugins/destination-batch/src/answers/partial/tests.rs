use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use longshore_sdk::arrow::{
    array::{ArrayRef, RecordBatch, StringArray, TimestampSecondArray},
    datatypes::{Field, Schema},
};
use serde_json::json;

use super::*;
use crate::{encode::rows::encode, mapping::TablePlan};

fn operation(target: &str, columns: Vec<(&str, ArrayRef)>, now: DateTime<Utc>) -> Operation {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(
        Arc::clone(&schema),
        columns.into_iter().map(|(_, array)| array).collect(),
    )
    .unwrap();
    let spec = serde_json::from_value(json!({ "target": target, "project_key": "p", "rest_api_key": "r" })).unwrap();
    let plan = Arc::new(TablePlan::new(&Table::new("t", schema), &spec).unwrap());
    let mut rows = encode(&plan, 1, &batch, now).unwrap().batch.rows();
    let mut operation = Operation::new(rows.next().unwrap());
    rows.for_each(|row| operation.merge(row).unwrap());
    operation
}

fn text(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn error(category: &str, attribute: Option<&str>, reason: &str) -> PartialError {
    PartialError {
        bulk_index: 0,
        category: category.to_owned(),
        reason: reason.to_owned(),
        attribute: attribute.map(str::to_owned),
    }
}

fn shown(rejects: &[Reject]) -> Vec<(u64, &str, &str, bool)> {
    rejects
        .iter()
        .map(|reject| {
            (
                reject.row,
                reject.column.as_str(),
                reject.rule.as_str(),
                reject.whole_row,
            )
        })
        .collect()
}

fn profile() -> Operation {
    let columns = vec![
        ("custom_id", text(&[Some("user-1"); 2])),
        ("plan", text(&[Some("gold"), Some("silver")])),
        ("date__born", text(&[Some("1990-01-02"), None])),
    ];
    operation("profile_attributes", columns, Utc::now())
}

#[test]
fn an_attribute_leads_to_the_row_whose_value_was_sent_and_to_its_column() {
    let rejects = rejects_of(&[error("attribute", Some("plan"), "bad")], &profile());
    assert_eq!(shown(&rejects), [(1, "plan", "refused_by_batch_attribute", false)]);
    for name in ["date(born)", "born"] {
        let rejects = rejects_of(&[error("attribute", Some(name), "bad")], &profile());
        assert_eq!(
            shown(&rejects),
            [(0, "date__born", "refused_by_batch_attribute", false)],
            "{name}"
        );
    }
}

#[test]
fn an_operation_that_was_refused_refuses_all_its_rows() {
    let rejects = rejects_of(&[error("identifier", None, "bad")], &profile());
    assert_eq!(
        shown(&rejects),
        [
            (0, "", "refused_by_batch_identifier", true),
            (1, "", "refused_by_batch_identifier", true)
        ]
    );
    assert_eq!(
        shown(&rejects_of(&[error("a1", None, "bad")], &profile()))[0].2,
        "refused_by_batch"
    );
}

#[test]
fn the_reason_is_kept_without_the_values_it_quotes() {
    let rejects = rejects_of(
        &[error(
            "attribute",
            Some("plan"),
            "value 'silver' of user-1 is not allowed",
        )],
        &profile(),
    );
    assert_eq!(rejects[0].reason, "Batch: value '…' of … is not allowed");
}

/// An event of nearly a day ago, and one of a minute ago that has a price.
fn events(now: DateTime<Utc>) -> Operation {
    events_at(&[now - TimeDelta::hours(23), now - TimeDelta::minutes(1)], now)
}

/// Events at these times; all but the first have a price.
fn events_at(times: &[DateTime<Utc>], now: DateTime<Utc>) -> Operation {
    let seconds: Vec<i64> = times.iter().map(DateTime::timestamp).collect();
    let prices: Vec<Option<&str>> = (0..times.len()).map(|event| (event > 0).then_some("cheap")).collect();
    let columns = vec![
        ("custom_id", text(&vec![Some("u"); times.len()])),
        ("event_name", text(&vec![Some("a"); times.len()])),
        ("event_time", Arc::new(TimestampSecondArray::from(seconds)) as ArrayRef),
        ("price", text(&prices)),
    ];
    operation("profile_events", columns, now)
}

#[test]
fn of_several_events_one_of_which_was_refused_all_are_held() {
    let now = Utc::now();
    let refused = error("event", None, "refused");
    let held = [(0, "", "uncertain_delivery", true), (1, "", "uncertain_delivery", true)];
    let rejects = rejects_of(std::slice::from_ref(&refused), &events(now));
    assert_eq!(shown(&rejects), held);
    assert!(rejects.iter().all(|reject| reject.key == "u"), "{rejects:?}");
    assert!(
        rejects[0].reason.starts_with("Batch: refused (") && rejects[0].reason.contains("one of 2 events"),
        "{}",
        rejects[0].reason
    );
    let of_a_column = error("attribute", Some("price"), "bad");
    let rejects = rejects_of(&[refused.clone(), of_a_column, refused.clone()], &events(now));
    assert_eq!(shown(&rejects), held, "a row that is refused has no column beside");
    assert!(rejects[0].reason.contains("some of 2 events"), "{}", rejects[0].reason);
    let rejects = rejects_of(&[refused.clone(), refused], &events_at(&[now], now));
    assert_eq!(shown(&rejects), [(0, "", "refused_by_batch_event", true)]);
}

#[test]
fn a_column_that_is_called_like_a_part_of_an_event_is_not_taken_for_it() {
    let now = Utc::now();
    let columns = || {
        vec![
            ("custom_id", text(&[Some("u"); 2])),
            ("event_name", text(&[Some("a"); 2])),
            ("name", text(&[None, Some("n")])),
            ("attributes", text(&[None, Some("n")])),
            ("other", text(&[Some("o"); 2])),
        ]
    };
    let events = operation("profile_events", columns(), now);
    let rejects = rejects_of(&[error("event", Some("name"), "bad")], &events);
    assert_eq!(shown(&rejects).len(), 2);
    assert!(rejects.iter().all(|reject| reject.whole_row), "{rejects:?}");
    for name in ["name", "attributes"] {
        let rejects = rejects_of(&[error("attribute", Some(name), "bad")], &events);
        assert_eq!(
            shown(&rejects),
            [(1, name, "refused_by_batch_attribute", false)],
            "each event has a part of that name"
        );
    }
}

#[test]
fn an_attribute_that_is_none_of_ours_refuses_whole_rows_unless_attributes_are_meant() {
    let now = Utc::now();
    for (category, attribute) in [
        ("identifier", "custom_id"),
        ("event", "time"),
        ("event", "events[0].name"),
    ] {
        let rejects = rejects_of(&[error(category, Some(attribute), "bad")], &events_at(&[now], now));
        assert!(
            rejects.len() == 1 && rejects[0].whole_row,
            "{category}, {attribute}: {rejects:?}"
        );
    }
    let rejects = rejects_of(&[error("attribute", Some("unknown"), "bad")], &events(now));
    assert!(
        rejects.len() == 2 && rejects.iter().all(|reject| !reject.whole_row),
        "{rejects:?}"
    );
    let rejects = rejects_of(&[error("event", Some("price"), "bad")], &events(now));
    assert_eq!(shown(&rejects), [(1, "price", "refused_by_batch_event", false)]);
}

#[test]
fn an_attribute_of_events_leads_to_the_events_that_have_it() {
    let now = Utc::now();
    for name in ["price", "price.currency", "price[0]"] {
        let rejects = rejects_of(&[error("attribute", Some(name), "bad")], &events(now));
        assert_eq!(
            shown(&rejects),
            [(1, "price", "refused_by_batch_attribute", false)],
            "{name}"
        );
    }
}

#[test]
fn a_row_that_several_errors_name_is_rejected_once_with_all_their_reasons() {
    let operation = operation(
        "profile_attributes",
        vec![("custom_id", text(&[Some("a")]))],
        Utc::now(),
    );
    let errors = [error("profile", None, "first"), error("profile", None, "second")];
    let rejects = rejects_of(&errors, &operation);
    assert_eq!(rejects.len(), 1, "{rejects:?}");
    assert!(
        rejects[0].reason.contains("first") && rejects[0].reason.contains("second"),
        "{rejects:?}"
    );
}
