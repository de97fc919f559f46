//! Every difference between the two engines in the text of a statement, by name.

use crate::{
    engine::{Connection, Engine, EngineKind, Pools},
    model::{SearchTerms, SearchWord},
    statement::{Statement, statements},
};

// The index of words, as PostgreSQL has it: sets of words, found by an inverted index.
statements! {
    POSTGRES_PUT_SEARCH_WORDS(rows of 2, key 1) =
        "INSERT INTO search_index (rowid, words)
         SELECT CAST(v.document AS BIGINT), array_to_tsvector(string_to_array(CAST(v.words AS TEXT), ' '))
         FROM (VALUES {rows}) AS v (document, words)
         ON CONFLICT (rowid) DO UPDATE SET words = excluded.words";
    POSTGRES_SEARCH_MATCHES(list after 4) =
        "SELECT d.event_sn, d.source_sn, d.room_sn, d.kind, d.ts, d.place
         FROM search_index i JOIN search_documents d ON d.event_sn = i.rowid
         WHERE i.words @@ CAST($1 AS TSQUERY) AND d.ts <= $2 AND (d.kind & $3) <> 0
             AND d.room_sn IN ({list})
         ORDER BY d.ts DESC, d.place DESC, d.event_sn DESC LIMIT $4";
    POSTGRES_SEARCH_INDEX_BYTES =
        "SELECT CAST(pg_total_relation_size(CAST('search_index' AS REGCLASS)) AS BIGINT)";
}

/// The statement that says on this engine what one says on SQLite: the same, but where the index of words is read or
/// written.
pub(crate) fn translated(kind: EngineKind, statement: &'static Statement) -> &'static Statement {
    let own = |other: &&&Statement| other.name.strip_prefix("POSTGRES_") == Some(statement.name);
    match kind {
        EngineKind::Sqlite => statement,
        EngineKind::Postgres => STATEMENTS.iter().find(own).copied().unwrap_or(statement),
    }
}

/// What is asked of the index of words, as the engine reads it; nothing, if nothing can have it. Of words no more comes
/// there than words are made of.
pub(crate) fn search_terms(kind: EngineKind, terms: &SearchTerms) -> Option<String> {
    let (quote, or, and, prefix) = match kind {
        EngineKind::Sqlite => ('"', " OR ", " AND ", "*"),
        EngineKind::Postgres => ('\'', " | ", " & ", ":*"),
    };
    let is_sound = |letter: &char| !letter.is_ascii() || letter.is_ascii_alphanumeric();
    let quoted = |word: &str| {
        let text: String = word.chars().filter(is_sound).collect();
        (!text.is_empty()).then(|| format!("{quote}{text}{quote}"))
    };
    let word = |word: &SearchWord| {
        let found = quoted(&word.word)? + if word.is_prefix { prefix } else { "" };
        match &word.beside {
            Some(beside) => Some(format!("({found}{and}{})", quoted(beside)?)),
            None => Some(found),
        }
    };
    let group = |words: &Vec<SearchWord>| {
        let words: Vec<String> = words.iter().filter_map(word).collect();
        (!words.is_empty()).then(|| format!("({})", words.join(or)))
    };
    let groups: Vec<String> = terms.groups.iter().map(group).collect::<Option<_>>()?;
    (!groups.is_empty()).then(|| groups.join(and))
}

/// Locks the rows that a `SELECT` finds until the transaction ends. SQLite has one writer and needs no lock.
pub(crate) fn lock_rows(engine: &Engine, select: String) -> String {
    match &engine.pools {
        Pools::Sqlite { .. } => select,
        Pools::Postgres(_) => select + " FOR UPDATE",
    }
}

/// The text of a multi-row insert. To bind a parameter that has a name, SQLite goes through the names of all: with
/// tens of thousands, that takes longer than everything else. Where they have none, they go by their order.
pub(crate) fn insert_rows(connection: &Connection, statement: &'static Statement, rows: usize) -> String {
    match connection {
        Connection::Sqlite(_) => statement.expand_without_names(rows),
        Connection::Postgres(_) => translated(EngineKind::Postgres, statement).expand(rows),
    }
}
