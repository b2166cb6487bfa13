//! How far the committed cursors are behind the sources' clocks: asked for, not kept, because it grows while nothing happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use longshore_core::{CursorValue, cursor::Timestamp};
use longshore_state::UnixMicros;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, gauge::ConstGauge},
};

use super::names::{CURSOR_TIMESTAMP, LAG, Metric};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The committed cursors that are times. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Cursors {
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// By sync and table.
    tables: BTreeMap<(String, String), Place>,
    /// Commits of this process so far.
    commits: u64,
}

/// Where a table's cursor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// `None`: none is committed, or it is no time.
    cursor: Option<UnixMicros>,
    /// By how much the source's clock is ahead of ours, in microseconds.
    clock_ahead: i64,
    /// The number of the commit of this process that moved the cursor last; 0: none has.
    commit: u64,
}

/// A moment before the state was read; see [`Cursors::stand`].
#[derive(Clone, Copy, Debug)]
pub struct Before(u64);

/// One table at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Freshness {
    /// The sync.
    pub sync: String,
    /// The table.
    pub table: String,
    /// The committed cursor, in seconds since 1970 UTC.
    pub cursor: f64,
    /// How far it is behind the source's clock, in seconds; never negative.
    pub lag: f64,
}

impl Cursors {
    /// A cursor was committed.
    pub fn moved_to(&self, sync: &str, table: &str, cursor: &CursorValue) {
        let Some(moment) = moment_of(cursor) else { return };
        let mut known = self.lock();
        known.commits += 1;
        let commit = known.commits;
        let place = known.tables.entry((sync.to_owned(), table.to_owned())).or_default();
        place.cursor = Some(moment);
        place.commit = commit;
    }

    /// To be asked for before the state is read.
    #[must_use]
    pub fn before(&self) -> Before {
        Before(self.lock().commits)
    }

    /// What the state says of the tables of a sync. What was committed after `before` is newer and stays.
    pub fn stand(&self, before: Before, sync: &str, stored: &BTreeMap<String, CursorValue>) {
        let mut known = self.lock();
        let of_sync = known.tables.iter_mut().filter(|((of, _), _)| of == sync);
        for ((_, table), place) in of_sync {
            if place.commit <= before.0 && !stored.contains_key(table) {
                place.cursor = None;
            }
        }
        for (table, cursor) in stored {
            let place = known.tables.entry((sync.to_owned(), table.clone())).or_default();
            if place.commit <= before.0 {
                place.cursor = moment_of(cursor);
            }
        }
    }

    /// Forgets what belongs to other syncs.
    pub fn forget_all_but(&self, syncs: &BTreeSet<String>) {
        self.lock().tables.retain(|(sync, _), _| syncs.contains(sync));
    }

    /// What the source's clock shows while ours shows `now`.
    pub fn clock(&self, sync: &str, table: &str, source: UnixMicros, now: UnixMicros) {
        let mut known = self.lock();
        let place = known.tables.entry((sync.to_owned(), table.to_owned())).or_default();
        place.clock_ahead = source.0.saturating_sub(now.0);
    }

    /// Forgets a table, or all tables of a sync: its state was reset or its configuration is gone.
    pub fn forget(&self, sync: &str, table: Option<&str>) {
        self.lock()
            .tables
            .retain(|(of, name), _| of != sync || table.is_some_and(|table| table != name));
    }

    /// All tables whose cursor is a time, as they stand at `now`.
    #[must_use]
    pub fn at(&self, now: UnixMicros) -> Vec<Freshness> {
        let known = self.lock();
        let fresh = known.tables.iter().filter_map(|((sync, table), place)| {
            let cursor = place.cursor?;
            let source = UnixMicros(now.0.saturating_add(place.clock_ahead));
            Some(Freshness {
                sync: sync.clone(),
                table: table.clone(),
                cursor: cursor.0 as f64 / 1e6,
                lag: source.since(cursor).as_secs_f64(),
            })
        });
        fresh.collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cursors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursors({} tables)", self.lock().tables.len())
    }
}

impl Collector for Cursors {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let tables = self.at(UnixMicros::now());
        encode(&mut encoder, &LAG, &tables, |table| table.lag)?;
        encode(&mut encoder, &CURSOR_TIMESTAMP, &tables, |table| table.cursor)
    }
}

fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    tables: &[Freshness],
    value: impl Fn(&Freshness) -> f64,
) -> fmt::Result {
    // The registry ends the others with a dot, too.
    let help = format!("{}.", metric.help);
    let mut family = encoder.encode_descriptor(metric.name, &help, None, MetricType::Gauge)?;
    for table in tables {
        let labels = [(metric.labels[0], &*table.sync), (metric.labels[1], &*table.table)];
        ConstGauge::new(value(table)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The instant that a cursor means; `None` for values that are no time. A local time counts as UTC: nothing better is known of it.
fn moment_of(cursor: &CursorValue) -> Option<UnixMicros> {
    match cursor {
        CursorValue::Timestamp(timestamp) => moment_of_timestamp(*timestamp),
        CursorValue::Date(days) => i64::from(*days).checked_mul(MICROS_PER_DAY).map(UnixMicros),
        _ => None,
    }
}

/// A timestamp as a moment; `None` beyond what one can be.
#[must_use]
pub fn moment_of_timestamp(Timestamp { value, unit, .. }: Timestamp) -> Option<UnixMicros> {
    let micros = (i128::from(value) * 1_000_000).div_euclid(i128::from(unit.per_second()));
    i64::try_from(micros).ok().map(UnixMicros)
}

#[cfg(test)]
mod tests {
    use longshore_core::cursor::TimeUnit;

    use super::*;

    fn at_second(value: i64) -> CursorValue {
        CursorValue::Timestamp(Timestamp {
            value,
            unit: TimeUnit::Second,
            instant: true,
        })
    }

    #[test]
    fn lag_grows_while_nothing_happens_and_is_taken_by_the_sources_clock() {
        let cursors = Cursors::default();
        cursors.moved_to("shop", "orders", &at_second(100));
        let lag = |now| cursors.at(UnixMicros(now))[0].lag;
        assert_eq!((lag(130_000_000), lag(190_500_000)), (30.0, 90.5));
        // The source's clock is ten seconds behind ours.
        cursors.clock("shop", "orders", UnixMicros(120_000_000), UnixMicros(130_000_000));
        assert_eq!(lag(130_000_000), 20.0);
        assert_eq!(lag(100_000_000), 0.0, "a cursor ahead of the clock is not behind it");
    }

    #[test]
    fn the_state_says_where_cursors_stand_but_for_what_was_committed_since() {
        let cursors = Cursors::default();
        for name in ["orders", "people", "reset"] {
            cursors.moved_to("shop", name, &at_second(100));
        }
        cursors.moved_to("gone", "orders", &at_second(100));
        let before = cursors.before();
        let stored = ["orders", "people"].map(|table| (table.to_owned(), at_second(200)));
        cursors.moved_to("shop", "people", &at_second(300));
        cursors.stand(before, "shop", &stored.into());
        assert_eq!(cursors.at(UnixMicros(0)).len(), 3, "other syncs stay");
        cursors.forget_all_but(&BTreeSet::from(["shop".to_owned()]));
        let shown = cursors.at(UnixMicros(0));
        let shown: Vec<_> = shown.iter().map(|of| (&*of.sync, &*of.table, of.cursor)).collect();
        assert_eq!(shown, [("shop", "orders", 200.0), ("shop", "people", 300.0)]);
    }

    #[test]
    fn only_cursors_that_are_times_have_a_lag() {
        let cursors = Cursors::default();
        cursors.moved_to("shop", "numbers", &CursorValue::Int(7));
        cursors.clock("shop", "numbers", UnixMicros(1), UnixMicros(1));
        cursors.moved_to("shop", "days", &CursorValue::Date(1));
        let tables = cursors.at(UnixMicros(MICROS_PER_DAY + 5_000_000));
        assert_eq!(
            tables,
            [Freshness {
                sync: "shop".to_owned(),
                table: "days".to_owned(),
                cursor: 86_400.0,
                lag: 5.0
            }]
        );
        cursors.forget("shop", Some("days"));
        assert_eq!(cursors.at(UnixMicros(0)), []);
    }
}
