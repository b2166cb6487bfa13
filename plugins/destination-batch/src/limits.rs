//! Every limit of the Batch Profile API: one constant each, with its source and how sure it is.
//!
//! Tags: **O** read in an official Batch page; **S** read in Batch's own published source code (a rule of its clients that the server is expected to
//! share); **T** a third party's restatement of an official page; **I** our inference; **Ours** a choice of Longshore's. What is not **O** can be overridden,
//! under `limits` in the specification or where its line in the test below says; the **O** number of operations in a request can only be lowered, and the
//! **O** rates are those of an ordinary contract.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::spec::LimitOverrides;

/// Operations in one `/profiles/update` request. (O) doc.batch.com, Profiles API, Update.
pub const UPDATE_OPERATIONS: usize = 200;
/// Operations in one `/profiles/mass-update` request. (O) Profiles API, Mass update.
pub const MASS_UPDATE_OPERATIONS: usize = 10_000;
/// Updates a second on `/profiles/update`; one update is one custom id in one request. (O) Profiles API, overview.
pub const UPDATE_PER_SECOND: f64 = 300.0;
/// Updates that may go at once after a rest on `/profiles/update`. (O) Profiles API, overview.
pub const UPDATE_BURST: f64 = 1_000.0;
/// Updates a second on `/profiles/mass-update`. (O) Mass update.
pub const MASS_UPDATE_PER_SECOND: f64 = 10_000.0;
/// The page says "no burst": the bucket holds one second's worth, since a full call must be admissible, and nothing beyond it. (I)
pub const MASS_UPDATE_BURST: f64 = 10_000.0;
/// After a 429 without `Retry-After`, wait at least this long. (O) "at least 5 seconds" on Campaigns, Delete; Mass update says "a few seconds".
pub const RATE_LIMITED_PAUSE: Duration = Duration::from_secs(5);
/// Expected rows from which `endpoint: auto` takes mass-update for attributes. (I) "more than about 1,000,000 rows pending".
pub const AUTO_MASS_UPDATE_ROWS: u64 = 1_000_000;

/// Characters of a custom id. (S) Android and iOS SDK; one third party says 512.
pub const CUSTOM_ID_CHARS: usize = 1_024;
/// Custom ids, in any case, that the SDKs refuse because they are slips of a program rather than ids. (S) iOS and Android SDK.
pub const CUSTOM_IDS_BLOCKED: [&str; 10] = [
    "undefined",
    "null",
    "nil",
    "(null)",
    "[object object]",
    "true",
    "false",
    "nan",
    "infinity",
    "-infinity",
];
/// Characters of an attribute key (without `date()` and `url()`) and of an event name. (T) Update, restated; (O) SDK attributes page.
pub const KEY_CHARS: usize = 30;
/// Characters of a string value. (T) Update, restated; (O) 300 on the SDK attributes page.
pub const STRING_CHARS: usize = 300;
/// Characters of a URL. (O) SDK attributes page; (T) Update, restated.
pub const URL_CHARS: usize = 2_048;
/// Items of an array. (O) SDK attributes page (Cordova); (S) SDKs.
pub const ARRAY_ITEMS: usize = 25;
/// Attributes of one operation, native ones included. (T) Update, restated.
pub const ATTRIBUTES_PER_OPERATION: usize = 50;
/// Array attributes of one profile. (S) web SDK.
pub const ARRAYS_PER_PROFILE: usize = 15;
/// Characters of an e-mail address: the mobile SDKs allow 256, the web SDK 128. (S)
pub const EMAIL_CHARS: usize = 256;
/// Digits of a telephone number after its `+`. (S) iOS and Android SDK.
pub const PHONE_DIGITS: usize = 15;
/// Topics in `$topic_preferences`. (S) web SDK.
pub const TOPICS: usize = 25;
/// Characters of one topic. (S) web SDK.
pub const TOPIC_CHARS: usize = 300;

/// Events of one profile in one request. (T) Update, restated.
pub const EVENTS_PER_OPERATION: usize = 15;
/// Bytes of one event as JSON: 25 kB. (T) Update, restated; that a kB is 1,000 bytes is (I).
pub const EVENT_BYTES: usize = 25_000;
/// An event may be this old when it arrives. (T) Update, restated; (O) for the older Trigger Events API.
pub const EVENT_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// An event this close to being too old is taken as too old: it still has to wait its turn and to travel. (I)
pub const EVENT_AGE_RESERVE: Duration = Duration::from_secs(15);
/// An event may be this far ahead of this machine's clock: it is sent when its time has come. Batch takes none of the future (T), and the clocks of a
/// database and of this machine differ, or jump, by a little. **Ours**.
pub const EVENT_LEAD: TimeDelta = TimeDelta::seconds(10);
/// An event this close to being too old is not sent any more: it still has to travel, and clocks differ a little. Less than [`EVENT_AGE_RESERVE`], so that
/// what was encoded in time can wait the difference. (I)
pub const EVENT_TRAVEL: Duration = Duration::from_secs(5);
/// Attributes of an event, and of each object inside it. (S) SDKs.
pub const ATTRIBUTES_PER_OBJECT: usize = 20;
/// Levels of objects in an event, its own attributes being the first. (S) SDKs.
pub const OBJECT_LEVELS: usize = 3;
/// Characters of an event's `$label`. (O) Trigger Events API; (S) SDKs.
pub const LABEL_CHARS: usize = 200;
/// Items of an event's `$tags`. (O) Trigger Events API; (S) SDKs.
pub const TAGS: usize = 10;
/// Characters of one tag. (O) Trigger Events API; (S) SDKs.
pub const TAG_CHARS: usize = 64;

/// Bytes of a request body. **Ours**: no figure is published, and a full mass-update request of ordinary rows stays below it.
pub const REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of an answer that are read. **Ours**: 10,000 partial errors fit many times.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The limits in force: the constants above, with what the specification overrides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`CUSTOM_ID_CHARS`].
    pub custom_id_chars: usize,
    /// See [`KEY_CHARS`].
    pub key_chars: usize,
    /// See [`STRING_CHARS`].
    pub string_chars: usize,
    /// See [`URL_CHARS`].
    pub url_chars: usize,
    /// See [`ARRAY_ITEMS`].
    pub array_items: usize,
    /// See [`ATTRIBUTES_PER_OPERATION`].
    pub attributes_per_operation: usize,
    /// See [`ARRAYS_PER_PROFILE`].
    pub arrays_per_profile: usize,
    /// See [`EMAIL_CHARS`].
    pub email_chars: usize,
    /// See [`PHONE_DIGITS`].
    pub phone_digits: usize,
    /// See [`TOPICS`].
    pub topics: usize,
    /// See [`TOPIC_CHARS`].
    pub topic_chars: usize,
    /// See [`EVENTS_PER_OPERATION`].
    pub events_per_operation: usize,
    /// See [`EVENT_BYTES`].
    pub event_bytes: usize,
    /// See [`EVENT_AGE`].
    pub event_age: Duration,
    /// See [`ATTRIBUTES_PER_OBJECT`].
    pub attributes_per_object: usize,
    /// See [`OBJECT_LEVELS`].
    pub object_levels: usize,
    /// See [`LABEL_CHARS`].
    pub label_chars: usize,
    /// See [`TAGS`].
    pub tags: usize,
    /// See [`TAG_CHARS`].
    pub tag_chars: usize,
    /// Strings in events may hold line breaks. The SDKs refuse them; for the API it is not stated. (S)
    pub event_line_breaks: bool,
    /// The words of [`CUSTOM_IDS_BLOCKED`] may be custom ids.
    pub custom_id_words: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self::with(&LimitOverrides::default())
    }
}

impl Limits {
    /// The time before which Batch refuses an event as too old, taken later by `reserve`; `None`: it refuses none.
    pub(crate) fn earliest_event(&self, now: DateTime<Utc>, reserve: Duration) -> Option<DateTime<Utc>> {
        let allowed = self.event_age.saturating_sub(reserve);
        now.checked_sub_signed(TimeDelta::from_std(allowed).ok()?)
    }

    /// The documented limits with these overrides.
    #[must_use]
    pub fn with(overrides: &LimitOverrides) -> Self {
        let count = |value: Option<u32>, documented: usize| value.map_or(documented, |value| value as usize);
        Self {
            custom_id_chars: count(overrides.custom_id_chars, CUSTOM_ID_CHARS),
            key_chars: count(overrides.key_chars, KEY_CHARS),
            string_chars: count(overrides.string_chars, STRING_CHARS),
            url_chars: count(overrides.url_chars, URL_CHARS),
            array_items: count(overrides.array_items, ARRAY_ITEMS),
            attributes_per_operation: count(overrides.attributes_per_operation, ATTRIBUTES_PER_OPERATION),
            arrays_per_profile: count(overrides.arrays_per_profile, ARRAYS_PER_PROFILE),
            email_chars: count(overrides.email_chars, EMAIL_CHARS),
            phone_digits: count(overrides.phone_digits, PHONE_DIGITS),
            topics: count(overrides.topics, TOPICS),
            topic_chars: count(overrides.topic_chars, TOPIC_CHARS),
            events_per_operation: count(overrides.events_per_operation, EVENTS_PER_OPERATION).max(1),
            event_bytes: count(overrides.event_bytes, EVENT_BYTES),
            event_age: overrides.event_age.map_or(EVENT_AGE, |age| age.0),
            attributes_per_object: count(overrides.attributes_per_object, ATTRIBUTES_PER_OBJECT),
            object_levels: count(overrides.object_levels, OBJECT_LEVELS),
            label_chars: count(overrides.label_chars, LABEL_CHARS),
            tags: count(overrides.tags, TAGS),
            tag_chars: count(overrides.tag_chars, TAG_CHARS),
            event_line_breaks: overrides.event_line_breaks,
            custom_id_words: overrides.custom_id_words,
        }
    }
}

#[cfg(test)]
mod tests;
