//! What was logged while a run went on.

use rusqlite::{OptionalExtension as _, Row, Transaction, params, types::Type};

use super::{failure::Failure, rows::damaged};
use crate::{
    failure,
    moment::UnixMicros,
    run_log::{LogLine, MAX_HEAD_BYTES, MAX_HEAD_LINES, MAX_LOG_BYTES, MAX_LOG_LINES, RunLog, StoredLogLine},
};

/// What is known of a log besides its lines.
struct Kept {
    lines: u64,
    bytes: u64,
    head_open: bool,
    left_out: u64,
    lost: u64,
}

impl Kept {
    const NOTHING: Self = Self {
        lines: 0,
        bytes: 0,
        head_open: true,
        left_out: 0,
        lost: 0,
    };

    /// Whether a line of so many bytes belongs to the beginning; once one does not, none does.
    fn takes_into_head(&mut self, bytes: u64) -> bool {
        self.head_open &= self.lines < MAX_HEAD_LINES && self.bytes + bytes <= MAX_HEAD_BYTES;
        self.head_open
    }

    fn exceeds(&self) -> bool {
        self.lines > MAX_LOG_LINES || self.bytes > MAX_LOG_BYTES
    }
}

pub(super) fn append(tx: &Transaction<'_>, run_id: &str, lines: &[LogLine], lost: u64) -> Result<(), Failure> {
    let run = require(tx, run_id)?;
    let mut kept = kept(tx, run)?.unwrap_or(Kept::NOTHING);
    kept.lost += lost;
    let mut insert = tx.prepare_cached(
        "INSERT INTO run_log_lines (run, at, level, plugin, message, head) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for line in lines {
        let bytes = line.message.len() as u64;
        let head = kept.takes_into_head(bytes);
        insert.execute(params![
            run,
            line.at.0,
            line.level.as_str(),
            line.plugin,
            line.message,
            head
        ])?;
        kept.lines += 1;
        kept.bytes += bytes;
    }
    trim(tx, run, &mut kept)?;
    tx.prepare_cached(
        "REPLACE INTO run_logs (run, lines, bytes, head_open, left_out, lost) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        run,
        kept.lines,
        kept.bytes,
        kept.head_open,
        kept.left_out,
        kept.lost
    ])?;
    Ok(())
}

/// Removes the oldest lines behind the beginning until the bounds are kept.
fn trim(tx: &Transaction<'_>, run: i64, kept: &mut Kept) -> Result<(), Failure> {
    if !kept.exceeds() {
        return Ok(());
    }
    let mut oldest = tx.prepare_cached(
        "SELECT id, length(CAST(message AS BLOB)) FROM run_log_lines WHERE run = ?1 AND NOT head ORDER BY id",
    )?;
    let mut rows = oldest.query([run])?;
    let mut last = None;
    while kept.exceeds()
        && let Some(row) = rows.next()?
    {
        last = Some(row.get::<_, i64>(0)?);
        kept.lines -= 1;
        kept.bytes -= row.get::<_, u64>(1)?;
        kept.left_out += 1;
    }
    drop(rows);
    tx.prepare_cached("DELETE FROM run_log_lines WHERE run = ?1 AND NOT head AND id <= ?2")?
        .execute(params![run, last])?;
    Ok(())
}

pub(super) fn read(tx: &Transaction<'_>, run_id: &str, after: i64, limit: u32) -> Result<RunLog, Failure> {
    let run = require(tx, run_id)?;
    let Some(kept) = kept(tx, run)? else {
        return Ok(RunLog::default());
    };
    let behind_the_gap = tx
        .prepare_cached("SELECT id FROM run_log_lines WHERE run = ?1 AND NOT head ORDER BY id LIMIT 1")?
        .query_row([run], |row| row.get::<_, i64>(0))
        .optional()?;
    let mut statement =
        tx.prepare_cached("SELECT * FROM run_log_lines WHERE run = ?1 AND id > ?2 ORDER BY id LIMIT ?3")?;
    let lines = statement.query_map(params![run, after, limit], |row| {
        let number = row.get("id")?;
        Ok(StoredLogLine {
            number,
            left_out_before: if Some(number) == behind_the_gap {
                kept.left_out
            } else {
                0
            },
            line: line_of(row)?,
        })
    })?;
    Ok(RunLog {
        lines: lines.collect::<Result<_, _>>()?,
        left_out: kept.left_out,
        lost: kept.lost,
    })
}

fn require(tx: &Transaction<'_>, run_id: &str) -> Result<i64, Failure> {
    let found = tx
        .prepare_cached("SELECT id FROM runs WHERE run_id = ?1")?
        .query_row([run_id], |row| row.get(0))
        .optional()?;
    found.ok_or_else(|| failure::run_unknown(run_id).into())
}

fn kept(tx: &Transaction<'_>, run: i64) -> Result<Option<Kept>, Failure> {
    let mut statement = tx.prepare_cached("SELECT * FROM run_logs WHERE run = ?1")?;
    let kept = statement.query_row([run], |row| {
        Ok(Kept {
            lines: row.get("lines")?,
            bytes: row.get("bytes")?,
            head_open: row.get("head_open")?,
            left_out: row.get("left_out")?,
            lost: row.get("lost")?,
        })
    });
    Ok(kept.optional()?)
}

fn line_of(row: &Row<'_>) -> rusqlite::Result<LogLine> {
    let level: String = row.get("level")?;
    Ok(LogLine {
        at: UnixMicros(row.get("at")?),
        level: level.parse().map_err(|error| damaged("level", Type::Text, error))?,
        plugin: row.get("plugin")?,
        message: row.get("message")?,
    })
}
