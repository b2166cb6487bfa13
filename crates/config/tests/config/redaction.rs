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
    // What is short is nobody's key, and may be part of any line.
    assert_eq!(secrets.redact("8123 98765 db.example misplaced"), "8123 98765 *** ***");
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
    for value in ["abc1defg", "defg2hij", "abc", "1a1a1a1a"] {
        secrets.insert(value);
    }
    assert_eq!(secrets.redact("xabc1defg2hijx"), "x***x");
    assert_eq!(secrets.redact("1a1a1a1a1a-abc1defg"), "***-***");
    assert_eq!(secrets.redact("abc"), "abc", "too short to be looked for");
    assert_eq!(secrets.len(), 4);
}

#[test]
fn short_values_switches_and_blanks_do_not_blank_out_the_log() {
    let secrets = Secrets::new();
    for value in [
        "",
        "1",
        "on",
        "abc",
        "true",
        "false",
        "null",
        "        ",
        " a ",
        "longshore",
    ] {
        secrets.insert(value);
    }
    let text = "longshore: 1 on true        abc";
    assert_eq!(secrets.redact(text), text);
}

#[test]
fn a_secret_that_is_a_word_is_blanked_where_it_stands_alone_and_in_no_other_word() {
    let secrets = Secrets::new();
    for value in ["shop", "postgres", "20260101"] {
        secrets.insert(value);
    }
    for text in [
        "shop_orders, shop-orders, my.shop, workshop, shops",
        "postgresql://longshore@db/postgres_1",
        "at 2026-01-01, order 202601011, 20260101-7",
    ] {
        assert_eq!(secrets.redact(text), text);
    }
    assert_eq!(secrets.redact("password=shop."), "password=***.");
    assert_eq!(
        secrets.redact("u:postgres@h, \"shop\", 20260101"),
        "u:***@h, \"***\", ***"
    );
    assert_eq!(
        secrets.redact("a\\nshop%2Fshop"),
        "a\\n***%2F***",
        "an escape before it is no letter"
    );
}

#[test]
fn a_name_that_is_stated_is_shown_and_so_is_what_it_is_made_of() {
    let secrets = Secrets::new();
    secrets.insert("orders");
    secrets.insert("harbour2026");
    secrets.state("orders");
    secrets.state("harbour2026_log");
    let text = "sync orders: table harbour2026_log is empty";
    assert_eq!(secrets.redact(text), text);
    assert_eq!(
        secrets.redact("with harbour2026, xharbour2026_log"),
        "with ***, x***_log"
    );
    assert_eq!(
        secrets.redact_beside("of harbour2026", &["harbour2026".to_owned()]),
        "of harbour2026"
    );
}

#[test]
fn a_secret_is_found_however_it_was_encoded() {
    let secrets = Secrets::new();
    secrets.insert(r#"p@ss/w"o\rd+ü 1"#);
    for text in [
        r#"as it is: p@ss/w"o\rd+ü 1!"#,
        r#"url: p%40ss%2Fw%22o%5Crd%2B%C3%BC%201!"#,
        r#"lower case, less of it: p%40ss/w%22o%5crd+%c3%bc%201!"#,
        r#"form: p%40ss%2Fw%22o%5Crd%2B%C3%BC+1!"#,
        r#"json: p@ss/w\"o\\rd+ü 1!"#,
        r#"ascii json: p@ss\/w\"o\\rd+\u00fc 1!"#,
        r#"json in json: p@ss/w\\\"o\\\\rd+ü 1!"#,
        r#"bytes: b'p@ss/w"o\\rd+\xc3\xbc 1!'"#,
        r#"json in a url: p%40ss%2Fw%5C%22o%5C%5Crd%2B%C3%BC%201!"#,
    ] {
        let (what, _) = text.split_once(": ").expect("what it is, and it");
        let redacted = secrets.redact(text);
        assert!(redacted.starts_with(&format!("{what}: ")), "{redacted}");
        assert!(redacted.contains("***!"), "{text}: {redacted}");
        assert!(!redacted.contains("rd"), "{text}: {redacted}");
    }
}

#[test]
fn of_a_connection_string_the_password_is_secret_and_the_database_is_not() {
    let site = Site::with(&with_options(
        "dsn: postgresql://${DB_USER}:${DB_PASS}@${DB_HOST}/${DB_NAME}\nkeywords: host=${DB_HOST} dbname=${DB_NAME} password='literal pass'",
    ))
    .variable("DB_USER", "longshoreman")
    .variable("DB_PASS", "pass%40word")
    .variable("DB_HOST", "db.example.com")
    .variable("DB_NAME", "shop_of_today");
    let configuration = site.loaded();
    let secrets = &configuration.secrets;
    let schema = json!({"properties": {"dsn": {"writeOnly": true}, "keywords": {"writeOnly": true}}});
    let text = "no password pass@word or pass%40word (or literal pass) for longshoreman at db.example.com, database shop_of_today";
    assert!(
        !secrets.redact(text).contains("word or"),
        "the password of a URL is one before any schema says so"
    );
    let validated = configuration.sources[0].document.validate_plugin_spec(&schema);
    assert!(validated.is_ok());
    assert_eq!(
        secrets.redact(text),
        "no password *** or *** (or ***) for longshoreman at db.example.com, database shop_of_today"
    );
    assert_eq!(
        secrets.redact("tried postgresql://longshoreman:pass%40word@db.example.com/shop_of_today now"),
        "tried *** now"
    );
}

#[test]
fn a_mistake_at_one_key_does_not_make_secrets_of_the_values_of_others() {
    let site = Site::with(&with_options(
        "database: ${DB_NAME}\nport: ${DB_PORT}\npasword: ${PW_TYPED}",
    ))
    .variable("DB_NAME", "shop_of_today")
    .variable("DB_PORT", "not-a-number")
    .variable("PW_TYPED", "correct-horse-9");
    let configuration = site.loaded();
    let schema = json!({"additionalProperties": false, "properties": {
        "database": {"type": "string"}, "port": {"type": "integer"}, "password": {"writeOnly": true},
    }});
    let refused = configuration.sources[0].document.validate_plugin_spec(&schema);
    assert_eq!(refused.expect_err("two mistakes").len(), 2);
    assert_eq!(
        configuration
            .secrets
            .redact("shop_of_today not-a-number correct-horse-9"),
        "shop_of_today not-a-number ***"
    );
}

#[test]
fn a_telling_key_makes_a_secret_until_a_schema_knows_better() {
    let site = Site::with(&with_options(
        "password: literal-pass-1\ntoken_column: literal-col-2\ntoken_url: ${URL_OF_IT}\napi_key: ${KEY_OF_IT}",
    ))
    .variable("URL_OF_IT", "https://auth.example/9")
    .variable("KEY_OF_IT", "forgotten-in-the-schema-7");
    let configuration = site.loaded();
    let text = "literal-pass-1 literal-col-2 https://auth.example/9 forgotten-in-the-schema-7";
    assert_eq!(configuration.secrets.redact(text), "*** *** *** ***");
    let schema = json!({"properties": {"password": {"format": "password"}, "api_key": {"type": "string"}}});
    let validated = configuration.sources[0].document.validate_plugin_spec(&schema);
    assert!(validated.is_ok());
    assert_eq!(
        configuration.secrets.redact(text),
        "*** literal-col-2 https://auth.example/9 ***"
    );
}

#[test]
fn a_secret_that_no_text_can_be_kept_free_of_is_warned_of() {
    let site = Site::with(&with_options(
        "short: abc\nword: ${WORD}\nname: orders\nempty: ''\nright: correct-horse-9\nplain: abc",
    ))
    .variable("WORD", "true");
    let configuration = site.loaded();
    let secret = json!({"writeOnly": true});
    let schema =
        json!({"properties": {"short": secret, "word": secret, "name": secret, "empty": secret, "right": secret}});
    let spec = configuration.sources[0]
        .document
        .validate_plugin_spec(&schema)
        .expect("valid options");
    let text = site.rendered(spec.warnings());
    let messages: Vec<&str> = spec.warnings().iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "the secret value of `short` is too short, or too common a word, to be recognised and blanked out in messages",
            "the secret value of `word` is too short, or too common a word, to be recognised and blanked out in messages",
            "the secret value of `name` is also a name in this configuration, and names are shown",
        ]
    );
    assert!(
        text.contains("warning: ") && text.contains("short: ***") && !text.contains("abc"),
        "{text}"
    );
}

#[test]
fn options_without_secrets_are_the_same_with_another_password() {
    let spec = |password: &str| {
        let site =
            Site::with(&with_options("database: shop\npassword: ${PW}\nnested: {key: [1]}")).variable("PW", password);
        let schema = json!({"properties": {"password": {"writeOnly": true}, "nested": {"properties": {"key": {"writeOnly": true}}}}});
        let spec = site.loaded().sources[0]
            .document
            .validate_plugin_spec(&schema)
            .expect("valid options");
        spec.without_secrets()
    };
    assert_eq!(
        spec("shop"),
        json!({"database": "shop", "password": "***", "nested": {"key": "***"}})
    );
    assert_eq!(spec("shop"), spec("another"));
}

#[test]
fn what_is_handed_on_is_searched_more_strictly_than_what_is_shown() {
    let secrets = Secrets::new();
    for value in ["shop", "abc", "hunter2hunter2"] {
        secrets.insert(value);
    }
    secrets.state("shop");
    for text in [
        "shop",
        "abc",
        "postgresql://me:shop@db/x",
        "host=db password=shop",
        "xhunter2hunter2x",
    ] {
        assert!(secrets.are_in(text), "{text}");
    }
    for text in ["/opt/shop/bin:/usr/bin", "shop_orders", "abcd", ""] {
        assert!(!secrets.are_in(text), "{text}");
    }
}

#[test]
fn an_address_for_alerts_is_shown_in_no_message_about_it() {
    let site = Site::with(
        "kind: source\nspec:\n  name: shop\n  path: p\n  tables: [t]\n  destinations: [b]\n  alerts: {url: 'htps://hooks.example/T0/very-secret-path'}\n---\nkind: source\nspec: {name: other, path: p, tables: [t], destinations: [b], alerts: {url: 'https://hooks.example/T0/other-secret-path'}, schedule: {every: 1m, time_zone: UTC}}\n---\nkind: destination\nspec: {name: b, path: p}\n",
    );
    let text = site.refused().to_string();
    assert!(text.contains("url") && text.contains("time_zone"), "{text}");
    assert!(!text.contains("secret-path"), "{text}");
}

#[test]
fn the_path_of_an_address_for_alerts_is_a_secret_by_itself() {
    let site = Site::with(
        "kind: source\nspec: {name: shop, path: p, tables: [t], destinations: [b], alerts: {url: '${HOOK}'}}\n---\nkind: destination\nspec: {name: b, path: p}\n",
    )
    .variable("HOOK", "https://hooks.example/services/T000/B000/XXXX");
    let secrets = site.loaded().secrets;
    assert_eq!(
        secrets.redact("POST /services/T000/B000/XXXX HTTP/1.1"),
        "POST /*** HTTP/1.1"
    );
    assert_eq!(
        secrets.redact("no answer from hooks.example"),
        "no answer from hooks.example"
    );
}

#[test]
fn the_lines_of_a_key_are_redacted_one_by_one() {
    let secrets = Secrets::new();
    secrets.insert("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAbCdEfGhIjKlMnOpQrSt\n-----END KEY-----\n");
    assert_eq!(secrets.redact("read MIIEvQIBADANBgkqhkiG."), "read ***.");
    assert_eq!(secrets.redact("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
    secrets.insert("-----BEGIN KEY-----\r\nMIIEvQIBADANBgkqhkiG\r\nAb3=\r\n-----END KEY-----");
    assert_eq!(
        secrets.redact("the last line is Ab3= as well"),
        "the last line is *** as well"
    );
    let escaped = "{\"key\":\"-----BEGIN KEY-----\\r\\nMIIEvQIBADANBgkqhkiG\\r\\nAb3=\\r\\n-----END KEY-----\"}";
    assert_eq!(secrets.redact(escaped), "{\"key\":\"***\"}");
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

#[test]
fn another_configuration_takes_no_secret_from_the_one_before_and_no_suspicion_along() {
    let secrets = Secrets::new();
    let options = |text: &str| with_options(text).replace("path: postgresql", "path: other");
    let load = |text: String, value: &str| {
        let site = Site::with(&text).variable("ADDRESS", value);
        let loader = site.loader().with_secrets(secrets.clone());
        loader
            .load(&[site.path(super::support::FILE)])
            .expect("a configuration")
    };
    let schema = |secret: bool| json!({"properties": {"address": {"writeOnly": secret}}});
    let first = load(options("address: ${ADDRESS}"), "first-secret-1");
    assert!(first.sources[0].document.validate_plugin_spec(&schema(true)).is_ok());
    load(options("address: ${ADDRESS}"), "never-asked-about-2");
    let third = load(options("address: ${ADDRESS}"), "plain.example.com");
    assert!(third.sources[0].document.validate_plugin_spec(&schema(false)).is_ok());
    assert_eq!(
        secrets.redact("first-secret-1 never-asked-about-2 plain.example.com"),
        "*** never-asked-about-2 plain.example.com"
    );
}
