//! `${NAME}`, `${file:path}` and the escape `$${`, in string values only, after parsing.
//!
//! What a substitution yields is never looked at again: a `${` inside a variable's value stays as it is, and YAML
//! syntax in it has no meaning.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::Path;

use serde_json::Value;

use crate::files;
use crate::secrets::Secrets;
use crate::text::{Span, TextFile, names_a_secret};
use crate::yaml::{Content, Node, Origin, Problem, Scalar, escape_pointer, resolve_plain};

/// The largest file that `${file:…}` reads. Keys and certificates are a few KiB.
const LARGEST_FILE: u64 = 1024 * 1024;

/// Looks up an environment variable.
pub(crate) type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// What substitution needs to know of its surroundings.
pub(crate) struct Substitution<'a> {
    pub(crate) file: &'a TextFile,
    pub(crate) lookup: &'a Lookup,
    pub(crate) secrets: &'a Secrets,
    /// Number of the document, to tell uses of one value apart.
    pub(crate) document: usize,
}

impl Substitution<'_> {
    /// Replaces in every string value below `node`, collecting what went wrong.
    pub(crate) fn apply(&self, node: &mut Node, pointer: &str, problems: &mut Vec<Problem>) {
        let span = node.span;
        match &mut node.content {
            Content::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.apply(item, &format!("{pointer}/{index}"), problems);
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    let below = format!("{pointer}/{}", escape_pointer(&entry.key));
                    self.apply(&mut entry.node, &below, problems);
                }
            }
            Content::Scalar(scalar) => self.apply_to_scalar(scalar, span, pointer, problems),
        }
    }

    fn apply_to_scalar(&self, scalar: &mut Scalar, span: Span, pointer: &str, problems: &mut Vec<Problem>) {
        let Value::String(written) = &scalar.value else {
            return;
        };
        if !written.contains("${") {
            return;
        }
        let parts = match parse_template(written) {
            Ok(parts) => parts,
            Err(fault) => {
                problems.push(self.problem(fault, span));
                scalar.origin = Origin::Failed;
                return;
            }
        };
        let mut text = String::new();
        let mut failed = false;
        for part in &parts {
            match self.expand(part) {
                Ok(expansion) => {
                    match part {
                        Part::Text(_) => {}
                        // The schema of whatever stands at this place says whether it is a secret.
                        Part::Variable { name, .. } if !names_a_secret(name) => {
                            self.secrets.suspect(&expansion, (self.document, pointer.to_owned()));
                        }
                        // Wherever they are used: nobody keeps a port in a file or calls it a password.
                        Part::Variable { .. } | Part::File { .. } => self.secrets.insert(&expansion),
                    }
                    text.push_str(&expansion);
                }
                Err(fault) => {
                    failed = true;
                    problems.push(self.problem(fault, span));
                }
            }
        }
        let is_whole = matches!(parts.as_slice(), [Part::Variable { .. } | Part::File { .. }]);
        let is_substituted = parts.iter().any(|part| !matches!(part, Part::Text(_)));
        let reparsed = Some(&text)
            .filter(|_| is_whole && scalar.plain)
            .and_then(|text| resolve_plain(text).ok())
            .filter(|value| !value.is_string());
        scalar.value = Value::String(text);
        scalar.origin = match (failed, is_substituted) {
            (true, _) => Origin::Failed,
            (false, true) => Origin::Substituted { reparsed },
            (false, false) => Origin::Literal,
        };
    }

    fn expand(&self, part: &Part) -> Result<String, Fault> {
        match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable { name, written } => {
                let Some(value) = (self.lookup)(name) else {
                    return Err(Fault {
                        written: written.clone(),
                        message: format!("the environment variable `{name}` is not set"),
                        help: format!(
                            "set it (`export {name}=…`) before longshore starts, or write `$${{{name}}}` for the literal text"
                        ),
                    });
                };
                value.into_string().map_err(|_| Fault {
                    written: written.clone(),
                    message: format!("the environment variable `{name}` is not valid UTF-8"),
                    help: "set it to text in UTF-8".to_owned(),
                })
            }
            Part::File { path, written } => self.read(path).map_err(|reason| Fault {
                written: written.clone(),
                message: format!("the file of `{written}` can not be used: {reason}"),
                help: format!(
                    "the path is looked up from the directory of the configuration file: `{}`",
                    self.file.directory().join(path).display()
                ),
            }),
        }
    }

    /// One line ending at the end is not part of the value: editors and `echo` add it.
    fn read(&self, path: &str) -> Result<String, String> {
        let path = self.file.directory().join(Path::new(path));
        let file = files::open(&path)?;
        let mut bytes = Vec::new();
        file.take(LARGEST_FILE + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| plain_reason(&error))?;
        if bytes.len() as u64 > LARGEST_FILE {
            return Err("it is larger than 1 MiB".to_owned());
        }
        let mut text = String::from_utf8(bytes).map_err(|_| "it is not valid UTF-8".to_owned())?;
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }

    /// At the substitution itself where the text of the file shows it, at the start of the value otherwise (inside
    /// double quotes, `${` may be written as an escape).
    fn problem(&self, fault: Fault, span: Span) -> Problem {
        let raw = self.file.slice(span);
        let span = raw.find(&fault.written).map_or(span, |byte| {
            let start = span.start + raw[..byte].chars().count();
            Span {
                start,
                end: start + fault.written.chars().count(),
            }
        });
        Problem {
            span,
            message: fault.message,
            help: Some(fault.help),
            related: None,
        }
    }
}

/// The reason without the operating system's error number.
pub(crate) fn plain_reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "it does not exist".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read (permission denied)".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

struct Fault {
    /// The substitution as it stands in the value.
    written: String,
    message: String,
    help: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable { name: String, written: String },
    File { path: String, written: String },
}

/// Reads from left to right: `$${` is a literal `${`, `${…}` a substitution, any other `$` itself.
fn parse_template(text: &str) -> Result<Vec<Part>, Fault> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$${") {
            literal.push_str("${");
            rest = after;
        } else if rest.starts_with("${") {
            if !literal.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut literal)));
            }
            let (part, after) = parse_substitution(rest)?;
            parts.push(part);
            rest = after;
        } else {
            literal.push('$');
            rest = &rest[1..];
        }
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(parts)
}

/// `rest` starts with `${`.
fn parse_substitution(rest: &str) -> Result<(Part, &str), Fault> {
    let Some(close) = rest.find('}') else {
        return Err(Fault {
            written: "${".to_owned(),
            message: "this `${` has no closing `}`".to_owned(),
            help: "close it, or write `$${` for a literal `${`".to_owned(),
        });
    };
    let written = rest[..=close].to_owned();
    let inner = &rest[2..close];
    let after = &rest[close + 1..];
    if let Some(path) = inner.strip_prefix("file:") {
        if !path.is_empty() {
            let path = path.to_owned();
            return Ok((Part::File { path, written }, after));
        }
    } else if is_variable_name(inner) {
        let name = inner.to_owned();
        return Ok((Part::Variable { name, written }, after));
    }
    Err(Fault {
        message: format!("`{written}` is not a substitution"),
        help: "possible are `${NAME}` for an environment variable (letters, digits and `_`) and `${file:path}` for the content of a file; `$${` is a literal `${`".to_owned(),
        written,
    })
}

fn is_variable_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Part> {
        match parse_template(text) {
            Ok(parts) => parts,
            Err(fault) => panic!("{text:?}: {}", fault.message),
        }
    }

    #[test]
    fn dollars_that_start_nothing_are_literal() {
        for text in ["$", "a$b", "$$", "$HOME", "100$ {}", "$ {A}"] {
            assert_eq!(parts(text), [Part::Text(text.to_owned())]);
        }
    }

    #[test]
    fn the_escape_gives_a_literal_dollar_brace() {
        assert_eq!(parts("$${A}"), [Part::Text("${A}".to_owned())]);
        assert_eq!(parts("$$${A}"), [Part::Text("$${A}".to_owned())]);
    }

    #[test]
    fn several_substitutions_and_text_may_be_mixed() {
        let variable = |name: &str| Part::Variable {
            name: name.to_owned(),
            written: format!("${{{name}}}"),
        };
        assert_eq!(
            parts("a ${A}${file:b/c d.txt}$"),
            [
                Part::Text("a ".to_owned()),
                variable("A"),
                Part::File {
                    path: "b/c d.txt".to_owned(),
                    written: "${file:b/c d.txt}".to_owned()
                },
                Part::Text("$".to_owned()),
            ]
        );
    }

    #[test]
    fn what_looks_like_a_substitution_and_is_none_is_refused() {
        for text in [
            "${",
            "${}",
            "${A",
            "${1A}",
            "${A-b}",
            "${A:-default}",
            "${file:}",
            "${ A }",
        ] {
            assert!(parse_template(text).is_err(), "{text:?}");
        }
    }
}
