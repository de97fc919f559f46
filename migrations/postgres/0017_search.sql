-- The search: what is in the index, the index of words, and what has to be looked at anew.
-- The index keeps no texts, only in which documents a word is; words come normalised.

CREATE TABLE search_documents (
    event_sn BIGINT PRIMARY KEY NOT NULL,
    room_sn BIGINT NOT NULL,
    source_sn BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    ts BIGINT NOT NULL,
    place BIGINT NOT NULL
);
CREATE INDEX search_documents_by_source ON search_documents (source_sn) WHERE source_sn <> event_sn;

CREATE TABLE search_index (
    rowid BIGINT PRIMARY KEY NOT NULL,
    words TSVECTOR NOT NULL
);
CREATE INDEX search_index_by_word ON search_index USING GIN (words);

CREATE TABLE search_pending (
    event_sn BIGINT PRIMARY KEY NOT NULL
);

INSERT INTO counters (name, value) VALUES ('search', 0), ('search_fill', 0), ('search_format', 0);
