//! Cron expressions: what is accepted, where one is wrong, what clock changes do to it.

use std::{fmt, sync::Arc};

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone as _, Utc};
use croner::parser::{CronParser, Seconds, Year};

use crate::zone::Zone;

/// A cron expression of five fields, in a time zone.
#[derive(Clone)]
pub struct Cron {
    text: Arc<str>,
    pattern: Arc<croner::Cron>,
    zone: Zone,
    /// Neither minutes nor hours have a `*`: each due time is a time of day, and not one of those that the clock passes.
    fixed: bool,
}

/// Why a text is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It does not have five fields.
    #[error("a cron expression has five fields (minute, hour, day of month, month, day of week), found {0}")]
    Fields(usize),
    /// It is a name that nobody knows.
    #[error("`{0}` is no name of a schedule: there are @hourly, @daily, @weekly, @monthly and @yearly")]
    Name(String),
    /// One of the fields is wrong.
    #[error("field {number}, the {name}, can not be `{text}`: it takes {takes}")]
    Field {
        /// From 1.
        number: usize,
        /// What the field is.
        name: &'static str,
        /// What is written there.
        text: String,
        /// What could be written there.
        takes: &'static str,
    },
    /// No day is like that: 30 February.
    #[error("it never comes due: no month has such a day")]
    Never,
}

/// The fields in their order, and what each takes.
const FIELDS: [(&str, &str); 5] = [
    ("minute", "0 to 59, `*`, lists (0,30), ranges (10-20) and steps (*/5)"),
    ("hour", "0 to 23, `*`, lists (6,18), ranges (8-17) and steps (*/2)"),
    (
        "day of the month",
        "1 to 31, `*`, lists, ranges, steps, L for the last day and 15W for the working day nearest to the 15th",
    ),
    ("month", "1 to 12 or JAN to DEC, `*`, lists, ranges and steps"),
    (
        "day of the week",
        "0 to 7 or SUN to SAT (0 and 7 are Sunday), `*`, lists, ranges, MON#2 for the second Monday and FRI#L for the last Friday of the month",
    ),
];

const NAMES: [&str; 6] = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly", "@annually"];

/// A country that changes the side of the date line leaves out a whole day.
const LONGEST_GAP_MINUTES: i64 = 24 * 60;

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// See [`CronError`]; the first field that is wrong is named.
    pub fn parse(text: &str, zone: Zone) -> Result<Self, CronError> {
        let text = text.trim();
        check_fields(text)?;
        let pattern = parse(text).ok_or_else(|| CronError::Fields(text.split_whitespace().count()))?;
        let cron = Self {
            text: text.into(),
            pattern: Arc::new(pattern),
            zone,
            fixed: is_fixed(text),
        };
        // From any instant: what is due once is due within every 28 years and a skipped leap day.
        match cron.next_after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never),
        }
    }

    /// The time zone whose clock it follows.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = at.with_timezone(&self.zone.tz());
        if !self.fixed {
            let next = self.pattern.find_next_occurrence(&local, false).ok()?;
            return Some(next.with_timezone(&Utc));
        }
        // On the wall, where every day has all its times; what a change of the clock makes of them is decided here.
        let mut wall = local.naive_local();
        loop {
            wall = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let due = self.instant_of(wall)?;
            // Behind a repeated hour, and for several times in one gap, it may be over already.
            if due > at {
                return Some(due);
            }
        }
    }

    /// When a fixed time on the wall is due: the first of two, and the first instant after a gap.
    fn instant_of(&self, wall: NaiveDateTime) -> Option<DateTime<Utc>> {
        let after_gap = (0..=LONGEST_GAP_MINUTES).find_map(|minutes| {
            let wall = wall.checked_add_signed(TimeDelta::minutes(minutes))?;
            self.zone.tz().from_local_datetime(&wall).earliest()
        });
        Some(after_gap?.with_timezone(&Utc))
    }
}

fn is_fixed(text: &str) -> bool {
    let mut minutes_and_hours = text.split_whitespace().take(2);
    match minutes_and_hours.clone().next() {
        Some(name) if name.starts_with('@') => !name.eq_ignore_ascii_case("@hourly"),
        _ => minutes_and_hours.all(|field| !field.contains('*')),
    }
}

fn parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
}

fn parse(text: &str) -> Option<croner::Cron> {
    parser().parse(text).ok()
}

/// Finds the field that is wrong: each is tried with `*` in all others, because the parser's own words do not say which it was.
fn check_fields(text: &str) -> Result<(), CronError> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    if let [name] = fields.as_slice()
        && name.starts_with('@')
    {
        let is_known = NAMES.iter().any(|known| known.eq_ignore_ascii_case(name));
        return match is_known {
            true => Ok(()),
            false => Err(CronError::Name((*name).to_owned())),
        };
    }
    if fields.len() != FIELDS.len() {
        return Err(CronError::Fields(fields.len()));
    }
    for (index, (name, takes)) in FIELDS.into_iter().enumerate() {
        let mut alone = ["*"; FIELDS.len()];
        alone[index] = fields[index];
        if parse(&alone.join(" ")).is_none() {
            return Err(CronError::Field {
                number: index + 1,
                name,
                text: fields[index].to_owned(),
                takes,
            });
        }
    }
    Ok(())
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, self.zone) == (&other.text, other.zone)
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Cron({} {})", self.text, self.zone)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}
