//! Violations in words. No message repeats a value that might be secret.

use std::collections::BTreeSet;

use jsonschema::JsonType;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::violation::{Complaint, Leaf};
use crate::suggestion::{did_you_mean, listed, nearest};
use crate::yaml::{resolve_plain, split_pointer};

/// One violation, placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// JSON pointer of the value (or of the mapping, see `target`), from where the validated tree starts.
    pub(crate) pointer: String,
    pub(crate) target: Target,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// What at the pointer is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The value.
    Value,
    /// A key of the mapping.
    Key(String),
    /// A key that is not there.
    Missing(String),
}

/// What the words may draw on.
pub(super) struct Context<'a> {
    pub(super) schema: &'a Value,
    pub(super) instance: &'a Value,
    /// Pointers of substituted values that are text because of quotes around them, or because they read as text.
    pub(super) substituted: &'a BTreeSet<String>,
    /// The text at a pointer if it may be repeated: written in the file and not secret.
    pub(super) revealed: &'a dyn Fn(&str) -> Option<String>,
}

impl Context<'_> {
    /// Findings for all leaves, without those that another one explains, and without repetitions.
    pub(super) fn findings(&self, leaves: &[Leaf<'_>]) -> Vec<Finding> {
        let with_own_format: BTreeSet<&str> = leaves
            .iter()
            .filter(|leaf| {
                matches!(&leaf.complaint, Complaint::Other { kind: ValidationErrorKind::Format { format }, .. }
                    if crate::formats::ALL.iter().any(|(name, _)| name == format))
            })
            .map(|leaf| leaf.pointer.as_str())
            .collect();
        let misspelt: BTreeSet<(&str, String)> = leaves
            .iter()
            .filter_map(|leaf| match &leaf.complaint {
                Complaint::Unknown(keys) => Some((leaf, *keys)),
                _ => None,
            })
            .flat_map(|(leaf, keys)| {
                keys.iter().filter_map(|key| {
                    let meant = nearest(key, self.free_keys(leaf))?;
                    Some((leaf.pointer.as_str(), meant.to_owned()))
                })
            })
            .collect();

        let mut findings = Vec::new();
        for leaf in leaves {
            let explained = match &leaf.complaint {
                Complaint::Missing(key) => misspelt.contains(&(leaf.pointer.as_str(), key.clone())),
                // Our formats say the same as the pattern beside them, in words.
                Complaint::Other {
                    kind: ValidationErrorKind::Pattern { .. },
                    ..
                } => with_own_format.contains(leaf.pointer.as_str()),
                _ => false,
            };
            if explained {
                continue;
            }
            for finding in self.describe(leaf) {
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
        findings
    }

    fn describe(&self, leaf: &Leaf<'_>) -> Vec<Finding> {
        match &leaf.complaint {
            Complaint::Unknown(keys) => {
                return keys.iter().map(|key| self.unknown_key(leaf, key)).collect();
            }
            Complaint::Missing(key) => {
                return vec![Finding {
                    pointer: leaf.pointer.clone(),
                    target: Target::Missing(key.clone()),
                    message: format!("the key `{key}` is missing"),
                    help: self
                        .description(&format!(
                            "{}/properties/{}",
                            leaf.schema_pointer,
                            crate::yaml::escape_pointer(key)
                        ))
                        .map(|text| format!("`{key}`: {text}")),
                }];
            }
            Complaint::Expected { .. } | Complaint::Other { .. } => {}
        }
        if let Complaint::Other {
            kind: ValidationErrorKind::UniqueItems,
            ..
        } = leaf.complaint
        {
            return self.repeated_items(leaf);
        }
        let (message, help) = match &leaf.complaint {
            Complaint::Expected { types, values } => self.unexpected(leaf, types, values),
            Complaint::Other { kind, masked } => (self.other(leaf, kind, masked), None),
            Complaint::Unknown(_) | Complaint::Missing(_) => return Vec::new(),
        };
        let help = help.or_else(|| self.description(&leaf.schema_pointer));
        vec![Finding {
            pointer: leaf.pointer.clone(),
            target: Target::Value,
            message,
            help,
        }]
    }

    fn repeated_items(&self, leaf: &Leaf<'_>) -> Vec<Finding> {
        let items = self.instance.pointer(&leaf.pointer).and_then(Value::as_array);
        let Some(items) = items else {
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter(|(index, item)| items[..*index].contains(item))
            .map(|(index, _)| {
                let pointer = format!("{}/{index}", leaf.pointer);
                Finding {
                    message: format!("{} is there before", subject(&pointer)),
                    pointer,
                    target: Target::Value,
                    help: Some("remove it".to_owned()),
                }
            })
            .collect()
    }

    fn unknown_key(&self, leaf: &Leaf<'_>, key: &str) -> Finding {
        let known = self.known_keys(&leaf.schema_pointer);
        let help = nearest(key, self.free_keys(leaf))
            .map(|meant| format!("did you mean `{meant}`?"))
            .or_else(|| did_you_mean(key, &known, "known keys here are"))
            .unwrap_or_else(|| "no keys are known here: remove it".to_owned());
        Finding {
            pointer: leaf.pointer.clone(),
            target: Target::Key(key.to_owned()),
            message: format!("unknown key `{key}`"),
            help: Some(help),
        }
    }

    /// Known keys of a mapping that are not written in it already: what a misspelt one may have meant.
    fn free_keys(&self, leaf: &Leaf<'_>) -> Vec<&str> {
        let written = self.instance.pointer(&leaf.pointer);
        self.known_keys(&leaf.schema_pointer)
            .into_iter()
            .filter(|key| written.and_then(|mapping| mapping.get(key)).is_none())
            .collect()
    }

    fn known_keys(&self, schema_pointer: &str) -> Vec<&str> {
        let mut keys = Vec::new();
        if let Some(part) = self.schema.pointer(schema_pointer) {
            collect_keys(self.schema, part, &mut keys, 0);
        }
        keys
    }

    fn unexpected(&self, leaf: &Leaf<'_>, types: &[JsonType], values: &[Value]) -> (String, Option<String>) {
        let what = subject(&leaf.pointer);
        let found = self.instance.pointer(&leaf.pointer);
        let revealed = (self.revealed)(&leaf.pointer);
        if values.is_empty() {
            let expected = joined(types.iter().map(|kind| expectation(*kind)));
            let message = format!("{what} must be {expected}, found {}", kind_of(found));
            let help = self
                .quoted_substitution(&leaf.pointer, types)
                .or_else(|| self.missing_unit(leaf, found))
                .or_else(|| type_help(types, found, revealed.as_deref()));
            return (message, help);
        }
        let texts: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        let shown: Vec<String> = values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect();
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let choice = match shown.as_slice() {
            [only] => format!("`{only}`"),
            several => format!("one of {}", listed(several)),
        };
        let other_types: Vec<JsonType> = types.iter().copied().filter(|kind| *kind != JsonType::Null).collect();
        let or_type = if other_types.is_empty() {
            String::new()
        } else {
            format!(" or {}", joined(other_types.into_iter().map(expectation)))
        };
        let found = match &revealed {
            Some(text) => format!(", found `{text}`"),
            None if found.is_some_and(Value::is_string) => ", found another text".to_owned(),
            None => format!(", found {}", kind_of(found)),
        };
        let help = revealed
            .and_then(|text| nearest(&text, texts))
            .map(|meant| format!("did you mean `{meant}`?"));
        (format!("{what} must be {choice}{or_type}{found}"), help)
    }

    /// Says how a number is written where a length of time is wanted.
    fn missing_unit(&self, leaf: &Leaf<'_>, found: Option<&Value>) -> Option<String> {
        let number = found?.as_number()?;
        let format = self.schema.pointer(&leaf.schema_pointer)?.get("format")?.as_str()?;
        if format == crate::formats::CRON && !leaf.pointer.ends_with("/cron") {
            return Some(format!(
                "an interval is written with its unit, as in `{{every: {number}m}}`"
            ));
        }
        let unit = crate::formats::usual_unit(format)?;
        Some(match number.as_u64() {
            Some(number) => format!("write the unit behind the number, such as `{number}{unit}`"),
            None => format!("write a whole number and its unit, such as `10{unit}`"),
        })
    }

    /// Says what a quoted `${…}` would be without its quotes, and nothing else about the value.
    fn quoted_substitution(&self, pointer: &str, types: &[JsonType]) -> Option<String> {
        let text = self.instance.pointer(pointer)?.as_str()?;
        let plain = resolve_plain(text).ok()?;
        let fits = types.iter().any(|kind| match kind {
            JsonType::Boolean => plain.is_boolean(),
            JsonType::Integer | JsonType::Number => plain.is_number(),
            _ => false,
        });
        (fits && self.substituted.contains(pointer)).then(|| {
            "in quotes a substituted value is text: write `${…}` alone and without quotes, outside of `{…}` and `[…]`"
                .to_owned()
        })
    }

    fn other(&self, leaf: &Leaf<'_>, kind: &ValidationErrorKind, masked: &str) -> String {
        use ValidationErrorKind as Kind;
        let what = subject(&leaf.pointer);
        match kind {
            Kind::Format { format } => {
                let text = self
                    .instance
                    .pointer(&leaf.pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                match crate::formats::complaint(format, text) {
                    Some(complaint) => format!("{what} is not usable: {complaint}"),
                    None => format!("{what} is not a valid `{format}`"),
                }
            }
            Kind::Minimum { limit } => format!("{what} must be at least {limit}"),
            Kind::Maximum { limit } => format!("{what} must be at most {limit}"),
            Kind::ExclusiveMinimum { limit } => format!("{what} must be more than {limit}"),
            Kind::ExclusiveMaximum { limit } => format!("{what} must be less than {limit}"),
            Kind::MinLength { limit: 1 } | Kind::MinItems { limit: 1 } => {
                format!("{what} must not be empty")
            }
            Kind::MinLength { limit } => format!("{what} must have at least {limit} characters"),
            Kind::MaxLength { limit } => format!("{what} must have at most {limit} characters"),
            Kind::MinItems { limit } => format!("{what} must have at least {limit} items"),
            Kind::MaxItems { limit } => format!("{what} must have at most {limit} items"),
            Kind::Pattern { pattern } => format!("{what} does not have the form `{pattern}`"),
            _ => format!("{what} is not valid: {masked}"),
        }
    }

    fn description(&self, schema_pointer: &str) -> Option<String> {
        let text = self.schema.pointer(schema_pointer)?.get("description")?.as_str()?;
        let first_paragraph = text.split("\n\n").next()?.replace('\n', " ");
        Some(first_paragraph.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// How deep a chain of references between schemas is followed for the names of keys.
const DEEPEST_REFERENCE: usize = 8;

fn collect_keys<'s>(root: &'s Value, part: &'s Value, keys: &mut Vec<&'s str>, depth: usize) {
    if depth > DEEPEST_REFERENCE {
        return;
    }
    for key in part
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(serde_json::Map::keys)
    {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for below in part.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            collect_keys(root, below, keys, depth + 1);
        }
    }
    let referred = part
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'))
        .and_then(|pointer| root.pointer(pointer));
    if let Some(below) = referred {
        collect_keys(root, below, keys, depth + 1);
    }
}

/// A value by its key: `` `port` ``, or ``item 2 of `tables` ``.
fn subject(pointer: &str) -> String {
    let steps: Vec<String> = split_pointer(pointer).collect();
    let Some((last, before)) = steps.split_last() else {
        return "the document".to_owned();
    };
    match (last.parse::<usize>(), before.last()) {
        (Ok(index), Some(list)) => format!("item {} of `{list}`", index + 1),
        _ => format!("`{last}`"),
    }
}

fn expectation(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "left out",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping of keys to values",
    }
}

fn joined(words: impl Iterator<Item = &'static str>) -> String {
    // "or left out" is true of every optional key and helps nobody.
    let words: Vec<&str> = words.filter(|word| *word != "left out").collect();
    if words.is_empty() {
        return "left out".to_owned();
    }
    words.join(" or ")
}

fn kind_of(found: Option<&Value>) -> &'static str {
    match found {
        None | Some(Value::Null) => "nothing",
        Some(Value::Bool(_)) => "`true` or `false`",
        Some(Value::Number(number)) if number.is_f64() => "a number with a fraction",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "a mapping",
    }
}

fn type_help(expected: &[JsonType], found: Option<&Value>, revealed: Option<&str>) -> Option<String> {
    let found = found?;
    let wants = |kind| expected.contains(&kind);
    let wants_number = wants(JsonType::Integer) || wants(JsonType::Number);
    let help = match found {
        Value::Number(_) | Value::Bool(_) if wants(JsonType::String) => "put it in quotes to make it text",
        Value::String(_) | Value::Number(_) | Value::Bool(_) if wants(JsonType::Array) => {
            "write a list, in brackets (`[a, b]`) or with one `- ` a line"
        }
        Value::String(_) if wants(JsonType::Boolean) => "write `true` or `false`, without quotes",
        Value::String(_) if wants_number && revealed.is_some_and(reads_as_number) => "remove the quotes",
        _ => return None,
    };
    Some(help.to_owned())
}

fn reads_as_number(text: &str) -> bool {
    resolve_plain(text).is_ok_and(|value| value.is_number())
}
