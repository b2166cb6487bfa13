//! Parser events to nodes.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};
use serde_json::Value;

use super::node::{Content, Entry, Node, Origin, Scalar};
use super::scalar::resolve_plain;
use crate::text::Span;

/// How deep mappings and sequences may be nested. Real configurations stay below ten.
const MAXIMUM_DEPTH: usize = 64;

/// How many values one file may hold, those that aliases repeat included: room for thousands of tables, none for a
/// document that unfolds without end.
const MAXIMUM_NODES: usize = 100_000;

/// Something wrong with the text of a file.
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
    pub(crate) related: Option<(Span, &'static str)>,
}

impl Problem {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: None,
            related: None,
        }
    }

    fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a file holds.
pub(crate) struct Parsed {
    /// The documents that could be read, in order; empty ones (`---` followed by nothing) are left out.
    pub(crate) documents: Vec<Node>,
    pub(crate) problems: Vec<Problem>,
    /// False where the syntax broke: there may have been more documents.
    pub(crate) complete: bool,
}

/// Reads every document of a text.
pub(crate) fn parse(text: &str) -> Parsed {
    let mut builder = TreeBuilder {
        text,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        problems: Vec::new(),
        nodes: 0,
    };
    let mut documents = Vec::new();
    let outcome = builder.read_stream(&mut documents);
    let mut problems = builder.problems;
    let complete = outcome.is_ok();
    problems.extend(outcome.err());
    Parsed {
        documents,
        problems,
        complete,
    }
}

type Read<'t> = (Event<'t>, Span);

struct TreeBuilder<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    /// Complete nodes only, so that an alias can not refer to what contains it.
    anchors: HashMap<usize, Node>,
    problems: Vec<Problem>,
    nodes: usize,
}

impl<'t> TreeBuilder<'t> {
    fn read_stream(&mut self, documents: &mut Vec<Node>) -> Result<(), Problem> {
        loop {
            let (event, _) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) => {
                    self.anchors.clear();
                    let first = self.next()?;
                    let root = self.read_node(first, 0)?;
                    let empty = matches!(
                        &root.content,
                        Content::Scalar(Scalar {
                            value: Value::Null,
                            plain: true,
                            ..
                        })
                    );
                    if !empty {
                        documents.push(root);
                    }
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Read<'t>, Problem> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((
                event,
                Span {
                    start: span.start.index(),
                    end: span.end.index(),
                },
            )),
            Some(Err(error)) => Err(syntax_problem(self.text, &error)),
            None => Ok((Event::StreamEnd, Span { start: 0, end: 0 })),
        }
    }

    fn read_node(&mut self, (event, span): Read<'t>, depth: usize) -> Result<Node, Problem> {
        self.count(1, span)?;
        if depth > MAXIMUM_DEPTH {
            return Err(Problem::new(
                span,
                format!("nested more than {MAXIMUM_DEPTH} levels deep"),
            ));
        }
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.repeat(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = self.read_scalar(&text, style, tag.as_deref(), span);
                let content = Content::Scalar(scalar);
                (anchor, Node { span, content })
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "seq", span);
                (anchor, self.read_sequence(span, depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), "map", span);
                (anchor, self.read_mapping(span, depth)?)
            }
            _ => return Err(Problem::new(span, "the YAML ends in the middle of a value")),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Problem> {
        self.nodes += nodes;
        if self.nodes <= MAXIMUM_NODES {
            return Ok(());
        }
        Err(Problem::new(
            span,
            format!("the file holds more than {MAXIMUM_NODES} values, aliases (`*name`) unfolded"),
        )
        .with_help("split the file, or repeat less through aliases"))
    }

    fn repeat(&mut self, anchor: usize, span: Span) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return Err(Problem::new(
                span,
                "this alias refers to a value that is not complete here: to one that contains it, or to another document",
            ));
        };
        self.count(node.size(), span)?;
        Ok(node)
    }

    fn read_sequence(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Node {
                    span: enclosing(start, span),
                    content: Content::Sequence(items),
                });
            }
            items.push(self.read_node((event, span), depth + 1)?);
        }
    }

    fn read_mapping(&mut self, start: Span, depth: usize) -> Result<Node, Problem> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                // What is written out wins over what is merged in; of several merged mappings the first wins.
                for entry in merged {
                    if !entries.iter().any(|known| known.key == entry.key) {
                        entries.push(entry);
                    }
                }
                return Ok(Node {
                    span: enclosing(start, key_span),
                    content: Content::Mapping(entries),
                });
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.read_key((event, key_span), depth + 1)?;
            let value_event = self.next()?;
            let mut node = self.read_node(value_event, depth + 1)?;
            if is_merge {
                self.merge(node, key_span, &mut merged);
                continue;
            }
            // The parser places a value that is not there at the next token: its key is the better place.
            if matches!(&node.content, Content::Scalar(scalar) if scalar.value.is_null() && scalar.plain)
                && node.span.start == node.span.end
            {
                node.span = key_span;
            }
            let Some(key) = key else { continue };
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                self.problems.push(Problem {
                    span: key_span,
                    message: format!("the key `{key}` is there twice in one mapping"),
                    help: Some("remove one of the two, or merge them".to_owned()),
                    related: Some((first.key_span, "it is first written here")),
                });
                continue;
            }
            entries.push(Entry { key, key_span, node });
        }
    }

    /// The text of a key; none (and a problem) for a key that JSON could not hold.
    fn read_key(&mut self, read: Read<'t>, depth: usize) -> Result<Option<String>, Problem> {
        let span = read.1;
        if let Event::Scalar(text, style, _, _) = &read.0
            && (*style != ScalarStyle::Plain || !text.is_empty())
        {
            return Ok(Some(text.clone().into_owned()));
        }
        let key = self.read_node(read, depth)?;
        if let Some(text) = key.as_text() {
            return Ok(Some(text.to_owned()));
        }
        self.problems.push(
            Problem::new(span, "a key must be text").with_help("lists, mappings and empty values can not be keys"),
        );
        Ok(None)
    }

    /// `<<: *defaults` and `<<: [*a, *b]`.
    fn merge(&mut self, node: Node, key_span: Span, merged: &mut Vec<Entry>) {
        let mappings = match node.content {
            Content::Mapping(entries) => vec![entries],
            Content::Sequence(items) => {
                let mut mappings = Vec::new();
                for item in items {
                    match item.content {
                        Content::Mapping(entries) => mappings.push(entries),
                        Content::Scalar(_) | Content::Sequence(_) => self.refuse_merge(item.span),
                    }
                }
                mappings
            }
            Content::Scalar(_) => {
                self.refuse_merge(key_span);
                return;
            }
        };
        for entry in mappings.into_iter().flatten() {
            if !merged.iter().any(|known| known.key == entry.key) {
                merged.push(entry);
            }
        }
    }

    fn refuse_merge(&mut self, span: Span) {
        self.problems.push(
            Problem::new(span, "`<<` merges mappings only")
                .with_help("write `<<: *name`, where `name` is the anchor of a mapping"),
        );
    }

    fn read_scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Scalar {
        let plain = style == ScalarStyle::Plain && tag.is_none();
        let literal = |value| Scalar {
            value,
            plain,
            origin: Origin::Literal,
        };
        let wanted = match tag {
            None if plain => None,
            None => Some("str"),
            Some(tag) if tag.handle == "!" && tag.suffix.is_empty() => Some("str"),
            Some(tag) => match core_suffix(tag) {
                Some(suffix @ ("str" | "int" | "float" | "bool" | "null")) => Some(suffix),
                _ => {
                    self.refuse_tag(Some(tag), "str", span);
                    Some("str")
                }
            },
        };
        if wanted == Some("str") {
            return literal(Value::String(text.to_owned()));
        }
        let value = match resolve_plain(text) {
            Ok(value) => value,
            Err(reason) => {
                self.problems
                    .push(Problem::new(span, reason.message()).with_help("put it in quotes if it is meant as text"));
                return Scalar {
                    origin: Origin::Failed,
                    ..literal(Value::Null)
                };
            }
        };
        let fits = match wanted {
            Some("int") => value.is_i64() || value.is_u64(),
            Some("float") => value.is_number(),
            Some("bool") => value.is_boolean(),
            Some("null") => value.is_null(),
            _ => true,
        };
        if !fits {
            self.problems.push(Problem::new(span, "the value does not fit its tag"));
        }
        literal(value)
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, allowed: &str, span: Span) {
        let Some(tag) = tag else { return };
        if core_suffix(tag) == Some(allowed) {
            return;
        }
        self.problems.push(
            Problem::new(span, format!("the tag `{}{}` is not supported", tag.handle, tag.suffix)).with_help(
                "leave it out; of YAML's tags only those of its core schema, such as `!!str`, have a meaning here",
            ),
        );
    }
}

fn core_suffix(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    // `!<tag:yaml.org,2002:str>`
    tag.suffix.strip_prefix("tag:yaml.org,2002:")
}

/// From the start of a collection to its end. Block collections end where the next token starts; the excerpt cuts that.
fn enclosing(start: Span, end: Span) -> Span {
    Span {
        start: start.start,
        end: end.end.max(start.end),
    }
}

fn syntax_problem(text: &str, error: &ScanError) -> Problem {
    let info = error.info();
    let mut offset = error.marker().index();
    if info.contains("tab") {
        // The parser names the start of the value that the tab ended.
        let ahead = text.chars().skip(offset).position(|letter| letter == '\t');
        offset += ahead.unwrap_or(0);
    }
    let problem = Problem::new(
        Span {
            start: offset,
            end: offset + 1,
        },
        format!("this is not valid YAML: {info}"),
    );
    let before: Vec<char> = text.chars().skip(offset.saturating_sub(2)).take(3).collect();
    let help = if before.starts_with(&['$', '{']) || before.ends_with(&['$', '{']) {
        "braces have a meaning inside `{…}` and `[…]`: put `${…}` in quotes there"
    } else if info.contains("tab") {
        "YAML is indented with spaces; replace the tab"
    } else if info.contains("unknown anchor") {
        "define it before with `&name`, or put the text in quotes if it starts with a literal `*`"
    } else if info.contains("mapping values") || info.contains("simple key") {
        "look for a missing space after `:`, a wrong indentation, or text with `: ` in it that needs quotes"
    } else if info.contains("quoted scalar") {
        "look for a missing closing quote, or write the text in single quotes"
    } else {
        "look at this line and the one before: indentation, quotes, brackets"
    };
    problem.with_help(help)
}
