//! Copies of what the store holds, as queries and dumps give them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::ser::{Error, SerializeStruct, Serializer};

use super::AttributeValue;

/// One profile at the time of the query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProfileSnapshot {
    /// The id that created it.
    pub custom_id: String,
    /// Its attributes under the keys they are sent with (`plan`, `date(birthday)`, `$email_address`).
    #[serde(serialize_with = "as_object")]
    pub attributes: Vec<(String, AttributeValue)>,
    /// How many events it has.
    pub events: u32,
}

/// One event. Time and attributes are as they were sent, less the attributes that were refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSnapshot {
    /// Position in the order of reception, over the whole project, from zero.
    pub sequence: u32,
    /// Whose event.
    pub custom_id: String,
    /// The event's name.
    pub name: String,
    /// The time that was sent; without one, the service takes the time of reception.
    pub time: Option<String>,
    /// When the call arrived, in milliseconds.
    pub received_at: DateTime<Utc>,
    /// The JSON text of an object.
    pub attributes: String,
}

impl ProfileSnapshot {
    /// The value under a key such as `plan` or `date(birthday)`.
    pub fn attribute(&self, key: &str) -> Option<&AttributeValue> {
        self.attributes
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value)
    }
}

impl Serialize for EventSnapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attributes: crate::json::Json<'_> = serde_json::from_str(&self.attributes).map_err(S::Error::custom)?;
        let mut object = serializer.serialize_struct("EventSnapshot", 6)?;
        object.serialize_field("sequence", &self.sequence)?;
        object.serialize_field("custom_id", &self.custom_id)?;
        object.serialize_field("name", &self.name)?;
        object.serialize_field("time", &self.time)?;
        object.serialize_field("received_at", &self.received_at)?;
        object.serialize_field("attributes", &attributes)?;
        object.end()
    }
}

fn as_object<S: Serializer>(attributes: &[(String, AttributeValue)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|(key, value)| (key, value)))
}
