//! What a column is to become, by its name or by `mapping`.

use serde_json::{Value as Json, json};

const KINDS: [&str; 8] = [
    "string",
    "integer",
    "float",
    "boolean",
    "date",
    "url",
    "string_array",
    "object",
];
const NATIVES: [&str; 8] = [
    "email_address",
    "email_marketing",
    "phone_number",
    "sms_marketing",
    "language",
    "region",
    "timezone",
    "topic_preferences",
];
const NATIVES_OF_EVENTS: [&str; 2] = ["label", "tags"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// By the column's type.
    ByType,
    /// By `mapping`, with this kind.
    Kind(&'static str),
    /// By a prefix of its name.
    Prefix(&'static str),
    /// One of Batch's own, by `mapping`.
    MappedNative(&'static str),
    /// One of Batch's own, by its name.
    NamedNative(&'static str),
}

impl Role {
    pub(super) fn every(target: &str) -> Vec<Self> {
        let natives = match target {
            "profile_events" => &NATIVES_OF_EVENTS[..],
            _ => &NATIVES[..],
        };
        let kinds = KINDS.map(Self::Kind);
        let prefixes = ["date__", "url__", "Date__"].map(Self::Prefix);
        let mapped = natives.iter().map(|name| Self::MappedNative(name));
        let named = natives.iter().map(|name| Self::NamedNative(name));
        [Self::ByType]
            .into_iter()
            .chain(kinds)
            .chain(prefixes)
            .chain(mapped)
            .chain(named)
            .collect()
    }

    /// The column's name in the table, at this place.
    pub(super) fn column(self, place: usize) -> String {
        match self {
            Self::ByType => format!("By-Type {place}"),
            Self::Kind(kind) => format!("{kind} {place}"),
            Self::Prefix(prefix) => format!("{prefix}p{place}"),
            Self::MappedNative(_) => format!("n{place}"),
            Self::NamedNative(name) => format!("batch__{name}"),
        }
    }

    /// What `mapping` says of the column.
    pub(super) fn mapping(self) -> Option<Json> {
        match self {
            Self::Kind(kind) => Some(json!({ "kind": kind })),
            Self::MappedNative(name) => Some(json!({ "kind": "native", "name": name })),
            Self::ByType | Self::Prefix(_) | Self::NamedNative(_) => None,
        }
    }

    /// The attribute's bare name at Batch.
    pub(super) fn name(self, place: usize) -> String {
        match self {
            Self::ByType => format!("by_type_{place}"),
            Self::Kind(kind) => format!("{kind}_{place}"),
            Self::Prefix(_) => format!("p{place}"),
            Self::MappedNative(name) | Self::NamedNative(name) => name.to_owned(),
        }
    }

    /// Whether two columns of one table can have these roles.
    pub(super) fn goes_with(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::MappedNative(name) | Self::NamedNative(name),
                Self::MappedNative(other) | Self::NamedNative(other),
            ) => name != other,
            _ => true,
        }
    }
}
