//! One statement of a writer.

use rand::{RngExt as _, rngs::StdRng};

use crate::{Connection, Context, Result, shop::Target};

/// One statement of a writer.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    target: Target,
    text: String,
}

/// What a statement has written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) target: Target,
    pub(super) rows: u64,
    /// The least of their cursors, in microseconds since 1970; nothing when there is none, or none that is finite.
    pub(super) cursor: Option<i64>,
}

/// The profiles of a writer. Nobody else touches them, so that writers never wait for one another.
#[derive(Clone, Debug)]
pub(super) struct Profiles {
    pub(super) writer: usize,
    /// Numbers below this were used, be it by a transaction that was rolled back.
    pub(super) used: i64,
}

impl Profiles {
    fn some(&self, chance: &mut StdRng, how_many: i64) -> String {
        let ids: Vec<String> = (0..how_many)
            .map(|_| format!("'{}-{}'", self.writer, chance.random_range(0..=self.used)))
            .collect();
        ids.join(", ")
    }
}

impl Statement {
    /// A statement about few rows.
    pub(super) fn small(chance: &mut StdRng, profiles: &mut Profiles) -> Self {
        let rows = chance.random_range(1..=8);
        let cursor = any_clock(chance);
        match chance.random_range(0..100) {
            0..45 => Self::insert_events(rows, &cursor),
            45..65 => Self::insert_profiles(profiles, rows, &cursor),
            65..97 => {
                let ids = profiles.some(chance, rows);
                let text = format!(
                    "UPDATE profiles SET version = version + 1, last_updated_at = {cursor} WHERE custom_id IN ({ids})"
                );
                Self::new(Target::Profiles, text)
            }
            _ => Self::delete_profile(&profiles.some(chance, 1)),
        }
    }

    /// Thousands of rows with one cursor.
    pub(super) fn bulk(chance: &mut StdRng, profiles: &mut Profiles) -> Self {
        let rows = chance.random_range(1_000..=2_500);
        if chance.random_bool(0.5) {
            Self::insert_events(rows, "now()")
        } else {
            Self::insert_profiles(profiles, rows, "now()")
        }
    }

    fn insert_events(rows: i64, cursor: &str) -> Self {
        let text = format!(
            "INSERT INTO events (custom_id, last_updated_at)
             SELECT 'customer-' || n % 100, {cursor} FROM generate_series(1, {rows}) AS n"
        );
        Self::new(Target::Events, text)
    }

    fn insert_profiles(profiles: &mut Profiles, rows: i64, cursor: &str) -> Self {
        let (writer, first) = (profiles.writer, profiles.used);
        profiles.used += rows;
        let last = profiles.used - 1;
        let text = format!(
            "INSERT INTO profiles SELECT '{writer}-' || n, 1, {cursor} FROM generate_series({first}, {last}) AS n"
        );
        Self::new(Target::Profiles, text)
    }

    /// A deleted row need not arrive; that it was deleted is written down.
    fn delete_profile(id: &str) -> Self {
        let text = format!(
            "WITH noted AS (INSERT INTO deleted SELECT custom_id FROM profiles WHERE custom_id = {id})
             DELETE FROM profiles WHERE custom_id = {id}"
        );
        Self::new(Target::Profiles, text)
    }

    fn new(target: Target, text: String) -> Self {
        Self { target, text }
    }

    pub(super) async fn execute(&self, connection: &Connection) -> Result<Written> {
        let text = format!("{} RETURNING {MICROSECONDS}", self.text);
        let rows = connection
            .query(&text, &[])
            .await
            .context(format!("a writer's statement fails: {text}"))?;
        Ok(Written {
            target: self.target,
            rows: rows.len() as u64,
            cursor: rows.iter().filter_map(|row| row.get::<_, Option<i64>>(0)).min(),
        })
    }
}

/// The cursor of a row that was written, in microseconds since 1970; NULL when it is infinite.
const MICROSECONDS: &str =
    "CASE WHEN isfinite(last_updated_at) THEN (extract(epoch FROM last_updated_at) * 1000000)::bigint END";

/// Where the cursor of a row comes from, mostly from the transaction's beginning.
fn any_clock(chance: &mut StdRng) -> String {
    match chance.random_range(0..100) {
        0..60 => "now()".to_owned(),
        // Each row its own.
        60..80 => "clock_timestamp()".to_owned(),
        // An application's clock that is late.
        80..94 => format!("now() - interval '{} milliseconds'", chance.random_range(1..30_000)),
        // One that is early.
        94..98 => format!("now() + interval '{} seconds'", chance.random_range(1..7_200)),
        98 => "timestamptz '2999-01-01'".to_owned(),
        _ => "timestamptz 'infinity'".to_owned(),
    }
}
