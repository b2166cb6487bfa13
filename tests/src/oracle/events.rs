//! Events: a row and what arrived have no id in common, so that they are compared as collections in which equal ones can occur several times.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Comparison, expectation::ExpectedEvent, normal};
use crate::ReceivedEvent;

/// An event that arrived, in normal form.
struct Arrived {
    sequence: u64,
    custom_id: String,
    name: String,
    time: Option<Value>,
    attributes: Map<String, Value>,
}

/// Whose event, which, when: what finds the row of an event whose attributes differ.
type Occasion = (String, String, Option<String>);

pub(super) fn compare(expected: Vec<ExpectedEvent>, received: Vec<ReceivedEvent>) -> Comparison {
    let mut comparison = Comparison {
        expected: expected.len(),
        received: received.len(),
        ..Comparison::default()
    };
    let mut open: HashMap<String, Vec<ExpectedEvent>> = HashMap::with_capacity(expected.len());
    for event in expected {
        let identity = identity(&event.custom_id, &event.name, event.time.as_ref(), &event.attributes);
        open.entry(identity).or_default().push(event);
    }
    let mut met: HashMap<String, String> = HashMap::with_capacity(open.len());
    let mut unknown = Vec::new();
    for event in received.into_iter().map(arrived) {
        let identity = identity(&event.custom_id, &event.name, event.time.as_ref(), &event.attributes);
        if let Some(row) = open.get_mut(&identity).and_then(Vec::pop) {
            met.insert(identity, row.row_id);
        } else if let Some(row) = met.get(&identity) {
            comparison.repeated.push(row.clone());
        } else {
            unknown.push(event);
        }
    }
    let missing = open.into_values().flatten().collect();
    match_by_occasion(&mut comparison, missing, unknown);
    comparison.missing.sort_unstable();
    comparison
}

/// Rows and arrivals that agree on everything but attributes are one difference, not two findings.
fn match_by_occasion(comparison: &mut Comparison, missing: Vec<ExpectedEvent>, unknown: Vec<Arrived>) {
    let mut missing_by_occasion: HashMap<Occasion, Vec<ExpectedEvent>> = HashMap::new();
    for event in missing {
        let occasion = occasion(&event.custom_id, &event.name, event.time.as_ref());
        missing_by_occasion.entry(occasion).or_default().push(event);
    }
    for event in unknown {
        let occasion = occasion(&event.custom_id, &event.name, event.time.as_ref());
        match missing_by_occasion.get_mut(&occasion).and_then(Vec::pop) {
            Some(row) => comparison.compare_attributes(&row.row_id, row.attributes, event.attributes),
            None => comparison.unexpected.push(format!(
                "event {} of {}, {}",
                event.sequence, event.custom_id, event.name
            )),
        }
    }
    comparison
        .missing
        .extend(missing_by_occasion.into_values().flatten().map(|event| event.row_id));
}

fn arrived(event: ReceivedEvent) -> Arrived {
    Arrived {
        sequence: event.sequence,
        custom_id: event.custom_id,
        name: event.name,
        time: event.time.as_deref().map(normal::instant),
        attributes: normal::attributes(event.attributes),
    }
}

fn identity(custom_id: &str, name: &str, time: Option<&Value>, attributes: &Map<String, Value>) -> String {
    let time = time.map(normal::text).unwrap_or_default();
    format!("{custom_id:?} {name:?} {time} {}", normal::members_text(attributes))
}

fn occasion(custom_id: &str, name: &str, time: Option<&Value>) -> Occasion {
    (custom_id.to_owned(), name.to_owned(), time.map(normal::text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TIME: &str = "2026-11-20T10:00:00Z";

    fn row(row_id: &str, custom_id: &str, quantity: i64) -> ExpectedEvent {
        ExpectedEvent {
            row_id: row_id.to_owned(),
            custom_id: custom_id.to_owned(),
            name: "bought".to_owned(),
            time: Some(normal::instant(TIME)),
            attributes: json!({ "quantity": quantity }).as_object().unwrap().clone(),
        }
    }

    fn event(sequence: u64, custom_id: &str, time: Option<&str>, quantity: f64) -> ReceivedEvent {
        ReceivedEvent {
            sequence,
            custom_id: custom_id.to_owned(),
            name: "bought".to_owned(),
            time: time.map(str::to_owned),
            attributes: json!({ "quantity": quantity }).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn equal_events_count_as_often_as_they_are_there() {
        let rows = || vec![row("1", "a", 2), row("2", "a", 2), row("3", "b", 1)];
        let once = |sequence| event(sequence, "a", Some("2026-11-20T10:00:00.000Z"), 2.0);
        let found = vec![once(0), event(1, "b", Some(TIME), 1.0), once(2)];
        assert!(compare(rows(), found.clone()).is_exact());

        let too_many = [found.clone(), vec![once(3)]].concat();
        let comparison = compare(rows(), too_many);
        assert!(comparison.is_complete() && !comparison.is_exact());
        assert_eq!(comparison.repeated.len(), 1);

        let too_few = compare(rows(), found[1..].to_vec());
        assert_eq!(too_few.missing.len(), 1, "{too_few}");
    }

    #[test]
    fn a_changed_attribute_is_a_difference_of_its_row() {
        let comparison = compare(vec![row("1", "a", 2)], vec![event(0, "a", Some(TIME), 3.0)]);
        assert_eq!(comparison.different.len(), 1);
        assert_eq!(comparison.different[0].row, "1");
        assert!(comparison.missing.is_empty() && comparison.unexpected.is_empty());
    }

    #[test]
    fn an_event_without_its_time_is_another_event() {
        let comparison = compare(vec![row("1", "a", 2)], vec![event(7, "a", None, 2.0)]);
        assert_eq!((comparison.missing.len(), comparison.unexpected.len()), (1, 1));
        assert!(comparison.to_string().contains("event 7 of a"));
    }
}
