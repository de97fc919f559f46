//! From events to documents of the index: which events are some, and with which text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parvis_storage::{EventFlags, EventSn, SearchDocument, StorageError, Store, StoredEvent, WriteSet};

use crate::{
    normaliser::Normaliser,
    question::{room_word, sender_word},
    text::{TextKind, is_edit, new_text_of, text_of},
};

/// Among how many of the newest edits of a message the newest valid one is looked for.
const EDITS: usize = 16;

/// What came of looking at events.
#[derive(Debug, Default)]
pub(crate) struct Looked {
    /// How many documents were put in.
    pub(crate) put: usize,
    /// How many were taken out.
    pub(crate) taken: usize,
}

/// Brings the index up to date with events, whatever has happened to them: what they say, that they were edited, that
/// they are edits, that they were redacted. Looking twice does no harm.
pub(crate) async fn look_at(
    store: &Store,
    normaliser: &Normaliser,
    events: &[EventSn],
    set: &mut WriteSet,
) -> Result<Looked, StorageError> {
    let events = store.events(events).await?;
    let concerned = concerned(store, events).await?;
    let messages: Vec<_> = concerned.iter().filter(|event| may_be_edited(event)).collect();
    let ids: Vec<_> = messages.iter().map(|event| event.pdu.event_id()).collect();
    let children = store.aggregations(&ids, None).await?;
    let edits_of: BTreeMap<EventSn, Vec<EventSn>> = messages
        .iter()
        .zip(&children)
        .map(|(event, children)| (event.sn, children.edits.iter().rev().take(EDITS).copied().collect()))
        .collect();
    let wanted: Vec<EventSn> = edits_of.values().flatten().copied().collect();
    let edits: BTreeMap<EventSn, Arc<StoredEvent>> =
        store.events(&wanted).await?.into_iter().map(|edit| (edit.sn, edit)).collect();
    let mut looked = Looked::default();
    let mut without_text = Vec::new();
    for event in &concerned {
        let of_event = edits_of.get(&event.sn).into_iter().flatten().filter_map(|sn| edits.get(sn));
        match document(normaliser, event, of_event) {
            Some(document) => {
                set.put_search_document(&document);
                looked.put += 1;
            }
            None => without_text.push(event.sn),
        }
    }
    for gone in store.search_documents_among(&without_text).await? {
        set.delete_search_document(gone);
        looked.taken += 1;
    }
    Ok(looked)
}

/// The events whose documents may be others because of these: themselves, the messages that they edit, and the
/// messages whose text was that of an edit which was redacted.
async fn concerned(
    store: &Store,
    events: Vec<Arc<StoredEvent>>,
) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
    let mut concerned: BTreeMap<EventSn, Arc<StoredEvent>> = BTreeMap::new();
    let mut others: BTreeSet<EventSn> = BTreeSet::new();
    let redacted: Vec<EventSn> =
        events.iter().filter(|event| event.redacted_by.is_some()).map(|event| event.sn).collect();
    others.extend(store.search_documents_of_edits(&redacted).await?);
    let edits: Vec<_> = events.iter().filter(|event| is_edit(&event.pdu)).collect();
    let targets: Vec<_> = edits
        .iter()
        .filter_map(|edit| edit.pdu.relates_to()?.event_id)
        .filter_map(|target| ruma::EventId::parse(target.as_ref()).ok())
        .collect();
    let targets: Vec<&ruma::EventId> = targets.iter().map(|target| &**target).collect();
    others.extend(store.event_sns(&targets).await?.into_values());
    concerned.extend(
        events.into_iter().filter(|event| TextKind::of(&event.pdu).is_some()).map(|event| (event.sn, event)),
    );
    others.retain(|sn| !concerned.contains_key(sn));
    let others: Vec<EventSn> = others.into_iter().collect();
    let others = store.events(&others).await?;
    concerned.extend(
        others.into_iter().filter(|event| TextKind::of(&event.pdu).is_some()).map(|event| (event.sn, event)),
    );
    Ok(concerned.into_values().collect())
}

fn may_be_edited(event: &StoredEvent) -> bool {
    TextKind::of(&event.pdu) == Some(TextKind::Body) && event.redacted_by.is_none() && !is_edit(&event.pdu)
}

/// The document that an event is; none, if nothing of it is sought.
fn document<'a>(
    normaliser: &Normaliser,
    event: &StoredEvent,
    edits: impl Iterator<Item = &'a Arc<StoredEvent>>,
) -> Option<SearchDocument> {
    let kind = TextKind::of(&event.pdu)?;
    if !is_told(event) || is_edit(&event.pdu) {
        return None;
    }
    let newest = edits
        .filter(|edit| is_told(edit) && edit.room == event.room)
        .filter_map(|edit| Some((edit, new_text_of(&edit.pdu)?)))
        .max_by_key(|(edit, _)| (edit.pdu.origin_server_ts(), edit.pdu.owned_event_id().clone()));
    let (source, words) = match newest {
        Some((edit, text)) => (edit.sn, normaliser.index(&text)),
        None => (event.sn, normaliser.index(&text_of(&event.pdu)?)),
    };
    if words.is_empty() {
        return None;
    }
    let mut words: Vec<String> = words.into_iter().collect();
    words.push(room_word(event.room));
    words.push(sender_word(event.sender));
    Some(SearchDocument {
        event: event.sn,
        room: event.room,
        source,
        kind: kind.bit(),
        ts: event.pdu.origin_server_ts(),
        place: event.place,
        words: words.join(" "),
    })
}

/// Whether anybody is told of an event, with its content.
fn is_told(event: &StoredEvent) -> bool {
    event.is_shown() && event.redacted_by.is_none() && !event.flags.contains(EventFlags::IDLE)
}
