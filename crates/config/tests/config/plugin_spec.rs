//! The plugin's own options against the schema that the plugin brings.

use serde_json::{Value, json};

use longshore_config::{Diagnostic, PluginSpec};

use super::support::{Site, places, with_options};

/// What a source plugin might describe.
fn plugin_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "host": {"type": "string", "description": "The server's name."},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "ssl": {"type": "boolean"},
            "ratio": {"type": ["number", "null"]},
            "password": {"type": "string", "writeOnly": true},
            "pin": {"type": "integer", "writeOnly": true},
            "columns": {"type": "array", "items": {"$ref": "#/$defs/column"}},
            "auth": {"oneOf": [
                {"type": "object", "properties": {"type": {"const": "basic"}, "user": {"type": "string"}, "pause": {"type": "integer"}},
                 "required": ["type", "user"], "additionalProperties": false},
                {"type": "object", "properties": {"type": {"const": "bearer"}, "bearer": {"type": "string", "format": "password"}},
                 "required": ["type", "bearer"], "additionalProperties": false},
            ]},
        },
        "required": ["host"],
        "additionalProperties": false,
        "$defs": {"column": {
            "type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}, "type": {"enum": ["text", "integer"]}},
            "required": ["name"],
            "additionalProperties": false,
        }},
    })
}

fn validate(site: &Site) -> Result<PluginSpec, Vec<Diagnostic>> {
    let configuration = site.loaded();
    configuration.sources[0].document.validate_plugin_spec(&plugin_schema())
}

fn options(site: &Site) -> Value {
    match validate(site) {
        Ok(spec) => Value::Object(spec.options().clone()),
        Err(diagnostics) => panic!("{}", site.rendered(&diagnostics)),
    }
}

fn violations(site: &Site) -> Vec<(usize, usize, String)> {
    places(&validate(site).expect_err("the options are accepted"))
}

#[test]
fn violations_are_reported_at_their_nested_places_all_at_once() {
    let site = Site::with(&with_options(
        "hst: a\nport: 70000\nssl: yes\ncolumns:\n  - name: id\n    type: txt\n  - {nmae: x}\n  - type: text\n  - 7",
    ));
    assert_eq!(
        violations(&site),
        [
            (8, 5, "unknown key `hst`".to_owned()),
            (9, 11, "`port` must be at most 65535".to_owned()),
            (10, 10, "`ssl` must be `true` or `false`, found text".to_owned()),
            (
                13,
                15,
                "`type` must be one of `text`, `integer`, found `txt`".to_owned()
            ),
            (14, 10, "unknown key `nmae`".to_owned()),
            (15, 9, "the key `name` is missing".to_owned()),
            (
                16,
                9,
                "item 4 of `columns` must be a mapping of keys to values, found a number".to_owned()
            ),
        ]
    );
}

#[test]
fn a_violation_renders_with_its_line_and_a_way_to_mend_it() {
    let site = Site::with(&with_options("host: a\ncolumns:\n  - name: id\n    type: txt"));
    let diagnostics = validate(&site).expect_err("the options are accepted");
    let expected = "\
error: `type` must be one of `text`, `integer`, found `txt`
  --> longshore.yml:11:15
   |
11 |         type: txt
   |               ^^^
   = help: did you mean `text`?";
    assert_eq!(site.rendered(&diagnostics), expected);
}

#[test]
fn a_missing_option_points_at_the_spec_even_where_there_is_none() {
    let site = Site::with(&with_options("port: 5"));
    assert_eq!(violations(&site), [(7, 3, "the key `host` is missing".to_owned())]);
    let without = "kind: source\nspec:\n  name: a\n  path: b\n  tables: [t]\n  destinations: [d]\n---\nkind: destination\nspec: {name: d, path: e}\n";
    let site = Site::with(without);
    assert_eq!(violations(&site), [(2, 1, "the key `host` is missing".to_owned())]);
}

#[test]
fn alternatives_are_reduced_to_the_one_that_was_meant() {
    let site = Site::with(&with_options("host: a\nauth: {type: basic, usr: x}"));
    assert_eq!(violations(&site), [(9, 25, "unknown key `usr`".to_owned())]);
    let site = Site::with(&with_options("host: a\nauth: {type: basik, user: x}"));
    assert_eq!(
        violations(&site),
        [(
            9,
            18,
            "`type` must be one of `basic`, `bearer`, found `basik`".to_owned()
        )]
    );
    let site = Site::with(&with_options("host: a\nauth: {user: x}"));
    assert_eq!(violations(&site), [(9, 5, "the key `type` is missing".to_owned())]);
}

#[test]
fn a_substituted_value_takes_the_type_that_the_schema_wants() {
    let site = Site::with(&with_options(
        "host: ${HOST}\nport: ${PORT}\nssl: ${SSL}\nratio: ${RATIO}\npassword: ${PW}\nauth:\n  type: basic\n  user: \"${USER}\"\n  pause: ${PAUSE}",
    ))
    .variable("HOST", "12")
    .variable("PORT", "8123")
    .variable("SSL", "true")
    .variable("RATIO", "0.5")
    .variable("PW", "12345")
    .variable("USER", "007")
    .variable("PAUSE", "30");
    assert_eq!(
        options(&site),
        json!({
            "host": "12", "port": 8123, "ssl": true, "ratio": 0.5, "password": "12345",
            "auth": {"type": "basic", "user": "007", "pause": 30},
        })
    );
}

#[test]
fn a_quoted_substitution_stays_text() {
    let site = Site::with(&with_options("host: a\nport: \"${PORT}\"")).variable("PORT", "8123");
    assert_eq!(
        violations(&site),
        [(9, 11, "`port` must be a whole number, found text".to_owned())]
    );
}

#[test]
fn a_substituted_value_of_the_wrong_kind_is_refused_without_being_shown() {
    let site = Site::with(&with_options("host: a\nport: ${PORT}\nauth:\n  type: ${TYPE}"))
        .variable("PORT", "eight-thousand")
        .variable("TYPE", "kerberos-5");
    let diagnostics = validate(&site).expect_err("the options are accepted");
    let text = site.rendered(&diagnostics);
    assert!(text.contains("`port` must be a whole number, found text"), "{text}");
    assert!(
        text.contains("`type` must be one of `basic`, `bearer`, found another text"),
        "{text}"
    );
    assert!(
        !text.contains("eight-thousand") && !text.contains("kerberos-5"),
        "{text}"
    );
}

#[test]
fn a_substituted_number_out_of_range_is_refused_as_a_number() {
    let site = Site::with(&with_options("host: a\nport: ${PORT}")).variable("PORT", "70000");
    assert_eq!(violations(&site), [(9, 11, "`port` must be at most 65535".to_owned())]);
}

#[test]
fn a_schema_that_is_none_is_the_fault_of_the_plugin() {
    let site = Site::with(&with_options("host: a"));
    let document = &site.loaded().sources[0].document;
    for schema in [
        json!({"type": "strnig"}),
        json!({"$ref": "https://example.com/schema.json"}),
        json!({"$ref": "file:///etc/passwd"}),
    ] {
        let diagnostics = document.validate_plugin_spec(&schema).expect_err("a schema");
        assert_eq!(diagnostics.len(), 1);
        assert_eq!((diagnostics[0].line(), diagnostics[0].column()), (Some(4), Some(9)));
        assert!(
            diagnostics[0].message.contains("invalid JSON Schema"),
            "{}",
            diagnostics[0]
        );
    }
}

#[test]
fn a_later_finding_can_be_placed_at_any_value() {
    let site = Site::with(&with_options("columns:\n  - name: id"));
    let document = &site.loaded().sources[0].document;
    let at = |pointer: &str| {
        let diagnostic = document.error_at(pointer, "no such column");
        (diagnostic.line(), diagnostic.column())
    };
    assert_eq!(at("/spec/spec/columns/0/name"), (Some(9), Some(15)));
    assert_eq!(at("/spec/tables/0"), (Some(5), Some(12)));
    assert_eq!(at("/spec/spec/columns/0/absent/deeper"), (Some(8), Some(5)));
}

#[test]
fn merged_and_repeated_options_keep_the_place_where_they_were_written() {
    let site = Site::with(&with_options(
        "columns:\n  - &base {name: id, type: txt}\n  - <<: *base\n    name: other\nhost: a",
    ));
    assert_eq!(
        violations(&site),
        [(9, 32, "`type` must be one of `text`, `integer`, found `txt`".to_owned())]
    );
    let site = Site::with(&with_options(
        "columns:\n  - &base {name: id, type: text}\n  - <<: *base\n    name: other\nhost: a",
    ));
    assert_eq!(options(&site)["columns"][1], json!({"name": "other", "type": "text"}));
}
