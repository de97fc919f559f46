-- The graph of a federated room: places in its history, holes in it, redactions that wait, and the inbox.

ALTER TABLE events ADD COLUMN place BIGINT;
UPDATE events SET place = position * 1048576 WHERE position IS NOT NULL;
DROP INDEX events_by_room_depth;
CREATE INDEX events_by_room_place ON events (room_sn, place);
CREATE INDEX events_by_state_index ON events (room_sn, state_index) WHERE state_index IS NOT NULL;

ALTER TABLE relations RENAME COLUMN position TO place;
UPDATE relations SET place = place * 1048576;

CREATE TABLE missing_events (
    room_sn BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    place BIGINT NOT NULL,
    PRIMARY KEY (room_sn, event_id)
);
CREATE INDEX missing_events_by_place ON missing_events (room_sn, place);

CREATE TABLE waiting_redactions (
    target_id TEXT NOT NULL,
    redaction_sn BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    PRIMARY KEY (target_id, redaction_sn)
);

CREATE TABLE inbox (
    event_id TEXT PRIMARY KEY NOT NULL,
    number BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    origin TEXT NOT NULL,
    json TEXT NOT NULL,
    received_ts BIGINT NOT NULL
);
CREATE INDEX inbox_by_room ON inbox (room_sn, number);
