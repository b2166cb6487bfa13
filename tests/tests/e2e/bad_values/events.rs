//! Events: what can be wrong with them and not with profiles.

use serde_json::{Map, Value, json};

use super::case::{Case, SECRET, Table};

/// Options of the destination: what the columns' names do not say.
pub(super) const MAPPING: &str = "mapping: { n: { ignore: true }, thing: { kind: object } }";

/// An instant as RFC 3339 text.
fn at(expression: &str) -> String {
    format!("to_char(({expression}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")
}

pub(super) fn table() -> Table {
    let rows = 20_000;
    let time = at("now() - interval '1 hour'");
    let schema = format!(
        "CREATE TABLE events (n bigint PRIMARY KEY, custom_id text, event_name text, event_time text, item text, batch__label jsonb, batch__tags text, \
         doc text, thing text, b1 text, b2 text, b3 text, b4 text, last_updated_at timestamptz NOT NULL); \
         INSERT INTO events SELECT n, 'C-' || n, 'bought', {time}, 'kettle', '\"spring\"', '[\"new\"]', '{{\"colour\": \"red\"}}', '{{\"size\": 1}}', \
         NULL, NULL, NULL, NULL, now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(0, {rows} - 1) AS n; \
         CREATE INDEX ON events (last_updated_at, n);"
    );
    Table {
        name: "events",
        schema,
        rows,
        every: 200,
        cases: [whole(), trees(), texts()].concat(),
        good: good(),
    }
}

fn good() -> Map<String, Value> {
    let good = json!({
        "item": "kettle", "$label": "spring", "$tags": ["new"], "doc": { "colour": "red" }, "thing": { "size": 1 }
    });
    good.as_object().cloned().unwrap_or_default()
}

fn whole() -> Vec<Case> {
    // Each array is within its bounds, and together they are more than 25,000 bytes.
    let full = format!(
        "'[' || repeat('\"' || repeat('{SECRET}', 75) || '\",', 24) || '\"' || repeat('{SECRET}', 75) || '\"]'"
    );
    let large: Vec<String> = (1..=4).map(|index| format!("b{index} = {full}")).collect();
    vec![
        Case::row("event_name_missing", "event_name", "NULL"),
        Case::row("event_name_invalid", "event_name", format!("'{SECRET} {SECRET}'")),
        Case::row("event_time_invalid", "event_time", format!("'{SECRET}'")),
        Case::row("event_too_old", "event_time", at("now() - interval '3 days'")),
        Case::row("event_in_future", "event_time", at("now() + interval '3 days'")),
        Case {
            column: "",
            assignment: large.join(", "),
            ..Case::row("event_too_large", "", "")
        },
    ]
}

fn trees() -> Vec<Case> {
    let (doc, thing) = (("doc", "doc"), ("thing", "thing"));
    vec![
        Case::column("array_nested", doc, format!("'[[\"{SECRET}\"]]'")),
        Case::column("array_items_mixed", doc, format!("'[\"{SECRET}\", {{\"a\": 1}}]'")),
        Case::column("object_empty", doc, "'{}'"),
        Case::column(
            "object_too_large",
            doc,
            "(SELECT json_object_agg('f' || i, i)::text FROM generate_series(1, 21) AS i)",
        ),
        Case::column("object_too_deep", doc, "'{\"a\": {\"b\": {\"c\": 1}}}'"),
        Case::column("object_key_invalid", doc, "'{\"prénom\": 1}'"),
        Case::column("object_key_collision", doc, "'{\"a b\": 1, \"a_b\": 2}'"),
        Case::column("object_invalid", thing, format!("'\"{SECRET}\"'")),
    ]
}

fn texts() -> Vec<Case> {
    let (item, label, tags) = (("item", "item"), ("batch__label", "$label"), ("batch__tags", "$tags"));
    vec![
        Case::column("string_blank", item, "'   '"),
        Case::column("string_line_break", item, format!("E'{SECRET}\\n{SECRET}'")),
        Case::column("label_blank", label, "'\"  \"'"),
        Case::column("label_too_long", label, format!("to_jsonb(repeat('{SECRET}', 51))")),
        Case::column(
            "label_line_break",
            label,
            format!("to_jsonb(E'{SECRET}\\n{SECRET}'::text)"),
        ),
        Case::column("label_not_text", label, "'1'"),
        Case::column(
            "tags_too_many",
            tags,
            format!("'[' || repeat('\"{SECRET}\",', 10) || '\"{SECRET}\"]'"),
        ),
        Case::column(
            "tag_too_long",
            tags,
            format!("'[\"' || repeat('{SECRET}', 17) || '\"]'"),
        ),
        Case::column("tags_not_array", tags, format!("'\"{SECRET}\"'")),
    ]
}
