//! A table without transactions, read again and again while it changes, also while it is read.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use longshore_core::CursorValue;
use proptest::prelude::*;

use super::*;
use crate::incremental::Recount;

/// How far each run looks back.
const OVERLAP: i64 = 1_000;

/// Rows up to the clock that are left for the next run.
const SETTLE: i64 = 20;

/// A row is what it holds; equal ones are counted.
type Row = (i64, u8);

#[derive(Clone, Debug)]
enum Change {
    /// So many equal rows appear, so far behind the clock; ahead of it for a negative number.
    Insert { back: i64, content: u8, times: u8 },
    /// A row goes: which one, as a share of all in the overlap.
    Delete { share: u16 },
}

#[derive(Clone, Debug)]
struct Step {
    /// How far the clock moves on.
    advance: i64,
    before: Vec<Change>,
    /// While the run is between its count and its read.
    between: Vec<Change>,
    /// The read is broken off at this share of its rows, the table changes, and another attempt goes on.
    broken_off: Option<(u16, Vec<Change>)>,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (-60..OVERLAP - 50, any::<u8>(), 1_u8..4).prop_map(|(back, content, times)| Change::Insert { back, content, times }),
        2 => any::<u16>().prop_map(|share| Change::Delete { share }),
    ];
    proptest::collection::vec(change, 0..12)
}

fn step() -> impl Strategy<Value = Step> {
    (
        prop_oneof![0_i64..60, Just(2_500)],
        changes(),
        changes(),
        proptest::option::of((any::<u16>(), changes())),
    )
        .prop_map(|(advance, before, between, broken_off)| Step {
            advance,
            before,
            between,
            broken_off,
        })
}

#[derive(Default)]
struct Table {
    clock: i64,
    rows: BTreeMap<Row, u32>,
    /// How often each row ever appeared, and was delivered.
    appeared: BTreeMap<Row, u32>,
    delivered: BTreeMap<Row, u32>,
    state: Option<TableState>,
    /// A difference was too large.
    repeated: bool,
}

/// Where a run reads, fixed at its opening.
#[derive(Clone)]
struct Plan {
    since: i64,
    up_to: i64,
    unsettled: std::ops::RangeInclusive<i64>,
    window_from: i64,
    cursor: i64,
    known_to: Option<i64>,
    completed: TableState,
}

fn hash_of(row: Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    hasher.finish()
}

impl Table {
    fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            match *change {
                Change::Insert { back, content, times } => {
                    let row = (self.clock - back, content);
                    *self.rows.entry(row).or_default() += u32::from(times);
                    *self.appeared.entry(row).or_default() += u32::from(times);
                }
                Change::Delete { share } => {
                    let reachable: Vec<Row> = self
                        .rows
                        .range((self.clock - OVERLAP, 0)..)
                        .map(|(row, _)| *row)
                        .collect();
                    let Some(row) = reachable.get(reachable.len() * usize::from(share) / 65_536) else {
                        continue;
                    };
                    let count = self.rows.get_mut(row).unwrap();
                    *count -= 1;
                    if *count == 0 {
                        self.rows.remove(row);
                    }
                }
            }
        }
    }

    fn stored_cursor(&self) -> Option<i64> {
        match self.state.as_ref()?.cursor {
            Some(CursorValue::Int(cursor)) => Some(cursor),
            _ => None,
        }
    }

    fn plan(&mut self) -> Plan {
        let stored = self.stored_cursor();
        let newest = self.rows.last_key_value().map_or(0, |((cursor, _), _)| *cursor);
        let cursor = newest.min(self.clock - SETTLE).max(stored.unwrap_or(i64::MIN));
        let mut plan = Plan {
            since: stored.map_or(i64::MIN, |stored| stored - OVERLAP),
            up_to: newest.max(stored.unwrap_or(i64::MIN)),
            unsettled: self.clock - SETTLE + 1..=self.clock,
            window_from: cursor - OVERLAP,
            cursor,
            known_to: None,
            completed: TableState {
                cursor: Some(CursorValue::Int(cursor)),
                ..TableState::default()
            },
        };
        if let Some(Recount { mut census, .. }) = Recount::needed(self.state.as_ref(), |_| Ok(Some(()))).unwrap() {
            let up_to = stored.unwrap();
            for (row, count) in self.rows.range((plan.since, 0)..=(up_to, u8::MAX)) {
                (0..*count).for_each(|_| census.count(hash_of(*row), row.0 >= plan.window_from));
            }
            match census.finish() {
                Some(found) => {
                    if found.awaited.is_empty() {
                        plan.since = up_to + 1;
                    }
                    plan.known_to = Some(up_to);
                    Recount::plan(found, &mut plan.completed);
                }
                None => self.repeated = true,
            }
        }
        plan
    }

    /// Reads from after a position to before the row at a share of the rest; answers the position and what is remembered.
    fn read(&mut self, plan: &Plan, after: Option<Row>, share: u16) -> (Option<Row>, Fingerprints) {
        let delivered = delivered_before(self.state.as_ref(), |_| Ok(Some(()))).unwrap();
        let mut seen = match plan.known_to {
            Some(_) => SeenRows::counted(delivered, plan.completed.awaited.clone()),
            None => SeenRows::new(delivered),
        };
        let mut remembered = Fingerprints::default();
        let rows: Vec<(Row, u32)> = self
            .rows
            .range((plan.since, 0)..)
            .filter(|(row, _)| after.is_none_or(|after| **row > after) && row.0 <= plan.up_to)
            .map(|(row, count)| (*row, *count))
            .collect();
        let taken = (rows.len() * usize::from(share)).div_ceil(65_535);
        let mut position = after;
        for (row, count) in rows.into_iter().take(taken) {
            position = Some(row);
            let marks = RowMarks {
                again: row.0 >= plan.window_from,
                ahead: row.0 > plan.cursor,
                behind: plan.known_to.is_some_and(|known_to| row.0 <= known_to),
                unsettled: plan.unsettled.contains(&row.0),
            };
            for _ in 0..count {
                let judgement = seen.judge(marks, || hash_of(row));
                match judgement.remembered {
                    Some(hash) if marks.ahead => remembered.insert_ahead(hash),
                    Some(hash) => remembered.insert(hash),
                    None => {}
                }
                if judgement.fate == Fate::Delivered {
                    *self.delivered.entry(row).or_default() += 1;
                }
            }
        }
        (position, remembered)
    }

    fn run(&mut self, step: &Step) {
        self.clock += step.advance;
        self.apply(&step.before);
        let plan = self.plan();
        self.apply(&step.between);
        let mut parts = Vec::new();
        let mut position = None;
        if let Some((share, changes)) = &step.broken_off {
            let (reached, remembered) = self.read(&plan, None, *share);
            position = reached;
            parts.push(remembered);
            self.apply(changes);
        }
        parts.push(self.read(&plan, position, u16::MAX).1);
        let state = plan.completed.promoted(&parts);
        // Through its stored form.
        self.state = Some(TableState::from_document(&state.to_document().unwrap()).unwrap());
    }

    /// Runs until nothing is unsettled any more, and compares.
    fn check(&mut self) {
        for advance in [SETTLE + 100, 0] {
            self.run(&Step {
                advance,
                before: Vec::new(),
                between: Vec::new(),
                broken_off: None,
            });
        }
        let count = |counts: &BTreeMap<Row, u32>, row| counts.get(row).copied().unwrap_or(0);
        for (row, there) in &self.rows {
            assert!(count(&self.delivered, row) >= *there, "{row:?} is lost");
        }
        for (row, delivered) in &self.delivered {
            let appeared = count(&self.appeared, row);
            assert!(
                self.repeated || *delivered <= appeared,
                "{row:?} came {delivered} times of {appeared}"
            );
        }
    }
}

/// So many rows just behind the clock.
fn full_window(rows: usize) -> Table {
    let mut table = Table {
        clock: 10_000,
        ..Table::default()
    };
    for number in 0..rows {
        #[expect(clippy::cast_possible_truncation, reason = "any content will do")]
        let (back, content) = ((number % 400) as i64 + SETTLE, (number / 400) as u8);
        table.apply(&[Change::Insert {
            back,
            content,
            times: 1,
        }]);
    }
    table
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Rows appear late, change and go before, while and after a run counts and reads; runs are broken off and gone on with: each row that is there was delivered, and none
    /// more often than it appeared, whether rows are remembered one by one or as a sketch.
    #[test]
    fn no_row_is_lost_or_repeated_however_many_are_remembered(
        rows in prop_oneof![Just(100_usize), Just(4_090), Just(6_000)],
        steps in proptest::collection::vec(step(), 1..7),
    ) {
        let mut table = full_window(rows);
        for step in &steps {
            table.run(step);
        }
        prop_assert!(!table.repeated, "so few changes can be told");
        table.check();
    }
}

#[test]
fn more_changes_than_can_be_told_repeat_rows_and_lose_none() {
    let mut table = full_window(6_000);
    let quiet = Step {
        advance: 0,
        before: Vec::new(),
        between: Vec::new(),
        broken_off: None,
    };
    table.run(&quiet);
    let late = (0..2_000_u16).map(|number| Change::Insert {
        back: 500 + i64::from(number % 400),
        content: u8::try_from(number / 400).unwrap(),
        times: 1,
    });
    table.run(&Step {
        before: late.collect(),
        ..quiet.clone()
    });
    assert!(table.repeated);
    table.check();
    table.repeated = false;
    let delivered: u32 = table.delivered.values().sum();
    table.run(&quiet);
    assert!(
        !table.repeated && table.delivered.values().sum::<u32>() == delivered,
        "it is over after one run"
    );
}
