//! What a validator reports, reduced to what a person has to change: alternatives (`anyOf`, `oneOf`) to what they have in
//! common, or to the branch that was most likely meant.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

/// One thing that failed, alternatives resolved.
pub(super) struct Leaf<'e> {
    pub(super) pointer: String,
    /// Pointer of the schema object whose keyword failed.
    pub(super) schema_pointer: String,
    pub(super) complaint: Complaint<'e>,
}

pub(super) enum Complaint<'e> {
    /// None of these types or values.
    Expected {
        types: Vec<JsonType>,
        values: Vec<Value>,
    },
    Missing(String),
    Unknown(&'e [String]),
    Other {
        kind: &'e ValidationErrorKind,
        masked: String,
    },
}

/// The leaves below one error of the validator.
pub(super) fn leaves<'e>(error: &'e ValidationError<'_>) -> Vec<Leaf<'e>> {
    let complaint = match error.kind() {
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let branches = context
                .iter()
                .map(|branch| branch.iter().flat_map(leaves).collect())
                .collect();
            return most_likely_meant(
                error.instance_path().as_str(),
                parent_of(error.schema_path().as_str()),
                branches,
            );
        }
        ValidationErrorKind::Type { kind } => Complaint::Expected {
            types: match kind {
                TypeKind::Single(one) => vec![*one],
                TypeKind::Multiple(several) => several.iter().collect(),
            },
            values: Vec::new(),
        },
        ValidationErrorKind::Enum { options } => Complaint::Expected {
            types: Vec::new(),
            values: options.as_array().cloned().unwrap_or_default(),
        },
        ValidationErrorKind::Constant { expected_value } => Complaint::Expected {
            types: Vec::new(),
            values: vec![expected_value.as_ref().clone()],
        },
        ValidationErrorKind::Required { property } => {
            Complaint::Missing(property.as_str().unwrap_or_default().to_owned())
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => Complaint::Unknown(unexpected),
        kind => Complaint::Other {
            kind,
            masked: error.masked().to_string(),
        },
    };
    let keyword = error.schema_path().as_str();
    let schema_pointer = keyword.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned();
    vec![Leaf {
        pointer: error.instance_path().as_str().to_owned(),
        schema_pointer,
        complaint,
    }]
}

fn parent_of(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Several alternatives failed: what they have in common, or else the one that came nearest.
fn most_likely_meant<'e>(own: &str, schema_pointer: &str, mut branches: Vec<Vec<Leaf<'e>>>) -> Vec<Leaf<'e>> {
    if let Some(mut common) = common_complaint(&branches) {
        if common.pointer == own {
            // Of the alternatives together, not of the first one.
            schema_pointer.clone_into(&mut common.schema_pointer);
        }
        return vec![common];
    }
    branches.sort_by_key(|branch| {
        let other_type = branch
            .iter()
            .any(|leaf| leaf.pointer == own && matches!(leaf.complaint, Complaint::Expected { .. }));
        let other_tag = branch
            .iter()
            .any(|leaf| matches!(&leaf.complaint, Complaint::Expected { types, .. } if types.is_empty()));
        (other_type, other_tag, branch.len())
    });
    branches.into_iter().next().unwrap_or_default()
}

/// A value that no alternative takes (an enum whose values carry descriptions; a tag), or a key that all of them need.
fn common_complaint<'e>(branches: &[Vec<Leaf<'e>>]) -> Option<Leaf<'e>> {
    let first = branches.first()?;
    for candidate in first {
        let same_place: Vec<&Leaf<'_>> = branches
            .iter()
            .filter_map(|branch| {
                branch
                    .iter()
                    .find(|leaf| leaf.pointer == candidate.pointer && leaf.is_like(&candidate.complaint))
            })
            .collect();
        if same_place.len() != branches.len() {
            continue;
        }
        let complaint = match &candidate.complaint {
            Complaint::Missing(key) => Complaint::Missing(key.clone()),
            Complaint::Expected { .. } => merged_expectation(&same_place),
            Complaint::Unknown(_) | Complaint::Other { .. } => continue,
        };
        return Some(Leaf {
            pointer: candidate.pointer.clone(),
            schema_pointer: candidate.schema_pointer.clone(),
            complaint,
        });
    }
    None
}

fn merged_expectation<'e>(leaves: &[&Leaf<'_>]) -> Complaint<'e> {
    let mut all_types = Vec::new();
    let mut all_values = Vec::new();
    for leaf in leaves {
        if let Complaint::Expected { types, values } = &leaf.complaint {
            for kind in types {
                if !all_types.contains(kind) {
                    all_types.push(*kind);
                }
            }
            for value in values {
                if !all_values.contains(value) {
                    all_values.push(value.clone());
                }
            }
        }
    }
    Complaint::Expected {
        types: all_types,
        values: all_values,
    }
}

impl Leaf<'_> {
    fn is_like(&self, other: &Complaint<'_>) -> bool {
        match (&self.complaint, other) {
            (Complaint::Expected { .. }, Complaint::Expected { .. }) => true,
            (Complaint::Missing(left), Complaint::Missing(right)) => left == right,
            _ => false,
        }
    }
}
