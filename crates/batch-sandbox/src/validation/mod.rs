//! What the service refuses in a well-formed call. Each refused piece is reported alone; the rest is applied.

mod event;
mod key;
mod native;
mod profile;
mod value;

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::request::{Identifier, Operation};
use crate::store::AttributeValue;
use crate::{json, limits};

/// One refused piece of an accepted call, as the answer lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartialError {
    /// Position of the operation in the request's array, from zero.
    pub bulk_index: usize,
    /// What kind of piece was refused.
    pub category: Category,
    /// The attribute's key as it was sent, when an attribute was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// The rule, in words; never a value.
    pub reason: String,
}

/// The `category` of a partial error. Only `attribute` was seen in public; the others are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// One attribute of a profile, or all of them.
    Attribute,
    /// One event, or one attribute of it.
    Event,
    /// The custom id, and with it the whole operation.
    Identifier,
    /// A whole operation, refused because a fault rule says so.
    Fault,
}

/// What is left of an operation once the refused pieces are out.
#[derive(Debug)]
pub(crate) struct Accepted<'a> {
    pub(crate) bulk_index: usize,
    pub(crate) custom_id: Cow<'a, str>,
    pub(crate) attributes: Vec<AttributeChange<'a>>,
    pub(crate) events: Vec<AcceptedEvent<'a>>,
}

/// A change of one attribute of a profile.
#[derive(Debug)]
pub(crate) struct AttributeChange<'a> {
    /// The key as it was sent.
    pub(crate) key: Cow<'a, str>,
    pub(crate) change: Change,
}

impl AttributeChange<'_> {
    /// The attribute's name: its key without a type mark.
    pub(crate) fn name(&self) -> &str {
        key::bare(&self.key)
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    Remove,
    Set(AttributeValue),
    Edit { add: Vec<Box<str>>, remove: Vec<Box<str>> },
}

/// An event to be kept.
#[derive(Debug)]
pub(crate) struct AcceptedEvent<'a> {
    pub(crate) name: Cow<'a, str>,
    /// As it was sent.
    pub(crate) time: Option<Cow<'a, str>>,
    /// The JSON text of the attributes that were not refused.
    pub(crate) attributes: Vec<u8>,
}

/// Looks at one operation. `None`: nothing is left to apply.
pub(crate) fn validate<'a>(
    bulk_index: usize,
    operation: Operation<'a>,
    now: DateTime<Utc>,
    errors: &mut Vec<PartialError>,
) -> Option<Accepted<'a>> {
    let mut refuse = |category, attribute: Option<&str>, reason: String| {
        errors.push(PartialError {
            bulk_index,
            category,
            attribute: attribute.map(str::to_owned),
            reason,
        });
    };
    // An installation is looked at like any other operation, but no installation is known here, and an unknown one does
    // not create a profile.
    let custom_id = match operation.identifier {
        Identifier::Installation => None,
        Identifier::CustomId(custom_id) => {
            if let Err(reason) = value::check_custom_id(&custom_id) {
                refuse(Category::Identifier, None, reason);
                return None;
            }
            Some(custom_id)
        }
    };

    let mut attributes = Vec::new();
    if operation.attributes.len() > limits::ATTRIBUTES_PER_OPERATION {
        let most = limits::ATTRIBUTES_PER_OPERATION;
        let reason = format!("more than {most} attributes in one operation; none was applied");
        refuse(Category::Attribute, None, reason);
    } else {
        let mut names = key::Names::default();
        for (key, value) in operation.attributes {
            let outcome = names.claim(&key).and_then(|()| profile::change(&key, value));
            match outcome {
                Ok(change) => attributes.push(AttributeChange { key, change }),
                Err(reason) => refuse(Category::Attribute, Some(&key), reason),
            }
        }
    }

    let mut events = Vec::new();
    for (position, mut sent) in operation.events.into_iter().enumerate() {
        if position >= limits::EVENTS_PER_OPERATION {
            let most = limits::EVENTS_PER_OPERATION;
            let reason = format!("event {position}: more than {most} events in one operation");
            refuse(Category::Event, None, reason);
            continue;
        }
        if let Err(reason) = event::check(&sent, now) {
            refuse(Category::Event, None, format!("event {position}: {reason}"));
            continue;
        }
        let mut names = key::Names::default();
        sent.attributes.retain(|(key, value)| {
            let outcome = names.claim(key).and_then(|()| event::check_attribute(key, value));
            match outcome {
                Ok(()) => true,
                Err(reason) => {
                    refuse(Category::Event, Some(key), format!("event {position}: {reason}"));
                    false
                }
            }
        });
        events.push(AcceptedEvent {
            name: sent.name,
            time: sent.time,
            attributes: json::compact(&json::Members(&sent.attributes)),
        });
    }

    Some(Accepted {
        bulk_index,
        custom_id: custom_id?,
        attributes,
        events,
    })
}

#[cfg(test)]
mod tests;
