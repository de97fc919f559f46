//! The rooms of a user in the order in which lists show them: by where their newest event is, the newest first.
//!
//! Made once for a user, and then kept up to date from the ring of changes, so that a look costs what has moved
//! and not what has not. All connections of a user share it. Knows nothing of what was told to whom.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use parvis_cache::Cache;
use parvis_dag::InvitePermission;
use parvis_events::Membership;
use parvis_storage::{Change, EventSn, Member, Position, RoomSn, StorageError, UserSn};
use ruma::{OwnedRoomId, UserId};
use tokio::sync::{Mutex, MutexGuard};

use super::facts::Facts;
use crate::parts::Parts;

/// Of how many rooms together the indexes are kept.
const ROOMS: u64 = 1_000_000;

/// The indexes of users.
#[derive(Debug)]
pub(crate) struct RoomIndexes {
    by_user: Cache<UserSn, Arc<OfUser>>,
    shapes: Arc<AtomicU64>,
}

/// The index of one user, for one look at a time.
#[derive(Debug)]
pub(crate) struct OfUser {
    index: Mutex<RoomIndex>,
    /// How many rooms it had when it was weighed.
    rooms: AtomicU32,
}

/// The rooms of one user, up to a position.
#[derive(Debug)]
pub(crate) struct RoomIndex {
    shapes: Arc<AtomicU64>,
    /// Up to where it is; `None` if it was not made yet.
    until: Option<Position>,
    rooms: HashMap<RoomSn, Listed>,
    order: BTreeSet<(Reverse<Position>, RoomSn)>,
    /// Rooms that left the list, by where that happened.
    departed: BTreeMap<(Position, RoomSn), Member>,
    /// Changes whenever a room may be on other lists than before.
    shape: u64,
    /// What tags the user has given to rooms, once a filter has asked.
    pub(super) tags: Option<HashMap<RoomSn, Vec<String>>>,
}

/// A room on the list.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// Its id.
    pub(crate) room_id: OwnedRoomId,
    /// Where its newest event is that the user may know of.
    pub(crate) newest: Position,
    /// What the user is to it.
    pub(crate) member: Member,
    /// What filters ask of it, once one has.
    pub(super) facts: Option<Facts>,
}

impl RoomIndexes {
    /// Nothing is indexed.
    pub(crate) fn new() -> Self {
        let weigh = |_: &UserSn, of_user: &Arc<OfUser>| of_user.rooms.load(Ordering::Relaxed) + 10;
        Self { by_user: Cache::weighed(ROOMS, weigh), shapes: Arc::default() }
    }

    /// The index of a user, however far it is.
    pub(crate) fn of(&self, user: UserSn) -> Arc<OfUser> {
        let make = || OfUser {
            index: Mutex::new(RoomIndex::new(Arc::clone(&self.shapes))),
            rooms: AtomicU32::new(0),
        };
        self.by_user.get_with(user, || Arc::new(make()))
    }

    /// Weighs the index of a user anew, if it has become another.
    pub(crate) fn weigh(&self, user: UserSn, of_user: &Arc<OfUser>, index: &RoomIndex) {
        let rooms = u32::try_from(index.len()).unwrap_or(u32::MAX / 2);
        if of_user.rooms.swap(rooms, Ordering::Relaxed) != rooms {
            self.by_user.insert(user, Arc::clone(of_user));
        }
    }
}

impl OfUser {
    /// Takes the index for a look.
    pub(crate) async fn take(&self) -> MutexGuard<'_, RoomIndex> {
        self.index.lock().await
    }
}

impl RoomIndex {
    fn new(shapes: Arc<AtomicU64>) -> Self {
        Self {
            shapes,
            until: None,
            rooms: HashMap::new(),
            order: BTreeSet::new(),
            departed: BTreeMap::new(),
            shape: 0,
            tags: None,
        }
    }

    /// A room, if it is on the list.
    pub(crate) fn get(&self, room: RoomSn) -> Option<&Listed> {
        self.rooms.get(&room)
    }

    /// All rooms, the one with the newest event first.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = (RoomSn, &Listed)> {
        self.order.iter().filter_map(|(_, room)| self.rooms.get(room).map(|listed| (*room, listed)))
    }

    /// The rooms that moved after a position, the one with the newest event first.
    pub(crate) fn moved_since(&self, since: Position) -> impl Iterator<Item = (RoomSn, &Listed)> {
        self.in_order().take_while(move |(_, listed)| listed.newest > since)
    }

    /// The rooms that left the list after a position.
    pub(crate) fn departed_since(&self, since: Position) -> BTreeMap<RoomSn, Member> {
        let after = (Position(since.0.saturating_add(1)), RoomSn(i64::MIN));
        let departed = self.departed.range(after..);
        // Of who has left twice, the last time counts.
        departed
            .map(|((_, room), member)| (*room, *member))
            .filter(|(room, _)| !self.rooms.contains_key(room))
            .collect()
    }

    /// How many rooms are on the list.
    pub(crate) fn len(&self) -> usize {
        self.rooms.len()
    }

    /// What changes whenever a room may be on other lists than before.
    pub(crate) fn shape(&self) -> u64 {
        self.shape
    }

    pub(super) fn rooms_mut(&mut self) -> &mut HashMap<RoomSn, Listed> {
        &mut self.rooms
    }

    /// Brings the index up to date; gives the position up to which it is then.
    pub(crate) async fn catch_up(
        &mut self,
        parts: &Parts,
        user: UserSn,
        user_id: &UserId,
    ) -> Result<Position, StorageError> {
        let head = parts.store.head();
        let Some(since) = self.until else { return self.make(parts, user, user_id, head).await };
        if since >= head {
            return Ok(since);
        }
        let mut news = Vec::new();
        let mut begin_anew = false;
        let covered = parts.store.visit_changes(since, head, |announced| match &announced.change {
            Change::Event { room, event, member } => {
                if *member == Some(user) {
                    news.push(News::Own(*room));
                }
                if self.rooms.contains_key(room) {
                    news.push(News::Event(*room, *event, announced.position));
                }
            }
            Change::Membership { user: member, room } | Change::Forgotten { user: member, room }
                if *member == user =>
            {
                news.push(News::Own(*room));
            }
            Change::AccountData { user: owner, room, kind } if *owner == user => match (room, &**kind) {
                (Some(_), "m.tag") => news.push(News::Tags),
                (None, "m.direct") => news.push(News::Shape),
                (None, kind) => begin_anew |= hides_invitations(kind),
                _ => {}
            },
            _ => {}
        });
        if !covered || begin_anew {
            return self.make(parts, user, user_id, head).await;
        }
        for news in news {
            match news {
                News::Own(room) => self.own(parts, user, room, head).await?,
                News::Event(room, event, position) => self.event(parts, room, event, position).await?,
                News::Tags => {
                    self.tags = None;
                    self.reshape();
                }
                News::Shape => self.reshape(),
            }
        }
        self.until = Some(head);
        Ok(head)
    }

    /// Makes the index anew: one statement for the rooms of the user, if memory lacks them, one for each 512 rooms
    /// for where they stand, one for their ids, and one for the leavings and invitations among them.
    async fn make(
        &mut self,
        parts: &Parts,
        user: UserSn,
        user_id: &UserId,
        head: Position,
    ) -> Result<Position, StorageError> {
        self.until = None;
        self.rooms.clear();
        self.order.clear();
        self.departed.clear();
        self.tags = None;
        self.reshape();
        let members = parts.memberships_at(user, user_id, head).await?;
        let rooms: Vec<RoomSn> = members.iter().map(|(room, _)| *room).collect();
        parts.store.prefetch_room_ids(&rooms).await?;
        let joined = members.iter().filter(|(_, member)| member.is_joined());
        let joined: Vec<RoomSn> = joined.map(|(room, _)| *room).collect();
        let newest: HashMap<RoomSn, Position> =
            parts.store.newest_positions(&joined).await?.into_iter().collect();
        let others = members.iter().filter(|(_, member)| !member.is_joined());
        let others: Vec<EventSn> = others.map(|(_, member)| member.event).collect();
        // Into memory, all at once.
        drop(parts.store.events(&others).await?);
        for (room, member) in members {
            let newest = newest.get(&room).copied().filter(|_| member.is_joined());
            let newest = newest.unwrap_or(member.position).max(member.position).min(head);
            self.put(parts, user, room, member, newest).await?;
        }
        self.until = Some(head);
        Ok(head)
    }

    /// Puts a room in its place, or notes that it left.
    async fn put(
        &mut self,
        parts: &Parts,
        user: UserSn,
        room: RoomSn,
        member: Member,
        newest: Position,
    ) -> Result<(), StorageError> {
        self.remove(room);
        self.reshape();
        if !is_listed(parts, user, room, &member).await? {
            self.departed.insert((newest, room), member);
            return Ok(());
        }
        let room_id = parts.store.room_id(room).await?;
        self.order.insert((Reverse(newest), room));
        self.rooms.insert(room, Listed { room_id, newest, member, facts: None });
        Ok(())
    }

    fn remove(&mut self, room: RoomSn) {
        if let Some(listed) = self.rooms.remove(&room) {
            self.order.remove(&(Reverse(listed.newest), room));
        }
    }

    /// The user's own membership of a room changed, or they forgot it.
    async fn own(
        &mut self,
        parts: &Parts,
        user: UserSn,
        room: RoomSn,
        head: Position,
    ) -> Result<(), StorageError> {
        // What memory knows may be ahead; then the change that made it so is still to come.
        let member = parts.store.member(user, room).await?.filter(|member| member.position <= head);
        let Some(member) = member else { return Ok(()) };
        let newest = if member.forgotten { head } else { member.position };
        self.put(parts, user, room, member, newest).await
    }

    /// Something happened in a room.
    async fn event(
        &mut self,
        parts: &Parts,
        room: RoomSn,
        event: EventSn,
        position: Position,
    ) -> Result<(), StorageError> {
        let Some(listed) = self.rooms.get_mut(&room).filter(|listed| listed.member.is_joined()) else {
            return Ok(());
        };
        if position > listed.newest {
            self.order.remove(&(Reverse(listed.newest), room));
            listed.newest = position;
            self.order.insert((Reverse(position), room));
        }
        if listed.facts.is_some() && parts.store.event(event).await?.pdu.is_state() {
            listed.facts = None;
            self.reshape();
        }
        Ok(())
    }

    fn reshape(&mut self) {
        self.shape = self.shapes.fetch_add(1, Ordering::Relaxed) + 1;
    }
}

/// What concerns an index.
enum News {
    Own(RoomSn),
    Event(RoomSn, EventSn, Position),
    Tags,
    Shape,
}

/// Whether account data of this type says whose invitations are shown.
fn hides_invitations(kind: &str) -> bool {
    ["m.ignored_user_list", InvitePermission::TYPE, InvitePermission::UNSTABLE_TYPE].contains(&kind)
}

/// Whether a room is on the list of a user: not if they left it by themselves or have forgotten it, and not if they
/// are invited by somebody from whom they want no invitations.
async fn is_listed(parts: &Parts, user: UserSn, room: RoomSn, member: &Member) -> Result<bool, StorageError> {
    Ok(match member.membership {
        Membership::Join | Membership::Knock => true,
        Membership::Invite => {
            let event = parts.store.event(member.event).await?;
            parts.view.wants_invitation(user, event.pdu.sender()).await?
        }
        // Who was never in has never heard of the room.
        Membership::Ban => !member.forgotten && parts.view.stay_end(user, room).await?.is_some(),
        Membership::Leave => !member.forgotten && parts.store.event(member.event).await?.sender != user,
    })
}
