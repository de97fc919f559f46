//! A walk through a hierarchy, depth first, over rooms that are here and rooms that only other servers know.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use ruma::{OwnedRoomId, OwnedServerName, RoomId};

use super::{HierarchyQuery, HierarchyRoom, MOST_DEPTH};
use crate::{Actor, PublicRoom, RoomError, Rooms};

/// How many rooms are asked for on the way to one page.
const MOST_ASKED: usize = 20;
/// How long others are asked on the way to one page.
const PATIENCE: Duration = Duration::from_secs(20);

/// A room to be visited, by whom it may be known, and how deep it lies.
struct Waiting {
    room_id: OwnedRoomId,
    via: Vec<OwnedServerName>,
    depth: usize,
}

/// What comes next on a walk.
pub(super) enum Next {
    /// A room that the actor may know of.
    Room(Box<HierarchyRoom>),
    /// Others would have to be asked once more, which is enough for one page.
    Enough,
    /// Nothing more.
    End,
}

/// A walk through a hierarchy.
pub(super) struct Walk<'a> {
    rooms: &'a Rooms,
    actor: &'a Actor,
    query: &'a HierarchyQuery,
    waiting: Vec<Waiting>,
    seen: HashSet<OwnedRoomId>,
    /// What parents elsewhere said of rooms below them.
    told: HashMap<OwnedRoomId, PublicRoom>,
    asked: usize,
    until: Timestamp,
}

impl<'a> Walk<'a> {
    pub(super) fn new(rooms: &'a Rooms, actor: &'a Actor, query: &'a HierarchyQuery, top: &RoomId) -> Self {
        let top = Waiting { room_id: top.to_owned(), via: Vec::new(), depth: 0 };
        Self {
            rooms,
            actor,
            query,
            seen: HashSet::from([top.room_id.clone()]),
            waiting: vec![top],
            told: HashMap::new(),
            asked: 0,
            until: rooms.ambient.now().plus(PATIENCE),
        }
    }

    /// The next room.
    pub(super) async fn next(&mut self) -> Result<Next, RoomError> {
        while let Some(next) = self.waiting.pop() {
            let found = match self.visit_here(&next).await? {
                Visited::Unknown => self.visit_elsewhere(&next).await?,
                visited => visited,
            };
            match found {
                Visited::Shown(room) => {
                    self.go_below(&room, next.depth);
                    return Ok(Next::Room(room));
                }
                Visited::Enough => return Ok(Next::Enough),
                Visited::Hidden | Visited::Unknown => {}
            }
        }
        Ok(Next::End)
    }

    fn go_below(&mut self, room: &HierarchyRoom, depth: usize) {
        if depth >= self.query.max_depth.unwrap_or(MOST_DEPTH).min(MOST_DEPTH) {
            return;
        }
        for child in room.children.iter().rev() {
            if self.seen.insert(child.room_id.clone()) {
                let (room_id, via) = (child.room_id.clone(), child.via.clone());
                self.waiting.push(Waiting { room_id, via, depth: depth + 1 });
            }
        }
    }

    /// A room that this server is in, or was.
    async fn visit_here(&self, next: &Waiting) -> Result<Visited, RoomError> {
        let Some(room) = self.rooms.store.room_sn(&next.room_id).await? else { return Ok(Visited::Unknown) };
        // What is known of a room that everybody here has left may be long out of date.
        if !self.rooms.is_server_in_room(room, self.rooms.server_name()).await? && next.depth > 0 {
            return Ok(Visited::Unknown);
        }
        let Some(head) = self.rooms.accessible(self.actor, room).await? else { return Ok(Visited::Hidden) };
        let found = self.rooms.visit(room, &head, self.query.suggested_only).await?;
        Ok(Visited::Shown(Box::new(found)))
    }

    /// A room that only others know.
    async fn visit_elsewhere(&mut self, next: &Waiting) -> Result<Visited, RoomError> {
        if let Some(told) = self.told.get(&next.room_id)
            && told.room_type.as_deref() != Some("m.space")
        {
            let room = HierarchyRoom { summary: told.clone(), children: Vec::new() };
            return self.if_accessible(room).await;
        }
        let suggested_only = self.query.suggested_only;
        let remembered = self.rooms.remembered_elsewhere(&next.room_id, suggested_only);
        // That nobody told is remembered for the pages of one walk: who asks anew may be told.
        let found = match remembered.filter(|found| found.is_some() || self.query.from.is_some()) {
            Some(found) => found,
            None if self.asked == MOST_ASKED || self.rooms.ambient.now() > self.until => {
                return Ok(Visited::Enough);
            }
            None => {
                self.asked += 1;
                self.rooms.ask_elsewhere(&next.room_id, &next.via, suggested_only).await
            }
        };
        let Some(found) = found else { return Ok(Visited::Unknown) };
        for child in &found.children {
            self.told.entry(child.room_id.clone()).or_insert_with(|| child.clone());
        }
        // A server that knows what is below says to what there is no way.
        self.seen.extend(found.inaccessible.iter().cloned());
        self.if_accessible(found.room.clone()).await
    }

    async fn if_accessible(&self, room: HierarchyRoom) -> Result<Visited, RoomError> {
        match self.rooms.may_know_of(self.actor, &room.summary).await? {
            true => Ok(Visited::Shown(Box::new(room))),
            false => Ok(Visited::Hidden),
        }
    }
}

enum Visited {
    Shown(Box<HierarchyRoom>),
    Hidden,
    Unknown,
    Enough,
}

impl Rooms {
    /// Whether the actor may know of a room of which others tell: it is open, they are invited, or may enter it by
    /// right of another.
    pub(crate) async fn may_know_of(&self, actor: &Actor, room: &PublicRoom) -> Result<bool, RoomError> {
        if room.is_open() {
            return Ok(true);
        }
        let memberships = self.store.rooms_of_user(actor.user).await?;
        let is_in = |member: Membership| matches!(member, Membership::Join | Membership::Invite);
        if let Some(known) = self.store.room_sn(&room.room_id).await?
            && memberships.get(known).is_some_and(|member| is_in(member.membership))
        {
            return Ok(true);
        }
        if !matches!(room.join_rule.as_str(), "restricted" | "knock_restricted") {
            return Ok(false);
        }
        for allowed in &room.allowed_rooms {
            let allowed = self.store.room_sn(allowed).await?;
            let member = allowed.and_then(|allowed| memberships.get(allowed));
            if member.is_some_and(|member| member.membership == Membership::Join) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
