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

impl Classic<'_> {
    /// What has moved since the reader's last sync.
    pub(super) async fn moves(&self, rooms: &[(RoomSn, Member)]) -> Result<Moves, StorageError> {
        let mut concerned = Concerned::default();
        for (room, member) in rooms {
            if member.membership == Membership::Join {
                concerned.joined.insert(*room);
            } else if self.since.is_some_and(|since| member.position > since) {
                concerned.left.insert(*room);
            }
        }
        let joined = &concerned.joined;
        let mut moves = match self.since {
            Some(since) => match self.recent(since, &concerned).await? {
                Some(moves) => moves,
                None => self.distant(since, &concerned).await?,
            },
            None => self.everything(joined).await?,
        };
        for room in
            self.parts.typing.changed_since(self.seen).into_iter().filter(|room| joined.contains(room))
        {
            moves.room(room).typing = true;
        }
        if self.request.full_state {
            for room in joined {
                moves.room(*room);
            }
        }
        Ok(moves)
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
    async fn recent(&self, since: Position, concerned: &Concerned) -> Result<Option<Moves>, StorageError> {
        let mut moves = Moves::default();
        let mut touched = Touched::new();
        let look = |announced: &Announced| {
            self.look(&announced.change, &concerned.joined, &mut moves, &mut touched);
            self.look_at_devices(&announced.change, concerned, &mut moves.devices);
        };
        if !self.parts.store.visit_changes(since, self.until, look) {
            return Ok(None);
        }
        for (room, kind) in touched {
            if let Some(data) = self.parts.store.account_data(self.reader.user, room, &kind).await? {
                moves.file(room, data);
            }
        }
        Ok(Some(moves))
    }

    fn look(&self, change: &Change, joined: &BTreeSet<RoomSn>, moves: &mut Moves, touched: &mut Touched) {
        let user = self.reader.user;
        match change {
            Change::Event { room, event, member } if joined.contains(room) => {
                let moved = moves.room(*room);
                moved.members |= member.is_some();
                moved.events.get_or_insert_default().push(*event);
            }
            Change::Membership { room, .. } if joined.contains(room) => moves.room(*room).members = true,
            Change::Receipt { room, user: reading, private }
                if joined.contains(room) && (!private || *reading == user) =>
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

    fn look_at_devices(&self, change: &Change, concerned: &Concerned, moves: &mut DeviceMoves) {
        let (user, device) = (self.reader.user, self.reader.device);
        match change {
            Change::Event { room, event, member: Some(member) }
                if concerned.joined.contains(room) || concerned.left.contains(room) =>
            {
                moves.members.entry((*room, *member)).or_insert_with(|| Some(Vec::new()));
                if let Some(Some(events)) = moves.members.get_mut(&(*room, *member)) {
                    events.push(*event);
                }
            }
            // By which events it was is not known.
            Change::Membership { user: member, room }
                if concerned.joined.contains(room) || concerned.left.contains(room) =>
            {
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
