//! Text of others, made fit for a terminal.

/// A text with its control characters as their codes: a line break would break the table, and others are commands to a terminal.
pub(crate) fn printable(text: &str) -> String {
    let written = |character: char| match character.is_control() || turns_text_around(character) {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(written).collect()
}

/// Characters that make a terminal show what follows in another order.
fn turns_text_around(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("größe"), "größe");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
    }
}
