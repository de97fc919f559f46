//! How a reader stood to a room at an event: the history visibility and the reader's membership there.
//!
//! Both follow from the state before the event, which never changes: one look-up serves all events that share
//! that state, for ever.

use std::{collections::BTreeMap, sync::Arc};

use parvis_cache::Cache;
use parvis_dag::{HistoryVisibility, Standing};
use parvis_events::Membership;
use parvis_storage::{
    EventSn, Place, Position, RoomSn, Slot, StateRoot, StorageError, Store, StoredEvent, UserSn,
};
use ruma::UserId;

/// How many standings are remembered, of some 100 bytes each.
const STANDINGS: u64 = 100_000;
/// How many of a reader's memberships of a room are walked back through in search of the last time they were
/// joined.
const WALK: usize = 64;

/// Before every event: where the stay of somebody ended who was never in.
pub(super) const NEVER: Position = Position(i64::MIN);

/// An event, and how the reader stood at it.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) event: Arc<StoredEvent>,
    pub(super) before: Standing,
    /// Whether the reader was joined at some time after the event.
    pub(super) joined_later: bool,
}

impl Seen {
    /// The reader's membership right after the event.
    pub(super) fn membership(&self, reader: &UserId) -> Membership {
        let own = self.event.pdu.is_state_of("m.room.member", reader.as_str());
        own.then(|| self.event.pdu.membership()).flatten().unwrap_or(self.before.membership)
    }
}

/// Looks up standings and remembers them.
#[derive(Clone, Debug)]
pub(super) struct Standings {
    store: Store,
    known: Cache<(UserSn, RoomSn, StateRoot), Standing>,
}

type RoomState = (RoomSn, StateRoot);

impl Standings {
    pub(super) fn new(store: Store) -> Self {
        Self { store, known: Cache::new(STANDINGS) }
    }

    /// How the reader stood at each of these events.
    pub(super) async fn at(
        &self,
        user: UserSn,
        user_id: &UserId,
        events: Vec<Arc<StoredEvent>>,
    ) -> Result<Vec<Seen>, StorageError> {
        let standings = self.standings(user, user_id, &events).await?;
        let mut left: BTreeMap<RoomSn, Position> = BTreeMap::new();
        let mut seen = Vec::with_capacity(events.len());
        for event in events {
            let Some(before) = standings.get(&(event.room, event.state_root)).copied() else { continue };
            let until = match left.get(&event.room) {
                Some(until) => *until,
                None => {
                    *left.entry(event.room).or_insert(self.joined_until(user, user_id, event.room).await?)
                }
            };
            seen.push(Seen { before, joined_later: event.place < Place::of(until), event });
        }
        Ok(seen)
    }

    async fn standings(
        &self,
        user: UserSn,
        user_id: &UserId,
        events: &[Arc<StoredEvent>],
    ) -> Result<BTreeMap<RoomState, Standing>, StorageError> {
        let mut standings = BTreeMap::new();
        let mut unknown: Vec<RoomState> = Vec::new();
        for event in events {
            let place = (event.room, event.state_root);
            if standings.contains_key(&place) || unknown.contains(&place) {
                continue;
            }
            match self.known.get(&(user, event.room, event.state_root)) {
                Some(standing) => drop(standings.insert(place, standing)),
                None => unknown.push(place),
            }
        }
        for (place, standing) in self.read(user_id, &unknown).await? {
            self.known.insert((user, place.0, place.1), standing);
            standings.insert(place, standing);
        }
        Ok(standings)
    }

    /// Reads the standings of a user at states, all together.
    async fn read(
        &self,
        user_id: &UserId,
        places: &[RoomState],
    ) -> Result<Vec<(RoomState, Standing)>, StorageError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let slots = self.slots(user_id, places).await?;
        let mut wanted: Vec<(StateRoot, Slot)> = Vec::with_capacity(places.len() * 2);
        for (room, root) in places {
            let [visibility, member] = slots.get(room).copied().unwrap_or_default();
            wanted.extend(visibility.into_iter().chain(member).map(|slot| (*root, slot)));
        }
        let found = self.store.slots_at(&wanted).await?;
        let mut sns: Vec<EventSn> = found.iter().flatten().copied().collect();
        sns.sort_unstable();
        sns.dedup();
        let events: BTreeMap<EventSn, Arc<StoredEvent>> =
            self.store.events(&sns).await?.into_iter().map(|event| (event.sn, event)).collect();
        let mut found = found.into_iter().map(|sn| sn.and_then(|sn| events.get(&sn)));
        let standing = |(room, root): &RoomState| {
            let [visibility, member] = slots.get(room).copied().unwrap_or_default();
            let visibility = visibility.and_then(|_| found.next().flatten());
            let member = member.and_then(|_| found.next().flatten());
            let standing = Standing {
                visibility: HistoryVisibility::of(visibility.map(|event| &event.pdu)),
                membership: member.and_then(|event| event.pdu.membership()).unwrap_or(Membership::Leave),
            };
            ((*room, *root), standing)
        };
        Ok(places.iter().map(standing).collect())
    }

    /// The slots of the visibility and of the user's membership in each of the rooms.
    async fn slots(
        &self,
        user_id: &UserId,
        places: &[RoomState],
    ) -> Result<BTreeMap<RoomSn, [Option<Slot>; 2]>, StorageError> {
        let visibility = self.store.find_type("m.room.history_visibility").await?;
        let member = self.store.find_type("m.room.member").await?;
        let mut slots = BTreeMap::new();
        for (room, _) in places {
            if slots.contains_key(room) {
                continue;
            }
            let mut of_room = [None, None];
            if let Some(kind) = visibility {
                of_room[0] = self.store.slot(*room, kind, "").await?;
            }
            if let Some(kind) = member {
                of_room[1] = self.store.slot(*room, kind, user_id.as_str()).await?;
            }
            slots.insert(*room, of_room);
        }
        Ok(slots)
    }

    /// Before which position the user was joined to a room for the last time: the end of time for those who
    /// are in, the beginning for those who never were.
    pub(super) async fn joined_until(
        &self,
        user: UserSn,
        user_id: &UserId,
        room: RoomSn,
    ) -> Result<Position, StorageError> {
        let Some(member) = self.store.member(user, room).await? else { return Ok(NEVER) };
        if member.membership == Membership::Join {
            return Ok(Position(i64::MAX));
        }
        let Some(kind) = self.store.find_type("m.room.member").await? else { return Ok(NEVER) };
        let Some(slot) = self.store.slot(room, kind, user_id.as_str()).await? else { return Ok(NEVER) };
        let mut event = self.store.event(member.event).await?;
        for _ in 0..WALK {
            let Some(before) = self.store.state_slot(event.state_root, slot).await? else { break };
            let before = self.store.event(before).await?;
            if before.pdu.membership() == Some(Membership::Join) {
                return Ok(event.position);
            }
            event = before;
        }
        Ok(NEVER)
    }
}
