//! Events as they are kept and as they are added.

use std::sync::Arc;

use parvis_events::Pdu;

use crate::{
    changes::Change,
    numbers::{DeviceSn, EventSn, Place, Position, RoomSn, Slot, TypeSn, UserSn},
    state_tree::StateRoot,
};

/// What is remembered about how an event was judged. A set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EventFlags(pub i64);

impl EventFlags {
    /// An ordinary, accepted event.
    pub const ACCEPTED: Self = Self(0);
    /// Known only from an auth chain or an invite: no state is known at it, and it is in no timeline.
    pub const OUTLIER: Self = Self(1);
    /// Failed authorisation. Kept so that its children can be judged; never shown.
    pub const REJECTED: Self = Self(2);
    /// Failed authorisation against the current state only. Kept, not shown, nothing follows it.
    pub const SOFT_FAILED: Self = Self(4);
    /// From another server, whose user it let in, out or through by way of this one: this server passes it on to
    /// the other servers of the room.
    pub const RELAYED: Self = Self(8);
    /// Handed to another server of the room by its sender's: that server passes it on, this one does not. Or of no
    /// interest by itself, so that nobody is told of it.
    pub const HANDED: Self = Self(16);
    /// A join to a room that this server was not in. The state before it came with it: nothing that came before in
    /// the stream leads to that state.
    pub const SEAM: Self = Self(32);
    /// A redaction that has no effect here: what it redacts is not here, or is not for its sender to redact. It
    /// belongs to the room as others do, but clients are not shown it.
    pub const IDLE: Self = Self(64);
    /// With it the room's state became another: by the event itself, or since forks met there.
    pub const MOVES: Self = Self(128);
    /// The bits of events that nobody is shown.
    const HIDDEN: i64 = Self::OUTLIER.0 | Self::REJECTED.0 | Self::SOFT_FAILED.0;

    /// The bits of both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether somebody may be shown the event.
    pub fn is_shown(self) -> bool {
        self.0 & Self::HIDDEN == 0
    }

    /// The bits of this one without those of the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// An event as stored. Immutable: when an event is redacted another value takes its place in the cache.
#[derive(Debug)]
pub struct StoredEvent {
    /// Its number.
    pub sn: EventSn,
    /// Its room.
    pub room: RoomSn,
    /// Its sender.
    pub sender: UserSn,
    /// When it arrived as news; [`Position::START`] for an event that is not committed, was fetched from the
    /// past of the room, or is hidden.
    pub position: Position,
    /// Where it stands in the history of its room; [`Place::NOWHERE`] if it is not committed, or hidden.
    pub place: Place,
    /// How it was judged.
    pub flags: EventFlags,
    /// For a state event, the slot that it sets.
    pub slot: Option<Slot>,
    /// The state of the room before it.
    pub state_root: StateRoot,
    /// The current state of the room right after it was added (which forks can make another than the state
    /// after it).
    pub room_root: StateRoot,
    /// The events that it follows, as far as they were known when it came.
    pub prev: Vec<EventSn>,
    /// The events that authorise it.
    pub auth: Vec<EventSn>,
    /// The event that redacted it. Its content is then gone from `pdu`.
    pub redacted_by: Option<EventSn>,
    /// The local device that sent it, with the transaction id that it used.
    pub transaction: Option<(DeviceSn, String)>,
    /// The event itself.
    pub pdu: Pdu,
}

/// An event that a write set adds.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// A number from [`Store::next_number`](crate::Store::next_number).
    pub sn: EventSn,
    /// Its room.
    pub room: RoomSn,
    /// Its type.
    pub kind: TypeSn,
    /// Its sender.
    pub sender: UserSn,
    /// For a membership event, whose membership it is.
    pub member: Option<UserSn>,
    /// For a state event, the slot that it sets.
    pub slot: Option<Slot>,
    /// For a state event, its dense number among the room's state events.
    pub state_index: Option<i64>,
    /// How it was judged.
    pub flags: EventFlags,
    /// The state of the room before it.
    pub state_root: StateRoot,
    /// The current state of the room after it.
    pub room_root: StateRoot,
    /// The events that it follows.
    pub prev: Vec<EventSn>,
    /// The events that authorise it.
    pub auth: Vec<EventSn>,
    /// The local device that sent it, with the transaction id that it used.
    pub transaction: Option<(DeviceSn, String)>,
    /// The event itself.
    pub pdu: Pdu,
}

impl StoredEvent {
    fn new(event: &NewEvent, position: Position) -> Self {
        Self {
            sn: event.sn,
            room: event.room,
            sender: event.sender,
            position,
            place: if position == Position::START { Place::NOWHERE } else { Place::of(position) },
            flags: event.flags,
            slot: event.slot,
            state_root: event.state_root,
            room_root: event.room_root,
            prev: event.prev.clone(),
            auth: event.auth.clone(),
            redacted_by: None,
            transaction: event.transaction.clone(),
            pdu: event.pdu.clone(),
        }
    }

    /// Whether those who may see it are shown it: it was accepted, and has its place in the room's history.
    pub fn is_shown(&self) -> bool {
        self.flags.is_shown() && self.place != Place::NOWHERE
    }

    /// Whether the state before it is known, so that others can follow it.
    pub fn has_state(&self) -> bool {
        !self.flags.contains(EventFlags::OUTLIER)
    }

    /// Whether something that it follows was not known here when it came: its history has a hole before it,
    /// or had one.
    pub fn follows_unknown(&self) -> bool {
        self.is_shown() && self.prev.len() < self.pdu.prev_events().len()
    }

    /// An estimate of the memory that it takes, in bytes.
    pub(crate) fn weight(&self) -> u32 {
        let lists = (self.prev.len() + self.auth.len()) * 8;
        u32::try_from(self.pdu.json().len() * 3 + lists + 600).unwrap_or(u32::MAX)
    }
}

impl NewEvent {
    /// Notes the room's state before and after the event.
    pub fn stand_at(&mut self, before: StateRoot, after: StateRoot) {
        self.room_root = after;
        if before != after {
            self.flags = self.flags.with(EventFlags::MOVES);
        }
    }

    /// The event as it will be stored, at its position.
    pub fn stored_at(&self, position: Position) -> Arc<StoredEvent> {
        Arc::new(StoredEvent::new(self, position))
    }

    pub(crate) fn as_change(&self) -> Change {
        Change::Event { room: self.room, event: self.sn, member: self.member }
    }
}
