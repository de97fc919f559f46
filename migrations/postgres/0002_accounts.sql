-- Accounts: who has one here, their devices and sessions, what proves who they are, and what they keep.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE accounts (
    user_sn BIGINT PRIMARY KEY NOT NULL,
    password_hash TEXT,
    is_admin BOOLEAN NOT NULL,
    locked BOOLEAN NOT NULL,
    deactivated BOOLEAN NOT NULL,
    erased BOOLEAN NOT NULL,
    created_ts BIGINT NOT NULL
);

CREATE TABLE profile_fields (
    user_sn BIGINT NOT NULL,
    field TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_sn, field)
);

-- What people are found by, in small letters.
CREATE TABLE user_directory (
    user_sn BIGINT PRIMARY KEY NOT NULL,
    localpart TEXT NOT NULL,
    displayname TEXT NOT NULL
);

CREATE TABLE devices (
    device_sn BIGINT PRIMARY KEY NOT NULL,
    user_sn BIGINT NOT NULL,
    device_id TEXT NOT NULL,
    display_name TEXT,
    last_seen_ts BIGINT,
    last_seen_ip TEXT,
    created_ts BIGINT NOT NULL,
    UNIQUE (user_sn, device_id)
);

-- An access token and the refresh token that was given with it. Only hashes are kept. A session that came of a
-- refresh names the one it replaces, until it is used for the first time.
CREATE TABLE sessions (
    session_sn BIGINT PRIMARY KEY NOT NULL,
    user_sn BIGINT NOT NULL,
    device_sn BIGINT NOT NULL,
    access_hash BYTEA NOT NULL UNIQUE,
    access_expires_ts BIGINT,
    refresh_hash BYTEA UNIQUE,
    refresh_expires_ts BIGINT,
    replaces_sn BIGINT
);
CREATE INDEX sessions_by_device ON sessions (device_sn);
CREATE INDEX sessions_by_user ON sessions (user_sn);

-- Tokens that live for minutes: to log in by, or to show to a third party.
CREATE TABLE passes (
    hash BYTEA PRIMARY KEY NOT NULL,
    purpose TEXT NOT NULL,
    user_sn BIGINT NOT NULL,
    expires_ts BIGINT NOT NULL
);

CREATE TABLE interactive_auth (
    key BYTEA PRIMARY KEY NOT NULL,
    user_sn BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    body_hash BYTEA NOT NULL,
    completed TEXT NOT NULL,
    saved TEXT,
    expires_ts BIGINT NOT NULL
);

CREATE TABLE filters (
    user_sn BIGINT NOT NULL,
    filter_id BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (user_sn, filter_id),
    UNIQUE (user_sn, hash)
);

CREATE TABLE pushers (
    user_sn BIGINT NOT NULL,
    app_id TEXT NOT NULL,
    pushkey TEXT NOT NULL,
    device_sn BIGINT NOT NULL,
    pusher TEXT NOT NULL,
    created_ts BIGINT NOT NULL,
    PRIMARY KEY (user_sn, app_id, pushkey)
);
CREATE INDEX pushers_by_device ON pushers (device_sn);
