//! Which of a user's rooms have moved, and what of their data has changed.
//!
//! A reader who is nearly up to date is told from memory, at a cost that follows the number of changes; one who
//! was away for longer, from indexes of positions.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parvis_events::Membership;
use parvis_storage::{AccountData, Announced, Change, EventSn, Member, Position, RoomSn, StorageError};

use super::{Classic, devices::DeviceMoves};

/// What has moved.
#[derive(Debug, Default)]
pub(super) struct Moves {
    rooms: BTreeMap<RoomSn, RoomMoves>,
    /// Account-wide data that has changed.
    pub(super) account_data: Vec<Arc<AccountData>>,
    /// Data about rooms that has changed, whatever the user's membership.
    pub(super) room_account_data: BTreeMap<RoomSn, Vec<Arc<AccountData>>>,
    /// What bears on whose devices the reader follows.
    pub(super) devices: DeviceMoves,
}

/// What has moved in a room.
#[derive(Clone, Debug, Default)]
pub(super) struct RoomMoves {
    /// The new events, oldest first; `None` where they have to be asked for.
    pub(super) events: Option<Vec<EventSn>>,
    /// Whether memberships may have changed.
    pub(super) members: bool,
    /// Whether receipts may have moved of which the reader may know.
    pub(super) receipts: bool,
    /// Whether the list of those who type has changed.
    pub(super) typing: bool,
    /// Whether the reader has read on, on some device: what is unread has changed.
    pub(super) read: bool,
}

impl RoomMoves {
    /// A room of which nothing is known.
    fn unknown() -> Self {
        Self { events: None, members: true, receipts: true, typing: false, read: false }
    }

    /// A room in which nothing has moved as far as is known.
    fn quiet() -> Self {
        Self { events: Some(Vec::new()), members: false, receipts: false, typing: false, read: false }
    }
}

impl Moves {
    /// What has moved in a room, if anything.
    pub(super) fn of_room(&self, room: RoomSn) -> Option<&RoomMoves> {
        self.rooms.get(&room)
    }
}

/// The pieces of account data that memory says have changed.
type Touched = BTreeSet<(Option<RoomSn>, Arc<str>)>;

/// The rooms whose members matter to the reader.
#[derive(Debug, Default)]
struct Concerned {
    /// Those in which the reader is.
    joined: BTreeSet<RoomSn>,
    /// Those in which the reader was until lately.
    left: BTreeSet<RoomSn>,
}

/// Memberships of the reader, by room.
pub(super) type Rooms = Vec<(RoomSn, Member)>;

impl Classic<'_> {
    /// What has moved since the reader's last sync, and the rooms of which something may have to be told for that:
    /// of a reader who is nearly up to date, those that have moved, and those in which the reader's own membership
    /// has changed. So a room in which nothing happens costs nothing.
    pub(super) async fn moves(&self) -> Result<(Rooms, Moves), StorageError> {
        let near = match self.since {
            Some(since) => self.recent(since).await?,
            None => None,
        };
        let (mut rooms, mut moves) = match near {
            Some(found) => found,
            None => self.moves_of_all().await?,
        };
        if self.request.full_state {
            rooms = self.parts.memberships_at(self.reader.user, &self.user_id, self.until).await?;
            for (room, _) in rooms.iter().filter(|(_, member)| member.is_joined()) {
                moves.room(*room);
            }
        }
        Ok((rooms, moves))
    }

    /// What has moved, where all rooms have to be looked at.
    async fn moves_of_all(&self) -> Result<(Rooms, Moves), StorageError> {
        let rooms = self.parts.memberships_at(self.reader.user, &self.user_id, self.until).await?;
        let mut concerned = Concerned::default();
        for (room, member) in &rooms {
            if member.membership == Membership::Join {
                concerned.joined.insert(*room);
            } else if self.since.is_some_and(|since| member.position > since) {
                concerned.left.insert(*room);
            }
        }
        let joined = &concerned.joined;
        let mut moves = match self.since {
            Some(since) => self.distant(since, &concerned).await?,
            None => self.everything(joined).await?,
        };
        for room in
            self.parts.typing.changed_since(self.seen).into_iter().filter(|room| joined.contains(room))
        {
            moves.room(room).typing = true;
        }
        Ok((rooms, moves))
    }

    /// All rooms and all data.
    async fn everything(&self, joined: &BTreeSet<RoomSn>) -> Result<Moves, StorageError> {
        let mut moves = Moves {
            rooms: joined.iter().map(|room| (*room, RoomMoves::unknown())).collect(),
            ..Moves::default()
        };
        self.read_account_data(&mut moves, Position::START).await?;
        Ok(moves)
    }

    /// What memory says, if it reaches back far enough.
    async fn recent(&self, since: Position) -> Result<Option<(Rooms, Moves)>, StorageError> {
        let known = self.parts.store.rooms_of_user(self.reader.user).await?;
        let mut moves = Moves::default();
        let mut touched = Touched::new();
        // Memory may know of later changes than are told: what is found for them is taken out again below.
        let concerns = |room: RoomSn| {
            known.get(room).is_some_and(|member| member.is_joined() || member.position > since)
        };
        let look = |announced: &Announced| {
            self.look(&announced.change, &concerns, &mut moves, &mut touched);
            self.look_at_devices(&announced.change, &concerns, &mut moves.devices);
        };
        if !self.parts.store.visit_changes(since, self.until, look) {
            return Ok(None);
        }
        for room in self.parts.typing.changed_since(self.seen) {
            moves.room(room).typing = true;
        }
        for (room, kind) in touched {
            if let Some(data) = self.parts.store.account_data(self.reader.user, room, &kind).await? {
                moves.file(room, data);
            }
        }
        let mut rooms: BTreeMap<RoomSn, Member> = known.changed_after(since).into_iter().collect();
        let moved = moves.rooms.keys().chain(moves.devices.members.keys().map(|(room, _)| room));
        rooms.extend(moved.filter_map(|room| Some((*room, known.get(*room)?))));
        let rooms = self.parts.as_of(rooms.into_iter().collect(), &self.user_id, self.until).await?;
        moves.keep_only(&rooms, since);
        Ok(Some((rooms, moves)))
    }

    fn look(
        &self,
        change: &Change,
        concerns: &impl Fn(RoomSn) -> bool,
        moves: &mut Moves,
        touched: &mut Touched,
    ) {
        let user = self.reader.user;
        match change {
            Change::Event { room, event, member } if concerns(*room) => {
                let moved = moves.room(*room);
                moved.members |= member.is_some();
                moved.events.get_or_insert_default().push(*event);
            }
            Change::Membership { room, .. } if concerns(*room) => moves.room(*room).members = true,
            Change::Receipt { room, user: reading, private }
                if (!private || *reading == user) && concerns(*room) =>
            {
                let moved = moves.room(*room);
                moved.receipts = true;
                moved.read |= *reading == user;
            }
            Change::AccountData { user: owner, room, kind } if *owner == user => {
                touched.insert((*room, Arc::clone(kind)));
            }
            _ => {}
        }
    }

    fn look_at_devices(&self, change: &Change, concerns: &impl Fn(RoomSn) -> bool, moves: &mut DeviceMoves) {
        let (user, device) = (self.reader.user, self.reader.device);
        match change {
            Change::Event { room, event, member: Some(member) } if concerns(*room) => {
                moves.members.entry((*room, *member)).or_insert_with(|| Some(Vec::new()));
                if let Some(Some(events)) = moves.members.get_mut(&(*room, *member)) {
                    events.push(*event);
                }
            }
            // By which events it was is not known.
            Change::Membership { user: member, room } if concerns(*room) => {
                moves.members.insert((*room, *member), None);
            }
            Change::Devices { user: owner, gone } => {
                moves.users.insert(*owner);
                moves.own_device_is_gone |= *owner == user && gone.has(device);
            }
            Change::Signed { signer, target } if *signer == user => drop(moves.signed.insert(*target)),
            Change::OneTimeKeys { device: changed, .. } => moves.own_keys |= *changed == device,
            _ => {}
        }
    }

    /// What the tables say.
    async fn distant(&self, since: Position, concerned: &Concerned) -> Result<Moves, StorageError> {
        let mut moves = Moves { devices: self.distant_devices(since, concerned).await?, ..Moves::default() };
        let rooms: Vec<RoomSn> = concerned.joined.iter().copied().collect();
        for room in self.parts.store.rooms_moved(&rooms, since).await? {
            moves.rooms.insert(room, RoomMoves::unknown());
        }
        for room in self.parts.store.rooms_with_receipts(&rooms, since).await? {
            moves.room(room).receipts = true;
        }
        self.read_account_data(&mut moves, since).await?;
        Ok(moves)
    }

    async fn distant_devices(
        &self,
        since: Position,
        concerned: &Concerned,
    ) -> Result<DeviceMoves, StorageError> {
        let (store, until) = (&self.parts.store, self.until);
        let rooms: Vec<RoomSn> = concerned.joined.union(&concerned.left).copied().collect();
        let members = store.members_changed_between(&rooms, since, until).await?;
        let changes = store.device_changes_between(since, until).await?;
        let signed = store.users_signed_between(self.reader.user, since, until).await?;
        Ok(DeviceMoves {
            users: changes.into_iter().map(|change| change.user).collect(),
            signed: signed.into_iter().collect(),
            members: members.into_iter().map(|place| (place, None)).collect(),
            own_keys: false,
            own_device_is_gone: false,
        })
    }

    async fn read_account_data(&self, moves: &mut Moves, since: Position) -> Result<(), StorageError> {
        let user = self.reader.user;
        for data in self.parts.store.account_data_between(user, since, self.until).await? {
            moves.file(data.room, Arc::new(data));
        }
        Ok(())
    }
}

impl Moves {
    /// Takes out what was found in rooms that do not concern the reader, who has these memberships: it is told of
    /// rooms in which the reader is, and of members also in those that the reader left lately.
    fn keep_only(&mut self, rooms: &[(RoomSn, Member)], since: Position) {
        let members: BTreeMap<RoomSn, &Member> = rooms.iter().map(|(room, member)| (*room, member)).collect();
        let is_joined = |room: &RoomSn| members.get(room).is_some_and(|member| member.is_joined());
        let is_lately = |room: &RoomSn| members.get(room).is_some_and(|member| member.position > since);
        self.rooms.retain(|room, _| is_joined(room));
        self.devices.members.retain(|(room, _), _| is_joined(room) || is_lately(room));
    }

    fn room(&mut self, room: RoomSn) -> &mut RoomMoves {
        self.rooms.entry(room).or_insert_with(RoomMoves::quiet)
    }

    /// Files a piece of account data. Data about a room is news of that room.
    fn file(&mut self, room: Option<RoomSn>, data: Arc<AccountData>) {
        match room {
            Some(room) => {
                self.room(room);
                self.room_account_data.entry(room).or_default().push(data);
            }
            None => self.account_data.push(data),
        }
    }
}
