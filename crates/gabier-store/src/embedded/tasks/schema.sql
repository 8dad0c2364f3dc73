-- States are numbers, in the order of `State::ALL`: below 4 a task waits, 4 it runs, from 5 on it has ended (5: completed).
CREATE TABLE task (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    queue TEXT NOT NULL,
    tool TEXT NOT NULL,
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    priority INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    retry_safe INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    started INTEGER,
    finished INTEGER,
    due INTEGER,
    deadline INTEGER,
    lease_until INTEGER,
    worker TEXT,
    cancel TEXT,
    dead_letter INTEGER NOT NULL DEFAULT 0,
    -- 1: its `then` is to be looked at when it has ended.
    chain INTEGER NOT NULL DEFAULT 0,
    -- Which values lie in files: 1 arguments, 2 result, 4 error.
    files INTEGER NOT NULL DEFAULT 0,
    stored_bytes INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    alias TEXT,
    label TEXT,
    run_at INTEGER,
    ttl INTEGER,
    callback TEXT,
    retried_from TEXT,
    retry_count INTEGER NOT NULL,
    parent TEXT,
    follow TEXT,
    arguments TEXT,
    context TEXT,
    progress TEXT,
    result TEXT,
    error TEXT,
    questions TEXT,
    answers TEXT
) STRICT;
CREATE INDEX task_ready ON task (queue, priority) WHERE state = 0;
CREATE INDEX task_due ON task (due) WHERE state = 1;
CREATE INDEX task_leased ON task (lease_until) WHERE state = 4;
CREATE INDEX task_deadline ON task (deadline) WHERE deadline IS NOT NULL AND state < 4;
CREATE INDEX task_active ON task (seq) WHERE state < 5;
CREATE INDEX task_odd ON task (seq) WHERE state > 5;
CREATE INDEX task_finished ON task (finished) WHERE state >= 5;
CREATE INDEX task_written ON task (finished) WHERE state >= 5 AND stored_bytes > 0;
CREATE INDEX task_chain ON task (seq) WHERE chain = 1 AND state >= 5;
CREATE INDEX task_dead ON task (seq) WHERE dead_letter = 1;
CREATE INDEX task_key ON task (owner, tool, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX task_owner ON task (owner);
CREATE INDEX task_tool ON task (tool);
CREATE INDEX task_alias ON task (alias) WHERE alias IS NOT NULL;
CREATE INDEX task_parent ON task (parent) WHERE parent IS NOT NULL;

CREATE TABLE task_counter (
    queue TEXT NOT NULL,
    state INTEGER NOT NULL,
    owner TEXT NOT NULL,
    tool TEXT NOT NULL,
    kind TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    ran INTEGER NOT NULL,
    PRIMARY KEY (queue, state, owner, tool, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE task_paused (queue TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE task_limit (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    running INTEGER,
    per_second REAL,
    tokens REAL NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, name)
) STRICT, WITHOUT ROWID;

-- What was written in all, and where the kept head ends.
CREATE TABLE task_output (
    task INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    total_bytes INTEGER NOT NULL,
    total_lines INTEGER NOT NULL,
    head INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    PRIMARY KEY (task, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE task_output_part (
    task INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (task, stream, at)
) STRICT;
INSERT INTO meta VALUES ('output_bytes', 0);

-- States: 0 waiting, 1 done, 2 dead.
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    event INTEGER NOT NULL,
    url TEXT NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    next INTEGER,
    last TEXT,
    created INTEGER NOT NULL,
    claimed_until INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX delivery_due ON delivery (next) WHERE state = 0;
CREATE INDEX delivery_waiting ON delivery (task) WHERE state = 0;
CREATE INDEX delivery_dead ON delivery (seq) WHERE state = 2;
CREATE INDEX delivery_task ON delivery (task);
CREATE INDEX delivery_owner ON delivery (owner);
