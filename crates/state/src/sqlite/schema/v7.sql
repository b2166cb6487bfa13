-- Version 7. Never changed once released: a change is a new file. The history says what began an attempt, with which programs it ran, how it ended and
-- what was logged; old runs are removed.

-- JSON: what began it and the plugins that it ran with; NULL: nobody has said.
ALTER TABLE attempts ADD COLUMN origin TEXT;
-- How it ended; NULL: it goes on, its process died, or an earlier version recorded it.
ALTER TABLE attempts ADD COLUMN status TEXT CHECK (status IN ('completed', 'completed_with_rejects', 'failed', 'cancelled'));

-- What of a run's log is kept, and how much is not.
CREATE TABLE run_logs (
    run       INTEGER NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    lines     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    -- 1: lines are still added to the head, which stays; 0: to the tail, of which the oldest go.
    head_open INTEGER NOT NULL CHECK (head_open IN (0, 1)),
    -- Between head and tail, to stay within the bounds.
    left_out  INTEGER NOT NULL,
    -- Never reached the store.
    lost      INTEGER NOT NULL
) STRICT;
CREATE TABLE run_log_lines (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    run     INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('error', 'warn', 'info', 'debug', 'trace')),
    -- NULL: Longshore itself.
    plugin  TEXT,
    message TEXT NOT NULL,
    head    INTEGER NOT NULL CHECK (head IN (0, 1))
) STRICT;
CREATE INDEX run_log_lines_by_run ON run_log_lines (run, id);

-- A run is removed only when no reject names it: the question is asked of every run that is old enough.
CREATE INDEX rejects_tried ON rejects (tried_run) WHERE tried_run IS NOT NULL;
CREATE INDEX rejects_resolved_by ON rejects (resolved_run) WHERE resolved_run IS NOT NULL;

-- Conditions of a sync that somebody was told of, or is to be told of.
CREATE TABLE alerts (
    sync      TEXT NOT NULL,
    condition TEXT NOT NULL,
    -- 0: it does not hold any more, and that is to be told.
    firing    INTEGER NOT NULL CHECK (firing IN (0, 1)),
    since     INTEGER NOT NULL,
    told      INTEGER NOT NULL CHECK (told IN (0, 1)),
    -- JSON, the orchestrator's own form: what is told.
    message   TEXT NOT NULL,
    PRIMARY KEY (sync, condition)
) STRICT, WITHOUT ROWID;
