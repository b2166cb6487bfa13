-- Version 6. Never changed once released: a change is a new file. What a daemon decides; its times are those of its clock.

CREATE TABLE scheduled_syncs (
    sync          TEXT NOT NULL PRIMARY KEY,
    paused        INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    -- That decided_until belongs to, in the orchestrator's own words. NULL: it never had one.
    schedule      TEXT,
    -- Every due time up to here has a turn.
    decided_until INTEGER
) STRICT, WITHOUT ROWID;

-- A time that a sync is to run, or should have run. Recorded before its run begins, closed after it has ended.
CREATE TABLE turns (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    sync         TEXT NOT NULL,
    -- What it is for: the due times from the first to the last. NULL: somebody asked for it.
    first_due_at INTEGER,
    last_due_at  INTEGER,
    decided_at   INTEGER NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('open', 'completed', 'failed', 'cancelled', 'missed')),
    tries        INTEGER NOT NULL DEFAULT 0,
    retry_at     INTEGER,
    -- JSON.
    error        TEXT,
    -- No reference: a turn may outlive its run in the history.
    run_id       TEXT,
    ended_at     INTEGER,
    CHECK ((first_due_at IS NULL) = (last_due_at IS NULL))
) STRICT;

CREATE UNIQUE INDEX turns_open ON turns (sync) WHERE status = 'open';
CREATE INDEX turns_by_sync ON turns (sync, id);
