//! The state that an answer carries: how the reader's idea of a room's state becomes that at the start of the
//! timeline, or, where they ask for it, that at its end.
//!
//! It is the difference of two states, never "the state events since": a gap may lie between, and resolution
//! may change state without an event.

use std::{collections::BTreeSet, sync::Arc};

use parvis_storage::{EventSn, Position, RoomSn, StateRoot, StorageError, StoredEvent};
use ruma::{OwnedUserId, RoomId};

use super::{Classic, Telling};
use crate::view::ShownEvent;

/// The ends of the timeline that is told, and what is on it.
pub(super) struct Span<'a> {
    pub(super) room: RoomSn,
    pub(super) room_id: &'a RoomId,
    /// The state before the first event.
    pub(super) start: StateRoot,
    /// The state after the last event.
    pub(super) end: StateRoot,
    pub(super) events: &'a [ShownEvent],
    /// Whether events are left out between what the reader knows and these.
    pub(super) limited: bool,
}

impl Classic<'_> {
    /// The state events that are told. `named` are users whose memberships the reader needs beside those of the
    /// senders, where members are loaded lazily.
    pub(super) async fn state(
        &self,
        span: &Span<'_>,
        telling: Telling,
        named: &[OwnedUserId],
    ) -> Result<Vec<ShownEvent>, StorageError> {
        if !self.request.filter.state.has_room(span.room_id) {
            return Ok(Vec::new());
        }
        let mut events = match telling {
            Telling::Whole | Telling::WholeState => self.whole(span).await?,
            Telling::News(since) => self.difference(span, since).await?,
        };
        if self.request.filter.lazy.is_some() {
            let needed = self.needed_members(span, telling, named).await?;
            let known: BTreeSet<EventSn> = events.iter().map(|event| event.sn).collect();
            events.extend(needed.into_iter().filter(|event| !known.contains(&event.sn)));
        }
        events.retain(|event| self.request.filter.state.has_event(&event.pdu));
        self.tell_members(span, &events);
        match telling {
            Telling::News(_) => self.parts.view.show_changed_state(self.reader, &events).await,
            Telling::Whole | Telling::WholeState => Ok(self.parts.view.show_state(self.reader, &events)),
        }
    }

    /// Everything, save for memberships where they are loaded lazily.
    async fn whole(&self, span: &Span<'_>) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let root = if self.request.state_after { span.end } else { span.start };
        let store = &self.parts.store;
        let mut events = match self.request.filter.lazy {
            Some(_) => store.state_events_but_members(span.room, root).await?,
            None => store.state_events(root).await?,
        };
        if !self.request.state_after {
            let unseen = self.unseen_changes(span).await?;
            events.extend(store.events(&unseen).await?);
        }
        Ok(events)
    }

    /// What is different from what the reader knows.
    async fn difference(
        &self,
        span: &Span<'_>,
        since: Position,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        if !span.limited && span.start == span.end {
            return Ok(Vec::new());
        }
        let known = self.parts.root_at(span.room, since).await?;
        let target = if self.request.state_after { span.end } else { span.start };
        let mut changed = self.changed(known, target).await?;
        if !self.request.state_after {
            changed.extend(self.unseen_changes(span).await?);
        }
        let mut events = self.parts.store.events(&changed).await?;
        if self.request.filter.lazy.is_some() {
            self.drop_distant_members(span, &mut events).await?;
        }
        Ok(events)
    }

    async fn changed(&self, before: StateRoot, after: StateRoot) -> Result<Vec<EventSn>, StorageError> {
        let changes = self.parts.store.state_diff(before, after).await?;
        Ok(changes.into_iter().filter_map(|change| change.after).collect())
    }

    /// State that changes within the timeline without being on it, since the filter leaves it out or since
    /// resolution brought it back.
    async fn unseen_changes(&self, span: &Span<'_>) -> Result<Vec<EventSn>, StorageError> {
        let on_it: BTreeSet<EventSn> = span.events.iter().map(|shown| shown.event.sn).collect();
        let mut changed = self.changed(span.start, span.end).await?;
        changed.retain(|event| !on_it.contains(event));
        Ok(changed)
    }

    /// Where members are loaded lazily, a gap is not told membership by membership: the reader asks for those
    /// that it needs. What changed within the timeline is told.
    async fn drop_distant_members(
        &self,
        span: &Span<'_>,
        events: &mut Vec<Arc<StoredEvent>>,
    ) -> Result<(), StorageError> {
        if span.limited && events.iter().any(is_member) {
            let near: BTreeSet<EventSn> = self.changed(span.start, span.end).await?.into_iter().collect();
            events.retain(|event| !is_member(event) || near.contains(&event.sn));
        }
        Ok(())
    }

    /// The memberships of those who sent what is on the timeline, and of others whom the reader needs to know,
    /// as far as it has not been told.
    async fn needed_members(
        &self,
        span: &Span<'_>,
        telling: Telling,
        named: &[OwnedUserId],
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let mut users: BTreeSet<&OwnedUserId> =
            span.events.iter().map(|shown| shown.event.pdu.owned_sender()).collect();
        users.extend(named);
        if telling == Telling::Whole {
            users.insert(&self.user_id);
        }
        let root = if self.request.state_after { span.end } else { span.start };
        let mut members = self.members_in(span.room, root, users).await?;
        let reader = (self.reader.device, self.request.filter.fingerprint);
        let redundant = self.request.filter.lazy.is_none_or(|lazy| lazy.redundant);
        match telling {
            Telling::News(since) if !span.limited && !redundant => {
                members = self.parts.lazy.untold(reader, span.room, since, members);
            }
            Telling::News(_) if !span.limited => {}
            _ => self.parts.lazy.forget_room(reader, span.room),
        }
        self.parts.store.events(&members).await
    }

    /// The membership events of users in a state.
    async fn members_in(
        &self,
        room: RoomSn,
        root: StateRoot,
        users: BTreeSet<&OwnedUserId>,
    ) -> Result<Vec<EventSn>, StorageError> {
        let store = &self.parts.store;
        let Some(kind) = store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let mut places = Vec::with_capacity(users.len());
        for user in users {
            places.extend(store.slot(room, kind, user.as_str()).await?.map(|slot| (root, slot)));
        }
        Ok(store.slots_at(&places).await?.into_iter().flatten().collect())
    }

    /// Remembers the memberships of which the answer tells.
    fn tell_members(&self, span: &Span<'_>, state: &[Arc<StoredEvent>]) {
        if self.request.filter.lazy.is_none() {
            return;
        }
        let reader = (self.reader.device, self.request.filter.fingerprint);
        let on_timeline = span.events.iter().map(|shown| &shown.event);
        let members = state.iter().chain(on_timeline).filter(|event| is_member(event)).map(|event| event.sn);
        self.parts.lazy.tell(reader, span.room, self.until, members);
    }
}

fn is_member(event: &Arc<StoredEvent>) -> bool {
    event.pdu.kind() == "m.room.member" && event.pdu.is_state()
}
