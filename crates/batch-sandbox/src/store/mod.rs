//! What one project holds: profiles, and events in the order of their arrival. Kept small, so that millions fit.

mod attribute;
mod duplicates;
mod events;
mod snapshot;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::limits;
use crate::validation::{Accepted, AttributeChange, Category, Change, PartialError};

pub use attribute::AttributeValue;
pub use duplicates::{DuplicateGroup, Duplicates};
pub use snapshot::{EventSnapshot, ProfileSnapshot};

use events::{Event, EventLog};

/// Index of a profile, in the order of creation.
type ProfileIndex = u32;
/// Index of an interned attribute or event name.
type NameIndex = u32;

/// The content of one project.
#[derive(Debug, Default)]
pub(crate) struct Store {
    names: Interner,
    profiles: Vec<Profile>,
    by_custom_id: HashMap<Arc<str>, ProfileIndex>,
    events: EventLog,
}

#[derive(Debug)]
struct Profile {
    custom_id: Arc<str>,
    attributes: Vec<(NameIndex, AttributeValue)>,
    /// The newest event of this profile; each event knows the one before it.
    newest_event: Option<u32>,
    events: u32,
}

impl Store {
    pub(crate) fn profile_count(&self) -> usize {
        self.profiles.len()
    }

    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    /// Applies one operation. An unknown custom id creates the profile.
    pub(crate) fn apply(
        &mut self,
        operation: &mut Accepted<'_>,
        received_at: DateTime<Utc>,
        errors: &mut Vec<PartialError>,
    ) {
        let index = self.profile_index(&operation.custom_id);
        let Self {
            names,
            profiles,
            events,
            ..
        } = self;
        let profile = &mut profiles[index as usize];
        let is_new = profile.attributes.is_empty();
        for change in operation.attributes.drain(..) {
            let name = names.intern(change.name());
            let AttributeChange { key, change } = change;
            if let Err(reason) = profile.change(name, change) {
                errors.push(PartialError {
                    bulk_index: operation.bulk_index,
                    category: Category::Attribute,
                    attribute: Some(key.into_owned()),
                    reason,
                });
            }
        }
        if is_new {
            profile.attributes.shrink_to_fit();
        }
        for event in &operation.events {
            let name = names.intern(&event.name);
            let sequence = events.push(event, name, index, profile.newest_event, received_at.timestamp_millis());
            profile.newest_event = Some(sequence);
            profile.events += 1;
        }
    }

    fn profile_index(&mut self, custom_id: &str) -> ProfileIndex {
        if let Some(index) = self.by_custom_id.get(custom_id) {
            return *index;
        }
        let index = ProfileIndex::try_from(self.profiles.len()).expect("memory ends before four billion profiles");
        let custom_id: Arc<str> = custom_id.into();
        self.profiles.push(Profile {
            custom_id: custom_id.clone(),
            attributes: Vec::new(),
            newest_event: None,
            events: 0,
        });
        self.by_custom_id.insert(custom_id, index);
        index
    }

    /// One profile, or nothing when no operation named it.
    pub(crate) fn profile(&self, custom_id: &str) -> Option<ProfileSnapshot> {
        let index = *self.by_custom_id.get(custom_id)?;
        Some(self.profile_snapshot(&self.profiles[index as usize]))
    }

    /// Up to `limit` profiles in the order of their creation, from position `from` on.
    pub(crate) fn profiles(&self, from: usize, limit: usize) -> impl Iterator<Item = ProfileSnapshot> {
        let page = self.profiles.iter().skip(from).take(limit);
        page.map(|profile| self.profile_snapshot(profile))
    }

    fn profile_snapshot(&self, profile: &Profile) -> ProfileSnapshot {
        let attributes = profile.attributes.iter();
        ProfileSnapshot {
            custom_id: profile.custom_id.to_string(),
            attributes: attributes
                .map(|(name, value)| (value.key(self.names.text(*name)), value.clone()))
                .collect(),
            events: profile.events,
        }
    }

    /// The events of one profile, oldest reception first.
    pub(crate) fn events_of(&self, custom_id: &str) -> Vec<EventSnapshot> {
        let Some(index) = self.by_custom_id.get(custom_id) else {
            return Vec::new();
        };
        let newest = self.profiles[*index as usize].newest_event;
        let backwards = std::iter::successors(newest, |sequence| self.events.get(*sequence).previous());
        let mut events: Vec<_> = backwards
            .map(|sequence| self.event_snapshot(self.events.get(sequence)))
            .collect();
        events.reverse();
        events
    }

    /// Up to `limit` events in the order of their reception, from sequence number `from` on.
    pub(crate) fn events(&self, from: usize, limit: usize) -> impl Iterator<Item = EventSnapshot> {
        let end = self.events.len().min(from.saturating_add(limit));
        let page = (from..end).filter_map(|sequence| u32::try_from(sequence).ok());
        page.map(|sequence| self.event_snapshot(self.events.get(sequence)))
    }

    fn event_snapshot(&self, event: Event<'_>) -> EventSnapshot {
        EventSnapshot {
            sequence: event.sequence,
            custom_id: self.profiles[event.profile as usize].custom_id.to_string(),
            name: self.names.text(event.name).to_owned(),
            time: event.time.map(str::to_owned),
            received_at: DateTime::from_timestamp_millis(event.received_at).unwrap_or_default(),
            attributes: event.attributes.to_owned(),
        }
    }

    /// Events that are equal in profile, name, time and attributes; at most `limit` groups of them are listed.
    pub(crate) fn duplicates(&self, limit: usize) -> Duplicates {
        duplicates::find(self, limit)
    }
}

impl Profile {
    /// null deletes, a value replaces, `$add` and `$remove` edit.
    ///
    /// What an edit does to an attribute that is no array, and that an array which an edit empties is gone, are inferences.
    fn change(&mut self, name: NameIndex, change: Change) -> Result<(), String> {
        let position = self.attributes.iter().position(|(known, _)| *known == name);
        let value = match change {
            Change::Remove => {
                if let Some(position) = position {
                    self.attributes.remove(position);
                }
                return Ok(());
            }
            Change::Set(value) => value,
            Change::Edit { add, remove } => {
                let current = position.map(|position| &self.attributes[position].1);
                let Some(edited) = attribute::edited(current, add, &remove)? else {
                    return self.change(name, Change::Remove);
                };
                edited
            }
        };
        let is_array = |value: &AttributeValue| matches!(value, AttributeValue::Texts(_));
        if is_array(&value) {
            let others = self
                .attributes
                .iter()
                .filter(|(known, other)| *known != name && is_array(other));
            if others.count() >= limits::ARRAYS_PER_PROFILE {
                return Err(format!(
                    "the profile has {} array attributes",
                    limits::ARRAYS_PER_PROFILE
                ));
            }
        }
        match position {
            Some(position) => self.attributes[position].1 = value,
            None => self.attributes.push((name, value)),
        }
        Ok(())
    }
}

/// Each name once: there are few of them, and they are everywhere.
#[derive(Debug, Default)]
struct Interner {
    texts: Vec<Arc<str>>,
    indices: HashMap<Arc<str>, NameIndex>,
}

impl Interner {
    fn intern(&mut self, text: &str) -> NameIndex {
        if let Some(index) = self.indices.get(text) {
            return *index;
        }
        let index = NameIndex::try_from(self.texts.len()).expect("memory ends before four billion names");
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.indices.insert(text, index);
        index
    }

    fn text(&self, index: NameIndex) -> &str {
        &self.texts[index as usize]
    }
}

#[cfg(test)]
mod tests;
