//! The tree of one document.

use serde_json::Value;

use crate::text::Span;

/// A value with its position. A value that came through an alias keeps the position of the text it was written at.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) content: Content,
}

#[derive(Clone)]
pub(crate) enum Content {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// A key and its value. Keys are unique within a mapping.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) node: Node,
}

/// A leaf.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// For substituted text: always a string, see [`Origin::Substituted`].
    pub(crate) value: Value,
    /// Written without quotes, not as a block, and without a tag.
    pub(crate) plain: bool,
    pub(crate) origin: Origin,
}

/// Where the value of a scalar came from.
#[derive(Clone)]
pub(crate) enum Origin {
    /// The file itself.
    Literal,
    /// At least partly a substitution.
    Substituted {
        /// Where the scalar is exactly one `${…}` without quotes: what its text would mean as a plain YAML scalar, if
        /// that is not text. A schema decides between the two.
        reparsed: Option<Value>,
    },
    /// A substitution that failed and was reported: nothing more is said about this value.
    Failed,
}

impl Node {
    /// The value without positions. Substituted scalars are text.
    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.clone(),
            Content::Sequence(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The node at a JSON pointer.
    pub(crate) fn at(&self, pointer: &str) -> Option<&Self> {
        let mut node = self;
        for step in split_pointer(pointer) {
            node = node.child(&step)?.1;
        }
        Some(node)
    }

    /// The node at a JSON pointer with the span of its key, or as much of the way as exists:
    /// `(span of the nearest key, nearest node, whether it is the one asked for)`.
    pub(crate) fn nearest(&self, pointer: &str) -> (Option<Span>, &Self, bool) {
        let mut node = self;
        let mut key_span = None;
        for step in split_pointer(pointer) {
            match node.child(&step) {
                Some((span, child)) => {
                    key_span = span.or(key_span);
                    node = child;
                }
                None => return (key_span, node, false),
            }
        }
        (key_span, node, true)
    }

    /// The entry of a mapping.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Mapping(entries) => entries.iter().find(|entry| entry.key == key),
            Content::Scalar(_) | Content::Sequence(_) => None,
        }
    }

    /// The text of a string scalar.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(scalar) => scalar.value.as_str(),
            Content::Sequence(_) | Content::Mapping(_) => None,
        }
    }

    /// Calls `visit` with every scalar below (or at) this node and its JSON pointer.
    pub(crate) fn visit_scalars<'n>(&'n self, pointer: &str, visit: &mut impl FnMut(&str, &'n Self, &'n Scalar)) {
        match &self.content {
            Content::Scalar(scalar) => visit(pointer, self, scalar),
            Content::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.visit_scalars(&format!("{pointer}/{index}"), visit);
                }
            }
            Content::Mapping(entries) => {
                for entry in entries {
                    let below = format!("{pointer}/{}", escape_pointer(&entry.key));
                    entry.node.visit_scalars(&below, visit);
                }
            }
        }
    }

    /// The nodes in this tree, itself included.
    pub(crate) fn size(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(_) => 0,
            Content::Sequence(items) => items.iter().map(Self::size).sum(),
            Content::Mapping(entries) => entries.iter().map(|entry| entry.node.size()).sum(),
        }
    }

    fn child(&self, step: &str) -> Option<(Option<Span>, &Self)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::Sequence(items) => {
                let index: usize = step.parse().ok()?;
                items.get(index).map(|item| (None, item))
            }
            Content::Mapping(_) => self.entry(step).map(|entry| (Some(entry.key_span), &entry.node)),
        }
    }
}

/// A key as one step of a JSON pointer (RFC 6901, section 3).
pub(crate) fn escape_pointer(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The steps of a JSON pointer, unescaped.
pub(crate) fn split_pointer(pointer: &str) -> impl Iterator<Item = String> {
    pointer
        .split('/')
        .skip(1)
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
}
