-- The core: interned names, rooms, events, state, memberships, and what clients keep about rooms.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE counters (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
);
INSERT INTO counters (name, value) VALUES ('position', 0), ('number', 0);

CREATE TABLE server_keys (
    key_id TEXT PRIMARY KEY NOT NULL,
    secret BLOB NOT NULL,
    created_ts INTEGER NOT NULL
);

CREATE TABLE users (
    user_sn INTEGER PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL UNIQUE
);

CREATE TABLE types (
    type_sn INTEGER PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE rooms (
    room_sn INTEGER PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    class TEXT NOT NULL,
    head_version INTEGER NOT NULL,
    heads BLOB NOT NULL,
    state_root BLOB NOT NULL,
    depth INTEGER NOT NULL,
    next_slot INTEGER NOT NULL,
    next_state_index INTEGER NOT NULL,
    last_position INTEGER NOT NULL
);

CREATE TABLE events (
    event_sn INTEGER PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    room_sn INTEGER NOT NULL,
    type_sn INTEGER NOT NULL,
    sender_sn INTEGER NOT NULL,
    slot INTEGER,
    state_index INTEGER,
    depth INTEGER NOT NULL,
    origin_server_ts INTEGER NOT NULL,
    position INTEGER,
    flags INTEGER NOT NULL,
    state_root BLOB NOT NULL,
    room_root BLOB NOT NULL,
    prev BLOB NOT NULL,
    auth BLOB NOT NULL,
    redacted_by INTEGER
);
CREATE INDEX events_by_room_position ON events (room_sn, position);
CREATE INDEX events_by_room_depth ON events (room_sn, depth, position);
CREATE INDEX events_by_position ON events (position) WHERE position IS NOT NULL;

CREATE TABLE event_json (
    event_sn INTEGER PRIMARY KEY NOT NULL,
    json TEXT NOT NULL
);

CREATE TABLE slots (
    room_sn INTEGER NOT NULL,
    type_sn INTEGER NOT NULL,
    state_key TEXT NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (room_sn, type_sn, state_key)
);

CREATE TABLE state_nodes (
    hash BLOB PRIMARY KEY NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE members (
    user_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    membership TEXT NOT NULL,
    event_sn INTEGER NOT NULL,
    forgotten BOOLEAN NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_sn, room_sn)
);
CREATE INDEX members_by_room ON members (room_sn, membership);

CREATE TABLE relations (
    target_id TEXT NOT NULL,
    event_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    relation_type TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (target_id, event_sn)
);
CREATE INDEX relations_by_room ON relations (room_sn, relation_type, position);

CREATE TABLE transactions (
    key BLOB PRIMARY KEY NOT NULL,
    device_sn INTEGER NOT NULL,
    transaction_id TEXT NOT NULL,
    event_sn INTEGER NOT NULL,
    created_ts INTEGER NOT NULL
);
CREATE INDEX transactions_by_event ON transactions (event_sn);

CREATE TABLE aliases (
    alias TEXT PRIMARY KEY NOT NULL,
    room_sn INTEGER NOT NULL,
    creator_sn INTEGER NOT NULL
);
CREATE INDEX aliases_by_room ON aliases (room_sn);

CREATE TABLE published_rooms (
    room_sn INTEGER PRIMARY KEY NOT NULL
);

CREATE TABLE account_data (
    user_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_sn, room_sn, type)
);
CREATE INDEX account_data_by_position ON account_data (user_sn, position);

CREATE TABLE receipts (
    room_sn INTEGER NOT NULL,
    user_sn INTEGER NOT NULL,
    receipt_type TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_position INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (room_sn, user_sn, receipt_type, thread)
);
CREATE INDEX receipts_by_position ON receipts (room_sn, position);
