//! Patterns for names of tables.
//!
//! Translated to a regular expression over characters: the usual crate for globs matches bytes, so that its `?` is half of
//! an `ä`, and gives `/` and `.` the meaning that they have in paths.

use regex::Regex;

/// What a pattern is made of. A name without any of these can only mean itself.
pub(crate) const PATTERN_CHARACTERS: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct TablePattern(Regex);

impl TablePattern {
    /// `*`, `?`, `[abc]`, `[a-z]`, `[!abc]`, `{a,b}`, and `\` before a character that stands for itself. The reason is for
    /// people.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut expression = String::from("(?s)^(?:");
        let mut open_braces = 0;
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            match letter {
                '*' => expression.push_str(".*"),
                '?' => expression.push('.'),
                '\\' => push_literal(&mut expression, rest.next().ok_or("it ends in `\\`")?),
                '[' => push_class(&mut expression, &mut rest)?,
                '{' => {
                    open_braces += 1;
                    expression.push_str("(?:");
                }
                '}' if open_braces > 0 => {
                    open_braces -= 1;
                    expression.push(')');
                }
                ',' if open_braces > 0 => expression.push('|'),
                letter => push_literal(&mut expression, letter),
            }
        }
        if open_braces > 0 {
            return Err("a `{` has no closing `}`");
        }
        expression.push_str(")$");
        Regex::new(&expression)
            .map(Self)
            .map_err(|_| "a range in `[…]` is empty, or the pattern is too large")
    }

    /// Whether the whole name matches.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

fn push_literal(expression: &mut String, letter: char) {
    expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
}

/// After the `[`. A `]` directly at the start stands for itself, as in a shell.
fn push_class(expression: &mut String, rest: &mut std::str::Chars<'_>) -> Result<(), &'static str> {
    const UNCLOSED: &str = "a `[` has no closing `]`";
    expression.push('[');
    let mut letter = rest.next().ok_or(UNCLOSED)?;
    if letter == '!' {
        expression.push('^');
        letter = rest.next().ok_or(UNCLOSED)?;
    }
    let mut first = true;
    while first || letter != ']' {
        match letter {
            '-' if !first => expression.push('-'),
            '\\' => push_class_literal(expression, rest.next().ok_or(UNCLOSED)?),
            letter => push_class_literal(expression, letter),
        }
        first = false;
        letter = rest.next().ok_or(UNCLOSED)?;
    }
    expression.push(']');
    Ok(())
}

/// Inside `[…]` more characters have a meaning to the regular expression (`&&`, `~~`, `--`), so that every ASCII
/// punctuation is escaped.
fn push_class_literal(expression: &mut String, letter: char) {
    if letter.is_ascii_punctuation() {
        expression.push('\\');
    }
    expression.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        match TablePattern::parse(pattern) {
            Ok(pattern) => pattern.matches(name),
            Err(reason) => panic!("{pattern}: {reason}"),
        }
    }

    #[test]
    fn patterns_match_whole_names_by_character() {
        for (pattern, name) in [
            ("*", ""),
            ("a*", "a.b/c\nd"),
            ("l?den", "läden"),
            ("[äö]b", "öb"),
            ("[!a]b", "äb"),
            ("[a-c]x", "bx"),
            ("[]x]", "]"),
            ("[a-]", "-"),
            ("[&&~~]", "~"),
            ("[^a]", "^"),
            ("{a,b{c,d}}e", "bde"),
            ("a,b", "a,b"),
            ("a}b]", "a}b]"),
            ("\\*\\[\\\\", "*[\\"),
            ("a.b+(c)|$", "a.b+(c)|$"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("b", "ab"),
            ("?", ""),
            ("?", "ab"),
            ("A*", "ab"),
            ("[!a]", "a"),
            ("{a,b}", "c"),
            ("a.b", "axb"),
            ("a|b", "a"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn broken_patterns_say_why() {
        for pattern in ["[", "[a", "[]", "[!", "{a", "a\\", "[z-a]"] {
            assert!(TablePattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
