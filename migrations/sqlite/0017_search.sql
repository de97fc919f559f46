-- The search: what is in the index, the index of words, and what has to be looked at anew.
-- The index keeps no texts, only in which documents a word is; words come normalised, one space between them.

CREATE TABLE search_documents (
    event_sn INTEGER PRIMARY KEY NOT NULL,
    room_sn INTEGER NOT NULL,
    source_sn INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    place INTEGER NOT NULL
);
CREATE INDEX search_documents_by_source ON search_documents (source_sn) WHERE source_sn <> event_sn;

CREATE VIRTUAL TABLE search_index USING fts5 (
    words,
    content = '',
    contentless_delete = 1,
    detail = none,
    tokenize = 'ascii'
);

CREATE TABLE search_pending (
    event_sn INTEGER PRIMARY KEY NOT NULL
);

INSERT INTO counters (name, value) VALUES ('search', 0), ('search_fill', 0), ('search_format', 0);
