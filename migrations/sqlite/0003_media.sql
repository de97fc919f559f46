-- Media: what users have uploaded, and the thumbnails made of it. The bytes lie in files, under their hashes.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE media (
    media_id TEXT PRIMARY KEY NOT NULL,
    uploader_sn INTEGER NOT NULL,
    created_ts INTEGER NOT NULL,
    -- Until when the content may come, for media created before its content. Null where there is no such end.
    expires_ts INTEGER,
    -- Null, with the columns below, until the content has come.
    hash BLOB,
    size_bytes INTEGER,
    content_type TEXT,
    filename TEXT,
    stored_ts INTEGER
);
CREATE INDEX media_unused ON media (uploader_sn, expires_ts) WHERE hash IS NULL;

CREATE TABLE thumbnails (
    source_hash BLOB NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    method TEXT NOT NULL,
    hash BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (source_hash, width, height, method)
);
