-- Version 5. Never changed once released: a change is a new file. One pending reject a row; identities that say which column they come from; rejects that a
-- person gives up. The table is made anew because a CHECK can not be changed.

CREATE TABLE rejects_made_anew (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    run             INTEGER NOT NULL REFERENCES runs (id),
    sync            TEXT NOT NULL,
    table_name      TEXT NOT NULL,
    partition_id    TEXT NOT NULL,
    at              INTEGER NOT NULL,
    destination     TEXT NOT NULL,
    key             TEXT NOT NULL,
    primary_key     TEXT NOT NULL,
    rule            TEXT NOT NULL,
    -- Empty: the whole row.
    column_name     TEXT NOT NULL,
    reason          TEXT NOT NULL,
    whole_row       INTEGER NOT NULL CHECK (whole_row IN (0, 1)),
    sequence        INTEGER NOT NULL,
    row_number      INTEGER NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'redelivered', 'superseded', 'filtered', 'discarded')),
    -- Empty: no later row replaces this one, or nobody knows which.
    identity        TEXT NOT NULL,
    -- The column that the identity comes from; identities of different columns are not comparable. Empty: the destination names none.
    identity_column TEXT NOT NULL,
    -- 0: since it was recorded, rows were delivered that replace others by identities of another column; a newer version of this row may be among them.
    version_known   INTEGER NOT NULL DEFAULT 1 CHECK (version_known IN (0, 1)),
    -- Tells the row from all others of its table; empty: nothing does.
    fingerprint     BLOB NOT NULL,
    -- The reject whose row left this column out when it was sent again: it is as old as that. NULL: none.
    origin          INTEGER,
    -- NULL: not kept, or not needed any more.
    row_data        BLOB,
    row_table       INTEGER REFERENCES reject_tables (id),
    -- How often it was sent again, when and by which run last.
    attempts        INTEGER NOT NULL DEFAULT 0,
    tried_at        INTEGER,
    tried_run       INTEGER REFERENCES runs (id),
    -- A mark, not a fate: the run that is sending it to a target that appends, and has not heard what became of it.
    sent_run        INTEGER REFERENCES runs (id),
    -- It may be there already: it was sent, and its run broke off.
    uncertain       INTEGER NOT NULL DEFAULT 0 CHECK (uncertain IN (0, 1)),
    -- The run that dealt with it; NULL also when a person discarded it.
    resolved_run    INTEGER REFERENCES runs (id),
    resolved_at     INTEGER
) STRICT;

INSERT INTO rejects_made_anew (id, run, sync, table_name, partition_id, at, destination, key, primary_key, rule, column_name, reason, whole_row, sequence,
    row_number, status, identity, identity_column, fingerprint, row_data, row_table, attempts, tried_at, tried_run, sent_run, uncertain, resolved_run, resolved_at)
SELECT id, run, sync, table_name, partition_id, at, destination, key, primary_key, rule, column_name, reason, whole_row, sequence,
    row_number, status, identity, '', x'', row_data, row_table, attempts, tried_at, tried_run, sent_run, uncertain, resolved_run, resolved_at
FROM rejects;

-- A number is never used again, also when the rejects with the highest ones are gone.
DELETE FROM sqlite_sequence WHERE name = 'rejects_made_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'rejects_made_anew', seq FROM sqlite_sequence WHERE name = 'rejects';
DROP TABLE rejects;
ALTER TABLE rejects_made_anew RENAME TO rejects;

CREATE INDEX rejects_by_sync ON rejects (sync, id);
CREATE INDEX rejects_by_run ON rejects (run, id);
CREATE INDEX rejects_pending ON rejects (sync, table_name, destination, identity) WHERE status = 'pending';
-- Those that were tried least come first, so that one that always fails can not keep others back.
CREATE INDEX rejects_to_retry ON rejects (sync, table_name, destination, attempts, id) WHERE status = 'pending';
CREATE INDEX rejects_resolved ON rejects (sync, id) WHERE status <> 'pending';
CREATE INDEX rejects_sent ON rejects (sent_run) WHERE sent_run IS NOT NULL;
CREATE INDEX rejects_of_row ON rejects (sync, table_name, destination, fingerprint) WHERE status = 'pending' AND fingerprint <> x'';
