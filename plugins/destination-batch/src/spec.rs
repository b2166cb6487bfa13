//! The plugin's specification: what a user writes under `spec` of a destination with `path: batch`.

mod check;
mod duration;
mod secret;

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) use check::is_loopback;
pub use duration::TimeSpan;
pub use secret::Secret;

/// Keeps Batch (batch.com) up to date: one row is one profile, or one event.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What a row is: `profile_attributes` (one row is one profile, written again when it changes) or `profile_events` (one row is one event, sent once).
    pub target: Target,
    /// The project key, as in the dashboard under Settings > General (`project_…`).
    pub project_key: Secret,
    /// The REST API key, as in the dashboard under Settings > General. One key serves all projects of a company.
    pub rest_api_key: Secret,
    /// `update` for small, frequent writes; `mass_update` for whole loads; `auto` takes `mass_update` for attributes when a run expects more than
    /// `auto_mass_update_rows` rows, and `update` otherwise. Events always go to `update` under `auto`.
    #[serde(default)]
    pub endpoint: EndpointChoice,
    /// Rows from which `endpoint: auto` takes `mass_update`.
    #[serde(default = "defaults::auto_mass_update_rows")]
    pub auto_mass_update_rows: u64,
    /// Version of the API in the address. The default is the one that Batch's own description of the API names.
    #[serde(default = "defaults::api_version")]
    pub api_version: String,
    /// Where the API is. Plain `http` is accepted for this machine only, unless `allow_insecure_http` is set.
    #[serde(default = "defaults::base_url")]
    pub base_url: String,
    /// Accept `http` for other machines too. The REST API key then travels in the clear.
    #[serde(default)]
    pub allow_insecure_http: bool,
    /// A file with the certificates (PEM) of the authorities that may have signed the server's; the system's own unless given. For a proxy that opens TLS.
    #[serde(default)]
    pub ssl_root_certificate: Option<String>,
    /// What NULL in a column means for a profile attribute: `omit` leaves the attribute as it is, `unset` removes it. In events, NULL is always left out.
    #[serde(default)]
    pub nulls: Nulls,
    /// Batch refuses events that are older than 24 hours: `reject` records them, `send_without_time` sends them as of now (and fires what they
    /// trigger), `skip` leaves them out and counts them as filtered.
    #[serde(default)]
    pub late_events: LateEvents,
    /// The column with the custom id.
    #[serde(default = "defaults::custom_id")]
    pub custom_id: String,
    /// The column with the event's name (`profile_events`).
    #[serde(default = "defaults::event_name")]
    pub event_name: String,
    /// The column with the event's time (`profile_events`); without such a column, Batch takes the time of reception.
    #[serde(default = "defaults::event_time")]
    pub event_time: String,
    /// What single columns become, where the conventions (`date__`, `url__`, `batch__`, everything else as it is) do not fit.
    #[serde(default)]
    pub mapping: BTreeMap<String, ColumnMapping>,
    /// Limits of the API that are not officially documented, should they turn out different.
    #[serde(default)]
    pub limits: LimitOverrides,
    /// The rates to keep to.
    #[serde(default)]
    pub rate_limit: RateLimits,
    /// Size of requests.
    #[serde(default)]
    pub requests: RequestSizes,
    /// Requests in flight at most, for all tables together (1 to 64). Fewer are used while the API is slow or refuses.
    #[serde(default = "defaults::concurrency")]
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: u32,
    /// How long to wait for the network.
    #[serde(default)]
    pub timeouts: Timeouts,
    /// When and how often to try again.
    #[serde(default)]
    pub retry: Retry,
    /// Compression of requests. Whether the API takes compressed requests is not documented: off by default.
    #[serde(default)]
    pub compression: Compression,
    /// A custom id of your own for the connection test: it sends this id without attributes, which tries the keys. An id that Batch does not know
    /// becomes an empty profile. Without it, the keys are tried by the first run.
    #[serde(default)]
    pub test_custom_id: Option<String>,
}

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// One row is one profile.
    ProfileAttributes,
    /// One row is one event.
    ProfileEvents,
}

impl Target {
    /// The target as users write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ProfileAttributes => "profile_attributes",
            Self::ProfileEvents => "profile_events",
        }
    }
}

/// Which endpoint to write to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointChoice {
    /// By the number of rows expected.
    #[default]
    Auto,
    /// `/profiles/update`.
    Update,
    /// `/profiles/mass-update`.
    MassUpdate,
}

/// What NULL means for a profile attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// Leave the attribute as it is.
    #[default]
    Omit,
    /// Remove the attribute.
    Unset,
}

/// What to do with events that the API would refuse as too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LateEvents {
    /// Record them as rejected.
    #[default]
    Reject,
    /// Send them without their time: Batch takes the time of reception.
    SendWithoutTime,
    /// Leave them out and count them as filtered.
    Skip,
}

/// What one column becomes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// The attribute's name in Batch: lower-case letters, digits and `_`, at most 30; for `kind: native` the name without `$`, such as `email_address`.
    #[serde(default)]
    pub name: Option<String>,
    /// The attribute's kind, when it is not to follow from the column's name and type.
    #[serde(default)]
    pub kind: Option<Kind>,
    /// Do not send the column.
    #[serde(default)]
    pub ignore: bool,
}

/// Kinds of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Text, also of values that have another type; JSON text stays text.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Float,
    /// `true` or `false`.
    Boolean,
    /// An instant or a day: `date(name)`.
    Date,
    /// A URL: `url(name)`.
    Url,
    /// One of Batch's own: `$name`.
    Native,
    /// An array of strings.
    StringArray,
    /// An object or an array of objects (events).
    Object,
}

/// Limits of the API that are not officially documented. Each is the documented or inferred one unless set here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOverrides {
    /// Characters of a custom id (1,024).
    pub custom_id_chars: Option<u32>,
    /// Characters of an attribute's or event's name (30).
    pub key_chars: Option<u32>,
    /// Characters of a string (300).
    pub string_chars: Option<u32>,
    /// Characters of a URL (2,048).
    pub url_chars: Option<u32>,
    /// Items of an array (25).
    pub array_items: Option<u32>,
    /// Attributes of one profile in one request (50).
    pub attributes_per_operation: Option<u32>,
    /// Array attributes of one profile (15).
    pub arrays_per_profile: Option<u32>,
    /// Characters of an e-mail address (256).
    pub email_chars: Option<u32>,
    /// Digits of a telephone number (15).
    pub phone_digits: Option<u32>,
    /// Topics of one profile (25).
    pub topics: Option<u32>,
    /// Characters of a topic (300).
    pub topic_chars: Option<u32>,
    /// Events of one profile in one request (15).
    pub events_per_operation: Option<u32>,
    /// Bytes of one event (25,000).
    pub event_bytes: Option<u32>,
    /// Age of an event (24h).
    pub event_age: Option<TimeSpan>,
    /// Attributes of an event and of each object in it (20).
    pub attributes_per_object: Option<u32>,
    /// Levels of objects in an event (3).
    pub object_levels: Option<u32>,
    /// Characters of `$label` (200).
    pub label_chars: Option<u32>,
    /// Items of `$tags` (10).
    pub tags: Option<u32>,
    /// Characters of a tag (64).
    pub tag_chars: Option<u32>,
    /// Strings in events may hold line breaks (false).
    pub event_line_breaks: bool,
    /// Words such as `null` and `undefined` may be custom ids (false).
    pub custom_id_words: bool,
}

/// The rates to keep to.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Of `/profiles/update` (300 updates a second, burst 1,000).
    pub update: Rate,
    /// Of `/profiles/mass-update` (10,000 updates a second, and no more than that at once).
    pub mass_update: Rate,
    /// The part of the rates that this process may use, above 0 up to 1: lower it when something else writes to the same project.
    pub share: f64,
    /// Keep to no rate. For a server without limits, such as a local sandbox; against Batch itself it only earns refusals.
    pub unlimited: bool,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            update: Rate::default(),
            mass_update: Rate::default(),
            share: 1.0,
            unlimited: false,
        }
    }
}

/// A token bucket.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rate {
    /// Updates a second in the long run.
    pub updates_per_second: Option<f64>,
    /// Updates that may go at once after a rest.
    pub burst: Option<u32>,
}

/// Size of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSizes {
    /// Profiles in one `/profiles/update` request (200, which is the most).
    #[schemars(range(max = 200))]
    pub update_operations: Option<NonZeroU32>,
    /// Profiles in one `/profiles/mass-update` request (10,000, which is the most; fewer are sent where the rate limit's bucket is no larger than that).
    #[schemars(range(max = 10000))]
    pub mass_update_operations: Option<NonZeroU32>,
    /// Bytes of one request (4 MiB). Longshore's own limit: Batch publishes none.
    pub bytes: Option<NonZeroU32>,
    /// How long a request that is not full waits for more rows (200ms).
    pub linger: Option<TimeSpan>,
}

/// How long to wait for the network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// For a connection, TLS included (10s).
    pub connect: TimeSpan,
    /// For a whole request and its answer (60s).
    pub request: TimeSpan,
    /// Before an unused connection is closed (90s).
    pub idle: TimeSpan,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: TimeSpan(Duration::from_secs(10)),
            request: TimeSpan(Duration::from_secs(60)),
            idle: TimeSpan(Duration::from_secs(90)),
        }
    }
}

/// When and how often to try again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts for one request, the first included, when the network or the server fails (8).
    pub max_attempts: u32,
    /// Before the second attempt (500ms); each further wait is twice as long, with jitter.
    pub first_delay: TimeSpan,
    /// No wait is longer (30s).
    pub max_delay: TimeSpan,
    /// Everything pauses at least this long after "too many requests" (5s), longer when it happens again or when Batch asks for more.
    pub rate_limited_delay: TimeSpan,
    /// Attempts for one request that is refused with "too many requests" (10).
    pub rate_limited_attempts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            first_delay: TimeSpan(Duration::from_millis(500)),
            max_delay: TimeSpan(Duration::from_secs(30)),
            rate_limited_delay: TimeSpan(crate::limits::RATE_LIMITED_PAUSE),
            rate_limited_attempts: 10,
        }
    }
}

/// Compression of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// None.
    #[default]
    None,
    /// gzip.
    Gzip,
}

mod defaults {
    use crate::limits;

    pub(super) fn auto_mass_update_rows() -> u64 {
        limits::AUTO_MASS_UPDATE_ROWS
    }

    /// 2.11 is the server default of Batch's own OpenAPI document (O); 2.13 was only seen in a third party's code.
    pub(super) fn api_version() -> String {
        "2.11".to_owned()
    }

    pub(super) fn base_url() -> String {
        "https://api.batch.com".to_owned()
    }

    pub(super) fn custom_id() -> String {
        "custom_id".to_owned()
    }

    pub(super) fn event_name() -> String {
        "event_name".to_owned()
    }

    pub(super) fn event_time() -> String {
        "event_time".to_owned()
    }

    /// One request at a time keeps `/profiles/update` at its rate up to half a second of latency; eight keep it at four seconds, and
    /// bound the events that are in flight at a crash.
    pub(super) fn concurrency() -> u32 {
        8
    }
}
