-- Identity providers: sign-ins that are under way there, and which of their people are which of ours.
-- The same tables and columns stand in the file for SQLite.

CREATE TABLE upstream_logins (
    state BYTEA PRIMARY KEY NOT NULL,
    provider TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    browser BYTEA NOT NULL,
    next TEXT NOT NULL,
    expires_ts BIGINT NOT NULL
);

CREATE TABLE external_ids (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_sn BIGINT NOT NULL,
    linked_ts BIGINT NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX external_ids_by_user ON external_ids (user_sn);
