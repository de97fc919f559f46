-- Identity providers: sign-ins that are under way there, and which of their people are which of ours.
-- The same tables and columns stand in the file for PostgreSQL.

CREATE TABLE upstream_logins (
    state BLOB PRIMARY KEY NOT NULL,
    provider TEXT NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    browser BLOB NOT NULL,
    next TEXT NOT NULL,
    expires_ts INTEGER NOT NULL
);

CREATE TABLE external_ids (
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_sn INTEGER NOT NULL,
    linked_ts INTEGER NOT NULL,
    PRIMARY KEY (provider, subject)
);
CREATE INDEX external_ids_by_user ON external_ids (user_sn);
