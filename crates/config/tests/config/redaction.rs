//! No secret in anything that is shown.

use serde_json::json;

use longshore_config::Secrets;

use super::support::{Site, with_options};

const CANARY: &str = "c4nary-\"quoted\"/ü";

#[test]
fn every_substituted_value_is_redacted_wherever_it_appears() {
    let site = Site::with(&with_options("a: [{b: 'x${CANARY}y'}]\nc: ${file:secret.txt}"))
        .variable("CANARY", CANARY)
        .file("secret.txt", "from-a-file\n");
    let configuration = site.loaded();
    let secrets = &configuration.secrets;
    assert_eq!(secrets.redact(&format!("<{CANARY}> <from-a-file>")), "<***> <***>");
    let as_json = json!({"a": CANARY}).to_string();
    assert_eq!(secrets.redact(&as_json), "{\"a\":\"***\"}");
    assert_eq!(secrets.redact(&format!("{CANARY:?}")), "\"***\"");
    assert_eq!(secrets.redact("?p=c4nary-%22quoted%22%2F%C3%BC&q"), "?p=***&q");
    assert_eq!(secrets.redact("nothing here"), "nothing here");
}

#[test]
fn debug_of_everything_that_holds_options_shows_no_value() {
    let site =
        Site::with(&with_options("password: literal-password\nother: ${CANARY}")).variable("CANARY", "canary-value");
    let configuration = site.loaded();
    let spec = configuration.sources[0]
        .document
        .validate_plugin_spec(&json!({}))
        .expect("any options");
    assert_eq!(spec.options()["password"], "literal-password");
    for text in [
        format!("{configuration:?}"),
        format!("{spec:#?}"),
        format!("{:?}", site.loader()),
    ] {
        assert!(
            !text.contains("literal-password") && !text.contains("canary-value"),
            "{text}"
        );
    }
    assert!(format!("{spec:?}").contains("password"));
}

#[test]
fn write_only_values_become_secrets_and_are_masked_in_their_line() {
    let site = Site::with(&with_options(
        "hidden: {phrase: open-sesame, code: 49152, lines: [first-entry]}\nnote: open-sesame",
    ));
    let configuration = site.loaded();
    assert!(configuration.secrets.is_empty());
    let schema = json!({"properties": {
        "hidden": {"properties": {
            "phrase": {"type": "integer", "writeOnly": true},
            "code": {"type": "string", "format": "password"},
            "lines": {"writeOnly": true, "items": {"enum": ["x"]}},
        }},
    }});
    let diagnostics = configuration.sources[0]
        .document
        .validate_plugin_spec(&schema)
        .expect_err("three violations");
    let text = site.rendered(&diagnostics);
    assert_eq!(diagnostics.len(), 3, "{text}");
    assert!(
        text.contains("hidden: {phrase: ***, code: ***, lines: [***]}"),
        "{text}"
    );
    assert!(
        !text.contains("sesame") && !text.contains("49152") && !text.contains("first-entry"),
        "{text}"
    );
    assert_eq!(
        configuration.secrets.redact("open-sesame 49152 first-entry"),
        "*** *** ***"
    );
}

#[test]
fn what_a_schema_does_not_call_secret_stops_being_one() {
    let site = Site::with(&with_options(
        "port: ${PORT}\npin: ${PIN}\nhost: ${HOST}\nuser: ${DB_PASSWORD}",
    ))
    .variable("PORT", "8123")
    .variable("PIN", "98765")
    .variable("HOST", "db.example")
    .variable("DB_PASSWORD", "misplaced");
    let configuration = site.loaded();
    let secrets = &configuration.secrets;
    assert_eq!(secrets.redact("8123 98765 db.example misplaced"), "*** *** *** ***");
    let schema = json!({"properties": {
        "port": {"type": "integer"}, "pin": {"type": "integer", "writeOnly": true}, "host": {"type": "string"}, "user": {"type": "string"},
    }});
    for _ in 0..2 {
        let validated = configuration.sources[0].document.validate_plugin_spec(&schema);
        assert!(validated.is_ok());
        // What a variable with a telling name holds stays hidden wherever it is used.
        assert_eq!(
            secrets.redact("8123 98765 db.example misplaced"),
            "8123 *** db.example ***"
        );
    }
}

#[test]
fn names_in_the_envelope_are_no_secrets_even_when_they_come_from_the_environment() {
    let site = Site::with("kind: source\nspec:\n  name: shop\n  path: postgresql\n  destinations: [batch]\n  tables:\n    - ${TABLE}\n---\nkind: destination\nspec: {name: batch, path: batch}\n").variable("TABLE", "orders_of_today");
    assert_eq!(site.loaded().secrets.redact("orders_of_today"), "orders_of_today");
}

#[test]
fn a_value_that_is_a_secret_somewhere_stays_one_although_it_is_a_number_elsewhere() {
    let site = Site::with(&with_options("port: ${SAME}\npassword: ${SAME}")).variable("SAME", "54321");
    let configuration = site.loaded();
    let schema = json!({"properties": {"port": {"type": "integer"}, "password": {"type": "string"}}});
    assert!(configuration.sources[0].document.validate_plugin_spec(&schema).is_ok());
    assert_eq!(configuration.secrets.redact("54321"), "***");
}

#[test]
fn overlapping_secrets_leave_nothing_of_each_other() {
    let secrets = Secrets::new();
    for value in ["abcdef", "defghi", "abc", "aaaa"] {
        secrets.insert(value);
    }
    assert_eq!(secrets.redact("xabcdefghix"), "x***x");
    assert_eq!(secrets.redact("aaaaaa-abcdef"), "***-***");
    assert_eq!(secrets.redact("abc"), "abc", "too short to be searched for");
    assert_eq!(secrets.len(), 3);
}

#[test]
fn short_values_switches_and_blanks_do_not_blank_out_the_log() {
    let secrets = Secrets::new();
    for value in ["", "1", "on", "abc", "true", "false", "null", "        ", " a "] {
        secrets.insert(value);
    }
    assert!(secrets.is_empty());
    assert_eq!(secrets.redact("1 on true        abc"), "1 on true        abc");
}

#[test]
fn the_lines_of_a_key_are_redacted_one_by_one() {
    let secrets = Secrets::new();
    secrets.insert("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAbCdEfGhIjKlMnOpQrSt\n-----END KEY-----\n");
    assert_eq!(secrets.redact("read MIIEvQIBADANBgkqhkiG."), "read ***.");
    assert_eq!(secrets.redact("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
}

#[test]
fn redacting_json_keeps_its_structure() {
    let secrets = Secrets::new();
    secrets.insert("8123");
    let mut value = json!({"read": 8123, "error": ["port 8123 refused"], "8123": null});
    secrets.redact_json(&mut value);
    assert_eq!(
        value,
        json!({"read": 8123, "error": ["port *** refused"], "8123": null})
    );
}

#[test]
fn a_handle_that_is_shared_redacts_even_when_the_configuration_is_refused() {
    let secrets = Secrets::new();
    let site = Site::with(&with_options("a: ${CANARY}\nb: ${ABSENT}")).variable("CANARY", "canary-value");
    let refused = site
        .loader()
        .with_secrets(secrets.clone())
        .load(&[site.path(super::support::FILE)]);
    assert!(refused.is_err());
    assert_eq!(secrets.redact("canary-value"), "***");
}

#[test]
fn secrets_written_into_the_file_are_hidden_in_the_messages_before_any_schema_is_known() {
    let site = Site::with(&with_options(
        "api_key: {inner: abc-literal-abc}\ntoken: 'it''s-literal' # abc-literal-abc\nurl: \"postgresql://me:abc-literal-abc@db/x\"\nsecret_text: |\n  abc-literal-abc\nother: 1",
    ));
    let document = &site.loaded().sources[0].document;
    for pointer in ["/api_key/inner", "/token", "/url", "/secret_text"] {
        let text = document.error_at(&format!("/spec/spec{pointer}"), "wrong").to_string();
        assert!(text.contains("***") || pointer == "/secret_text", "{text}");
        assert!(!text.contains("literal"), "{text}");
    }
}

#[test]
fn control_characters_of_a_file_do_not_reach_the_terminal() {
    let site = Site::with("kind: source\nspec:\n  nam\u{7f}\u{202e}e: x\n");
    let text = site.refused().to_string();
    assert!(!text.contains(['\u{7f}', '\u{202e}']), "{text:?}");
}
