//! The state that is told of a room: what was asked for, as far as the client does not have it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use parvis_storage::{Difference, EventSn, RoomSn, Slot, StateRoot, StorageError, StoredEvent};
use ruma::UserId;

use super::{
    connections::ToldMembers,
    request::{KeyWanted, StatePattern, StateWanted},
};
use crate::{parts::Parts, view::ShownEvent};

/// Where the state that is asked for lies in rooms.
#[derive(Debug, Default)]
pub(super) struct Slots(HashMap<RoomSn, Vec<(String, String, Slot)>>);

/// How a state differs from an earlier one.
#[derive(Debug, Default)]
pub(super) struct Changed {
    /// The events that it has and the other did not, by their slots.
    pub(super) set: BTreeMap<Slot, Arc<StoredEvent>>,
    /// The events that the other had, and whose slots are empty now.
    pub(super) cleared: Vec<Arc<StoredEvent>>,
}

/// Reads the state of rooms for one answer.
pub(super) struct StateReader<'a> {
    pub(super) parts: &'a Parts,
    pub(super) user_id: &'a UserId,
    pub(super) slots: Slots,
}

impl Slots {
    /// Looks up the patterns in all of the rooms: one statement for each pattern, if memory lacks them.
    pub(super) async fn find(
        parts: &Parts,
        user_id: &UserId,
        rooms: &[RoomSn],
        patterns: &BTreeSet<StatePattern>,
    ) -> Result<Self, StorageError> {
        let store = &parts.store;
        let mut slots: HashMap<RoomSn, Vec<(String, String, Slot)>> = HashMap::new();
        for pattern in patterns {
            let Some(name) = &pattern.kind else { continue };
            let Some(kind) = store.find_type(name).await? else { continue };
            let key = match &pattern.key {
                KeyWanted::Any => {
                    for (room, slot, key) in store.slots_of_type_in_rooms(rooms, kind).await? {
                        slots.entry(room).or_default().push((name.clone(), key, slot));
                    }
                    continue;
                }
                KeyWanted::Own => user_id.as_str(),
                KeyWanted::Is(key) => key,
            };
            for (room, slot) in store.slots_in_rooms(rooms, kind, key).await? {
                slots.entry(room).or_default().push((name.clone(), key.to_owned(), slot));
            }
        }
        Ok(Self(slots))
    }

    fn of(&self, room: RoomSn) -> &[(String, String, Slot)] {
        self.0.get(&room).map(Vec::as_slice).unwrap_or_default()
    }
}

impl StateReader<'_> {
    /// The events of a state that are wanted, those of lazily loaded members apart.
    pub(super) async fn wanted(
        &self,
        room: RoomSn,
        root: StateRoot,
        wanted: &StateWanted,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let store = &self.parts.store;
        let wants = |kind: &str, key: &str| wanted.wants(kind, key, self.user_id);
        let mut slots: Vec<Slot> =
            self.slots.of(room).iter().filter(|slot| wants(&slot.0, &slot.1)).map(|slot| slot.2).collect();
        slots.sort_unstable();
        slots.dedup();
        let mut events = store.events(&store.state_slots(root, &slots).await?).await?;
        if wanted.patterns.iter().any(|pattern| pattern.kind.is_none()) {
            let known: BTreeSet<EventSn> = events.iter().map(|event| event.sn).collect();
            let all = match wanted.lazy_members {
                true => store.state_events_but_members(room, root).await?,
                false => store.state_events(root).await?,
            };
            let more = all.into_iter().filter(|event| !known.contains(&event.sn));
            events.extend(
                more.filter(|event| wants(event.pdu.kind(), event.pdu.state_key().unwrap_or_default())),
            );
        }
        Ok(events)
    }

    /// One event of a state whose place was looked up.
    pub(super) async fn one(
        &self,
        room: RoomSn,
        root: StateRoot,
        kind: &str,
    ) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        let slot = self.slots.of(room).iter().find(|slot| slot.0 == kind && slot.1.is_empty());
        let Some((.., slot)) = slot else { return Ok(None) };
        match self.parts.store.state_slot(root, *slot).await? {
            Some(event) => self.parts.store.event(event).await.map(Some),
            None => Ok(None),
        }
    }

    /// The memberships of those who have to do with these events and that were not told.
    pub(super) async fn needed_members(
        &self,
        room: RoomSn,
        root: StateRoot,
        timeline: &[ShownEvent],
        told: &ToldMembers,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let store = &self.parts.store;
        let Some(kind) = store.find_type("m.room.member").await? else { return Ok(Vec::new()) };
        let mut users: BTreeSet<&str> = BTreeSet::new();
        for shown in timeline {
            let pdu = &shown.event.pdu;
            users.insert(pdu.sender().as_str());
            if pdu.kind() == "m.room.member" {
                users.extend(pdu.state_key());
            }
        }
        let mut slots = Vec::with_capacity(users.len());
        for user in users {
            slots.extend(store.slot(room, kind, user).await?.filter(|slot| !told.has(*slot)));
        }
        store.events(&store.state_slots(root, &slots).await?).await
    }

    /// How one state differs from another.
    pub(super) async fn changed(&self, before: StateRoot, after: StateRoot) -> Result<Changed, StorageError> {
        let changes: Vec<Difference> = self.parts.store.state_diff(before, after).await?;
        let named: Vec<EventSn> =
            changes.iter().filter_map(|change| change.after.or(change.before)).collect();
        let events = self.parts.store.events(&named).await?;
        let events: HashMap<EventSn, Arc<StoredEvent>> =
            events.into_iter().map(|event| (event.sn, event)).collect();
        let mut changed = Changed::default();
        for change in changes {
            let event = |sn: Option<EventSn>| sn.and_then(|sn| events.get(&sn)).cloned();
            match event(change.after) {
                Some(event) => drop(changed.set.insert(change.slot, event)),
                None => changed.cleared.extend(event(change.before)),
            }
        }
        Ok(changed)
    }
}

/// Whether an event is somebody's membership.
pub(super) fn is_member(event: &StoredEvent) -> bool {
    event.pdu.kind() == "m.room.member" && event.pdu.is_state()
}
