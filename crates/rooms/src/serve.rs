//! What other servers may read of the rooms: only servers that are in a room are answered, and those that were of
//! what came before they were out; what their users could not see goes out redacted, so that the graph stays whole.
//!
//! Knows nothing of HTTP, nor of how the asking server proved who it is.
//! <https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events>

mod events;
mod hierarchy;
mod relationships;
mod state;
mod view;

use std::sync::Arc;

use parvis_dag::ServerAcl;
use parvis_events::Membership;
use parvis_storage::{EventFlags, Place, RoomHead, RoomSn, StoredEvent};
use ruma::{OwnedServerName, RoomId, ServerName};

pub use hierarchy::{Accessible, ServedHierarchy};
pub use relationships::ServedReplies;
pub use state::{ServedState, ServedStateIds};

use crate::{RoomError, Rooms};

/// Of how many users of a server, at most, it is looked at when they left.
const MOST_LEFT: usize = 20;

/// What a server may read of the past of a room.
struct Served {
    head: Arc<RoomHead>,
    /// The last place.
    until: Place,
}

impl Served {
    /// Whether an event is within what the server may read.
    fn covers(&self, event: &StoredEvent) -> bool {
        let is_known = !event.flags.contains(EventFlags::OUTLIER);
        event.room == self.head.room && (self.until == Place::END || is_known && event.place <= self.until)
    }
}

fn outside() -> RoomError {
    RoomError::forbidden("your server is not in this room")
}

impl Rooms {
    /// Refuses a server that a room's access control list shuts out. A room that is not known here shuts nobody
    /// out. <https://spec.matrix.org/v1.19/server-server-api/#server-access-control-lists-acls>
    ///
    /// # Errors
    /// [`RoomError::Forbidden`].
    pub async fn check_server_acl(&self, room_id: &RoomId, server: &ServerName) -> Result<(), RoomError> {
        match self.store.room_sn(room_id).await? {
            Some(room) => self.check_acl_of(room, server).await,
            None => Ok(()),
        }
    }

    async fn check_acl_of(&self, room: RoomSn, server: &ServerName) -> Result<(), RoomError> {
        let Some(head) = self.store.room_head(room).await? else { return Ok(()) };
        let event = self.store.state_event(room, head.state_root, "m.room.server_acl", "").await?;
        match event.is_none_or(|event| ServerAcl::of(&event.pdu).allows(server)) {
            true => Ok(()),
            false => Err(RoomError::forbidden("the room's access control list shuts your server out")),
        }
    }

    /// Whether a user of a server is joined to a room.
    pub async fn is_server_in_room(&self, room: RoomSn, server: &ServerName) -> Result<bool, RoomError> {
        Ok(self.store.servers_of_room(room).await?.get(server).is_some_and(|count| *count > 0))
    }

    /// The servers whose users are joined to a room: this one first if it is among them, then those with most
    /// members.
    pub async fn servers_in_room(&self, room: RoomSn) -> Result<Vec<OwnedServerName>, RoomError> {
        let servers = self.store.servers_of_room(room).await?;
        let mut servers: Vec<_> = servers.iter().filter(|(_, count)| **count > 0).collect();
        let ours = self.server_name();
        servers.sort_by(|a, b| (a.0 != ours, b.1, a.0).cmp(&(b.0 != ours, a.1, b.0)));
        Ok(servers.into_iter().map(|(server, _)| server.clone()).collect())
    }

    /// The past of a room for a server that may read it: all of it for one that is in the room; up to where it was
    /// put out, or left, for one that was. So it can find out what led to that, though it was not reached then.
    ///
    /// # Errors
    /// As [`served`](Self::served).
    async fn served_past(&self, room_id: &RoomId, server: &ServerName) -> Result<Served, RoomError> {
        let Some(room) = self.store.room_sn(room_id).await? else { return Err(outside()) };
        if self.is_server_in_room(room, server).await? {
            return Ok(Served { head: self.served(room_id, server).await?, until: Place::END });
        }
        let head = self.store.room_head(room).await?.ok_or_else(outside)?;
        self.check_acl_of(room, server).await?;
        let mut until = None;
        for (position, sn) in self.store.left_of_server(room, server, MOST_LEFT).await? {
            let out = self.store.event(sn).await?;
            let place = match out.pdu.membership() {
                // Where forks met, there need be no event that says so.
                Some(Membership::Join) => Some(Place::behind(position)),
                _ => self.store.departure(&out).await?.map(|departure| departure.place),
            };
            until = until.max(place);
        }
        Ok(Served { head, until: until.ok_or_else(outside)? })
    }

    /// The head of a room for a server that may read it.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`], also where the room is not known: that is told to nobody outside.
    async fn served(&self, room_id: &RoomId, server: &ServerName) -> Result<Arc<RoomHead>, RoomError> {
        let room = self.store.room_sn(room_id).await?.ok_or_else(outside)?;
        let head = self.store.room_head(room).await?.ok_or_else(outside)?;
        self.check_acl_of(room, server).await?;
        match self.is_server_in_room(room, server).await? {
            true => Ok(head),
            false => Err(outside()),
        }
    }
}
