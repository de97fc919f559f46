//! An event enters: its place in the graph, its slot, the room's state after it, and the memberships that
//! change with that state, also without an event of their own.

use std::{collections::HashSet, sync::Arc};

use parvis_events::{Membership, Pdu};
use parvis_storage::{
    AuthEdges, DeviceSn, EventFlags, EventSn, NewEvent, Place, Position, Slot, StateRoot, StoredEvent,
    TypeSn, UserSn,
};
use ruma::{OwnedEventId, OwnedUserId};

use super::{Staged, Turn};
use crate::RoomError;

/// How many events are walked over, at most, in search of ends that are followed past hidden events.
const FOLLOWED: usize = 1_000;

/// A signed event whose place in the graph and whose verdict are known.
pub(super) struct Entry {
    pub(super) pdu: Pdu,
    pub(super) sender: UserSn,
    pub(super) flags: EventFlags,
    /// The events that it follows, as far as they are here.
    pub(super) prev: Vec<EventSn>,
    /// Those that it follows and that are not here.
    pub(super) missing: Vec<OwnedEventId>,
    pub(super) auth: Vec<EventSn>,
    /// The state before it.
    pub(super) state_root: StateRoot,
    pub(super) transaction: Option<(DeviceSn, String)>,
    /// The event's row as an outlier, if it has one.
    pub(super) outlier: Option<Arc<StoredEvent>>,
    /// Whether something that is here follows it already, so that it is no end of the room.
    pub(super) followed: bool,
    /// Its place, if it was fetched from the past of the room.
    pub(super) past: Option<Place>,
}

impl Entry {
    /// An accepted event of which nothing else is said.
    pub(super) fn of(pdu: Pdu) -> Self {
        Self {
            pdu,
            sender: UserSn(0),
            flags: EventFlags::ACCEPTED,
            prev: Vec::new(),
            missing: Vec::new(),
            auth: Vec::new(),
            state_root: StateRoot::EMPTY,
            transaction: None,
            outlier: None,
            followed: false,
            past: None,
        }
    }

    /// Whether it changes where the room stands.
    fn is_news(&self) -> bool {
        self.flags.is_shown() && self.past.is_none()
    }
}

/// What a state event sets.
struct Setting {
    slot: Slot,
    /// Its dense number, unless it has one already.
    index: Option<i64>,
}

/// A membership that another membership becomes.
struct MemberMove {
    user: UserSn,
    membership: Membership,
    event: EventSn,
}

impl Turn<'_> {
    /// Stages an event.
    pub(super) async fn enter(&mut self, entry: Entry) -> Result<Staged, RoomError> {
        let store = &self.rooms.store;
        let sn = match &entry.outlier {
            Some(outlier) => outlier.sn,
            None => EventSn(store.next_number().await?),
        };
        let kind = store.intern_type(entry.pdu.kind()).await?;
        if entry.pdu.is_create() && self.head.heads.is_empty() && self.expected.is_none() {
            self.head.room_id = entry.pdu.owned_room_id().clone();
        }
        let setting = self.setting(&entry, kind).await?;
        let after = match &setting {
            Some(setting) if entry.flags.is_shown() => {
                let change = [(setting.slot, Some(sn))];
                self.rooms.store.change_state(&mut self.set, entry.state_root, &change).await?
            }
            _ => entry.state_root,
        };
        self.count(&entry);
        let member = self.member_of(&entry.pdu).await?;
        let new = self.new_event(&entry, sn, kind, setting, member.map(|member| member.0));
        self.note_staged(&new);
        let pdu = entry.pdu.clone();
        match entry.is_news() {
            true => self.advance(entry, new, after, member).await?,
            false => self.file(entry, new, after),
        }
        Ok(Staged { sn, pdu })
    }

    fn count(&mut self, entry: &Entry) {
        let counted = &mut self.counted;
        if entry.flags.contains(EventFlags::OUTLIER) {
            return;
        }
        if entry.flags.contains(EventFlags::REJECTED) {
            counted.rejected += 1;
        } else if entry.flags.contains(EventFlags::SOFT_FAILED) {
            counted.soft_failed += 1;
        } else {
            counted.accepted += 1;
            counted.merges += u64::from(entry.prev.len() + entry.missing.len() > 1);
        }
    }

    async fn setting(&mut self, entry: &Entry, kind: TypeSn) -> Result<Option<Setting>, RoomError> {
        let Some(state_key) = entry.pdu.state_key() else { return Ok(None) };
        if let Some(outlier) = &entry.outlier {
            if outlier.auth.len() != entry.auth.len() {
                // It came before what authorises it: the graph has it without its edges.
                self.rooms.graphs.remove(&self.head.room);
            }
            return Ok(outlier.slot.map(|slot| Setting { slot, index: None }));
        }
        let slot = self.take_slot(kind, state_key).await?;
        let index = self.head.next_state_index;
        self.head.next_state_index += 1;
        Ok(Some(Setting { slot, index: Some(index) }))
    }

    fn new_event(
        &self,
        entry: &Entry,
        sn: EventSn,
        kind: TypeSn,
        setting: Option<Setting>,
        member: Option<UserSn>,
    ) -> NewEvent {
        NewEvent {
            sn,
            room: self.head.room,
            kind,
            sender: entry.sender,
            member,
            slot: setting.as_ref().map(|setting| setting.slot),
            state_index: setting.as_ref().and_then(|setting| setting.index),
            flags: entry.flags,
            state_root: entry.state_root,
            room_root: self.head.state_root,
            prev: entry.prev.clone(),
            auth: entry.auth.clone(),
            transaction: entry.transaction.clone(),
            pdu: entry.pdu.clone(),
        }
    }

    fn note_staged(&mut self, event: &NewEvent) {
        if let Some(state_index) = event.state_index {
            let edges =
                AuthEdges { state_index, event: event.sn, kind: event.kind, auth: event.auth.clone() };
            self.staged_edges.push(edges);
        }
        self.staged_ids.insert(event.pdu.owned_event_id().clone(), event.sn);
        self.staged.insert(event.sn, event.stored_at(Position::START));
    }

    /// Writes an event that changes nothing but itself: hidden, or from the past.
    fn file(&mut self, entry: Entry, mut event: NewEvent, after: StateRoot) {
        let room = self.head.room;
        match (entry.past, entry.outlier.is_some()) {
            (Some(place), is_stored) => {
                event.room_root = after;
                match is_stored {
                    true => self.set.promote_past_event(event, place),
                    false => self.set.add_past_event(event, place),
                }
                self.set.add_missing_past_events(room, &entry.missing, place);
            }
            (None, is_stored) => {
                match is_stored {
                    true => self.set.promote_event(event),
                    false => self.set.add_event(event),
                }
                if entry.followed {
                    // Hidden as it is, the room's past is reached by way of it.
                    self.set.add_missing_events(room, &entry.missing);
                }
            }
        }
    }

    /// Writes an event that is news, and moves the room on.
    async fn advance(
        &mut self,
        entry: Entry,
        mut event: NewEvent,
        after: StateRoot,
        member: Option<(UserSn, Membership)>,
    ) -> Result<(), RoomError> {
        if entry.followed {
            return self.add_late(entry, event).await;
        }
        let before = self.head.state_root;
        let followed = self.followed(&entry.prev).await?;
        let ends = self.head.heads.len();
        self.follow(&followed, event.sn, entry.pdu.owned_event_id());
        self.counted.forks += u64::from(self.head.heads.len() > ends.max(1));
        let is_alone = self.head.heads.len() == 1;
        let root = if is_alone { after } else { self.state_of_heads().await? };
        event.stand_at(before, root);
        self.head.state_root = root;
        self.head.depth = if is_alone { entry.pdu.depth() } else { self.head.depth.max(entry.pdu.depth()) };
        let (sn, room, pdu) = (event.sn, self.head.room, entry.pdu);
        match entry.outlier {
            Some(_) => self.set.promote_event(event),
            None => self.set.add_event(event),
        }
        if before == entry.state_root && is_alone {
            // No fork: the event alone has changed the state.
            if let Some((user, membership)) = member {
                self.set.put_member(user, room, membership, sn);
            }
            self.set.add_missing_events(room, &entry.missing);
            if let Some(state_key) = pdu.state_key() {
                self.state.push(((pdu.kind().into(), state_key.into()), Some((sn, pdu.clone()))));
            }
            return Ok(());
        }
        self.set.add_missing_events(room, &entry.missing);
        self.meet(before, root, sn).await
    }

    /// Writes an event that is news although others went on from it. It changes what is shown; and what it follows
    /// is no end of the room any more, if it was taken for one while this one was not here.
    async fn add_late(&mut self, entry: Entry, mut event: NewEvent) -> Result<(), RoomError> {
        let (room, sn, before) = (self.head.room, event.sn, self.head.state_root);
        let followed = self.followed(&entry.prev).await?;
        let left = self.head.heads.iter().filter(|end| !followed.contains(end)).count();
        let is_end = left > 0 && left < self.head.heads.len();
        if is_end {
            self.leave_ends(&followed);
            self.head.state_root = self.state_of_heads().await?;
            event.stand_at(before, self.head.state_root);
        }
        match entry.outlier {
            Some(_) => self.set.promote_event(event),
            None => self.set.add_event(event),
        }
        self.set.add_missing_events(room, &entry.missing);
        match is_end {
            true => self.meet(before, self.head.state_root, sn).await,
            false => Ok(()),
        }
    }

    /// What an event follows, also past events that are hidden: an end of the room whose only children are
    /// hidden is an end no more once one of those is followed.
    async fn followed(&self, prev: &[EventSn]) -> Result<HashSet<EventSn>, RoomError> {
        let mut followed: HashSet<EventSn> = prev.iter().copied().collect();
        let mut to_look_at = prev.to_vec();
        // Where the room has one end, and that is followed, there is nothing to find.
        while followed.len() < FOLLOWED && !self.head.heads.iter().all(|end| followed.contains(end)) {
            let events = self.events(&to_look_at).await?;
            let hidden = events.iter().filter(|event| !event.flags.is_shown());
            to_look_at =
                hidden.flat_map(|event| event.prev.clone()).filter(|sn| followed.insert(*sn)).collect();
            if to_look_at.is_empty() {
                break;
            }
        }
        Ok(followed)
    }

    /// Takes an event among the ends of the room, in place of those that it follows.
    fn follow(&mut self, prev: &HashSet<EventSn>, sn: EventSn, event_id: &OwnedEventId) {
        self.leave_ends(prev);
        self.head.heads.push(sn);
        self.prev_events.push(event_id.clone());
    }

    /// Takes events that are followed away from the ends of the room.
    fn leave_ends(&mut self, followed: &HashSet<EventSn>) {
        let ends =
            std::mem::take(&mut self.head.heads).into_iter().zip(std::mem::take(&mut self.prev_events));
        let left = ends.filter(|(end, _)| !followed.contains(end));
        (self.head.heads, self.prev_events) = left.unzip();
    }

    /// The state has become another by more than the event that was just staged: the memberships follow.
    async fn meet(&mut self, before: StateRoot, after: StateRoot, by: EventSn) -> Result<(), RoomError> {
        let mut moves = self.member_moves(before, after).await?;
        // The event's own membership has the event's position; those that are told besides have their own.
        moves.sort_by_key(|moved| moved.event != by);
        for MemberMove { user, membership, event } in moves {
            match event == by {
                true => self.set.put_member(user, self.head.room, membership, event),
                false => self.set.put_resolved_member(user, self.head.room, membership, event),
            }
        }
        self.met = true;
        self.base = after;
        self.state.clear();
        Ok(())
    }

    /// The memberships in which two states differ. Who has none any more has left.
    async fn member_moves(&self, before: StateRoot, after: StateRoot) -> Result<Vec<MemberMove>, RoomError> {
        let differences = self.rooms.store.state_diff_in(&self.set, before, after).await?;
        let sns: Vec<EventSn> = differences.iter().filter_map(|one| one.after.or(one.before)).collect();
        let mut moves = Vec::new();
        for (event, difference) in self.events(&sns).await?.iter().zip(&differences) {
            let Some((user, membership)) = self.member_of(&event.pdu).await? else { continue };
            let membership = if difference.after.is_some() { membership } else { Membership::Leave };
            moves.push(MemberMove { user, membership, event: event.sn });
        }
        Ok(moves)
    }

    /// For a membership event, whose membership it is, and which.
    pub(super) async fn member_of(&self, pdu: &Pdu) -> Result<Option<(UserSn, Membership)>, RoomError> {
        let Some(membership) = pdu.membership() else { return Ok(None) };
        let user_id = pdu.state_key().and_then(|key| OwnedUserId::try_from(key).ok());
        // An event that the rules allow names a user; one that was rejected need not.
        let Some(user_id) = user_id else { return Ok(None) };
        Ok(Some((self.rooms.store.intern_user(&user_id).await?, membership)))
    }

    /// The state after an event.
    pub(super) async fn state_after(&mut self, event: &StoredEvent) -> Result<StateRoot, RoomError> {
        let Some(slot) = event.slot.filter(|_| !event.flags.contains(EventFlags::REJECTED)) else {
            return Ok(event.state_root);
        };
        let change = [(slot, Some(event.sn))];
        Ok(self.rooms.store.change_state(&mut self.set, event.state_root, &change).await?)
    }

    /// The state after several events, where they meet.
    pub(super) async fn state_after_all(
        &mut self,
        events: &[Arc<StoredEvent>],
    ) -> Result<StateRoot, RoomError> {
        let mut roots = Vec::with_capacity(events.len());
        for event in events {
            roots.push(self.state_after(event).await?);
        }
        self.resolve_roots(roots).await
    }

    /// The state after all of the room's ends.
    async fn state_of_heads(&mut self) -> Result<StateRoot, RoomError> {
        let ends = self.events(&self.head.heads.clone()).await?;
        self.head.depth = ends.iter().map(|end| end.pdu.depth()).max().unwrap_or_default();
        self.state_after_all(&ends).await
    }
}
