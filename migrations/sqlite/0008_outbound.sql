-- What other servers have not been told yet, and what they were answered.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

-- The server of a user, worked out of the id.
ALTER TABLE users ADD COLUMN server TEXT GENERATED ALWAYS AS (substr(user_id, instr(user_id, ':') + 1)) VIRTUAL;
CREATE INDEX users_by_server ON users (server);

-- Everything up to here was told to every server that is not among the lagging ones.
INSERT INTO counters (name, value) SELECT 'outbound', value FROM counters WHERE name = 'position';

CREATE TABLE lagging_servers (
    server TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL
);

CREATE TABLE outgoing_edus (
    server TEXT NOT NULL,
    position INTEGER NOT NULL,
    edu TEXT NOT NULL,
    created_ts INTEGER NOT NULL,
    PRIMARY KEY (server, position)
);
CREATE INDEX outgoing_edus_by_time ON outgoing_edus (created_ts);

CREATE TABLE answered_transactions (
    origin TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    answer TEXT NOT NULL,
    answered_ts INTEGER NOT NULL,
    PRIMARY KEY (origin, transaction_id)
);
CREATE INDEX answered_transactions_by_time ON answered_transactions (answered_ts);
