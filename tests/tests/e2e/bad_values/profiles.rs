//! Profiles: 100,000 rows, 100 of each kind of bad value.

use serde_json::{Map, Value, json};

use super::case::{Case, Key, SECRET, Table};

/// Options of the destination: what the columns' names do not say.
pub(super) const MAPPING: &str = "mapping: { n: { ignore: true }, whole: { kind: integer }, ratio: { kind: float }, flag: { kind: boolean }, \
    interests: { kind: string_array } }";

/// The good row has 19 attributes, so with so many more it has one too many.
const EXTRAS: usize = 32;
/// It has two arrays; so many more are one too many.
const ARRAYS: usize = 14;

pub(super) fn table() -> Table {
    let columns = |prefix: &str, count: usize, of: &str| -> String {
        (1..=count).map(|index| format!("{prefix}{index:02} {of}, ")).collect()
    };
    let (arrays, extras) = (columns("a", ARRAYS, "text[]"), columns("x", EXTRAS, "text"));
    let rows = 100_000;
    let schema = format!(
        "CREATE TABLE profiles (n bigint PRIMARY KEY, custom_id text, plan text, batch__email_address text, batch__phone_number text, \
         batch__email_marketing text, batch__language text, batch__region jsonb, batch__timezone text, batch__topic_preferences text, \
         score double precision, big numeric(30, 0), price numeric(30, 10), whole text, ratio text, flag text, date__born text, \
         date__seen timestamptz, url__page text, list text, interests text, {arrays}{extras}last_updated_at timestamptz NOT NULL); \
         INSERT INTO profiles SELECT n, 'C-' || n, 'gold', 'ada@shop.example', '+33612345678', 'subscribed', 'fr', '\"FR\"', 'Europe/Paris', \
         '[\"news\"]', 1.5, 7, 39.9, '3', '0.5', 'true', '1990-05-17', '2026-01-02 03:04:05+00', 'https://shop.example/ada', '[\"a\", \"b\"]', \
         '[\"chess\"]', {}now() - interval '1 hour' + n * interval '1 ms' FROM generate_series(0, {rows} - 1) AS n; \
         CREATE INDEX ON profiles (last_updated_at, n);",
        "NULL, ".repeat(ARRAYS + EXTRAS)
    );
    Table {
        name: "profiles",
        schema,
        rows,
        every: 1_000,
        cases: [ids(), values(), lists(), natives(), counts()].concat(),
        good: good(),
    }
}

fn good() -> Map<String, Value> {
    let good = json!({
        "plan": "gold", "$email_address": "ada@shop.example", "$phone_number": "+33612345678", "$email_marketing": "subscribed",
        "$language": "fr", "$region": "FR", "$timezone": "Europe/Paris", "$topic_preferences": ["news"],
        "score": 1.5, "big": 7, "price": 39.9, "whole": 3, "ratio": 0.5, "flag": true,
        "date(born)": "1990-05-17T00:00:00Z", "date(seen)": "2026-01-02T03:04:05Z", "url(page)": "https://shop.example/ada",
        "list": ["a", "b"], "interests": ["chess"],
    });
    good.as_object().cloned().unwrap_or_default()
}

fn ids() -> Vec<Case> {
    let id = |rule, expression: &str, key| Case::row(rule, "custom_id", expression).called(key);
    vec![
        id("custom_id_missing", "NULL", Key::Primary),
        id("custom_id_blank", "'   '", Key::Primary),
        // A key is cut off after 128 characters.
        id("custom_id_too_long", "repeat('x', 1025)", Key::Text("x".repeat(128))),
        id("custom_id_line_break", "custom_id || E'\\nx'", Key::IdAnd("\nx")),
        id("custom_id_blocked", "'undefined'", Key::Text("undefined".to_owned())),
    ]
}

fn values() -> Vec<Case> {
    let (plan, page) = (("plan", "plan"), ("url__page", "url(page)"));
    vec![
        Case::column("string_empty", plan, "''"),
        Case::column("string_too_long", plan, format!("repeat('{SECRET}', 76)")),
        Case::column("number_not_finite", ("score", "score"), "'NaN'"),
        Case::column("number_out_of_range", ("big", "big"), "9223372036854775808"),
        Case::column("decimal_not_exact", ("price", "price"), "1234567890.1234567891"),
        Case::column("integer_invalid", ("whole", "whole"), format!("'{SECRET}'")),
        Case::column("float_invalid", ("ratio", "ratio"), format!("'{SECRET}'")),
        Case::column("boolean_invalid", ("flag", "flag"), format!("'{SECRET}'")),
        Case::column("date_invalid", ("date__born", "date(born)"), format!("'{SECRET}'")),
        Case::column("date_out_of_range", ("date__seen", "date(seen)"), "'infinity'"),
        Case::column("url_invalid", page, format!("'{SECRET}'")),
        Case::column(
            "url_too_long",
            page,
            format!("'https://shop.example/' || repeat('{SECRET}', 600)"),
        ),
    ]
}

fn lists() -> Vec<Case> {
    let (list, interests) = (("list", "list"), ("interests", "interests"));
    vec![
        Case::column("array_empty", list, "'[]'"),
        Case::column("array_too_long", list, many(26)),
        Case::column("array_item_not_string", list, "'[1]'"),
        Case::column("array_item_null", list, format!("'[\"{SECRET}\", null]'")),
        Case::column("array_invalid", interests, format!("'\"{SECRET}\"'")),
        Case::column("array_edit_invalid", list, format!("'{{\"$add\": \"{SECRET}\"}}'")),
        Case::column("object_not_allowed", list, format!("'{{\"{SECRET}\": 1}}'")),
        Case::column("json_invalid", interests, format!("'{SECRET}'")),
    ]
}

fn natives() -> Vec<Case> {
    let (mail, region) = (("batch__email_address", "$email_address"), ("batch__region", "$region"));
    let topics = ("batch__topic_preferences", "$topic_preferences");
    let secret = format!("'{SECRET}'");
    vec![
        Case::column("email_invalid", mail, &secret),
        Case::column(
            "email_too_long",
            mail,
            format!("repeat('{SECRET}', 70) || '@shop.example'"),
        ),
        Case::column("phone_invalid", ("batch__phone_number", "$phone_number"), &secret),
        Case::column(
            "subscription_invalid",
            ("batch__email_marketing", "$email_marketing"),
            &secret,
        ),
        Case::column("language_invalid", ("batch__language", "$language"), &secret),
        Case::column("region_invalid", region, format!("'\"{SECRET}\"'")),
        Case::column("native_not_text", region, "'1'"),
        Case::column("timezone_unknown", ("batch__timezone", "$timezone"), &secret),
        Case::column("topic_invalid", topics, format!("'[\"{SECRET} {SECRET}\"]'")),
        Case::column("topics_count", topics, many(26)),
        Case::column("topics_not_array", topics, format!("'\"{SECRET}\"'")),
    ]
}

/// JSON text of an array of so many strings.
fn many(items: usize) -> String {
    format!("'[' || repeat('\"{SECRET}\", ', {items} - 1) || '\"{SECRET}\"]'")
}

/// The last of too many is the one that is left out.
fn counts() -> Vec<Case> {
    let all = |prefix: &str, count: usize, value: &str| {
        let assignments: Vec<String> = (1..=count)
            .map(|index| format!("{prefix}{index:02} = {value}"))
            .collect();
        assignments.join(", ")
    };
    let kept = |prefix: &str, count: usize, value: Value| -> Vec<(String, Value)> {
        (1..count)
            .map(|index| (format!("{prefix}{index:02}"), value.clone()))
            .collect()
    };
    vec![
        Case {
            assignment: all("x", EXTRAS, "'v'"),
            also: kept("x", EXTRAS, json!("v")),
            ..Case::column("too_many_attributes", ("x32", "x32"), "")
        },
        Case {
            // Whether topics count among the arrays is not documented: the row has none.
            assignment: format!("{}, batch__topic_preferences = NULL", all("a", ARRAYS, "'{v}'")),
            also: [
                kept("a", ARRAYS, json!(["v"])),
                vec![("$topic_preferences".to_owned(), Value::Null)],
            ]
            .concat(),
            ..Case::column("too_many_arrays", ("a14", "a14"), "")
        },
    ]
}
