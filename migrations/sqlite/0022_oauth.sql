-- OAuth 2.0: the apps that may ask, what people have granted them, and the browsers in which people are signed in.
-- The same tables and columns stand in the file for PostgreSQL. Of secrets only hashes are kept.

-- Apps register themselves; equal ones share a row. One that nobody has used is forgotten after a while.
CREATE TABLE oauth_clients (
    client_id TEXT PRIMARY KEY NOT NULL,
    metadata TEXT NOT NULL,
    created_ts INTEGER NOT NULL,
    used_ts INTEGER
);
CREATE INDEX oauth_clients_by_age ON oauth_clients (created_ts);

-- What somebody has granted an app, until it is fetched with a code; and for a while afterwards, so that a second use
-- of the code is noticed. used_by is the device that the first use gave a session.
CREATE TABLE oauth_grants (
    hash BLOB PRIMARY KEY NOT NULL,
    client_id TEXT NOT NULL,
    user_sn INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    granted_ts INTEGER NOT NULL,
    used_by INTEGER
);

-- What an app without a browser asks for; user_sn is who has granted it, on another machine.
CREATE TABLE oauth_device_grants (
    hash BLOB PRIMARY KEY NOT NULL,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    expires_ts INTEGER NOT NULL,
    asked_ts INTEGER NOT NULL,
    user_sn INTEGER,
    denied BOOLEAN NOT NULL
);

CREATE TABLE browser_sessions (
    hash BLOB PRIMARY KEY NOT NULL,
    user_sn INTEGER NOT NULL,
    proved_ts INTEGER NOT NULL,
    expires_ts INTEGER NOT NULL
);
CREATE INDEX browser_sessions_by_user ON browser_sessions (user_sn);

-- Refresh tokens that were replaced a short while ago: whoever shows one has stolen it, or was stolen from.
CREATE TABLE spent_refresh_tokens (
    hash BLOB PRIMARY KEY NOT NULL,
    device_sn INTEGER NOT NULL,
    expires_ts INTEGER NOT NULL
);

-- Who has said on the account page that a device of theirs may put other keys for cross-signing in the place of theirs.
CREATE TABLE cross_signing_resets (
    user_sn INTEGER PRIMARY KEY NOT NULL,
    expires_ts INTEGER NOT NULL
);

-- The app that a session belongs to; null for one that was opened without OAuth.
ALTER TABLE sessions ADD COLUMN oauth_client TEXT;
CREATE INDEX sessions_by_oauth_client ON sessions (oauth_client);
