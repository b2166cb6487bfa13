//! The text formats of the envelope. One function each: the JSON Schema validator calls it to decide, the diagnostics
//! call it again for the words.

use longshore_schedule::{Cron, Every, Span, Zone, zone_names};

use crate::alerts::{Lag, Webhook};
use crate::byte_size::ByteSize;
use crate::max_rejects::MaxRejects;
use crate::rejects::Retention;
use crate::settings::StateLocation;
use crate::source::UNACKED_BYTES;
use crate::suggestion::nearest;

/// A size in bytes.
pub(crate) const BYTE_SIZE: &str = "longshore-byte-size";
/// A size in bytes within the range of `max_unacked_bytes`.
pub(crate) const UNACKED_BYTE_SIZE: &str = "longshore-unacked-byte-size";
/// A share of rows.
pub(crate) const MAX_REJECTS: &str = "longshore-max-rejects";
/// A time for which rejects are kept.
pub(crate) const RETENTION: &str = "longshore-retention";
/// A time by which a cursor may be behind.
pub(crate) const LAG: &str = "longshore-lag";
/// Where alerts are sent.
pub(crate) const WEBHOOK: &str = "longshore-webhook";
/// The name of a source or destination.
pub(crate) const NAME: &str = "longshore-name";
/// Text with something in it.
pub(crate) const NON_BLANK: &str = "longshore-non-blank";
/// Where the state is kept.
pub(crate) const STATE: &str = "longshore-state";

/// A cron expression.
pub(crate) const CRON: &str = "longshore-cron";
/// The name of a time zone.
pub(crate) const TIME_ZONE: &str = "longshore-time-zone";
/// The interval of a schedule.
pub(crate) const INTERVAL: &str = "longshore-interval";
/// A length of time.
pub(crate) const SPAN: &str = "longshore-span";

/// The pattern behind [`NAME`], for editors.
pub(crate) const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";

/// Names become keys of the state store, parts of URLs and of metric labels.
const LONGEST_NAME: usize = 128;

type Check = fn(&str) -> Result<(), String>;

/// Every format with its check.
pub(crate) const ALL: [(&str, Check); 13] = [
    (BYTE_SIZE, byte_size),
    (UNACKED_BYTE_SIZE, unacked_byte_size),
    (MAX_REJECTS, max_rejects),
    (RETENTION, retention),
    (LAG, lag),
    (WEBHOOK, webhook),
    (NAME, name),
    (NON_BLANK, non_blank),
    (STATE, state),
    (CRON, cron),
    (TIME_ZONE, time_zone),
    (INTERVAL, interval),
    (SPAN, span),
];

/// What is wrong with `text` as `format`; nothing for a format that is not ours.
pub(crate) fn complaint(format: &str, text: &str) -> Option<String> {
    ALL.iter()
        .find(|(name, _)| *name == format)
        .and_then(|(_, check)| check(text).err())
}

/// The unit that is most likely meant where a length of time is written as a bare number; nothing for other formats.
pub(crate) fn usual_unit(format: &str) -> Option<char> {
    match format {
        INTERVAL | LAG => Some('m'),
        SPAN => Some('s'),
        RETENTION => Some('d'),
        _ => None,
    }
}

fn byte_size(text: &str) -> Result<(), String> {
    text.parse::<ByteSize>().map(|_| ()).map_err(|error| error.to_string())
}

fn unacked_byte_size(text: &str) -> Result<(), String> {
    let size: ByteSize = text
        .parse()
        .map_err(|error: crate::byte_size::ByteSizeError| error.to_string())?;
    if UNACKED_BYTES.contains(&size) {
        return Ok(());
    }
    Err(format!(
        "the size must be between {} and {}",
        UNACKED_BYTES.start(),
        UNACKED_BYTES.end()
    ))
}

fn max_rejects(text: &str) -> Result<(), String> {
    text.parse::<MaxRejects>()
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn retention(text: &str) -> Result<(), String> {
    text.parse::<Retention>().map(|_| ()).map_err(|error| error.to_string())
}

fn lag(text: &str) -> Result<(), String> {
    text.parse::<Lag>().map(|_| ()).map_err(|error| error.to_string())
}

fn webhook(text: &str) -> Result<(), String> {
    text.parse::<Webhook>().map(|_| ()).map_err(|error| error.to_string())
}

fn name(text: &str) -> Result<(), String> {
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphanumeric());
    let only_allowed = text
        .chars()
        .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.'));
    if starts_well && only_allowed && text.len() <= LONGEST_NAME {
        return Ok(());
    }
    Err(format!(
        "a name starts with a letter or digit, goes on with letters, digits, `_`, `-` and `.`, and has at most {LONGEST_NAME} characters"
    ))
}

fn non_blank(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("this must not be empty".to_owned());
    }
    Ok(())
}

fn state(text: &str) -> Result<(), String> {
    text.parse::<StateLocation>()
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn cron(text: &str) -> Result<(), String> {
    let Err(error) = Cron::parse(text, Zone::UTC) else {
        return Ok(());
    };
    let interval = text.trim().trim_start_matches("every").trim();
    match interval.parse::<Span>() {
        Ok(_) => Err(format!("an interval is written as `{{every: {interval}}}`")),
        Err(_) => Err(error.to_string()),
    }
}

fn time_zone(text: &str) -> Result<(), String> {
    text.parse::<Zone>()
        .map(|_| ())
        .map_err(|error| match nearest(text, zone_names()) {
            Some(zone) => format!("{error}; did you mean `{zone}`?"),
            None => format!("{error}; zones have names such as Europe/Paris or UTC"),
        })
}

fn interval(text: &str) -> Result<(), String> {
    let span: Span = text
        .parse()
        .map_err(|error: longshore_schedule::SpanError| error.to_string())?;
    Every::new(span).map(|_| ()).map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<(), String> {
    text.parse::<Span>().map(|_| ()).map_err(|error| error.to_string())
}
