-- Mail addresses of users and how they are proved, tokens for registering, and terms that were accepted.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE user_addresses (
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    user_sn INTEGER NOT NULL,
    validated_ts INTEGER NOT NULL,
    added_ts INTEGER NOT NULL,
    PRIMARY KEY (medium, address)
);
CREATE INDEX user_addresses_by_user ON user_addresses (user_sn);

-- Of secrets and tokens only hashes are kept.
CREATE TABLE address_validations (
    sid TEXT PRIMARY KEY NOT NULL,
    secret_hash BLOB NOT NULL,
    medium TEXT NOT NULL,
    address TEXT NOT NULL,
    purpose TEXT NOT NULL,
    token_hash BLOB NOT NULL,
    send_attempt INTEGER NOT NULL,
    next_link TEXT,
    expires_ts INTEGER NOT NULL,
    validated_ts INTEGER
);
CREATE INDEX address_validations_by_secret ON address_validations (secret_hash);

CREATE TABLE registration_tokens (
    token TEXT PRIMARY KEY NOT NULL,
    uses_allowed INTEGER,
    uses INTEGER NOT NULL,
    expires_ts INTEGER,
    created_ts INTEGER NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE accepted_terms (
    user_sn INTEGER NOT NULL,
    policy TEXT NOT NULL,
    version TEXT NOT NULL,
    accepted_ts INTEGER NOT NULL,
    PRIMARY KEY (user_sn, policy, version)
);
