//! The index of the search: in which documents a word is.
//!
//! A document is an event with a text that can be sought. Its words come here normalised, each once; which words
//! those are, and what is asked for in their terms, is for the engine above to say. The texts themselves are not
//! kept here a second time. Three numbers say how far the index has come: up to which position of the stream it
//! knows of news, up to which event number what was there before has been put in, and in which form.

use crate::{
    EventSn, Place, Position, RoomSn, TypeSn, dialect,
    error::StorageError,
    model::SearchTerms,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

statements! {
    PUT_SEARCH_DOCUMENT(rows of 6, key 1) =
        "INSERT INTO search_documents (event_sn, room_sn, source_sn, kind, ts, place) VALUES {rows}
         ON CONFLICT (event_sn) DO UPDATE SET source_sn = excluded.source_sn, ts = excluded.ts,
             place = excluded.place";
    PUT_SEARCH_WORDS(rows of 2, key 1) =
        "INSERT OR REPLACE INTO search_index (rowid, words) VALUES {rows}";
    DELETE_SEARCH_DOCUMENT = "DELETE FROM search_documents WHERE event_sn = $1";
    DELETE_SEARCH_WORDS = "DELETE FROM search_index WHERE rowid = $1";
    SEARCH_DOCUMENTS_OF_SOURCES(list after 0) =
        "SELECT event_sn FROM search_documents WHERE source_sn <> event_sn AND source_sn IN ({list})";
    SEARCH_DOCUMENTS_AMONG(list after 0) =
        "SELECT event_sn FROM search_documents WHERE event_sn IN ({list})";
    SEARCH_DOCUMENTS_COUNT = "SELECT COUNT(*) FROM search_documents";
    SEARCH_MATCHES(list after 4) =
        "SELECT d.event_sn, d.source_sn, d.room_sn, d.kind, d.ts, d.place
         FROM search_index i CROSS JOIN search_documents d
         WHERE i.search_index MATCH $1 AND d.event_sn = i.rowid AND d.ts <= $2 AND (d.kind & $3) <> 0
             AND d.room_sn IN ({list})
         ORDER BY d.ts DESC, d.place DESC, d.event_sn DESC LIMIT $4";
    SEARCH_INDEX_BYTES =
        "SELECT (SELECT COALESCE(SUM(LENGTH(block)), 0) FROM search_index_data)
             + (SELECT COALESCE(SUM(LENGTH(sz)), 0) FROM search_index_docsize)";
    SEARCH_PENDING = "SELECT event_sn FROM search_pending ORDER BY event_sn LIMIT $1";
    ADD_SEARCH_PENDING(rows of 1, key 1) =
        "INSERT INTO search_pending (event_sn) VALUES {rows} ON CONFLICT DO NOTHING";
    DELETE_SEARCH_PENDING = "DELETE FROM search_pending WHERE event_sn = $1";
    SEARCH_MARKS = "SELECT name, value FROM counters WHERE name IN ('search', 'search_fill', 'search_format')";
    MOVE_SEARCH_POSITION = "UPDATE counters SET value = $1 WHERE name = 'search'";
    MOVE_SEARCH_FILL = "UPDATE counters SET value = $1 WHERE name = 'search_fill'";
    PUT_SEARCH_FORMAT = "UPDATE counters SET value = $1 WHERE name = 'search_format'";
    SHOWN_EVENTS_OF_TYPES(list after 2) =
        "SELECT event_sn FROM events WHERE event_sn > $1 AND place IS NOT NULL AND type_sn IN ({list})
         ORDER BY event_sn LIMIT $2";
    GREATEST_EVENT = "SELECT COALESCE(MAX(event_sn), 0) FROM events";
}

/// An event with a text that can be sought, as it is put into the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchDocument {
    /// The event that is found.
    pub event: EventSn,
    /// Its room.
    pub room: RoomSn,
    /// The event whose content the text is from: the same, or its newest edit.
    pub source: EventSn,
    /// Which kind of text it is: one bit.
    pub kind: i64,
    /// When it was sent, in milliseconds since the epoch.
    pub ts: i64,
    /// Where it stands in the history of its room.
    pub place: Place,
    /// Its normalised words, each once, with single spaces between them. Within a word no ASCII but letters and
    /// digits.
    pub words: String,
}

/// What of the index is looked at.
#[derive(Clone, Debug)]
pub struct SearchScope<'a> {
    /// In which rooms.
    pub rooms: &'a [RoomSn],
    /// Which kinds of texts: their bits.
    pub kinds: i64,
    /// Nothing that was sent after this time, in milliseconds since the epoch.
    pub until_ts: i64,
    /// How many documents at most: the newest.
    pub limit: usize,
}

/// A document that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchMatch {
    /// The event.
    pub event: EventSn,
    /// The event whose content the text is from.
    pub source: EventSn,
    /// The room.
    pub room: RoomSn,
    /// The kind of text.
    pub kind: i64,
    /// When the event was sent, in milliseconds since the epoch.
    pub ts: i64,
    /// Where it stands in the history of its room.
    pub place: Place,
}

/// How far the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchMarks {
    /// Everything up to here in the stream is in the index.
    pub position: Position,
    /// Of what was there before, everything up to this number is.
    pub filled: EventSn,
    /// In which form the words are.
    pub format: i64,
}

impl WriteSet {
    /// Puts a document into the index, in place of what was there under the same event.
    pub fn put_search_document(&mut self, document: &SearchDocument) {
        let SearchDocument { event, room, source, kind, ts, place, words } = document;
        let row = vec![
            (*event).into(),
            (*room).into(),
            (*source).into(),
            (*kind).into(),
            (*ts).into(),
            (*place).into(),
        ];
        self.write(&PUT_SEARCH_DOCUMENT, row);
        self.write(&PUT_SEARCH_WORDS, vec![(*event).into(), words.as_str().into()]);
    }

    /// Takes a document out of the index.
    pub fn delete_search_document(&mut self, event: EventSn) {
        self.write(&DELETE_SEARCH_DOCUMENT, vec![event.into()]);
        self.write(&DELETE_SEARCH_WORDS, vec![event.into()]);
    }

    /// Notes that an event has to be looked at anew though it is no news: it was redacted, or comes from the past.
    pub(crate) fn add_search_pending(&mut self, event: EventSn) {
        self.write(&ADD_SEARCH_PENDING, vec![event.into()]);
        self.search_is_pending = true;
    }

    /// Notes that an event that had to be looked at anew was.
    pub fn delete_search_pending(&mut self, event: EventSn) {
        self.write(&DELETE_SEARCH_PENDING, vec![event.into()]);
    }

    /// Notes up to where in the stream everything is in the index.
    pub fn move_search_position(&mut self, position: Position) {
        self.write(&MOVE_SEARCH_POSITION, vec![position.into()]);
    }

    /// Notes up to which event what was there before is in the index.
    pub fn move_search_fill(&mut self, filled: EventSn) {
        self.write(&MOVE_SEARCH_FILL, vec![filled.into()]);
    }

    /// Notes in which form the words of the index are.
    pub fn put_search_format(&mut self, format: i64) {
        self.write(&PUT_SEARCH_FORMAT, vec![format.into()]);
    }
}

impl Store {
    /// How far the index has come.
    pub async fn search_marks(&self) -> Result<SearchMarks, StorageError> {
        let mut marks = SearchMarks { position: Position::START, filled: EventSn(0), format: 0 };
        for row in self.engine.fetch(&SEARCH_MARKS, Vec::new()).await? {
            let value = row.int(1)?;
            match row.text(0)?.as_str() {
                "search" => marks.position = Position(value),
                "search_fill" => marks.filled = EventSn(value),
                _ => marks.format = value,
            }
        }
        Ok(marks)
    }

    /// Events that have to be looked at anew, at most `limit`.
    pub async fn search_pending(&self, limit: usize) -> Result<Vec<EventSn>, StorageError> {
        numbers(&self.engine.fetch(&SEARCH_PENDING, vec![bound(limit)]).await?)
    }

    /// Waits until a commit has left something to be looked at anew. For one who waits; what came before the call
    /// is noticed.
    pub async fn search_pending_added(&self) {
        self.shared.search_pending.notified().await;
    }

    /// The documents whose text is that of one of these edits.
    pub async fn search_documents_of_edits(&self, edits: &[EventSn]) -> Result<Vec<EventSn>, StorageError> {
        let list = edits.iter().copied();
        numbers(&self.engine.fetch_list(&SEARCH_DOCUMENTS_OF_SOURCES, Vec::new(), list).await?)
    }

    /// Those of these events that are documents of the index.
    pub async fn search_documents_among(&self, events: &[EventSn]) -> Result<Vec<EventSn>, StorageError> {
        let list = events.iter().copied();
        numbers(&self.engine.fetch_list(&SEARCH_DOCUMENTS_AMONG, Vec::new(), list).await?)
    }

    /// How many documents are in the index.
    pub async fn search_documents_count(&self) -> Result<u64, StorageError> {
        let row = self.engine.fetch_one(&SEARCH_DOCUMENTS_COUNT, Vec::new()).await?;
        row.map_or(Ok(0), |row| Ok(u64::try_from(row.int(0)?).unwrap_or(0)))
    }

    /// About how many bytes the index of words takes.
    pub async fn search_index_bytes(&self) -> Result<u64, StorageError> {
        let statement = dialect::translated(self.engine.kind(), &SEARCH_INDEX_BYTES);
        let row = self.engine.fetch_one(statement, Vec::new()).await?;
        row.map_or(Ok(0), |row| Ok(u64::try_from(row.int(0)?).unwrap_or(0)))
    }

    /// The documents that have what is asked for, newest first.
    pub async fn search(
        &self,
        terms: &SearchTerms,
        scope: &SearchScope<'_>,
    ) -> Result<Vec<SearchMatch>, StorageError> {
        let kind = self.engine.kind();
        let statement = dialect::translated(kind, &SEARCH_MATCHES);
        let Some(wanted) = dialect::search_terms(kind, terms) else { return Ok(Vec::new()) };
        let fixed = vec![wanted.into(), scope.until_ts.into(), scope.kinds.into(), bound(scope.limit)];
        let rows = self.engine.fetch_list(statement, fixed, scope.rooms.iter().copied()).await?;
        let mut found: Vec<SearchMatch> = rows.iter().map(search_match).collect::<Result<_, _>>()?;
        // Many rooms are asked for in several statements, each with its own order.
        found.sort_unstable_by_key(|found| std::cmp::Reverse((found.ts, found.place, found.event)));
        found.truncate(scope.limit);
        Ok(found)
    }

    /// Events of these types that may be shown, with numbers after this one, in order, at most `limit`.
    pub async fn shown_events_of_types(
        &self,
        kinds: &[TypeSn],
        after: EventSn,
        limit: usize,
    ) -> Result<Vec<EventSn>, StorageError> {
        let fixed = vec![after.into(), bound(limit)];
        let rows = self.engine.fetch_list(&SHOWN_EVENTS_OF_TYPES, fixed, kinds.iter().copied()).await?;
        numbers(&rows)
    }

    /// The greatest number that an event has.
    pub async fn greatest_event(&self) -> Result<EventSn, StorageError> {
        let row = self.engine.fetch_one(&GREATEST_EVENT, Vec::new()).await?;
        row.map_or(Ok(EventSn(0)), |row| row.int(0).map(EventSn))
    }
}

fn bound(limit: usize) -> Value {
    i64::try_from(limit).unwrap_or(i64::MAX).into()
}

fn numbers(rows: &[Row]) -> Result<Vec<EventSn>, StorageError> {
    rows.iter().map(|row| row.int(0).map(EventSn)).collect()
}

fn search_match(row: &Row) -> Result<SearchMatch, StorageError> {
    Ok(SearchMatch {
        event: EventSn(row.int(0)?),
        source: EventSn(row.int(1)?),
        room: RoomSn(row.int(2)?),
        kind: row.int(3)?,
        ts: row.int(4)?,
        place: Place(row.int(5)?),
    })
}
