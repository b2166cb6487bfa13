//! A tree against a schema: the value it stands for, what violates the schema, and which of its values are secret.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::violation::{Complaint, Leaf, leaves};
use super::wording::{Context, Finding, Target};
use super::write_only::secret_pointers;
use crate::formats;
use crate::text::names_a_secret;
use crate::yaml::{Node, Origin, split_pointer};

/// A schema, ready for use.
pub(crate) struct CompiledSchema {
    schema: Value,
    validator: Validator,
}

impl CompiledSchema {
    /// References to other documents are refused: a schema comes from a plugin, and must not make this process read
    /// files or open connections.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let mut options = jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(true);
        for (name, check) in formats::ALL {
            options = options.with_format(name, move |text: &str| check(text).is_ok());
        }
        let validator = options.build(schema).map_err(|error| error.masked().to_string())?;
        Ok(Self {
            schema: schema.clone(),
            validator,
        })
    }
}

/// Values that mean something elsewhere and are refused here for a reason: pointer and text to message and help.
pub(crate) type Reserved = fn(pointer: &str, text: &str) -> Option<(String, String)>;

/// What a check found.
pub(crate) struct Conformity {
    /// The value, every substituted scalar with the type that the schema wants.
    pub(crate) value: Value,
    /// Pointers of values that the schema calls secret; everything below them is, too.
    pub(crate) secret: BTreeSet<String>,
    /// Pointers of substituted values that turned out to be a number or a switch.
    pub(crate) retyped: Vec<String>,
    pub(crate) findings: Vec<Finding>,
}

impl Conformity {
    /// Whether the value at `pointer` is, or is part of, a secret one.
    pub(crate) fn is_secret(&self, pointer: &str) -> bool {
        is_below_any(&self.secret, pointer)
    }
}

fn is_below_any(secret: &BTreeSet<String>, pointer: &str) -> bool {
    secret.iter().any(|parent| {
        pointer
            .strip_prefix(parent.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Checks the tree below `node`.
///
/// A scalar that is one whole `${…}` without quotes begins as text. Only where the schema refuses text it is taken for
/// what it means as a plain YAML scalar: `port: ${PORT}` becomes a number where a number is wanted, and a password of
/// digits stays the text that it is.
pub(crate) fn check(schema: &CompiledSchema, node: &Node, reserved: Reserved) -> Conformity {
    let mut value = node.to_json();
    let mut untyped = BTreeMap::new();
    let mut failed = BTreeSet::new();
    let mut substituted = BTreeSet::new();
    let mut written = BTreeMap::new();
    node.visit_scalars("", &mut |pointer, _, scalar| match &scalar.origin {
        Origin::Substituted {
            reparsed: Some(reparsed),
        } => {
            untyped.insert(pointer.to_owned(), reparsed.clone());
        }
        Origin::Substituted { reparsed: None } => {
            substituted.insert(pointer.to_owned());
        }
        Origin::Failed => {
            failed.insert(pointer.to_owned());
        }
        Origin::Literal => {
            if let Some(text) = scalar.value.as_str() {
                written.insert(pointer.to_owned(), text.to_owned());
            }
        }
    });

    let mut retyped = Vec::new();
    // Each round settles at least one of the untyped scalars.
    loop {
        let refused: Vec<String> = {
            let errors: Vec<ValidationError<'_>> = schema.validator.iter_errors(&value).collect();
            errors
                .iter()
                .flat_map(leaves)
                .filter(|leaf| matches!(leaf.complaint, Complaint::Expected { .. }))
                .map(|leaf| leaf.pointer)
                .filter(|pointer| untyped.contains_key(pointer))
                .collect()
        };
        if refused.is_empty() {
            break;
        }
        for pointer in refused {
            if let (Some(reparsed), Some(place)) = (untyped.remove(&pointer), value.pointer_mut(&pointer)) {
                *place = reparsed;
                retyped.push(pointer);
            }
        }
    }

    let secret = secret_pointers(&schema.schema, &value);
    let revealed = |pointer: &str| {
        written
            .get(pointer)
            .filter(|_| !is_below_any(&secret, pointer))
            .filter(|_| !split_pointer(pointer).any(|key| names_a_secret(&key)))
            .filter(|text| text.chars().count() <= LONGEST_REPEATED && !text.contains(char::is_control))
            .cloned()
    };
    let errors: Vec<ValidationError<'_>> = schema.validator.iter_errors(&value).collect();
    let all: Vec<Leaf<'_>> = errors.iter().flat_map(leaves).collect();
    let context = Context {
        schema: &schema.schema,
        instance: &value,
        substituted: &substituted,
        revealed: &revealed,
    };
    let mut findings = context.findings(&all);
    findings.retain(|finding| finding.target != Target::Value || !failed.contains(&finding.pointer));
    for finding in &mut findings {
        let text = value.pointer(&finding.pointer).and_then(Value::as_str);
        if let (Target::Value, Some(text)) = (&finding.target, text)
            && let Some((message, help)) = reserved(&finding.pointer, text)
        {
            finding.message = message;
            finding.help = Some(help);
        }
    }
    Conformity {
        value,
        secret,
        retyped,
        findings,
    }
}

/// The longest text that a message repeats.
const LONGEST_REPEATED: usize = 60;
