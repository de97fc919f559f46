-- Mail addresses of users and how they are proved, tokens for registering, and terms that were accepted.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE user_addresses (
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    user_sn BIGINT NOT NULL,
    validated_ts BIGINT NOT NULL,
    added_ts BIGINT NOT NULL,
    PRIMARY KEY (medium, address)
);
CREATE INDEX user_addresses_by_user ON user_addresses (user_sn);

-- Of secrets and tokens only hashes are kept.
CREATE TABLE address_validations (
    sid TEXT PRIMARY KEY NOT NULL,
    secret_hash BYTEA NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    token_hash BYTEA NOT NULL,
    send_attempt BIGINT NOT NULL,
    next_link TEXT,
    expires_ts BIGINT NOT NULL,
    validated_ts BIGINT
);
CREATE INDEX address_validations_by_secret ON address_validations (secret_hash);

CREATE TABLE registration_tokens (
    token TEXT PRIMARY KEY NOT NULL,
    uses_allowed BIGINT,
    uses BIGINT NOT NULL,
    expires_ts BIGINT,
    created_ts BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE accepted_terms (
    user_sn BIGINT NOT NULL,
    policy TEXT NOT NULL,
    version TEXT NOT NULL,
    accepted_ts BIGINT NOT NULL,
    PRIMARY KEY (user_sn, policy, version)
);
