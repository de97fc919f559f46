-- What events reply to by `m.relationship`: see crates/storage/src/relationships.rs.
-- The same tables and columns stand in the file for PostgreSQL.

CREATE TABLE relationships (
    event_sn INTEGER NOT NULL PRIMARY KEY,
    -- The event that it replies to, which need not be here.
    target_id TEXT NOT NULL,
    room_sn INTEGER NOT NULL,
    relation_type TEXT NOT NULL
);
CREATE INDEX relationships_by_target ON relationships (target_id);
