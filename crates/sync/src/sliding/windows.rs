//! Which rooms a request wants: those in the windows on its lists, and those it has subscribed to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parvis_storage::{RoomSn, StorageError, UserSn};
use ruma::{OwnedRoomId, UserId};

use super::{
    connections::Standing,
    facts::Directs,
    index::{Listed, RoomIndex},
    request::{ListWanted, RoomWanted, Scope, SlidingRequest},
};
use crate::parts::Parts;

/// What decides which rooms are wanted, and what of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    lists: BTreeMap<String, ListWanted>,
    subscriptions: BTreeMap<OwnedRoomId, Arc<RoomWanted>>,
    scopes: [Option<Scope>; 3],
}

impl Asked {
    fn of(request: &SlidingRequest) -> Self {
        let extensions = &request.extensions;
        Self {
            lists: request.lists.clone(),
            subscriptions: request.subscriptions.clone(),
            scopes: [&extensions.account_data, &extensions.receipts, &extensions.typing].map(Clone::clone),
        }
    }

    /// Whether it stays the same for a room, for as long as nothing happens to that room.
    fn is_steady(&self) -> bool {
        let all = self.scopes.iter().flatten().all(Scope::is_everything);
        // Rooms that move come to the top, so that none comes into a window from the top by itself.
        let from_the_top = |list: &ListWanted| list.ranges.iter().all(|(first, _)| *first == 0);
        all && self.lists.values().all(|list| from_the_top(list) && !list.filter.looks_elsewhere())
    }
}

/// The rooms that are wanted.
#[derive(Debug)]
pub(crate) struct Windows {
    pub(crate) asked: Arc<Asked>,
    /// How many rooms are on each list.
    pub(crate) counts: BTreeMap<String, usize>,
    /// The rooms in windows and subscriptions. Where all of them are settled, only those that have moved, and
    /// those in subscriptions.
    pub(crate) rooms: BTreeMap<RoomSn, Wanted>,
    /// Whether every wanted room has been told, as it is wanted, at the connection's position: then only what has
    /// moved since is looked at.
    pub(crate) settled: bool,
}

/// A room that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) listed: Listed,
    /// What of it.
    pub(crate) room: Arc<RoomWanted>,
    /// In the windows of which lists it is.
    pub(crate) lists: BTreeSet<String>,
    /// Whether it is subscribed to.
    pub(crate) subscribed: bool,
}

/// What windows are found with.
pub(crate) struct WindowsSought<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) directs: &'a Directs,
    pub(crate) standing: &'a Standing,
    /// Whether all rooms are looked at, though only what has moved were enough otherwise.
    pub(crate) walk_through: bool,
}

impl WindowsSought<'_> {
    /// Finds what a request wants.
    pub(crate) async fn find(
        &self,
        index: &mut RoomIndex,
        request: &SlidingRequest,
        reader: (UserSn, &UserId),
    ) -> Result<Windows, StorageError> {
        let Self { parts, directs, standing, walk_through } = *self;
        let asked = Asked::of(request);
        let as_before = standing.told.settled.as_ref().filter(|(before, shape)| {
            !walk_through && asked.is_steady() && **before == asked && *shape == index.shape()
        });
        let settled = as_before.is_some();
        let asked = as_before.map_or_else(|| Arc::new(asked), |(before, _)| Arc::clone(before));
        let mut windows = Windows { asked, counts: BTreeMap::new(), rooms: BTreeMap::new(), settled };
        for (name, list) in &request.lists {
            let sieve = list.filter.prepare(parts, directs, index, reader).await?;
            let passes = |room, listed: &Listed| list.filter.passes(&sieve, index, room, listed);
            let count = match standing.until.filter(|_| settled) {
                Some(since) => {
                    windows.walk(name, list, index.moved_since(since), passes);
                    standing.told.counts.get(name).copied().unwrap_or_default()
                }
                None => windows.walk(name, list, index.in_order(), passes),
            };
            windows.counts.insert(name.clone(), count);
        }
        for (room_id, wanted) in &request.subscriptions {
            if let Some(room) = parts.store.room_sn(room_id).await?
                && let Some(listed) = index.get(room)
            {
                windows.want(room, listed, wanted).subscribed = true;
            }
        }
        Ok(windows)
    }
}

impl Windows {
    /// Walks down a list; gives how many rooms are on it.
    fn walk<'a>(
        &mut self,
        name: &str,
        list: &ListWanted,
        rooms: impl Iterator<Item = (RoomSn, &'a Listed)>,
        passes: impl Fn(RoomSn, &Listed) -> bool,
    ) -> usize {
        let everything = list.filter.is_empty();
        let mut place = 0;
        for (room, listed) in rooms {
            if !everything && !passes(room, listed) {
                continue;
            }
            if list.ranges.iter().any(|(first, last)| (first..=last).contains(&&place)) {
                self.want(room, listed, &list.room).lists.insert(name.to_owned());
            }
            place += 1;
        }
        place
    }

    fn want(&mut self, room: RoomSn, listed: &Listed, wanted: &Arc<RoomWanted>) -> &mut Wanted {
        let new = || Wanted {
            listed: listed.clone(),
            room: Arc::clone(wanted),
            lists: BTreeSet::new(),
            subscribed: false,
        };
        let entry = self.rooms.entry(room).or_insert_with(new);
        entry.room = entry.room.merged(wanted);
        entry
    }
}

impl Wanted {
    /// Whether it belongs to those of which something is wanted.
    pub(crate) fn is_in(&self, scope: &Scope) -> bool {
        let list =
            scope.lists.as_ref().map_or(!self.lists.is_empty(), |lists| !lists.is_disjoint(&self.lists));
        let subscribed = || scope.rooms.as_ref().is_none_or(|rooms| rooms.contains(&self.listed.room_id));
        list || (self.subscribed && subscribed())
    }
}
