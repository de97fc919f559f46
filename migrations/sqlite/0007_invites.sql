-- What users who are invited to a room, or have knocked at one, know of it before they are in.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE outside_views (
    user_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    state TEXT NOT NULL,
    servers TEXT NOT NULL,
    PRIMARY KEY (user_sn, room_sn)
);
