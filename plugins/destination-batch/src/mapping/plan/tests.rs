use std::sync::Arc;

use longshore_sdk::arrow::datatypes::{Schema, TimeUnit};
use serde_json::{Value as Json, json};

use super::*;

fn spec(changes: &Json) -> Spec {
    let mut spec = json!({ "target": "profile_attributes", "project_key": "p", "rest_api_key": "r" });
    for (key, value) in changes.as_object().unwrap() {
        spec[key] = value.clone();
    }
    serde_json::from_value(spec).unwrap()
}

fn table(columns: &[(&str, DataType)]) -> Table {
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, data_type)| Field::new(*name, data_type.clone(), true))
        .collect();
    Table::new("shop.people", Arc::new(Schema::new(fields)))
}

fn keys(table: &Table, changes: &Json) -> Vec<(String, String)> {
    let plan = TablePlan::new(table, &spec(changes)).unwrap();
    plan.attributes
        .iter()
        .map(|attribute| (attribute.column.clone(), attribute.key.clone()))
        .collect()
}

fn code(table: &Table, changes: &Json) -> String {
    TablePlan::new(table, &spec(changes)).unwrap_err().code
}

const TEXT: DataType = DataType::Utf8;

#[test]
fn conventions_decide_what_a_column_becomes() {
    let mut people = table(&[
        ("custom_id", TEXT),
        ("plan", TEXT),
        ("date__birthday", DataType::Date32),
        ("url__avatar", TEXT),
        ("batch__email_address", TEXT),
        ("changed", DataType::Int64),
        ("last_updated_at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ]);
    people.cursor = Some("changed".to_owned());
    let expected = [
        ("plan", "plan"),
        ("date__birthday", "date(birthday)"),
        ("url__avatar", "url(avatar)"),
        ("batch__email_address", "$email_address"),
    ];
    assert_eq!(
        keys(&people, &json!({})),
        expected.map(|(column, key)| (column.to_owned(), key.to_owned()))
    );
}

#[test]
fn a_mapping_overrides_every_convention() {
    let people = table(&[
        ("id", TEXT),
        ("Mail Addr", TEXT),
        ("born", TEXT),
        ("last_updated_at", TEXT),
        ("secret", DataType::Binary),
        ("date__x", TEXT),
    ]);
    let changes = json!({
        "custom_id": "id",
        "mapping": {
            "Mail Addr": { "name": "email_address", "kind": "native" },
            "born": { "name": "birthday", "kind": "date" },
            "last_updated_at": { "kind": "date" },
            "secret": { "ignore": true },
            "date__x": { "kind": "string" },
        }
    });
    let expected = [
        ("Mail Addr", "$email_address"),
        ("born", "date(birthday)"),
        ("last_updated_at", "date(last_updated_at)"),
        ("date__x", "x"),
    ];
    assert_eq!(
        keys(&people, &changes),
        expected.map(|(column, key)| (column.to_owned(), key.to_owned()))
    );
}

#[test]
fn a_column_with_a_role_keeps_it_even_as_cursor() {
    let mut events = table(&[
        ("custom_id", TEXT),
        ("event_name", TEXT),
        ("event_time", DataType::Timestamp(TimeUnit::Second, None)),
    ]);
    events.cursor = Some("event_time".to_owned());
    let plan = TablePlan::new(&events, &spec(&json!({ "target": "profile_events" }))).unwrap();
    assert_eq!(
        (plan.custom_id, plan.event_name, plan.event_time),
        (0, Some(1), Some(2))
    );
    assert!(plan.attributes.is_empty());
}

#[test]
fn a_missing_column_is_named_with_target_table_and_remedy() {
    let error = TablePlan::new(&table(&[("id", TEXT)]), &spec(&json!({}))).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.table.as_str()),
        ("column_missing", "shop.people")
    );
    assert!(
        error.message.contains("custom_id") && error.message.contains("profile_attributes"),
        "{}",
        error.message
    );
    assert!(
        error.remedy.contains("custom_id: <column>") && error.remedy.contains("id"),
        "{}",
        error.remedy
    );
    let events = table(&[("custom_id", TEXT)]);
    let error = TablePlan::new(&events, &spec(&json!({ "target": "profile_events" }))).unwrap_err();
    assert!(error.message.contains("event_name"), "{}", error.message);
}

#[test]
fn what_can_never_work_is_refused_before_a_row_is_read() {
    let list = |item: DataType| DataType::List(Arc::new(Field::new("item", item, true)));
    let object = DataType::Struct(vec![Field::new("a", TEXT, true)].into());
    for (column, data_type, expected) in [
        ("prénom", TEXT, "attribute_name_invalid"),
        ("batch__nonsense", TEXT, "native_unknown"),
        ("picture", DataType::Binary, "column_type_unsupported"),
        ("address", object.clone(), "kind_unsupported"),
        ("items", list(object), "kind_unsupported"),
        ("matrix", list(list(TEXT)), "kind_unsupported"),
        ("date__x", DataType::Boolean, "kind_unsupported"),
        ("url__x", DataType::Int64, "kind_unsupported"),
    ] {
        assert_eq!(
            code(&table(&[("custom_id", TEXT), (column, data_type)]), &json!({})),
            expected,
            "{column}"
        );
    }
    assert_eq!(
        code(&table(&[("custom_id", DataType::Float64)]), &json!({})),
        "column_type_unsupported"
    );
    for data_type in [DataType::Int64, DataType::FixedSizeBinary(16), DataType::Null] {
        let events = table(&[("custom_id", TEXT), ("event_name", data_type)]);
        let error = TablePlan::new(&events, &spec(&json!({ "target": "profile_events" }))).unwrap_err();
        assert_eq!(error.code, "column_type_unsupported");
        assert!(error.message.contains("name of an event"), "{}", error.message);
    }
}

#[test]
fn two_columns_for_one_name_are_refused() {
    for (first, second) in [
        ("Plan", "plan"),
        ("a b", "a_b"),
        ("x", "date__x"),
        ("date__x", "url__x"),
    ] {
        assert_eq!(
            code(
                &table(&[("custom_id", TEXT), (first, TEXT), (second, TEXT)]),
                &json!({})
            ),
            "attribute_name_collision",
            "{first} {second}"
        );
    }
    let natives = table(&[("custom_id", TEXT), ("language", TEXT), ("batch__language", TEXT)]);
    assert_eq!(keys(&natives, &json!({})).len(), 2);
}

#[test]
fn events_take_labels_tags_and_objects_and_no_other_native() {
    let object = DataType::Struct(vec![Field::new("a", TEXT, true)].into());
    let events = table(&[
        ("custom_id", TEXT),
        ("event_name", TEXT),
        ("batch__label", TEXT),
        ("batch__tags", TEXT),
        ("address", object),
    ]);
    let changes = json!({ "target": "profile_events" });
    let sent: Vec<String> = keys(&events, &changes).into_iter().map(|(_, key)| key).collect();
    assert_eq!(sent, ["$label", "$tags", "address"]);
    let other = table(&[
        ("custom_id", TEXT),
        ("event_name", TEXT),
        ("batch__email_address", TEXT),
    ]);
    assert_eq!(code(&other, &changes), "native_unknown");
}

#[test]
fn slips_and_surprises_are_warned_of() {
    let people = table(&[("custom_id", TEXT), ("born", DataType::Date32)]);
    let plan = TablePlan::new(&people, &spec(&json!({ "mapping": { "brn": { "kind": "date" } } }))).unwrap();
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("brn")),
        "{:?}",
        plan.warnings
    );
    assert!(
        plan.warnings.iter().any(|warning| warning.contains("date__born")),
        "{:?}",
        plan.warnings
    );
}
