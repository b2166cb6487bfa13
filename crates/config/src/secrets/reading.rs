//! A text as it can be read: as it stands, and with what encodings did to it undone.

use std::borrow::Cow;
use std::ops::Range;

/// How often an encoding is undone: a log line in JSON that holds an error that holds JSON.
const DEPTH: usize = 2;

/// A text, and where each part of it came from in the text that it was made of.
#[derive(Debug)]
pub(super) struct Reading<'t> {
    text: Cow<'t, str>,
    /// For each byte of `text`, where what it stands for begins in the source, and the source's end; `None`: the source itself.
    source: Option<Vec<usize>>,
}

/// Undoes an encoding at the beginning of a text: how many bytes of it, and what they stand for.
type Decode = fn(&str) -> Option<(usize, String)>;

/// Every reading of a text.
pub(super) fn readings(text: &str) -> Vec<Reading<'_>> {
    let mut readings = vec![Reading::of(text)];
    let mut from = 0;
    for _ in 0..DEPTH {
        let until = readings.len();
        for index in from..until {
            let reading = &readings[index];
            let decoded =
                [('%', percent as Decode), ('\\', escape)].map(|(sign, decode)| reading.decoded(sign, decode));
            readings.extend(decoded.into_iter().flatten());
        }
        from = until;
    }
    readings
}

/// A text without its percent-encoding, where it has one.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    Some(Reading::of(text).decoded('%', percent)?.text.into_owned())
}

impl<'t> Reading<'t> {
    /// The text as it stands. Colours of a terminal count as nothing that could be part of a word.
    pub(super) fn of(text: &'t str) -> Self {
        let plain = Self {
            text: Cow::Borrowed(text),
            source: None,
        };
        plain.decoded('\u{1b}', colour).unwrap_or(plain)
    }

    /// With an encoding undone; `None` where nothing is encoded.
    fn decoded(&self, sign: char, decode: Decode) -> Option<Reading<'t>> {
        let mut next = self.text.find(sign)?;
        let mut text = String::with_capacity(self.text.len());
        let mut source = Vec::with_capacity(self.text.len() + 1);
        let mut changed = false;
        let mut at = 0;
        loop {
            // As it is, up to the sign.
            text.push_str(&self.text[at..next]);
            source.extend((at..next).map(|byte| self.source_of(byte)));
            at = next;
            if at == self.text.len() {
                break;
            }
            let (length, decoded) = match decode(&self.text[at..]) {
                Some(decoded) => {
                    changed = true;
                    decoded
                }
                None => (sign.len_utf8(), sign.to_string()),
            };
            text.push_str(&decoded);
            source.extend(std::iter::repeat_n(self.source_of(at), decoded.len()));
            at += length;
            next = self.text[at..].find(sign).map_or(self.text.len(), |found| at + found);
        }
        source.push(self.source_of(self.text.len()));
        changed.then_some(Reading {
            text: Cow::Owned(text),
            source: Some(source),
        })
    }

    fn source_of(&self, byte: usize) -> usize {
        self.source.as_ref().map_or(byte, |source| source[byte])
    }

    /// The range of the source that a range of the reading stands for.
    pub(super) fn source(&self, range: &Range<usize>) -> Range<usize> {
        self.source_of(range.start)..self.source_of(range.end)
    }

    /// Every occurrence, also those that overlap.
    pub(super) fn find<'r>(&'r self, text: &'r str) -> impl Iterator<Item = Range<usize>> + 'r {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = from + self.text.get(from..)?.find(text)?;
            // The next character, not the end of this match: a secret may overlap itself.
            from = start + self.text[start..].chars().next().map_or(1, char::len_utf8);
            Some(start..start + text.len())
        })
    }

    /// The source's ranges where a name stands by itself.
    pub(super) fn words(&self, name: &str) -> Vec<Range<usize>> {
        let found = self.find(name).filter(|range| {
            let before = self.text[..range.start].chars().next_back();
            let after = self.text[range.end..].chars().next();
            ![before, after].into_iter().flatten().any(in_words)
        });
        found.map(|range| self.source(&range)).collect()
    }

    /// Whether what stands there is no part of a longer word.
    pub(super) fn is_whole_word(&self, range: &Range<usize>) -> bool {
        let inside = &self.text[range.clone()];
        let goes_on_before = inside.starts_with(in_words) && goes_on(self.text[..range.start].chars().rev());
        let goes_on_after = inside.ends_with(in_words) && goes_on(self.text[range.end..].chars());
        !goes_on_before && !goes_on_after
    }
}

/// Letters that every word goes on through.
fn in_words(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether a word goes on with these letters: `-` and `.` belong to it where it does not end with them.
fn goes_on(mut letters: impl Iterator<Item = char>) -> bool {
    match letters.next() {
        Some('-' | '.') => letters.next().is_some_and(in_words),
        Some(letter) => in_words(letter),
        None => false,
    }
}

/// A run of `%XX` that is UTF-8.
fn percent(text: &str) -> Option<(usize, String)> {
    let bytes: Vec<u8> = hexadecimal_run(text, "%").collect();
    let decoded = String::from_utf8(bytes).ok().filter(|decoded| !decoded.is_empty())?;
    Some((decoded.len() * 3, decoded))
}

/// Pairs of hexadecimal digits, each after `sign`.
fn hexadecimal_run<'t>(text: &'t str, sign: &'t str) -> impl Iterator<Item = u8> + 't {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.strip_prefix(sign)?.get(..2)?;
        let byte = u8::from_str_radix(hexadecimal(digits)?, 16).ok()?;
        rest = &rest[sign.len() + 2..];
        Some(byte)
    })
}

/// Digits, and no sign before them.
fn hexadecimal(digits: &str) -> Option<&str> {
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)
}

/// One escape of JSON, of Rust or of Python.
fn escape(text: &str) -> Option<(usize, String)> {
    let kind = text[1..].chars().next()?;
    let one = |letter: char| Some((2, letter.to_string()));
    match kind {
        'n' => one('\n'),
        'r' => one('\r'),
        't' => one('\t'),
        'b' => one('\u{8}'),
        'f' => one('\u{c}'),
        '0' => one('\0'),
        '"' | '\'' | '\\' | '/' => one(kind),
        'x' => bytes(text),
        'u' if text[2..].starts_with('{') => braced(text),
        'u' => utf_16(text),
        _ => None,
    }
}

/// A run of `\xXX`: UTF-8 where it is that, else a character each.
fn bytes(text: &str) -> Option<(usize, String)> {
    let run: Vec<u8> = hexadecimal_run(text, "\\x").collect();
    let length = run.len() * 4;
    let decoded =
        String::from_utf8(run).unwrap_or_else(|error| error.as_bytes().iter().copied().map(char::from).collect());
    (!decoded.is_empty()).then_some((length, decoded))
}

/// `\u{1f600}`
fn braced(text: &str) -> Option<(usize, String)> {
    let close = text.find('}')?;
    let letter = char::from_u32(u32::from_str_radix(hexadecimal(text.get(3..close)?)?, 16).ok()?)?;
    Some((close + 1, letter.to_string()))
}

/// A run of `\u00fc`, of which two may be one character.
fn utf_16(text: &str) -> Option<(usize, String)> {
    let mut rest = text;
    let units = std::iter::from_fn(|| {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        let unit = u16::from_str_radix(hexadecimal(digits)?, 16).ok()?;
        rest = &rest[6..];
        Some(unit)
    });
    let units: Vec<u16> = units.collect();
    let decoded = String::from_utf16(&units).ok().filter(|decoded| !decoded.is_empty())?;
    Some((units.len() * 6, decoded))
}

/// `ESC [ 31 ; 1 m`
fn colour(text: &str) -> Option<(usize, String)> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|letter: char| !matches!(letter, '0'..='9' | ';'))?;
    parameters[end..]
        .starts_with('m')
        .then(|| (2 + end + 1, "\u{1b}".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        readings(text)
            .into_iter()
            .map(|reading| reading.text.into_owned())
            .collect()
    }

    #[test]
    fn encodings_are_undone_once_and_twice() {
        assert_eq!(texts("plain"), ["plain"]);
        assert!(texts("a%2fb%2Fc").contains(&"a/b/c".to_owned()));
        assert!(texts("p%2525").contains(&"p%".to_owned()));
        assert!(texts(r#"{"e":"{\"p\":\"a\\\\b\"}"}"#).contains(&r#"{"e":"{"p":"a\b"}"}"#.to_owned()));
        assert!(texts(r"\u00fc\xc3\xbc\u{fc}\ud83d\ude00").contains(&"üüü😀".to_owned()));
    }

    #[test]
    fn what_only_looks_encoded_stays() {
        for text in [
            "100%",
            "%zz",
            "%+1",
            "%ff",
            "a\\",
            "\\q",
            "\\u12",
            "\\u{110000}",
            "\\ud83d",
            "\\x",
            "\u{1b}[",
            "\u{1b}[2K",
        ] {
            assert_eq!(texts(text), [text], "{text:?}");
        }
    }

    #[test]
    fn a_place_in_a_reading_is_a_place_in_the_text() {
        let text = "ü %C3%BC\\n\u{1b}[0mend";
        for reading in readings(text) {
            let range = reading.find("end").next().expect("it is in every reading");
            assert_eq!(&text[reading.source(&range)], "end");
        }
        let readings = readings(text);
        let decoded = readings
            .iter()
            .find_map(|reading| Some((reading, reading.find("ü").nth(1)?)));
        let (reading, range) = decoded.expect("one reading has both");
        assert_eq!(&text[reading.source(&range)], "%C3%BC");
    }

    #[test]
    fn a_word_goes_on_through_what_joins_it_and_ends_with_a_sentence() {
        for (text, whole) in [
            ("shop", true),
            ("user=shop.", true),
            ("(shop)", true),
            ("x:shop@host", true),
            ("- shop -", true),
            ("\u{1b}[2m=\u{1b}[0mshop", true),
            ("workshop", false),
            ("shop_orders", false),
            ("shop-orders", false),
            ("a.shop", false),
            ("shopß", false),
        ] {
            let reading = Reading::of(text);
            let range = reading.find("shop").next().expect("it is there");
            assert_eq!(reading.is_whole_word(&range), whole, "{text}");
        }
    }
}
