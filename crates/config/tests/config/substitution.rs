//! `${NAME}` and `${file:…}` in values.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use serde_json::{Value, json};

use super::support::{Site, places, with_options};

fn options(site: &Site) -> Value {
    let document = &site.loaded().sources[0].document;
    let spec = document.validate_plugin_spec(&json!({})).expect("any options");
    Value::Object(spec.options().clone())
}

#[test]
fn every_string_value_is_substituted_and_no_key() {
    let site = Site::with(&with_options(
        "${A}: ${A}\nlist: [x, {deep: 'a-${A}-${B}'}]\nblock: |\n  one ${A}\n  two\nescaped: $${A} $ $$ $x\nnumber: 5",
    ))
    .variable("A", "first")
    .variable("B", "");
    assert_eq!(
        options(&site),
        json!({
            "${A}": "first",
            "list": ["x", {"deep": "a-first-"}],
            "block": "one first\ntwo\n",
            "escaped": "${A} $ $$ $x",
            "number": 5,
        })
    );
}

#[test]
fn a_substituted_value_is_neither_yaml_nor_substituted_again() {
    let site = Site::with(&with_options("a: ${A}\nb: \"${B}\""))
        .variable("A", "${B}: [1, \"x\n# not a comment")
        .variable("B", "~");
    assert_eq!(options(&site), json!({"a": "${B}: [1, \"x\n# not a comment", "b": "~"}));
}

#[test]
fn a_file_is_looked_up_beside_the_configuration_and_loses_one_line_ending() {
    let site = Site::with(&with_options(
        "a: ${file:secrets/a}\nb: ${file:secrets/b}\nc: 'x${file:./secrets/c}'",
    ))
    .file("secrets/a", "one\n")
    .file("secrets/b", "two\r\n")
    .file("secrets/c", "three\n\n");
    assert_eq!(options(&site), json!({"a": "one", "b": "two", "c": "xthree\n"}));
}

#[test]
fn the_envelope_is_substituted_and_typed_too() {
    let site = Site::with(
        "kind: source\nspec:\n  name: ${NAME}\n  path: ${PLUGIN}\n  tables: [\"${TABLE}\"]\n  destinations: [\"${TO}\"]\n  concurrency: ${N}\n  max_rejects: ${MAX}\n---\nkind: destination\nspec: {name: batch, path: batch}\n",
    )
    .variable("NAME", "2026")
    .variable("PLUGIN", "postgresql")
    .variable("TABLE", "orders")
    .variable("TO", "batch")
    .variable("N", "8")
    .variable("MAX", "1%");
    let source = &site.loaded().sources[0].spec;
    assert_eq!((source.name.as_str(), source.concurrency), ("2026", 8));
    assert_eq!(source.max_rejects.map(|bound| bound.to_string()).as_deref(), Some("1%"));
}

#[test]
fn what_can_not_be_substituted_is_refused_at_the_substitution_itself() {
    let site = Site::with(&with_options(
        "a: 'x ${OK} ${ABSENT}'\nb: ${RAW}\nc: ${file:binary}\nd: ${file:directory}\ne: ${file:large}",
    ))
    .variable("OK", "fine")
    .variable("RAW", OsString::from_vec(vec![b'a', 0xff]))
    .file("binary", [0xff, 0xfe])
    .file("directory/x", "")
    .file("large", vec![b'a'; 1024 * 1024 + 1]);
    let found = places(&site.refused().diagnostics);
    let expected = [
        (8, 17, "the environment variable `ABSENT` is not set"),
        (9, 8, "the environment variable `RAW` is not valid UTF-8"),
        (
            10,
            8,
            "the file of `${file:binary}` can not be used: it is not valid UTF-8",
        ),
        (
            11,
            8,
            "the file of `${file:directory}` can not be used: it is a directory",
        ),
        (
            12,
            8,
            "the file of `${file:large}` can not be used: it is larger than 1 MiB",
        ),
    ];
    assert_eq!(
        found,
        expected.map(|(line, column, message)| (line, column, message.to_owned()))
    );
}

#[test]
fn a_failed_substitution_is_one_error_and_not_a_violation_as_well() {
    let site = Site::with(
        "kind: source\nspec:\n  name: shop\n  path: p\n  tables: [t]\n  destinations: [\"${ABSENT}\"]\n  concurrency: ${ALSO}\n---\nkind: destination\nspec: {name: batch, path: batch}\n",
    );
    let found = places(&site.refused().diagnostics);
    assert_eq!(found.len(), 2, "{found:?}");
}
