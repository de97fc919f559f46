-- Events that clients have handed in to be sent later, unless they say otherwise.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE delayed_events (
    delay_id TEXT PRIMARY KEY NOT NULL,
    user_sn BIGINT NOT NULL,
    device_sn BIGINT NOT NULL,
    room_sn BIGINT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    content TEXT NOT NULL,
    transaction_id TEXT,
    delay_ms BIGINT NOT NULL,
    began_ts BIGINT NOT NULL,
    due_ts BIGINT NOT NULL
);

CREATE INDEX delayed_events_due ON delayed_events (due_ts);
CREATE INDEX delayed_events_user ON delayed_events (user_sn);
CREATE UNIQUE INDEX delayed_events_transaction ON delayed_events (device_sn, transaction_id)
    WHERE transaction_id IS NOT NULL;
