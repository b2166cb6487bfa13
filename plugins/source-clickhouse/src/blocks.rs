//! Blocks of the server, which come as one batch each and are held as a whole: how many rows to ask for, and what to do when they turn out too large.
//!
//! The server counts a block in rows. How large a row is, it knows of tables on average and of views and queries not at all: the first block tells.

use std::sync::atomic::{AtomicU64, Ordering};

use longshore_sdk::prelude::*;

use crate::{
    catalog::Relation,
    connection::{Connector, Statement},
    run::{Run, RunTable, RunningQuery},
    stream::{ArrowStream, BatchSize},
};

/// How many rows the server puts into one block, and what it makes blocks of on the way to it.
pub(crate) const SETTING: &str = "max_block_size";

/// Size in bytes that blocks, which become batches, are best made of.
const BYTES: u64 = 1 << 20;

/// Rows of a block: not so few that their frame costs more than they, not more than the server makes by itself.
const ROWS: (u64, u64) = (256, 65_409);

/// Rows of a block when the size of a row is not known.
const ROWS_UNKNOWN: u64 = 16_384;

/// A block that has more bytes is too large for a process that holds two of them.
const TOO_LARGE: u64 = 32 << 20;

/// Bytes to ask for in place of one that is too large: few rows make everything under a view slow.
const SMALLER: u64 = 8 << 20;

/// Where the server fails before it has a block, it is asked for so many times fewer rows.
const FEWER: u64 = 64;

/// Each ends what the server has begun.
const MOST_BEGINNINGS: u32 = 3;

/// Rows of a block that were found to be few enough for a table, by the partition that was read first.
#[derive(Debug, Default)]
pub(crate) struct FewRows(AtomicU64);

/// Rows of a block, as far as they can be told in advance.
pub(crate) fn rows(relation: &Relation) -> u64 {
    let rows = match (relation.uncompressed_bytes, relation.estimated_rows) {
        (Some(bytes), Some(rows)) if rows > 0 => BYTES / (bytes / rows).max(1),
        _ => ROWS_UNKNOWN,
    };
    rows.clamp(ROWS.0, ROWS.1)
}

/// Begins a query of a partition, anew with fewer rows a block where those of the first are too many. Nothing was taken of it then.
pub(crate) async fn begin<'a>(
    connector: &Connector,
    run: &'a Run,
    table: &RunTable,
    (partition, statement): (&ReadPartition, &Statement),
) -> Result<(RunningQuery<'a>, ArrowStream)> {
    let doing = format!("reading table {}", partition.table);
    let mut rows = table.few_rows.get().unwrap_or_else(|| rows(&table.relation));
    let mut beginnings = 0;
    loop {
        let begun = async {
            let query = run.queries.begin(&partition.run_id);
            let statement = statement.with_setting(SETTING, rows.to_string());
            let cursor = connector.arrow(&run.server, &statement, Some(&query.id), &doing)?;
            let mut stream = ArrowStream::begin(cursor, doing.clone()).await?;
            let first = stream.first_size().await?;
            Ok::<_, Error>((query, stream, first))
        };
        let begun = begun.await;
        beginnings += 1;
        let fewer = match &begun {
            _ if beginnings == MOST_BEGINNINGS || connector.is_set_by_user(SETTING) => None,
            Ok((_, _, first)) => first.and_then(|first| fewer_than(rows, first)),
            Err(error) => fewer_after(rows, error),
        };
        let Some(fewer) = fewer else {
            return begun.map(|(query, stream, _)| (query, stream));
        };
        tracing::debug!(table = partition.table, rows, fewer, "asking for smaller blocks");
        rows = fewer;
        table.few_rows.set(fewer);
    }
}

/// How many rows to ask for in place of `asked`, when that gave such a block.
fn fewer_than(asked: u64, first: BatchSize) -> Option<u64> {
    if first.rows <= 1 || first.bytes <= TOO_LARGE {
        return None;
    }
    let fitting = (SMALLER / (first.bytes / first.rows).max(1)).max(1);
    // What the server does not make by this setting, it makes no smaller.
    (fitting <= asked / 2).then_some(fitting)
}

/// The same, when the server failed before it had a block: at a column of more than 2 GiB, which Arrow does not have, or for want of memory.
fn fewer_after(asked: u64, error: &Error) -> Option<u64> {
    let is_of_size = matches!(error.code.as_str(), "server_failed" | "memory_limit");
    (is_of_size && asked > 1).then_some((asked / FEWER).max(1))
}

impl FewRows {
    fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|rows| *rows > 0)
    }

    fn set(&self, rows: u64) {
        self.0.store(rows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_block_that_can_be_held_is_taken_whatever_its_rows() {
        for (rows, bytes) in [(16_384, TOO_LARGE), (1, 500 * MIB), (0, 0)] {
            assert_eq!(
                fewer_than(16_384, BatchSize { rows, bytes }),
                None,
                "{rows} rows of {bytes} bytes"
            );
        }
    }

    #[test]
    fn fewer_rows_are_asked_for_by_the_size_that_they_have() {
        let first = |rows, bytes| BatchSize { rows, bytes };
        assert_eq!(fewer_than(16_384, first(1_000, 1_000 * MIB)), Some(8));
        assert_eq!(fewer_than(16_384, first(16_384, 40 * MIB)), Some(3_276));
        assert_eq!(fewer_than(16_384, first(100, 10_000 * MIB)), Some(1));
    }

    #[test]
    fn a_block_that_the_setting_did_not_make_is_not_asked_for_again() {
        let of_narrow_rows = BatchSize {
            rows: 2_000_000,
            bytes: 80 * MIB,
        };
        assert_eq!(fewer_than(16_384, of_narrow_rows), None);
    }

    #[test]
    fn a_server_that_fails_for_want_of_room_is_asked_for_less() {
        let after = |code: &str| fewer_after(16_384, &Error::source(code, "no"));
        assert_eq!(after("memory_limit"), Some(256));
        assert_eq!(after("server_failed"), Some(256));
        assert_eq!(after("table_dropped"), None);
        assert_eq!(fewer_after(1, &Error::source("memory_limit", "no")), None);
    }
}
