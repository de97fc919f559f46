//! Rooms: their heads, their names and aliases, and the public directory.

use std::sync::Arc;

use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomAliasId, RoomId};

use crate::{
    Position, RoomSn, UserSn, error::StorageError, model::RoomHead, numbers::unpack, state_tree::StateRoot,
    statement::statements, store::Store, value::Row, write_set::WriteSet,
};

statements! {
    HEAD_BY_SN = "SELECT room_sn, room_id, version, class, head_version, heads, state_root, depth, next_slot,
        next_state_index, last_position FROM rooms WHERE room_sn = $1";
    SN_BY_ID = "SELECT room_sn FROM rooms WHERE room_id = $1";
    IDS_BY_SN(list after 0) = "SELECT room_sn, room_id FROM rooms WHERE room_sn IN ({list})";
    MOVED_ROOMS(list after 1) = "SELECT room_sn FROM rooms WHERE last_position > $1 AND room_sn IN ({list})";
    NEWEST_POSITIONS(list after 0) = "SELECT room_sn, last_position FROM rooms WHERE room_sn IN ({list})";
    ROOM_STANDINGS(list after 0) =
        "SELECT room_sn, last_position, bump_position, state_root FROM rooms WHERE room_sn IN ({list})";
    ALIAS = "SELECT room_sn, creator_sn FROM aliases WHERE alias = $1";
    ALIASES_OF_ROOM = "SELECT alias FROM aliases WHERE room_sn = $1 ORDER BY alias";
    ADD_ALIAS(rows of 3, key 1) = "INSERT INTO aliases (alias, room_sn, creator_sn) VALUES {rows}";
    MOVE_ALIASES = "UPDATE aliases SET room_sn = $2 WHERE room_sn = $1";
    REMOVE_ALIAS = "DELETE FROM aliases WHERE alias = $1";
    PUBLISH(rows of 1, key 1) = "INSERT INTO published_rooms (room_sn) VALUES {rows} ON CONFLICT DO NOTHING";
    UNPUBLISH = "DELETE FROM published_rooms WHERE room_sn = $1";
    IS_PUBLISHED = "SELECT room_sn FROM published_rooms WHERE room_sn = $1";
    PUBLISHED = "SELECT room_sn FROM published_rooms ORDER BY room_sn";
}

/// Where a room stands, for lists of rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomStanding {
    /// Which.
    pub room: RoomSn,
    /// Where its newest event is, or a little behind it.
    pub newest: Position,
    /// Where the newest event is by which it rises in lists; [`Position::START`] where it has none.
    pub bumped: Position,
    /// Its current state.
    pub state_root: StateRoot,
}

/// An alias of a room on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The room that it names.
    pub room: RoomSn,
    /// Who made it.
    pub creator: UserSn,
}

impl WriteSet {
    /// Gives a room an alias. Refused with the guard `alias_free` if the alias is taken.
    pub fn add_alias(&mut self, alias: &RoomAliasId, room: RoomSn, creator: UserSn) {
        self.demand_absent("alias_free", &ALIAS, vec![alias.as_str().into()]);
        self.write(&ADD_ALIAS, vec![alias.as_str().into(), room.into(), creator.into()]);
    }

    /// Takes an alias away.
    pub fn remove_alias(&mut self, alias: &RoomAliasId) {
        self.write(&REMOVE_ALIAS, vec![alias.as_str().into()]);
    }

    /// Lets every alias of one room name another, as an upgrade does.
    pub fn move_aliases(&mut self, from: RoomSn, to: RoomSn) {
        self.write(&MOVE_ALIASES, vec![from.into(), to.into()]);
    }

    /// Lists a room in the public directory, or takes it off the list.
    pub fn publish_room(&mut self, room: RoomSn, listed: bool) {
        let statement = if listed { &PUBLISH } else { &UNPUBLISH };
        self.write(statement, vec![room.into()]);
    }
}

impl Store {
    /// The number of a room that is stored here.
    pub async fn room_sn(&self, room_id: &RoomId) -> Result<Option<RoomSn>, StorageError> {
        if let Some(room) = self.shared.room_sns.get(room_id) {
            return Ok(Some(room));
        }
        let Some(row) = self.engine.fetch_one(&SN_BY_ID, vec![room_id.as_str().into()]).await? else {
            return Ok(None);
        };
        let room = RoomSn(row.int(0)?);
        self.shared.remember_room(room, &room_id.to_owned());
        Ok(Some(room))
    }

    /// The id of a room, from its number.
    pub async fn room_id(&self, room: RoomSn) -> Result<OwnedRoomId, StorageError> {
        if let Some(room_id) = self.shared.room_ids.get(&room) {
            return Ok(room_id);
        }
        let rows = self.engine.fetch_list(&IDS_BY_SN, Vec::new(), [room]).await?;
        let missing = || StorageError::Corrupt("a room number without a room".to_owned());
        let row = rows.first().ok_or_else(missing)?;
        let room_id = OwnedRoomId::try_from(row.text(1)?).map_err(|_| missing())?;
        self.shared.remember_room(room, &room_id);
        Ok(room_id)
    }

    /// Brings the ids of rooms into memory, all that are missing with one query.
    pub async fn prefetch_room_ids(&self, rooms: &[RoomSn]) -> Result<(), StorageError> {
        let missing = rooms.iter().copied().filter(|room| !self.shared.room_ids.contains_key(room));
        for row in self.engine.fetch_list(&IDS_BY_SN, Vec::new(), missing).await? {
            let corrupt = |_| StorageError::Corrupt("a room id".to_owned());
            let room_id = OwnedRoomId::try_from(row.text(1)?).map_err(corrupt)?;
            self.shared.remember_room(RoomSn(row.int(0)?), &room_id);
        }
        Ok(())
    }

    /// Where a room stands, as last committed.
    pub async fn room_head(&self, room: RoomSn) -> Result<Option<Arc<RoomHead>>, StorageError> {
        let heads = &self.shared.heads;
        if let Some(head) = heads.get(room) {
            return Ok(Some(head));
        }
        let generation = heads.generation();
        let Some(row) = self.engine.fetch_one(&HEAD_BY_SN, vec![room.into()]).await? else { return Ok(None) };
        let head = Arc::new(head_from_row(&row)?);
        heads.keep(&head, generation);
        Ok(Some(head))
    }

    /// Those of these rooms that have changed after a position. A room may be among them that has not, if what it
    /// was written together with came later.
    pub async fn rooms_moved(&self, rooms: &[RoomSn], after: Position) -> Result<Vec<RoomSn>, StorageError> {
        let list = rooms.iter().copied();
        let rows = self.engine.fetch_list(&MOVED_ROOMS, vec![after.into()], list).await?;
        rows.iter().map(|row| row.int(0).map(RoomSn)).collect()
    }

    /// Where the newest event of each of these rooms is, or a little behind it.
    pub async fn newest_positions(&self, rooms: &[RoomSn]) -> Result<Vec<(RoomSn, Position)>, StorageError> {
        let list = rooms.iter().copied();
        let rows = self.engine.fetch_list(&NEWEST_POSITIONS, Vec::new(), list).await?;
        rows.iter().map(|row| Ok((RoomSn(row.int(0)?), Position(row.int(1)?)))).collect()
    }

    /// Where these rooms stand, as last committed.
    pub async fn room_standings(&self, rooms: &[RoomSn]) -> Result<Vec<RoomStanding>, StorageError> {
        let rows = self.engine.fetch_list(&ROOM_STANDINGS, Vec::new(), rooms.iter().copied()).await?;
        let corrupt = || StorageError::Corrupt("the state root of a room".to_owned());
        let standing = |row: &Row| {
            Ok(RoomStanding {
                room: RoomSn(row.int(0)?),
                newest: Position(row.int(1)?),
                bumped: Position(row.int(2)?),
                state_root: StateRoot::from_bytes(&row.bytes(3)?).ok_or_else(corrupt)?,
            })
        };
        rows.iter().map(standing).collect()
    }

    /// The room that a local alias names.
    pub async fn alias(&self, alias: &RoomAliasId) -> Result<Option<Alias>, StorageError> {
        let row = self.engine.fetch_one(&ALIAS, vec![alias.as_str().into()]).await?;
        row.map(|row| Ok(Alias { room: RoomSn(row.int(0)?), creator: UserSn(row.int(1)?) })).transpose()
    }

    /// The local aliases of a room, in order.
    pub async fn aliases_of_room(&self, room: RoomSn) -> Result<Vec<OwnedRoomAliasId>, StorageError> {
        let rows = self.engine.fetch(&ALIASES_OF_ROOM, vec![room.into()]).await?;
        let corrupt = |_| StorageError::Corrupt("a room alias".to_owned());
        rows.iter().map(|row| OwnedRoomAliasId::try_from(row.text(0)?).map_err(corrupt)).collect()
    }

    /// Whether a room is listed in the public directory.
    pub async fn is_published(&self, room: RoomSn) -> Result<bool, StorageError> {
        Ok(self.engine.fetch_one(&IS_PUBLISHED, vec![room.into()]).await?.is_some())
    }

    /// Every room of the public directory.
    pub async fn published_rooms(&self) -> Result<Vec<RoomSn>, StorageError> {
        let rows = self.engine.fetch(&PUBLISHED, Vec::new()).await?;
        rows.iter().map(|row| row.int(0).map(RoomSn)).collect()
    }
}

/// A head from a row of [`HEAD_BY_SN`].
fn head_from_row(row: &Row) -> Result<RoomHead, StorageError> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("the {what} of a room"));
    Ok(RoomHead {
        room: RoomSn(row.int(0)?),
        room_id: OwnedRoomId::try_from(row.text(1)?).map_err(|_| corrupt("id"))?,
        version: row.text(2)?.parse().map_err(|_| corrupt("version"))?,
        class: row.text(3)?,
        head_version: row.int(4)?,
        heads: unpack(&row.bytes(5)?),
        state_root: StateRoot::from_bytes(&row.bytes(6)?).ok_or_else(|| corrupt("state root"))?,
        depth: row.int(7)?,
        next_slot: u32::try_from(row.int(8)?).map_err(|_| corrupt("next slot"))?,
        next_state_index: row.int(9)?,
        last_position: Position(row.int(10)?),
    })
}
