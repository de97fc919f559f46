-- Which threads users follow, or no longer follow: see crates/storage/src/thread_subscriptions.rs.
-- The same tables and columns stand in the file for PostgreSQL.

CREATE TABLE thread_subscriptions (
    user_sn INTEGER NOT NULL,
    -- The event that the thread begins with.
    root_sn INTEGER NOT NULL,
    room_sn INTEGER NOT NULL,
    -- Whether the user follows the thread, or has stopped doing so.
    subscribed BOOLEAN NOT NULL,
    -- Whether a client has had the user follow it, and not the user's own choice.
    automatic BOOLEAN NOT NULL,
    -- When it became so.
    position INTEGER NOT NULL,
    PRIMARY KEY (user_sn, root_sn)
);
CREATE INDEX thread_subscriptions_by_position ON thread_subscriptions (user_sn, position);
