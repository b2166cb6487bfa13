-- Version 3. Never changed once released: a change is a new file. Rejected rows are kept, tried again, and sent again on request.

-- A replay sends rejects again by a person's wish, and reads nothing.
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'sync' CHECK (kind IN ('sync', 'replay'));
-- Rows of its rejects that were let go, to stay within the bound of kept bytes; the rejects are still named.
ALTER TABLE runs ADD COLUMN dropped_rows INTEGER NOT NULL DEFAULT 0;

-- Tables as they were when a row of theirs was rejected; the orchestrator's own form, opaque. Many rejects share one.
CREATE TABLE reject_tables (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    document BLOB NOT NULL UNIQUE
) STRICT;

ALTER TABLE rejects ADD COLUMN status TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'redelivered', 'superseded', 'filtered'));
ALTER TABLE rejects ADD COLUMN primary_key TEXT NOT NULL DEFAULT '';
-- Empty: no later row replaces this one, or nobody knows which.
ALTER TABLE rejects ADD COLUMN identity TEXT NOT NULL DEFAULT '';
-- NULL: not kept, or not needed any more.
ALTER TABLE rejects ADD COLUMN row_data BLOB;
ALTER TABLE rejects ADD COLUMN row_table INTEGER REFERENCES reject_tables (id);
-- How often it was sent again, when and by which run last.
ALTER TABLE rejects ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rejects ADD COLUMN tried_at INTEGER;
ALTER TABLE rejects ADD COLUMN tried_run INTEGER REFERENCES runs (id);
-- A mark, not a fate: the run that is sending it to a target that appends, and has not heard what became of it.
ALTER TABLE rejects ADD COLUMN sent_run INTEGER REFERENCES runs (id);
-- It may be there already: it was sent, and its run broke off.
ALTER TABLE rejects ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0 CHECK (uncertain IN (0, 1));
ALTER TABLE rejects ADD COLUMN resolved_run INTEGER REFERENCES runs (id);
ALTER TABLE rejects ADD COLUMN resolved_at INTEGER;

CREATE INDEX rejects_pending ON rejects (sync, table_name, destination, identity) WHERE status = 'pending';
-- Those that were tried least come first, so that one that always fails can not keep others back.
CREATE INDEX rejects_to_retry ON rejects (sync, table_name, destination, attempts, id) WHERE status = 'pending';
CREATE INDEX rejects_resolved ON rejects (sync, id) WHERE status <> 'pending';
CREATE INDEX rejects_sent ON rejects (sent_run) WHERE sent_run IS NOT NULL;

ALTER TABLE reject_ledgers ADD COLUMN kept_bytes INTEGER NOT NULL DEFAULT 0;

-- Rejects that a run has sent again, by table and destination: retried = redelivered + rejected + filtered.
CREATE TABLE run_retries (
    run         INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    table_name  TEXT NOT NULL,
    destination TEXT NOT NULL,
    retried     INTEGER NOT NULL DEFAULT 0,
    redelivered INTEGER NOT NULL DEFAULT 0,
    rejected    INTEGER NOT NULL DEFAULT 0,
    filtered    INTEGER NOT NULL DEFAULT 0,
    uncertain   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, table_name, destination)
) STRICT, WITHOUT ROWID;
