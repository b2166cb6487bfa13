//! Values of profile attributes.

use serde::{Serialize, Serializer};

use crate::limits;

/// The value of one attribute, with the type that it was sent with.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// A JSON boolean.
    Boolean(bool),
    /// A JSON integer.
    Integer(i64),
    /// A JSON number with a fraction or an exponent.
    Float(f64),
    /// A text.
    Text(Box<str>),
    /// The text of a `date(…)` key, as it was sent.
    Date(Box<str>),
    /// The text of a `url(…)` key, as it was sent.
    Url(Box<str>),
    /// An array of texts, in order.
    Texts(Box<[Box<str>]>),
}

impl AttributeValue {
    /// The key under which this value is sent: `name`, `date(name)` or `url(name)`.
    pub(super) fn key(&self, name: &str) -> String {
        match self {
            Self::Date(_) => format!("date({name})"),
            Self::Url(_) => format!("url({name})"),
            _ => name.to_owned(),
        }
    }
}

impl Serialize for AttributeValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) | Self::Date(text) | Self::Url(text) => serializer.serialize_str(text),
            Self::Texts(items) => serializer.collect_seq(items.iter()),
        }
    }
}

/// An array after `$add` and then `$remove`: a set, in order of first appearance. `None`: nothing is left.
pub(super) fn edited(
    current: Option<&AttributeValue>,
    add: Vec<Box<str>>,
    remove: &[Box<str>],
) -> Result<Option<AttributeValue>, String> {
    let mut items = match current {
        Some(AttributeValue::Texts(items)) => items.to_vec(),
        _ => Vec::new(),
    };
    for item in add {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items.retain(|item| !remove.contains(item));
    if items.len() > limits::ARRAY_ITEMS {
        return Err(format!("the array would have more than {} items", limits::ARRAY_ITEMS));
    }
    Ok((!items.is_empty()).then(|| AttributeValue::Texts(items.into())))
}
