-- The room in which the server speaks to a user.
-- The same table and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE notice_rooms (
    user_sn BIGINT PRIMARY KEY NOT NULL,
    room_sn BIGINT NOT NULL
);
