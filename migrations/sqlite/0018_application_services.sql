-- What application services have not been told yet, and the rooms that they list for other networks.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

-- Everything up to the position was delivered. A transaction that is under way is kept as it was sent, so that it is the
-- same when it is sent again.
CREATE TABLE application_services (
    service TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL,
    transaction_id TEXT,
    reaches_to INTEGER NOT NULL,
    body TEXT
);

CREATE TABLE network_rooms (
    network TEXT NOT NULL,
    room_sn INTEGER NOT NULL,
    PRIMARY KEY (network, room_sn)
);
