-- Media: what users have uploaded, and the thumbnails made of it. The bytes lie in files, under their hashes.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE media (
    media_id TEXT PRIMARY KEY NOT NULL,
    uploader_sn BIGINT NOT NULL,
    created_ts BIGINT NOT NULL,
    -- Until when the content may come, for media created before its content. Null where there is no such end.
    expires_ts BIGINT,
    -- Null, with the columns below, until the content has come.
    hash BYTEA,
    size_bytes BIGINT,
    content_type TEXT,
    filename TEXT,
    stored_ts BIGINT
);
CREATE INDEX media_unused ON media (uploader_sn, expires_ts) WHERE hash IS NULL;

CREATE TABLE thumbnails (
    source_hash BYTEA NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    method TEXT NOT NULL,
    hash BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (source_hash, width, height, method)
);
