PRAGMA application_id = 1280526418;
PRAGMA user_version = 8;
CREATE TABLE holds (
    sync        TEXT NOT NULL PRIMARY KEY,
    -- Grows with every acquisition and with every change by hand; a write names the generation it belongs to.
    generation  INTEGER NOT NULL CHECK (generation > 0),
    -- JSON; NULL: nobody holds the sync.
    holder      TEXT,
    since       INTEGER,
    lease_until INTEGER,
    CHECK ((holder IS NULL) = (since IS NULL) AND (holder IS NULL) = (lease_until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE states (
    sync       TEXT NOT NULL,
    table_name TEXT NOT NULL,
    revision   INTEGER NOT NULL CHECK (revision > 0),
    -- Versioned JSON, see TableState.
    document   TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    -- NULL: set by a person.
    run_id     TEXT,
    PRIMARY KEY (sync, table_name)
) STRICT, WITHOUT ROWID;
CREATE TABLE runs (
    -- The order of runs: clocks may jump, this does not.
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id          TEXT NOT NULL UNIQUE,
    sync            TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('running', 'completed', 'completed_with_rejects', 'failed', 'cancelled')),
    -- 0: it was given up; what it had planned is gone.
    resumable       INTEGER NOT NULL DEFAULT 1 CHECK (resumable IN (0, 1)),
    -- Of the hold that its latest attempt runs under.
    generation      INTEGER NOT NULL,
    attempt         INTEGER NOT NULL CHECK (attempt > 0),
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    configuration   TEXT NOT NULL,
    holder          TEXT NOT NULL,
    error           TEXT,
    summary         TEXT,
    uncertain_rows  INTEGER NOT NULL DEFAULT 0,
    rejects         INTEGER NOT NULL DEFAULT 0,
    dropped_rejects INTEGER NOT NULL DEFAULT 0
, again TEXT, kind TEXT NOT NULL DEFAULT 'sync' CHECK (kind IN ('sync', 'replay')), dropped_rows INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX runs_by_sync ON runs (sync, id);
CREATE TABLE attempts (
    run            INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    number         INTEGER NOT NULL CHECK (number > 0),
    started_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    holder         TEXT NOT NULL,
    error          TEXT,
    uncertain_rows INTEGER NOT NULL DEFAULT 0, origin TEXT, status TEXT CHECK (status IN ('completed', 'completed_with_rejects', 'failed', 'cancelled')),
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE run_tables (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    run            INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    table_name     TEXT NOT NULL,
    -- The source's, opaque; empty once the run is complete.
    plan           BLOB NOT NULL,
    state_revision INTEGER NOT NULL,
    complete       INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    -- JSON, for people.
    cursor_before  TEXT,
    cursor_after   TEXT,
    UNIQUE (run, table_name)
) STRICT;
CREATE TABLE partitions (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    run_table               INTEGER NOT NULL REFERENCES run_tables (id) ON DELETE CASCADE,
    partition_id            TEXT NOT NULL,
    revision                INTEGER NOT NULL DEFAULT 0,
    position                BLOB NOT NULL DEFAULT x'',
    -- JSON, for people.
    cursor                  TEXT,
    -- 8 bytes each, little endian.
    fingerprints            BLOB NOT NULL DEFAULT x'',
    fingerprints_overflowed INTEGER NOT NULL DEFAULT 0 CHECK (fingerprints_overflowed IN (0, 1)),
    complete                INTEGER NOT NULL DEFAULT 0 CHECK (complete IN (0, 1)),
    read                    INTEGER NOT NULL DEFAULT 0,
    emitted                 INTEGER NOT NULL DEFAULT 0,
    filtered                INTEGER NOT NULL DEFAULT 0,
    deduplicated            INTEGER NOT NULL DEFAULT 0,
    forwarded               INTEGER NOT NULL DEFAULT 0,
    -- Marks, not commits: rows that may have been sent by the current attempt, and by any.
    sent_rows               INTEGER NOT NULL DEFAULT 0,
    highest_sent_rows       INTEGER NOT NULL DEFAULT 0,
    uncertain_rows          INTEGER NOT NULL DEFAULT 0, fingerprint_sketch BLOB NOT NULL DEFAULT x'', fingerprints_ahead BLOB NOT NULL DEFAULT x'',
    UNIQUE (run_table, partition_id)
) STRICT;
CREATE TABLE partition_destinations (
    partition   INTEGER NOT NULL REFERENCES partitions (id) ON DELETE CASCADE,
    destination TEXT NOT NULL,
    delivered   INTEGER NOT NULL,
    rejected    INTEGER NOT NULL,
    filtered    INTEGER NOT NULL,
    uncertain   INTEGER NOT NULL,
    PRIMARY KEY (partition, destination)
) STRICT, WITHOUT ROWID;
CREATE TABLE reject_ledgers (
    sync TEXT NOT NULL PRIMARY KEY,
    kept INTEGER NOT NULL
, kept_bytes INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE reject_tables (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    document BLOB NOT NULL UNIQUE
) STRICT;
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
CREATE TABLE "rejects" (
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
CREATE INDEX rejects_by_sync ON rejects (sync, id);
CREATE INDEX rejects_by_run ON rejects (run, id);
CREATE INDEX rejects_pending ON rejects (sync, table_name, destination, identity) WHERE status = 'pending';
CREATE INDEX rejects_to_retry ON rejects (sync, table_name, destination, attempts, id) WHERE status = 'pending';
CREATE INDEX rejects_resolved ON rejects (sync, id) WHERE status <> 'pending';
CREATE INDEX rejects_sent ON rejects (sent_run) WHERE sent_run IS NOT NULL;
CREATE INDEX rejects_of_row ON rejects (sync, table_name, destination, fingerprint) WHERE status = 'pending' AND fingerprint <> x'';
CREATE TABLE scheduled_syncs (
    sync          TEXT NOT NULL PRIMARY KEY,
    paused        INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    -- That decided_until belongs to, in the orchestrator's own words. NULL: it never had one.
    schedule      TEXT,
    -- Every due time up to here has a turn.
    decided_until INTEGER
) STRICT, WITHOUT ROWID;
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
    ended_at     INTEGER, failed_start TEXT,
    CHECK ((first_due_at IS NULL) = (last_due_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX turns_open ON turns (sync) WHERE status = 'open';
CREATE INDEX turns_by_sync ON turns (sync, id);
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
CREATE INDEX rejects_tried ON rejects (tried_run) WHERE tried_run IS NOT NULL;
CREATE INDEX rejects_resolved_by ON rejects (resolved_run) WHERE resolved_run IS NOT NULL;
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
INSERT INTO holds VALUES ('longshore serve', 1, NULL, NULL, NULL);
INSERT INTO holds VALUES ('shop', 2, NULL, NULL, NULL);
INSERT INTO states VALUES ('by hand', 't', 1, '{"version":"1","cursor_column":"id","cursor":{"type":"int","value":-1},"source_state":"","fingerprints":"","fingerprints_overflowed":false}', 1795000000000000, NULL);
INSERT INTO states VALUES ('shop', 'events', 1, '{"version":"1","cursor_column":"id","cursor":{"type":"int","value":42},"source_state":"{\"xmin\":731}","fingerprints":"","fingerprints_overflowed":false}', 1795000005000000, '01930000-0000-7000-8000-000000000001');
INSERT INTO runs VALUES (1, '01930000-0000-7000-8000-000000000001', 'shop', 'completed_with_rejects', 1, 1, 1, 1795000000000000, 1795000010000000, 'fingerprint', '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', NULL, '{"tables":[]}', 0, 2, 0, NULL, 'sync', 0);
INSERT INTO runs VALUES (2, '01930000-0000-7000-8000-000000000002', 'shop', 'failed', 1, 1, 1, 1795000000000000, 1795000010000000, 'fingerprint', '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', '{"code":"gone","domain":"source","scope":"run","retryable":false,"message":"The table is gone","remedy":"Look"}', '{"tables":[]}', 9, 0, 0, NULL, 'sync', 0);
INSERT INTO runs VALUES (3, '01930000-0000-7000-8002-000000000001', 'shop', 'failed', 0, 2, 1, 1795000001000000, 1795000002000000, '', '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', '{"code":"connection_refused","domain":"source","scope":"run","retryable":true,"message":"The database is down","remedy":"Start it."}', '{"warnings":[]}', 0, 0, 0, NULL, 'sync', 0);
INSERT INTO attempts VALUES (1, 1, 1795000000000000, 1795000010000000, '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', NULL, 0, '{"trigger":{"kind":"schedule","due":1795000000000000},"longshore":"0.1.0","plugins":[{"role":"source","name":"shop","plugin":"postgresql","version":"0.2.0"}]}', 'completed_with_rejects');
INSERT INTO attempts VALUES (2, 1, 1795000000000000, 1795000010000000, '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', '{"code":"gone","domain":"source","scope":"run","retryable":false,"message":"The table is gone","remedy":"Look"}', 9, NULL, 'failed');
INSERT INTO attempts VALUES (3, 1, 1795000001000000, 1795000002000000, '{"host":"host","boot_id":"boot","pid_namespace":"pid:[1]","pid":1,"process_started":100,"invocation_id":"invocation-1"}', '{"code":"connection_refused","domain":"source","scope":"run","retryable":true,"message":"The database is down","remedy":"Start it."}', 0, '{"trigger":{"kind":"schedule","due":1795000001000000},"longshore":"0.1.0","plugins":[]}', 'failed');
INSERT INTO run_tables VALUES (1, 1, 'events', x'', 0, 1, NULL, '{"type":"int","value":42}');
INSERT INTO run_tables VALUES (2, 2, 'events', x'706c616e206f66206576656e7473', 1, 0, '{"type":"int","value":42}', NULL);
INSERT INTO partitions VALUES (1, 1, 'a', 1, x'', '{"type":"int","value":1}', x'', 0, 1, 11, 10, 1, 0, 10, 0, 0, 0, x'', x'');
INSERT INTO partitions VALUES (2, 1, 'b', 1, x'', '{"type":"int","value":1}', x'', 0, 1, 11, 10, 1, 0, 10, 0, 0, 0, x'', x'');
INSERT INTO partitions VALUES (3, 2, 'a', 1, x'706f736974696f6e2031', '{"type":"int","value":1}', x'0900000000000000', 0, 0, 4, 3, 1, 0, 3, 3, 9, 6, x'', x'');
INSERT INTO partition_destinations VALUES (1, 'batch', 10, 0, 0, 0);
INSERT INTO partition_destinations VALUES (2, 'batch', 10, 0, 0, 0);
INSERT INTO partition_destinations VALUES (3, 'batch', 3, 0, 0, 0);
INSERT INTO run_retries VALUES (2, 'events', 'batch', 0, 0, 0, 0, 3);
INSERT INTO run_logs VALUES (1, 2, 14, 1, 0, 3);
INSERT INTO run_log_lines VALUES (1, 1, 1795000000000000, 'info', NULL, 'begun', 1);
INSERT INTO run_log_lines VALUES (2, 1, 1795000000000000, 'warn', 'source shop (postgresql)', 'connected', 1);
INSERT INTO alerts VALUES ('shop', 'failure', 1, 1795000000000000, 1, '{"summary":"it failed"}');
INSERT INTO reject_tables VALUES (1, x'7461626c65');
INSERT INTO rejects VALUES (1, 1, 'shop', 'events', 'a', 1795000000000000, 'batch', '1', '', 'string_too_long', 'name', 'a text of 301 characters, 300 are allowed', 0, 1, 1, 'pending', '', '', 1, x'', NULL, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL, NULL);
INSERT INTO rejects VALUES (2, 1, 'shop', 'events', 'a', 1795000000000000, 'batch', '2', 'id = 2', 'string_too_long', 'name', 'a text of 301 characters, 300 are allowed', 1, 1, 2, 'pending', 'ada', 'id', 1, x'30313233343536373839616263646566', NULL, x'726f77', 1, 1, 1795000000000000, 2, NULL, 1, NULL, NULL);
INSERT INTO reject_ledgers VALUES ('shop', 2, 3);
INSERT INTO scheduled_syncs VALUES ('shop', 1, 'every 10s', 1795000030000000);
INSERT INTO turns VALUES (1, 'shop', 1795000010000000, 1795000020000000, 1795000100000000, 'missed', 0, NULL, NULL, NULL, 1795000100000000, NULL);
INSERT INTO turns VALUES (2, 'shop', NULL, NULL, 1795000100000000, 'completed', 1, NULL, NULL, NULL, 1795000101000000, NULL);
INSERT INTO turns VALUES (3, 'shop', 1795000030000000, 1795000030000000, 1795000100000000, 'open', 2, 1795000300000000, '{"code":"plugin_died","domain":"source","scope":"run","retryable":true,"message":"It died"}', '01930000-0000-7000-8000-000000000002', NULL, '01930000-0000-7000-8002-000000000001');
