-- End-to-end encryption: keys of devices and of users, messages to devices, and backups of room keys.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

-- Identity keys of devices, here and elsewhere. A device of another server has the number 0, and brings its name.
CREATE TABLE device_keys (
    user_sn INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    device_sn INTEGER NOT NULL,
    display_name TEXT,
    keys TEXT NOT NULL,
    PRIMARY KEY (user_sn, device_id)
);

-- A key that was claimed stays for a while, so that an upload that is repeated does not bring it back.
CREATE TABLE one_time_keys (
    device_sn INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    claimed_ts INTEGER,
    PRIMARY KEY (device_sn, algorithm, key_id)
);
CREATE INDEX one_time_keys_in_order ON one_time_keys (device_sn, algorithm, position, ordinal)
    WHERE claimed_ts IS NULL;

CREATE TABLE fallback_keys (
    device_sn INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT NOT NULL,
    key TEXT NOT NULL,
    used BOOLEAN NOT NULL,
    PRIMARY KEY (device_sn, algorithm)
);

CREATE TABLE cross_signing_keys (
    user_sn INTEGER NOT NULL,
    usage TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (user_sn, usage)
);

-- Signatures that came after the key. The target is a device id, or a public key for cross-signing.
CREATE TABLE key_signatures (
    target_sn INTEGER NOT NULL,
    target TEXT NOT NULL,
    signer_sn INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (target_sn, target, signer_sn, key_id)
);
CREATE INDEX key_signatures_by_signer ON key_signatures (signer_sn, position);

-- Where each device changed last; without a device id, the user's keys for cross-signing, or the whole list of a
-- user of another server.
CREATE TABLE device_changes (
    user_sn INTEGER NOT NULL,
    device_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (user_sn, device_id)
);
CREATE INDEX device_changes_by_position ON device_changes (position);
CREATE INDEX members_by_position ON members (room_sn, position);

-- Up to which number of its stream each list of devices was told to others, or was heard from its server. A stale
-- one is to be asked for again.
CREATE TABLE device_lists (
    user_sn INTEGER PRIMARY KEY NOT NULL,
    stream_id INTEGER NOT NULL,
    stale BOOLEAN NOT NULL
);
CREATE INDEX device_lists_stale ON device_lists (user_sn) WHERE stale;

CREATE TABLE to_device (
    device_sn INTEGER NOT NULL,
    position INTEGER NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (device_sn, position)
);

-- How far those have come who follow the stream on their own.
CREATE TABLE cursors (
    reader TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL
);

-- A version that is deleted stays as a row, so that its number is never given again.
CREATE TABLE key_backups (
    user_sn INTEGER NOT NULL,
    version INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    auth_data TEXT NOT NULL,
    etag INTEGER NOT NULL,
    key_count INTEGER NOT NULL,
    deleted BOOLEAN NOT NULL,
    PRIMARY KEY (user_sn, version)
);

CREATE TABLE backed_up_keys (
    user_sn INTEGER NOT NULL,
    version INTEGER NOT NULL,
    room_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_message_index INTEGER NOT NULL,
    forwarded_count INTEGER NOT NULL,
    is_verified BOOLEAN NOT NULL,
    session_data TEXT NOT NULL,
    PRIMARY KEY (user_sn, version, room_id, session_id)
);
