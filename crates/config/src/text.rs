//! The text of one configuration file, and how a place in it is shown to a person.

use std::path::{Path, PathBuf};

use crate::diagnostic::Place;

/// A half-open range of character offsets in one file. Characters, not bytes: that is what the YAML parser counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn contains(self, offset: usize) -> bool {
        (self.start..self.end).contains(&offset)
    }
}

/// What stands in place of a secret wherever text is shown.
pub(crate) const MASK: &str = "***";

/// The widest excerpt of a source line that a diagnostic shows, in characters.
const EXCERPT_WIDTH: usize = 160;

/// How much of an over-long line is kept before the place that is pointed at.
const EXCERPT_LEAD: usize = 60;

/// Key names whose value is hidden in excerpts even before any schema has said so. A plugin's schema is the
/// authority (`writeOnly`); this list only protects the messages that come before a plugin was asked.
const TELLING_NAMES: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "api_key",
    "apikey",
    "private_key",
    "access_key",
];

/// Whether a key's name says that its value is a secret, or something about one.
pub(crate) fn names_a_secret(key: &str) -> bool {
    let normalised = key.to_ascii_lowercase().replace('-', "_");
    TELLING_NAMES.iter().any(|name| normalised.contains(name))
}

/// Whether a key's name says that its value is a secret itself: `access_token`, and not `token_url`.
pub(crate) fn ends_with_a_secret(key: &str) -> bool {
    let normalised = key.to_ascii_lowercase().replace('-', "_");
    TELLING_NAMES.iter().any(|name| normalised.ends_with(name))
}

/// One configuration file in memory.
pub(crate) struct TextFile {
    name: String,
    directory: PathBuf,
    text: String,
    /// For each line: offset of its first character, offset of its first byte.
    lines: Vec<LineStart>,
}

#[derive(Clone, Copy)]
struct LineStart {
    character: usize,
    byte: usize,
}

impl TextFile {
    /// `path` is kept for display as it was given.
    pub(crate) fn new(path: &Path, text: String) -> Self {
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .to_path_buf();
        let lines = line_starts(&text);
        Self {
            name: path.display().to_string(),
            directory,
            text,
            lines,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text between two character offsets.
    pub(crate) fn slice(&self, span: Span) -> &str {
        let start = self.byte_at(span.start);
        let end = self.byte_at(span.end).max(start);
        &self.text[start..end]
    }

    /// The place of `span`, with everything inside `masks` hidden in the excerpt.
    pub(crate) fn place(&self, span: Span, masks: &[Span]) -> Place {
        let line_index = self.line_of(span.start);
        let line = self.lines[line_index];
        let line_text = self.line_text(line_index);
        let line_length = line_text.chars().count();
        let start = (span.start - line.character).min(line_length);
        let end = (span.end.saturating_sub(line.character)).clamp(start, line_length);

        let mut hidden: Vec<Span> = telling_ranges(line_text)
            .into_iter()
            .map(|range| Span {
                start: range.start + line.character,
                end: range.end + line.character,
            })
            .collect();
        hidden.extend_from_slice(masks);
        let excerpt = Excerpt::draw(line_text, line.character, &hidden, start, end);
        Place {
            line: line_index + 1,
            column: start + 1,
            source_line: excerpt.text,
            caret_start: excerpt.caret_start,
            caret_length: excerpt.caret_length,
        }
    }

    fn line_of(&self, offset: usize) -> usize {
        self.lines
            .partition_point(|line| line.character <= offset)
            .saturating_sub(1)
    }

    fn line_text(&self, index: usize) -> &str {
        let start = self.lines[index].byte;
        let end = self.lines.get(index + 1).map_or(self.text.len(), |line| line.byte);
        self.text[start..end].trim_end_matches(['\r', '\n'])
    }

    fn byte_at(&self, offset: usize) -> usize {
        let line = self.lines[self.line_of(offset)];
        self.text[line.byte..]
            .char_indices()
            .nth(offset - line.character)
            .map_or(self.text.len(), |(byte, _)| line.byte + byte)
    }
}

/// Line breaks as YAML 1.2 knows them (section 5.4): CR LF, LF, or a lone CR.
fn line_starts(text: &str) -> Vec<LineStart> {
    let mut lines = vec![LineStart { character: 0, byte: 0 }];
    let mut characters = text.char_indices().enumerate().peekable();
    while let Some((character, (byte, letter))) = characters.next() {
        let before_line_feed = letter == '\r' && matches!(characters.peek(), Some((_, (_, next))) if *next == '\n');
        if letter == '\n' || (letter == '\r' && !before_line_feed) {
            lines.push(LineStart {
                character: character + 1,
                byte: byte + 1,
            });
        }
    }
    lines
}

/// Parts of a line that must not be shown whatever the tree says: the value behind a key with a telling name, and
/// the password inside a URL. Purely textual, because it has to work on files that do not parse.
fn telling_ranges(line: &str) -> Vec<std::ops::Range<usize>> {
    let letters: Vec<char> = line.chars().collect();
    let mut ranges = Vec::new();
    for (index, letter) in letters.iter().enumerate() {
        if *letter != ':' {
            continue;
        }
        if letters[index..].starts_with(&[':', '/', '/']) {
            ranges.extend(url_password(&letters, index + 3));
            continue;
        }
        let key_start = letters[..index]
            .iter()
            .rposition(|letter| matches!(letter, '{' | ',' | ' ' | '\t'))
            .map_or(0, |at| at + 1);
        let key: String = letters[key_start..index].iter().collect();
        if names_a_secret(&key) {
            ranges.extend(scalar_after(&letters, index + 1));
        }
    }
    ranges
}

/// `user:password@` directly after `://`.
fn url_password(letters: &[char], start: usize) -> Option<std::ops::Range<usize>> {
    let rest = &letters[start.min(letters.len())..];
    let authority = rest
        .iter()
        .position(|letter| letter.is_whitespace() || matches!(letter, '/' | '"' | '\''))
        .unwrap_or(rest.len());
    let at = rest[..authority].iter().rposition(|letter| *letter == '@')?;
    // Without a colon it may be a token in the place of a name.
    let secret = rest[..at]
        .iter()
        .position(|letter| *letter == ':')
        .map_or(0, |colon| colon + 1);
    Some(start + secret..start + at)
}

/// The rest of the line after a telling key: to its end, because a broken file has no reliable end of a value. What
/// only refers to a secret (`${…}`, an alias, a block header) stays readable.
fn scalar_after(letters: &[char], after_colon: usize) -> Vec<std::ops::Range<usize>> {
    let Some(skipped) = letters[after_colon..].iter().position(|letter| !letter.is_whitespace()) else {
        return Vec::new();
    };
    let mut start = after_colon + skipped;
    if matches!(letters[start], '|' | '>' | '{' | '[' | '#' | '*') {
        return Vec::new();
    }
    let mut ranges = Vec::new();
    while let Some(opening) = letters[start..].windows(2).position(|pair| pair == ['$', '{']) {
        let opening = start + opening;
        let Some(closing) = letters[opening..].iter().position(|letter| *letter == '}') else {
            break;
        };
        ranges.push(start..opening);
        start = opening + closing + 1;
    }
    ranges.push(start..letters.len());
    let only_punctuation = |range: &std::ops::Range<usize>| {
        letters[range.clone()]
            .iter()
            .all(|letter| letter.is_whitespace() || matches!(letter, '"' | '\'' | '}' | ']'))
    };
    ranges.retain(|range| range.start < range.end && !only_punctuation(range));
    ranges
}

struct Excerpt {
    text: String,
    caret_start: usize,
    caret_length: usize,
}

impl Excerpt {
    /// `start` and `end` are offsets in the line; the caret's are offsets in the drawn text.
    fn draw(line: &str, line_start: usize, masks: &[Span], start: usize, end: usize) -> Self {
        let mut drawn = String::new();
        let mut width = 0;
        let mut caret = (None, None);
        let mut inside_mask = false;
        for (index, letter) in line.chars().enumerate() {
            if index == start {
                caret.0 = Some(width);
            }
            if index == end {
                caret.1 = Some(width);
            }
            let masked = masks.iter().any(|mask| mask.contains(line_start + index));
            let entering = masked && !inside_mask;
            inside_mask = masked;
            let shown = match (masked, entering) {
                (true, true) => MASK.to_owned(),
                (true, false) => String::new(),
                (false, _) => shown_character(letter),
            };
            width += shown.chars().count();
            drawn.push_str(&shown);
        }
        let caret_start = caret.0.unwrap_or(width);
        let caret_end = caret.1.unwrap_or(width).max(caret_start);
        Self {
            text: drawn,
            caret_start,
            caret_length: (caret_end - caret_start).max(1),
        }
        .cut(width)
    }

    /// Keeps the neighbourhood of the caret of a line that is too long for a terminal.
    fn cut(self, width: usize) -> Self {
        if width <= EXCERPT_WIDTH {
            return self;
        }
        let from = self.caret_start.saturating_sub(EXCERPT_LEAD);
        let to = (from + EXCERPT_WIDTH).min(width);
        let mut text: String = self.text.chars().skip(from).take(to - from).collect();
        let mut caret_start = self.caret_start - from;
        if from > 0 {
            text.insert(0, '…');
            caret_start += 1;
        }
        if to < width {
            text.push('…');
        }
        let drawn_width = text.chars().count();
        Self {
            caret_length: self.caret_length.min(drawn_width.saturating_sub(caret_start)).max(1),
            caret_start,
            text,
        }
    }
}

/// One line of text as it may be printed.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(shown_character).collect()
}

/// Nothing in a file may steer the terminal or turn the direction of writing.
fn shown_character(letter: char) -> String {
    match letter {
        '\t' => "    ".to_owned(),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}'.to_string(),
        letter if letter.is_control() => '\u{fffd}'.to_string(),
        letter => letter.to_string(),
    }
}
