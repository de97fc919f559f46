//! What is said about events: gathered for all of them together.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parvis_events::Pdu;
use parvis_storage::{Aggregation, EventSn, Position, RoomSn, StorageError, StoredEvent, ThreadPart, UserSn};
use ruma::OwnedUserId;
use serde::{Deserialize, de::IgnoredAny};

use super::{Bundle, Reading, Relations, ShownEvent, ThreadSummary, View, standing::Seen};

type Shown = BTreeMap<EventSn, ShownEvent>;

/// Among how many of the newest edits of an event the newest valid one is looked for.
const EDITS: usize = 16;

impl View {
    /// Says about visible events what is to be said.
    pub(super) async fn dress(
        &self,
        reading: &Reading,
        seen: Vec<Seen>,
        bundle: Bundle,
    ) -> Result<Vec<ShownEvent>, StorageError> {
        let mentioned = self.mentioned(&seen).await?;
        let mut relations = match bundle {
            Bundle::Nothing => BTreeMap::new(),
            _ => Box::pin(self.relations(reading, &seen, bundle)).await?,
        };
        let dress = |seen: Seen| {
            let membership = seen.membership(&reading.user_id);
            let event = seen.event;
            let mut shown = ShownEvent::plain(&event, reading.reader.device, reading.now_millis);
            shown.membership = Some(membership);
            shown.replaced =
                mentioned.replaced.get(&event.sn).and_then(|sn| mentioned.events.get(sn)).cloned();
            shown.redaction = event.redacted_by.and_then(|sn| mentioned.events.get(&sn)).cloned();
            shown.relations = relations.remove(&event.sn);
            shown
        };
        Ok(seen.into_iter().map(dress).collect())
    }

    /// The state events that these replaced, and the redactions that took their content.
    async fn mentioned(&self, seen: &[Seen]) -> Result<Mentioned, StorageError> {
        let state: Vec<_> = seen
            .iter()
            .filter_map(|seen| Some((seen.event.sn, (seen.event.state_root, seen.event.slot?))))
            .collect();
        let places: Vec<_> = state.iter().map(|(_, place)| *place).collect();
        let found = self.store.slots_at(&places).await?;
        let replaced: BTreeMap<EventSn, EventSn> =
            state.iter().zip(found).filter_map(|((sn, _), before)| Some((*sn, before?))).collect();
        let mut wanted: Vec<EventSn> = replaced.values().copied().collect();
        wanted.extend(seen.iter().filter_map(|seen| seen.event.redacted_by));
        Ok(Mentioned { replaced, events: self.by_number(&wanted).await? })
    }

    /// The state events that these replaced, by the numbers of these.
    pub(super) async fn replaced(
        &self,
        events: &[Arc<StoredEvent>],
    ) -> Result<BTreeMap<EventSn, Arc<StoredEvent>>, StorageError> {
        let state: Vec<_> =
            events.iter().filter_map(|event| Some((event.sn, (event.state_root, event.slot?)))).collect();
        let places: Vec<_> = state.iter().map(|(_, place)| *place).collect();
        let found = self.store.slots_at(&places).await?;
        let before: Vec<EventSn> = found.iter().flatten().copied().collect();
        let before = self.by_number(&before).await?;
        let pairs = state.iter().zip(found);
        Ok(pairs.filter_map(|((sn, _), replaced)| Some((*sn, before.get(&replaced?)?.clone()))).collect())
    }

    async fn by_number(&self, sns: &[EventSn]) -> Result<BTreeMap<EventSn, Arc<StoredEvent>>, StorageError> {
        let events = self.store.events(sns).await?;
        Ok(events.into_iter().map(|event| (event.sn, event)).collect())
    }

    /// What the children of these events say to the reader.
    async fn relations(
        &self,
        reading: &Reading,
        seen: &[Seen],
        bundle: Bundle,
    ) -> Result<BTreeMap<EventSn, Box<Relations>>, StorageError> {
        let parents = self.parents(reading, seen).await?;
        if parents.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut edits: Vec<EventSn> = Vec::new();
        let mut latest: Vec<EventSn> = Vec::new();
        for parent in &parents {
            if parent.event.redacted_by.is_none() {
                edits.extend(parent.children.edits.iter().rev().take(EDITS));
            }
            if bundle == Bundle::Everything {
                latest.extend(parent.newest_part().map(|thread| thread.latest_event));
            }
        }
        let edits = self.children(reading, &edits, Bundle::Nothing).await?;
        let latest = self.children(reading, &latest, Bundle::Edit).await?;
        let summed = parents.iter().map(|parent| {
            let everything = bundle == Bundle::Everything;
            let relations = Relations {
                edit: parent.edit(&edits),
                references: if everything { parent.references() } else { Vec::new() },
                thread: if everything { parent.thread_summary(reading, &latest) } else { None },
            };
            (parent.event.sn, relations)
        });
        let told = summed.filter(|(_, relations)| !relations.is_empty());
        Ok(told.map(|(sn, relations)| (sn, Box::new(relations))).collect())
    }

    /// Those of the events that have children of which something can be said.
    async fn parents(&self, reading: &Reading, seen: &[Seen]) -> Result<Vec<Parent>, StorageError> {
        let mut ends: BTreeMap<RoomSn, Option<Position>> = BTreeMap::new();
        let mut by_end: BTreeMap<Option<Position>, Vec<&Arc<StoredEvent>>> = BTreeMap::new();
        for seen in seen.iter().filter(|seen| may_have_children(&seen.event.pdu)) {
            // Who has left sees what was said until then.
            let event = &seen.event;
            let until = match ends.get(&event.room) {
                Some(until) => *until,
                None => {
                    let (user, user_id) = (reading.reader.user, &reading.user_id);
                    let until = self.standings.joined_until(user, user_id, event.room).await?;
                    *ends.entry(event.room).or_insert((until.0 != i64::MAX).then_some(until))
                }
            };
            by_end.entry(until).or_default().push(event);
        }
        let mut parents = Vec::new();
        for (until, events) in by_end {
            let ids: Vec<_> = events.iter().map(|event| event.pdu.event_id()).collect();
            let children = self.store.aggregations(&ids, until).await?;
            let with_children = events.into_iter().zip(children).filter(|(_, children)| !children.is_empty());
            for (event, children) in with_children {
                let ignored = self.ignored_among(reading, &children).await?;
                parents.push(Parent { event: Arc::clone(event), children, ignored });
            }
        }
        Ok(parents)
    }

    /// Those senders of children whom the reader ignores.
    async fn ignored_among(
        &self,
        reading: &Reading,
        children: &Aggregation,
    ) -> Result<BTreeSet<UserSn>, StorageError> {
        if reading.ignored.is_empty() {
            return Ok(BTreeSet::new());
        }
        let threads = children.thread.iter().map(|part| part.sender);
        let senders: Vec<UserSn> = children.references.iter().map(|child| child.1).chain(threads).collect();
        let ids: Vec<OwnedUserId> = self.store.user_ids(&senders).await?;
        let ignored = senders.into_iter().zip(ids).filter(|(_, user_id)| reading.ignored.contains(user_id));
        Ok(ignored.map(|(sender, _)| sender).collect())
    }

    async fn children(
        &self,
        reading: &Reading,
        sns: &[EventSn],
        bundle: Bundle,
    ) -> Result<Shown, StorageError> {
        if sns.is_empty() {
            return Ok(Shown::new());
        }
        let events = self.store.events(sns).await?;
        let shown = self.show_to(reading, events, bundle).await?;
        Ok(shown.into_iter().map(|shown| (shown.event.sn, shown)).collect())
    }
}

/// The events that other events mention.
struct Mentioned {
    replaced: BTreeMap<EventSn, EventSn>,
    events: BTreeMap<EventSn, Arc<StoredEvent>>,
}

/// An event with children, and whom of their senders the reader ignores.
struct Parent {
    event: Arc<StoredEvent>,
    children: Arc<Aggregation>,
    ignored: BTreeSet<UserSn>,
}

impl Parent {
    /// The newest of the edits that the reader sees and that are edits indeed.
    fn edit(&self, shown: &Shown) -> Option<ShownEvent> {
        if self.event.redacted_by.is_some() {
            return None;
        }
        let edits = self.children.edits.iter().filter_map(|sn| shown.get(sn));
        let valid = edits.filter(|edit| edit.event.redacted_by.is_none() && is_replacement(&edit.event.pdu));
        let age = |edit: &&ShownEvent| {
            let pdu = &edit.event.pdu;
            (pdu.origin_server_ts(), pdu.owned_event_id().clone())
        };
        valid.max_by_key(age).cloned()
    }

    fn references(&self) -> Vec<ruma::OwnedEventId> {
        if self.event.redacted_by.is_some() {
            return Vec::new();
        }
        let references = self.children.references.iter().filter(|(_, sender)| !self.ignored.contains(sender));
        references.map(|(event_id, _)| event_id.clone()).collect()
    }

    /// The newest part of the thread, by somebody whom the reader does not ignore.
    fn newest_part(&self) -> Option<&ThreadPart> {
        self.heard_parts().max_by_key(|part| part.latest)
    }

    fn heard_parts(&self) -> impl Iterator<Item = &ThreadPart> {
        self.children.thread.iter().filter(|part| !self.ignored.contains(&part.sender))
    }

    fn thread_summary(&self, reading: &Reading, shown: &Shown) -> Option<ThreadSummary> {
        let latest = shown.get(&self.newest_part()?.latest_event)?.clone();
        let user = reading.reader.user;
        let replied = self.heard_parts().any(|part| part.sender == user);
        Some(ThreadSummary {
            latest,
            count: self.heard_parts().map(|part| part.count).sum(),
            participated: replied || self.event.sender == user,
        })
    }
}

/// Whether children of an event are summed up: not for state, and not where it is itself an edit or an
/// annotation of another event.
fn may_have_children(pdu: &Pdu) -> bool {
    let relation = pdu.relates_to().and_then(|relation| relation.rel_type);
    !pdu.is_state() && !relation.is_some_and(|kind| kind == "m.replace" || kind == "m.annotation")
}

/// Whether an event says what another is to be replaced with. The content of encrypted ones cannot be judged.
fn is_replacement(pdu: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.new_content")]
        _new_content: BTreeMap<String, IgnoredAny>,
    }
    pdu.kind() == "m.room.encrypted" || pdu.content_as::<Content>().is_ok()
}
