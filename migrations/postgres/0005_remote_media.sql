-- Media of other servers that were fetched for users of this one. The bytes lie in files, under their hashes.
-- The same tables and columns stand in the file for SQLite; docs/architecture.md describes them.

CREATE TABLE remote_media (
    server_name TEXT NOT NULL,
    media_id TEXT NOT NULL,
    hash BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    filename TEXT,
    stored_ts BIGINT NOT NULL,
    PRIMARY KEY (server_name, media_id)
);

-- Thumbnails that their servers made, of what no thumbnail can be made of here.
CREATE TABLE remote_thumbnails (
    server_name TEXT NOT NULL,
    media_id TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    method TEXT NOT NULL,
    hash BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    PRIMARY KEY (server_name, media_id, width, height, method)
);
