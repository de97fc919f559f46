//! What has happened in a user's rooms between two places, beside where the rooms stand on the list.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use parvis_storage::{AccountData, Announced, Change, EventSn, Position, RoomSn, StorageError, UserSn};

use super::index::RoomIndex;
use crate::parts::Parts;

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Whether memory reaches back as far as that; if it does not, rooms may have new events and members of which
    /// nothing is said here.
    covered: bool,
    events: HashMap<RoomSn, Vec<EventSn>>,
    members: HashSet<RoomSn>,
    /// Rooms in which receipts moved of which the user may know.
    pub(crate) receipts: BTreeSet<RoomSn>,
    /// Rooms in which the user has read on, on some device.
    pub(crate) read: BTreeSet<RoomSn>,
    /// Whether the user may follow other threads now.
    pub(crate) threads: bool,
    /// The user's own data that changed.
    pub(crate) account_data: Vec<Arc<AccountData>>,
}

impl News {
    /// What has happened after one position up to another, by which the index stands.
    pub(crate) async fn between(
        parts: &Parts,
        index: &RoomIndex,
        user: UserSn,
        since: Position,
        until: Position,
    ) -> Result<Self, StorageError> {
        let mut news = Self::default();
        let mut touched = BTreeSet::new();
        let look = |announced: &Announced| news.look(&announced.change, index, user, &mut touched);
        if parts.store.visit_changes(since, until, look) {
            news.covered = true;
            for (room, kind) in touched {
                news.account_data.extend(parts.store.account_data(user, room, &kind).await?);
            }
            return Ok(news);
        }
        let rooms: Vec<RoomSn> = index.in_order().map(|(room, _)| room).collect();
        let data = parts.store.account_data_between(user, since, until).await?;
        Ok(Self {
            receipts: parts.store.rooms_with_receipts(&rooms, since).await?.into_iter().collect(),
            account_data: data.into_iter().map(Arc::new).collect(),
            threads: true,
            ..Self::default()
        })
    }

    fn look(
        &mut self,
        change: &Change,
        index: &RoomIndex,
        user: UserSn,
        touched: &mut BTreeSet<(Option<RoomSn>, Arc<str>)>,
    ) {
        match change {
            Change::Event { room, event, member } if index.get(*room).is_some() => {
                self.events.entry(*room).or_default().push(*event);
                if member.is_some() {
                    self.members.insert(*room);
                }
            }
            Change::Membership { room, .. } if index.get(*room).is_some() => {
                self.members.insert(*room);
            }
            Change::Receipt { room, user: reading, private }
                if (!private || *reading == user) && index.get(*room).is_some() =>
            {
                self.receipts.insert(*room);
                if *reading == user {
                    self.read.insert(*room);
                }
            }
            Change::ThreadSubscriptions { user: owner } => self.threads |= *owner == user,
            Change::AccountData { user: owner, room, kind } if *owner == user => {
                touched.insert((*room, Arc::clone(kind)));
            }
            _ => {}
        }
    }

    /// The new events of a room, oldest first; `None` where they have to be asked for.
    pub(crate) fn events(&self, room: RoomSn) -> Option<Vec<EventSn>> {
        self.covered.then(|| self.events.get(&room).cloned().unwrap_or_default())
    }

    /// Whether the members of a room may be others now.
    pub(crate) fn may_have_new_members(&self, room: RoomSn) -> bool {
        !self.covered || self.members.contains(&room)
    }
}
