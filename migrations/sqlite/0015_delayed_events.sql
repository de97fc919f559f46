-- Events that clients have handed in to be sent later, unless they say otherwise.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE delayed_events (
    delay_id TEXT PRIMARY KEY NOT NULL,
    user_sn INTEGER NOT NULL,
    device_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT,
    content TEXT NOT NULL,
    transaction_id TEXT,
    delay_ms INTEGER NOT NULL,
    began_ts INTEGER NOT NULL,
    due_ts INTEGER NOT NULL
);

CREATE INDEX delayed_events_due ON delayed_events (due_ts);
CREATE INDEX delayed_events_user ON delayed_events (user_sn);
CREATE UNIQUE INDEX delayed_events_transaction ON delayed_events (device_sn, transaction_id)
    WHERE transaction_id IS NOT NULL;
