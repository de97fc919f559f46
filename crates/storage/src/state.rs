//! Room state: reading and changing the trees of [`state_tree`] with nodes from memory and
//! from the database.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use crate::{
    EventSn, RoomSn, Slot, TypeSn,
    error::StorageError,
    model::StoredEvent,
    shared::Shared,
    state_tree::{self, Difference, Missing, Node, NodeHash, Nodes, StateRoot, Updated},
    statement::statements,
    store::Store,
    write_set::WriteSet,
};

statements! {
    NODES(list after 0) = "SELECT hash, body FROM state_nodes WHERE hash IN ({list})";
    SLOT = "SELECT slot FROM slots WHERE room_sn = $1 AND type_sn = $2 AND state_key = $3";
    SLOTS_OF_TYPE = "SELECT slot, state_key FROM slots WHERE room_sn = $1 AND type_sn = $2 ORDER BY slot";
    SLOT_NUMBERS_OF_TYPE =
        "SELECT string_agg(CAST(slot AS TEXT), ',') FROM slots WHERE room_sn = $1 AND type_sn = $2";
    SLOTS_IN_ROOMS(list after 2) =
        "SELECT room_sn, slot FROM slots WHERE type_sn = $1 AND state_key = $2 AND room_sn IN ({list})";
    SLOTS_OF_TYPE_IN_ROOMS(list after 1) =
        "SELECT room_sn, slot, state_key FROM slots WHERE type_sn = $1 AND room_sn IN ({list})";
    SLOTS_OF_ROOM = "SELECT type_sn, state_key, slot FROM slots WHERE room_sn = $1";
    SLOTS_BUT_TYPE =
        "SELECT slot, state_key FROM slots WHERE room_sn = $1 AND type_sn < $2
         UNION ALL SELECT slot, state_key FROM slots WHERE room_sn = $1 AND type_sn > $2
         ORDER BY slot";
    ADD_SLOT(rows of 4, key 3) = "INSERT INTO slots (room_sn, type_sn, state_key, slot) VALUES {rows}";
}

/// Nodes from the shared cache, from writes under way, and from what this operation has fetched.
struct AtHand<'a> {
    shared: &'a Shared,
    fetched: RefCell<HashMap<NodeHash, Arc<Node>>>,
}

impl Nodes for AtHand<'_> {
    fn node(&self, hash: &NodeHash) -> Option<Arc<Node>> {
        let fetched = self.fetched.borrow().get(hash).cloned();
        fetched.or_else(|| self.shared.node(hash))
    }
}

impl WriteSet {
    /// Gives a (type, state key) pair of a room its slot.
    pub fn add_slot(&mut self, room: RoomSn, kind: TypeSn, state_key: &str, slot: Slot) {
        self.write(&ADD_SLOT, vec![room.into(), kind.into(), state_key.into(), slot.0.into()]);
        self.slots.push((room, kind, state_key.into(), slot));
    }

    fn staged_nodes(&self) -> HashMap<NodeHash, Arc<Node>> {
        self.nodes.iter().map(|(hash, node)| (*hash, Arc::clone(node))).collect()
    }
}

impl Store {
    /// Runs a pure function over the tree, fetching the nodes that it lacks until it has all.
    async fn with_nodes<T>(
        &self,
        work: impl FnMut(&AtHand<'_>) -> Result<T, Missing>,
    ) -> Result<T, StorageError> {
        self.with_more_nodes(HashMap::new(), work).await
    }

    /// As [`with_nodes`](Self::with_nodes), with some nodes at hand that nobody else knows yet.
    async fn with_more_nodes<T>(
        &self,
        mut fetched: HashMap<NodeHash, Arc<Node>>,
        mut work: impl FnMut(&AtHand<'_>) -> Result<T, Missing>,
    ) -> Result<T, StorageError> {
        loop {
            let missing = {
                let at_hand = AtHand { shared: &self.shared, fetched: RefCell::new(fetched) };
                match work(&at_hand) {
                    Ok(done) => return Ok(done),
                    Err(Missing(missing)) => {
                        fetched = at_hand.fetched.into_inner();
                        missing
                    }
                }
            };
            let wanted = missing.iter().map(|hash| hash.as_slice());
            let mut found = 0;
            for row in self.engine.fetch_list(&NODES, Vec::new(), wanted).await? {
                let corrupt = || StorageError::Corrupt("a node of a state".to_owned());
                let hash: NodeHash = row.bytes(0)?.try_into().map_err(|_| corrupt())?;
                let node = Arc::new(Node::decode(&row.bytes(1)?).ok_or_else(corrupt)?);
                self.shared.cache_node(hash, &node);
                fetched.insert(hash, node);
                found += 1;
            }
            if found == 0 {
                return Err(StorageError::Corrupt("a node of a state is missing".to_owned()));
            }
        }
    }

    /// The event in one slot of a state.
    pub async fn state_slot(&self, root: StateRoot, slot: Slot) -> Result<Option<EventSn>, StorageError> {
        self.with_nodes(|nodes| state_tree::get(nodes, root, slot)).await
    }

    /// Every slot of a state with its event, by slot.
    pub async fn state_entries(&self, root: StateRoot) -> Result<Vec<(Slot, EventSn)>, StorageError> {
        self.with_nodes(|nodes| state_tree::entries(nodes, root)).await
    }

    /// The slots in which two states differ.
    pub async fn state_diff(
        &self,
        before: StateRoot,
        after: StateRoot,
    ) -> Result<Vec<Difference>, StorageError> {
        if before == after {
            return Ok(Vec::new());
        }
        self.with_nodes(|nodes| state_tree::diff(nodes, before, after)).await
    }

    /// The state that follows from `root` by setting or clearing slots. Its nodes go into the write set; the
    /// root may be one that the same set has made.
    pub async fn change_state(
        &self,
        set: &mut WriteSet,
        root: StateRoot,
        changes: &[(Slot, Option<EventSn>)],
    ) -> Result<StateRoot, StorageError> {
        let updated = self
            .with_more_nodes(set.staged_nodes(), |nodes| state_tree::update(nodes, root, changes))
            .await?;
        let Updated { root, nodes } = updated;
        set.nodes.extend(nodes);
        Ok(root)
    }

    /// As [`state_diff`](Self::state_diff), of states that this write set may have made.
    pub async fn state_diff_in(
        &self,
        set: &WriteSet,
        before: StateRoot,
        after: StateRoot,
    ) -> Result<Vec<Difference>, StorageError> {
        if before == after {
            return Ok(Vec::new());
        }
        self.with_more_nodes(set.staged_nodes(), |nodes| state_tree::diff(nodes, before, after)).await
    }

    /// As [`slots_at`](Self::slots_at), of states that this write set may have made.
    pub async fn slots_in(
        &self,
        set: &WriteSet,
        places: &[(StateRoot, Slot)],
    ) -> Result<Vec<Option<EventSn>>, StorageError> {
        self.with_more_nodes(set.staged_nodes(), |nodes| slots_of(nodes, places)).await
    }

    /// The slot of a (type, state key) pair, if the room has ever had such an event.
    pub async fn slot(
        &self,
        room: RoomSn,
        kind: TypeSn,
        state_key: &str,
    ) -> Result<Option<Slot>, StorageError> {
        let key = (room, kind, Box::<str>::from(state_key));
        if let Some(slot) = self.shared.slots.get(&key) {
            return Ok(Some(slot));
        }
        let values = vec![room.into(), kind.into(), state_key.into()];
        let Some(row) = self.engine.fetch_one(&SLOT, values).await? else { return Ok(None) };
        let slot = slot_from(row.int(0)?)?;
        self.shared.slots.insert(key, slot);
        Ok(Some(slot))
    }

    /// The slots of all state events of one type that the room has ever had, with their state keys.
    pub async fn slots_of_type(
        &self,
        room: RoomSn,
        kind: TypeSn,
    ) -> Result<Vec<(Slot, String)>, StorageError> {
        let rows = self.engine.fetch(&SLOTS_OF_TYPE, vec![room.into(), kind.into()]).await?;
        rows.iter().map(|row| Ok((slot_from(row.int(0)?)?, row.text(1)?))).collect()
    }

    /// As [`slots_of_type`](Self::slots_of_type), without the state keys, in one row.
    pub async fn slot_numbers_of_type(&self, room: RoomSn, kind: TypeSn) -> Result<Vec<Slot>, StorageError> {
        let row = self.engine.fetch_one(&SLOT_NUMBERS_OF_TYPE, vec![room.into(), kind.into()]).await?;
        let mut numbers = row.map_or(Ok(Vec::new()), |row| row.numbers(0))?;
        numbers.sort_unstable();
        numbers.into_iter().map(slot_from).collect()
    }

    /// The slots of one (type, state key) pair in each of these rooms that has ever had such an event.
    pub async fn slots_in_rooms(
        &self,
        rooms: &[RoomSn],
        kind: TypeSn,
        state_key: &str,
    ) -> Result<Vec<(RoomSn, Slot)>, StorageError> {
        let mut found = Vec::with_capacity(rooms.len());
        let mut asked = Vec::new();
        for room in rooms {
            match self.shared.slots.get(&(*room, kind, Box::<str>::from(state_key))) {
                Some(slot) => found.push((*room, slot)),
                None => asked.push(*room),
            }
        }
        let fixed = vec![kind.into(), state_key.into()];
        for row in self.engine.fetch_list(&SLOTS_IN_ROOMS, fixed, asked).await? {
            let (room, slot) = (RoomSn(row.int(0)?), slot_from(row.int(1)?)?);
            self.shared.slots.insert((room, kind, state_key.into()), slot);
            found.push((room, slot));
        }
        Ok(found)
    }

    /// As [`slots_of_type`](Self::slots_of_type), of several rooms.
    pub async fn slots_of_type_in_rooms(
        &self,
        rooms: &[RoomSn],
        kind: TypeSn,
    ) -> Result<Vec<(RoomSn, Slot, String)>, StorageError> {
        let list = rooms.iter().copied();
        let rows = self.engine.fetch_list(&SLOTS_OF_TYPE_IN_ROOMS, vec![kind.into()], list).await?;
        rows.iter().map(|row| Ok((RoomSn(row.int(0)?), slot_from(row.int(1)?)?, row.text(2)?))).collect()
    }

    /// Every slot that the room has given: type, state key, slot.
    pub async fn slots_of_room(&self, room: RoomSn) -> Result<Vec<(TypeSn, String, Slot)>, StorageError> {
        let rows = self.engine.fetch(&SLOTS_OF_ROOM, vec![room.into()]).await?;
        rows.iter().map(|row| Ok((TypeSn(row.int(0)?), row.text(1)?, slot_from(row.int(2)?)?))).collect()
    }

    /// The slots of all state events that are *not* of one type (membership, in practice).
    pub async fn slots_but_type(
        &self,
        room: RoomSn,
        kind: TypeSn,
    ) -> Result<Vec<(Slot, String)>, StorageError> {
        let rows = self.engine.fetch(&SLOTS_BUT_TYPE, vec![room.into(), kind.into()]).await?;
        rows.iter().map(|row| Ok((slot_from(row.int(0)?)?, row.text(1)?))).collect()
    }

    /// The events in some slots of a state, in the order of the slots. Empty slots are left out.
    pub async fn state_slots(&self, root: StateRoot, slots: &[Slot]) -> Result<Vec<EventSn>, StorageError> {
        let found = self.with_nodes(|nodes| {
            slots.iter().map(|slot| state_tree::get(nodes, root, *slot)).collect::<Result<Vec<_>, _>>()
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// The events in slots of states, in the order asked for: `None` for an empty slot. All nodes that memory
    /// lacks are fetched together, level by level.
    pub async fn slots_at(&self, places: &[(StateRoot, Slot)]) -> Result<Vec<Option<EventSn>>, StorageError> {
        self.with_nodes(|nodes| slots_of(nodes, places)).await
    }

    /// One state event, by type and state key.
    pub async fn state_event(
        &self,
        room: RoomSn,
        root: StateRoot,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Arc<StoredEvent>>, StorageError> {
        let Some(kind) = self.find_type(kind).await? else { return Ok(None) };
        let Some(slot) = self.slot(room, kind, state_key).await? else { return Ok(None) };
        match self.state_slot(root, slot).await? {
            Some(sn) => self.event(sn).await.map(Some),
            None => Ok(None),
        }
    }

    /// Every event of a state, by slot.
    pub async fn state_events(&self, root: StateRoot) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let entries = self.state_entries(root).await?;
        let sns: Vec<EventSn> = entries.into_iter().map(|entry| entry.1).collect();
        self.events(&sns).await
    }

    /// Every event of a state that is not a membership, by slot: what a client that loads members lazily
    /// begins with.
    pub async fn state_events_but_members(
        &self,
        room: RoomSn,
        root: StateRoot,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let Some(member) = self.find_type("m.room.member").await? else {
            return self.state_events(root).await;
        };
        let slots = self.slots_but_type(room, member).await?;
        let slots: Vec<Slot> = slots.into_iter().map(|slot| slot.0).collect();
        let sns = self.state_slots(root, &slots).await?;
        self.events(&sns).await
    }
}

/// The events in slots of states; or all the nodes that are missing to know them.
fn slots_of(nodes: &AtHand<'_>, places: &[(StateRoot, Slot)]) -> Result<Vec<Option<EventSn>>, Missing> {
    let mut missing = Vec::new();
    let mut found = Vec::with_capacity(places.len());
    for (root, slot) in places {
        match state_tree::get(nodes, *root, *slot) {
            Ok(event) => found.push(event),
            Err(Missing(hashes)) => missing.extend(hashes),
        }
    }
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() { Ok(found) } else { Err(Missing(missing)) }
}

fn slot_from(stored: i64) -> Result<Slot, StorageError> {
    u32::try_from(stored).map(Slot).map_err(|_| StorageError::Corrupt("a slot".to_owned()))
}
