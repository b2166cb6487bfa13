//! Text of others, made fit for a terminal.

/// A text with its control characters as their codes: a line break would break the table, and others are commands to a terminal.
pub(crate) fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    let written = |character: char| match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(printable("a\u{1b}[31mb\n".to_owned()), "a\\u{1b}[31mb\\n");
        assert_eq!(printable("größe".to_owned()), "größe");
    }
}
