//! Every documented limit, once, with where it was read and how sure that is.
//!
//! A comment beside each constant names its source by the key of the fact reference and a confidence tag:
//! `[O]` an official page, `[S]` code that Batch published (its SDKs: the server is expected to agree, which was not
//! shown), `[T]` a third party's reading of the official page, `[I]` our inference.
//!
//! "Characters" are Unicode scalar values throughout: which unit the service counts is not stated. `[I]`

use std::time::Duration;

/// Operations in one call of `/profiles/update`; more and the call is refused. UPD `[O]`
pub const UPDATE_OPERATIONS: usize = 200;
/// Operations in one call of `/profiles/mass-update`; more and the call is refused. MASS `[O]`
pub const MASS_UPDATE_OPERATIONS: usize = 10_000;

/// Sustained updates a second of `/profiles/update`. PROF, MASS `[O]`
pub const UPDATE_RATE: u64 = 300;
/// Size of the bucket of `/profiles/update`, in updates. PROF, MASS `[O]`
pub const UPDATE_BURST: u64 = 1_000;
/// Sustained updates a second of `/profiles/mass-update`. PROF, MASS `[O]`
pub const MASS_UPDATE_RATE: u64 = 10_000;
/// Size of the bucket of `/profiles/mass-update`. The page says "no burst" `[O]`; a full call must still be
/// admissible, so the bucket holds one second's worth and nothing beyond it. `[I]`
pub const MASS_UPDATE_BURST: u64 = 10_000;

/// Events in one operation. MBA, DRV `[T]`
pub const EVENTS_PER_OPERATION: usize = 15;
/// Bytes of one event. MBA says 25 kB `[T]`; that a kB is 1,000 bytes and that the compact JSON text is what is measured is `[I]`.
pub const EVENT_BYTES: usize = 25_000;
/// Attributes, native ones included, in one operation. MBA, SEG `[T]`
pub const ATTRIBUTES_PER_OPERATION: usize = 50;
/// Array attributes that one profile can hold. WEB `[S]`
pub const ARRAYS_PER_PROFILE: usize = 15;

/// Characters of a custom id. IOS, AND `[S]`; DRV says 512 `[T]`. The larger one is enforced.
pub const CUSTOM_ID_CHARACTERS: usize = 1_024;
/// Custom ids that are refused in any case: what a program writes when it has no id. IOS, AND `[S]`
pub const BLOCKED_CUSTOM_IDS: [&str; 10] = [
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

/// Characters of an attribute's name, counted without `date()` and `url()`. MBA `[T]`, AND-DOC `[O]`; the counting is `[I]`
pub const ATTRIBUTE_NAME_CHARACTERS: usize = 30;
/// Characters of an event's name. MBA `[T]`, AND-DOC `[O]`
pub const EVENT_NAME_CHARACTERS: usize = 30;
/// Characters of a text value; an empty text is refused. MBA `[T]`, AND-DOC `[O]`
pub const TEXT_CHARACTERS: usize = 300;
/// Characters of a URL. AND `[S]`, MBA `[T]`
pub const URL_CHARACTERS: usize = 2_048;
/// Items of an array; an empty array is refused. AND, WEB `[S]`, the Cordova attributes page `[O]`
pub const ARRAY_ITEMS: usize = 25;
/// Characters of an e-mail address. IOS, AND `[S]` (the web SDK says 128)
pub const EMAIL_CHARACTERS: usize = 256;
/// Digits of a phone number after its `+`. IOS, AND `[S]`
pub const PHONE_DIGITS: usize = 15;
/// Letters of `$language` and `$region`. MASS `[O]`, SEG `[T]`
pub const LOCALE_LETTERS: usize = 2;
/// Topics in `$topic_preferences`. WEB `[S]`
pub const TOPICS: usize = 25;
/// Characters of one topic. WEB `[S]`
pub const TOPIC_CHARACTERS: usize = 300;

/// Attributes of one object of an event: its root and each object inside it. AND, IOS, WEB `[S]`; that `$label` and
/// `$tags` count is `[I]`, the stricter reading
pub const ATTRIBUTES_PER_OBJECT: usize = 20;
/// Levels of objects in an event, its root being the first. AND, WEB `[S]`; where counting starts is `[I]`, the stricter
/// reading
pub const OBJECT_LEVELS: usize = 3;
/// Characters of `$label`. AND, IOS, WEB `[S]`, TRIG `[O]`
pub const LABEL_CHARACTERS: usize = 200;
/// Items of `$tags`. AND, IOS, WEB `[S]`, TRIG `[O]`
pub const TAGS: usize = 10;
/// Characters of one tag. AND, IOS, WEB `[S]`, TRIG `[O]`
pub const TAG_CHARACTERS: usize = 64;
/// Age of the oldest event that is taken. MBA `[T]`, TRIG `[O]` (the older API)
pub const EVENT_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How far in the future an event may be. MBA says none `[T]`
pub const EVENT_LEAD: Duration = Duration::ZERO;

/// Default bound of a request body, in bytes. No figure is documented: this one protects the emulator. `[I]`
pub const DEFAULT_BODY_BYTES: usize = 64 * 1024 * 1024;

/// API versions answered by default: those seen in public since 2.4, the first one with both endpoints in their present
/// shape. UPD, MASS, EXP, AUD-C `[O]`, SEG, SFJOB, UPL, MBA `[T]`
pub const API_VERSIONS: [&str; 8] = ["2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.11", "2.13"];
