-- Sign-ins at identity providers that have happened: what began with one ends when the provider says that it has ended.
-- The same tables and columns stand in the file for SQLite.

-- sid is the provider's own name for it, if it has one. Once it is ended, nothing begins with it any more.
CREATE TABLE upstream_sessions (
    upstream_sn BIGINT PRIMARY KEY NOT NULL,
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    sid TEXT,
    user_sn BIGINT NOT NULL,
    began_ts BIGINT NOT NULL,
    ended BOOLEAN NOT NULL
);
CREATE INDEX upstream_sessions_by_subject ON upstream_sessions (provider, subject);
CREATE INDEX upstream_sessions_by_sid ON upstream_sessions (provider, sid) WHERE sid IS NOT NULL;
CREATE INDEX upstream_sessions_by_user ON upstream_sessions (user_sn);

-- What providers have said of ended sign-ins, by hashes, until it would be too old: it is heard once.
CREATE TABLE logout_tokens (
    hash BYTEA PRIMARY KEY NOT NULL,
    expires_ts BIGINT NOT NULL
);

-- The sign-in at a provider with which each began; null for one that began without.
ALTER TABLE browser_sessions ADD COLUMN upstream_sn BIGINT;
CREATE INDEX browser_sessions_by_upstream ON browser_sessions (upstream_sn) WHERE upstream_sn IS NOT NULL;
ALTER TABLE oauth_grants ADD COLUMN upstream_sn BIGINT;
ALTER TABLE oauth_device_grants ADD COLUMN upstream_sn BIGINT;
ALTER TABLE passes ADD COLUMN upstream_sn BIGINT;
ALTER TABLE sessions ADD COLUMN upstream_sn BIGINT;
CREATE INDEX sessions_by_upstream ON sessions (upstream_sn) WHERE upstream_sn IS NOT NULL;
