-- Accounts that are suspended, guests, and what users have reported.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

ALTER TABLE accounts ADD COLUMN suspended BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE accounts ADD COLUMN guest BOOLEAN NOT NULL DEFAULT FALSE;

-- A report of an event has a room, an event and its sender; of a room or a user, that alone.
CREATE TABLE reports (
    report_sn INTEGER PRIMARY KEY NOT NULL,
    reporter_sn INTEGER NOT NULL,
    room_id TEXT,
    event_id TEXT,
    user_id TEXT,
    reason TEXT NOT NULL,
    event TEXT,
    created_ts INTEGER NOT NULL,
    closed_ts INTEGER,
    closed_by TEXT,
    note TEXT
);
CREATE INDEX reports_open ON reports (report_sn) WHERE closed_ts IS NULL;
