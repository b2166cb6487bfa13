//! No text makes the loader panic, and every position it names exists.

use proptest::prelude::*;

use super::support::{FILE, Site};

/// Pieces of configuration and of YAML's syntax, so that the texts get past the first character.
fn fragments() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "kind: source\n",
        "kind: settings\n",
        "spec:\n",
        "  name: shop\n",
        "  tables: [a",
        "]\n",
        "  - ",
        "---\n",
        "...\n",
        "{",
        "}",
        "[",
        "]",
        ": ",
        ", ",
        "\n",
        "\r",
        "\r\n",
        "\t",
        " ",
        "  ",
        "\"",
        "'",
        "|\n",
        ">\n",
        "&a ",
        "*a",
        "<<: ",
        "? ",
        "!!str ",
        "!x ",
        "# c\n",
        "${A}",
        "${",
        "$${",
        "${file:x}",
        "password: ",
        "ä",
        "東",
        "\u{feff}",
        "\u{0}",
        "~",
        "1e9",
        "-",
        "%YAML 1.2\n",
        "a://b:c@d ",
        "\\",
        "\u{202e}",
        "\u{85}",
        "\u{2028}",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_refused_with_positions_that_exist(text in fragments()) {
        let site = Site::empty().file(FILE, &text).variable("A", "4242-canary");
        let Err(error) = site.load() else { return Ok(()) };
        prop_assert!(!error.diagnostics.is_empty());
        let lines = text.split(['\n', '\r']).count();
        for diagnostic in &error.diagnostics {
            let rendered = diagnostic.to_string();
            prop_assert!(!rendered.contains("4242-canary"), "{}", rendered);
            if let (Some(line), Some(column)) = (diagnostic.line(), diagnostic.column()) {
                prop_assert!(line >= 1 && line <= lines && column >= 1, "{}", rendered);
            }
        }
    }
}
