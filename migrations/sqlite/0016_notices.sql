-- The room in which the server speaks to a user.
-- The same table and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE notice_rooms (
    user_sn INTEGER PRIMARY KEY NOT NULL,
    room_sn INTEGER NOT NULL
);
