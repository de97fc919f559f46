-- Other servers: who could not be reached, and with which keys they sign.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE failing_servers (
    server_name TEXT PRIMARY KEY NOT NULL,
    failing_since_ts INTEGER NOT NULL,
    retry_ts INTEGER NOT NULL,
    interval_ms INTEGER NOT NULL
);

CREATE TABLE peer_keys (
    server_name TEXT NOT NULL,
    key_id TEXT NOT NULL,
    public_key TEXT NOT NULL,
    -- For a retired key, when it was retired.
    valid_until_ts INTEGER NOT NULL,
    retired BOOLEAN NOT NULL,
    -- The newest document that names the key, as it came: others may ask for it.
    document BLOB NOT NULL,
    fetched_ts INTEGER NOT NULL,
    PRIMARY KEY (server_name, key_id)
);
