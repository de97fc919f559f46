-- The core: interned names, rooms, events, state, memberships, and what clients keep about rooms.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE counters (
    name TEXT PRIMARY KEY NOT NULL,
    value BIGINT NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counters (name, value) VALUES ('position', 0), ('number', 0);

CREATE TABLE server_keys (
    key_id TEXT PRIMARY KEY NOT NULL,
    secret BYTEA NOT NULL,
    created_ts BIGINT NOT NULL
);

CREATE TABLE users (
    user_sn BIGINT PRIMARY KEY NOT NULL,
    user_id TEXT NOT NULL UNIQUE
);

CREATE TABLE types (
    type_sn BIGINT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE rooms (
    room_sn BIGINT PRIMARY KEY NOT NULL,
    room_id TEXT NOT NULL UNIQUE,
    version TEXT NOT NULL,
    class TEXT NOT NULL,
    head_version BIGINT NOT NULL,
    heads BYTEA NOT NULL,
    state_root BYTEA NOT NULL,
    depth BIGINT NOT NULL,
    next_slot BIGINT NOT NULL,
    next_state_index BIGINT NOT NULL,
    last_position BIGINT NOT NULL
);

CREATE TABLE events (
    event_sn BIGINT PRIMARY KEY NOT NULL,
    event_id TEXT NOT NULL UNIQUE,
    room_sn BIGINT NOT NULL,
    type_sn BIGINT NOT NULL,
    sender_sn BIGINT NOT NULL,
    slot BIGINT,
    state_index BIGINT,
    depth BIGINT NOT NULL,
    origin_server_ts BIGINT NOT NULL,
    position BIGINT,
    flags BIGINT NOT NULL,
    state_root BYTEA NOT NULL,
    room_root BYTEA NOT NULL,
    prev BYTEA NOT NULL,
    auth BYTEA NOT NULL,
    redacted_by BIGINT
);
CREATE INDEX events_by_room_position ON events (room_sn, position);
CREATE INDEX events_by_room_depth ON events (room_sn, depth, position);
CREATE INDEX events_by_position ON events (position) WHERE position IS NOT NULL;

CREATE TABLE event_json (
    event_sn BIGINT PRIMARY KEY NOT NULL,
    json TEXT NOT NULL
);

CREATE TABLE slots (
    room_sn BIGINT NOT NULL,
    type_sn BIGINT NOT NULL,
    state_key TEXT NOT NULL,
    slot BIGINT NOT NULL,
    PRIMARY KEY (room_sn, type_sn, state_key)
);

CREATE TABLE state_nodes (
    hash BYTEA PRIMARY KEY NOT NULL,
    body BYTEA NOT NULL
);

CREATE TABLE members (
    user_sn BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    membership TEXT NOT NULL,
    event_sn BIGINT NOT NULL,
    forgotten BOOLEAN NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_sn, room_sn)
);
CREATE INDEX members_by_room ON members (room_sn, membership);

CREATE TABLE relations (
    target_id TEXT NOT NULL,
    event_sn BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    relation_type TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (target_id, event_sn)
);
CREATE INDEX relations_by_room ON relations (room_sn, relation_type, position);

CREATE TABLE transactions (
    key BYTEA PRIMARY KEY NOT NULL,
    device_sn BIGINT NOT NULL,
    transaction_id TEXT NOT NULL,
    event_sn BIGINT NOT NULL,
    created_ts BIGINT NOT NULL
);
CREATE INDEX transactions_by_event ON transactions (event_sn);

CREATE TABLE aliases (
    alias TEXT PRIMARY KEY NOT NULL,
    room_sn BIGINT NOT NULL,
    creator_sn BIGINT NOT NULL
);
CREATE INDEX aliases_by_room ON aliases (room_sn);

CREATE TABLE published_rooms (
    room_sn BIGINT PRIMARY KEY NOT NULL
);

CREATE TABLE account_data (
    user_sn BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (user_sn, room_sn, type)
);
CREATE INDEX account_data_by_position ON account_data (user_sn, position);

CREATE TABLE receipts (
    room_sn BIGINT NOT NULL,
    user_sn BIGINT NOT NULL,
    receipt_type TEXT NOT NULL,
    thread TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_position BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (room_sn, user_sn, receipt_type, thread)
);
CREATE INDEX receipts_by_position ON receipts (room_sn, position);
