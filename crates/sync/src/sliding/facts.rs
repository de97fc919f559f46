//! What filters ask of rooms, found for many rooms at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use parvis_cache::Cache;
use parvis_events::Membership;
use parvis_storage::{AccountData, EventSn, RoomSn, Slot, StateRoot, StorageError, Store, UserSn};
use ruma::{OwnedRoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    index::{Listed, RoomIndex},
    request::RoomFilter,
};
use crate::parts::Parts;

/// What filters ask of a room's state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    encrypted: bool,
    room_type: Option<String>,
}

/// What a filter is applied with.
#[derive(Debug, Default)]
pub(crate) struct Sieve {
    directs: Arc<HashSet<OwnedRoomId>>,
    children: HashSet<OwnedRoomId>,
}

/// Which rooms a user calls direct chats, each list read once for as long as it does not change.
#[derive(Clone, Debug)]
pub(crate) struct Directs {
    store: Store,
    read: Cache<UserSn, Read>,
}

/// A list as it was read, and the account data that it was read from.
type Read = (Arc<AccountData>, Arc<HashSet<OwnedRoomId>>);

impl Directs {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, read: Cache::new(10_000) }
    }

    /// Those of a user.
    pub(crate) async fn of(&self, user: UserSn) -> Result<Arc<HashSet<OwnedRoomId>>, StorageError> {
        let Some(data) = self.store.account_data(user, None, "m.direct").await? else {
            return Ok(Arc::default());
        };
        if let Some((source, list)) = self.read.get(&user)
            && Arc::ptr_eq(&source, &data)
        {
            return Ok(list);
        }
        let content: Option<HashMap<&str, Value>> = serde_json::from_str(data.content.get()).ok();
        let rooms = content.into_iter().flatten().filter_map(|(_, rooms)| match rooms {
            Value::Array(rooms) => Some(rooms),
            _ => None,
        });
        let rooms = rooms.flatten().filter_map(|room| OwnedRoomId::try_from(room.as_str()?).ok());
        let list = Arc::new(rooms.collect::<HashSet<_>>());
        self.read.insert(user, (data, Arc::clone(&list)));
        Ok(list)
    }
}

impl RoomFilter {
    fn asks_for_state(&self) -> bool {
        self.is_encrypted.is_some() || self.room_types.is_some() || self.not_room_types.is_some()
    }

    fn asks_for_tags(&self) -> bool {
        self.tags.is_some() || self.not_tags.is_some()
    }

    /// Whether every room passes.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Finds what the filter asks of the rooms of an index.
    pub(crate) async fn prepare(
        &self,
        parts: &Parts,
        directs: &Directs,
        index: &mut RoomIndex,
        (user, user_id): (UserSn, &UserId),
    ) -> Result<Sieve, StorageError> {
        let mut sieve = Sieve::default();
        if self.asks_for_state() {
            find_facts(parts, (user, user_id), index).await?;
        }
        if self.asks_for_tags() && index.tags.is_none() {
            index.tags = Some(tags(parts, user).await?);
        }
        if self.is_dm.is_some() {
            sieve.directs = directs.of(user).await?;
        }
        for space in self.spaces.iter().flatten() {
            sieve.children.extend(children(parts, index, space).await?);
        }
        Ok(sieve)
    }

    /// Whether a room is on the list.
    pub(crate) fn passes(&self, sieve: &Sieve, index: &RoomIndex, room: RoomSn, listed: &Listed) -> bool {
        let facts = listed.facts.as_ref();
        let encrypted = facts.is_some_and(|facts| facts.encrypted);
        let kind = || facts.and_then(|facts| facts.room_type.clone());
        let tags =
            || index.tags.as_ref().and_then(|tags| tags.get(&room)).map(Vec::as_slice).unwrap_or_default();
        let tagged = |wanted: &Vec<String>| tags().iter().any(|tag| wanted.contains(tag));
        let is = |wanted: Option<bool>, what: bool| wanted.is_none_or(|wanted| wanted == what);
        is(self.is_dm, sieve.directs.contains(&listed.room_id))
            && is(self.is_encrypted, encrypted)
            && is(self.is_invite, listed.member.membership == Membership::Invite)
            && self.room_types.as_ref().is_none_or(|types| types.contains(&kind()))
            && self.not_room_types.as_ref().is_none_or(|types| !types.contains(&kind()))
            && self.spaces.as_ref().is_none_or(|_| sieve.children.contains(&listed.room_id))
            && self.tags.as_ref().is_none_or(tagged)
            && self.not_tags.as_ref().is_none_or(|unwanted| !tagged(unwanted))
    }
}

/// Finds the facts of all rooms of which they are not known: a handful of statements for any number of them.
async fn find_facts(
    parts: &Parts,
    (user, user_id): (UserSn, &UserId),
    index: &mut RoomIndex,
) -> Result<(), StorageError> {
    let unknown = index.in_order().filter(|(_, listed)| listed.facts.is_none());
    let (inside, outside): (Vec<_>, Vec<_>) = unknown
        .map(|(room, listed)| (room, listed.member))
        .partition(|(_, member)| !matches!(member.membership, Membership::Invite | Membership::Knock));
    let inside: Vec<RoomSn> = inside.into_iter().map(|(room, _)| room).collect();
    let mut found = facts_inside(parts, &inside).await?;
    for (room, member) in outside {
        let room_id = parts.store.room_id(room).await?;
        let stripped = parts.stripped((user, user_id), room_id, room, member).await?;
        found.insert(room, facts_outside(stripped.iter().flat_map(|stripped| &stripped.state)));
    }
    for (room, listed) in index.rooms_mut() {
        if listed.facts.is_none() {
            listed.facts = Some(found.remove(room).unwrap_or_default());
        }
    }
    Ok(())
}

async fn facts_inside(parts: &Parts, rooms: &[RoomSn]) -> Result<HashMap<RoomSn, Facts>, StorageError> {
    let store = &parts.store;
    let standings = store.room_standings(rooms).await?;
    let roots: HashMap<RoomSn, StateRoot> =
        standings.into_iter().map(|standing| (standing.room, standing.state_root)).collect();
    let mut places: Vec<(RoomSn, StateRoot, Slot)> = Vec::new();
    for kind in ["m.room.create", "m.room.encryption"] {
        let Some(kind) = store.find_type(kind).await? else { continue };
        let slots = store.slots_in_rooms(rooms, kind, "").await?;
        places.extend(slots.into_iter().filter_map(|(room, slot)| Some((room, *roots.get(&room)?, slot))));
    }
    let asked: Vec<(StateRoot, Slot)> = places.iter().map(|(_, root, slot)| (*root, *slot)).collect();
    let events: Vec<EventSn> = store.slots_at(&asked).await?.into_iter().flatten().collect();
    let mut found: HashMap<RoomSn, Facts> = HashMap::new();
    for event in store.events(&events).await? {
        let facts = found.entry(event.room).or_default();
        match event.pdu.kind() {
            "m.room.encryption" => facts.encrypted = true,
            _ => facts.room_type = event.pdu.content_as::<Create>().ok().and_then(|create| create.kind),
        }
    }
    Ok(found)
}

#[derive(Deserialize)]
struct Create {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// What stripped state says.
fn facts_outside<'a>(state: impl Iterator<Item = &'a Arc<str>>) -> Facts {
    #[derive(Deserialize)]
    struct Stripped<'a> {
        #[serde(rename = "type")]
        kind: String,
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let mut facts = Facts::default();
    for event in state.filter_map(|event| serde_json::from_str::<Stripped<'_>>(event).ok()) {
        match event.kind.as_str() {
            "m.room.encryption" => facts.encrypted = true,
            "m.room.create" => {
                let create = serde_json::from_str::<Create>(event.content.get()).ok();
                facts.room_type = create.and_then(|create| create.kind);
            }
            _ => {}
        }
    }
    facts
}

async fn tags(parts: &Parts, user: UserSn) -> Result<HashMap<RoomSn, Vec<String>>, StorageError> {
    #[derive(Deserialize)]
    struct Tags {
        tags: BTreeMap<String, serde::de::IgnoredAny>,
    }
    let data = parts.store.account_data_of_type(user, "m.tag").await?;
    let tags = data.into_iter().filter_map(|data| {
        let tags = serde_json::from_str::<Tags>(data.content.get()).ok()?;
        Some((data.room?, tags.tags.into_keys().collect()))
    });
    Ok(tags.collect())
}

/// The rooms of a space, for who is in it.
async fn children(
    parts: &Parts,
    index: &RoomIndex,
    space: &OwnedRoomId,
) -> Result<Vec<OwnedRoomId>, StorageError> {
    #[derive(Deserialize)]
    struct Child {
        via: Vec<serde::de::IgnoredAny>,
    }
    let store = &parts.store;
    let Some(room) = store.room_sn(space).await? else { return Ok(Vec::new()) };
    if !index.get(room).is_some_and(|listed| listed.member.is_joined()) {
        return Ok(Vec::new());
    }
    let Some(kind) = store.find_type("m.space.child").await? else { return Ok(Vec::new()) };
    let Some(standing) = store.room_standings(&[room]).await?.pop() else { return Ok(Vec::new()) };
    let slots = store.slot_numbers_of_type(room, kind).await?;
    let events = store.state_slots(standing.state_root, &slots).await?;
    let children = store.events(&events).await?;
    let valid = children
        .iter()
        .filter(|event| event.pdu.content_as::<Child>().is_ok_and(|child| !child.via.is_empty()));
    Ok(valid.filter_map(|event| OwnedRoomId::try_from(event.pdu.state_key()?).ok()).collect())
}
