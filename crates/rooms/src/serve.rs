//! What other servers may read of the rooms: only servers that are in a room are answered, and what their users
//! could not see goes out redacted, so that the graph stays whole.
//!
//! Knows nothing of HTTP, nor of how the asking server proved who it is.
//! <https://spec.matrix.org/v1.19/server-server-api/#backfilling-and-retrieving-missing-events>

mod events;
mod hierarchy;
mod state;
mod view;

use parvis_dag::ServerAcl;
use parvis_storage::{RoomHead, RoomSn};
use ruma::{OwnedServerName, RoomId, ServerName};

pub use hierarchy::{Accessible, ServedHierarchy};
pub use state::{ServedState, ServedStateIds};

use crate::{RoomError, Rooms};

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

    /// The head of a room for a server that may read it.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`], also where the room is not known: that is told to nobody outside.
    async fn served(
        &self,
        room_id: &RoomId,
        server: &ServerName,
    ) -> Result<std::sync::Arc<RoomHead>, RoomError> {
        let outside = || RoomError::forbidden("your server is not in this room");
        let room = self.store.room_sn(room_id).await?.ok_or_else(outside)?;
        let head = self.store.room_head(room).await?.ok_or_else(outside)?;
        self.check_acl_of(room, server).await?;
        match self.is_server_in_room(room, server).await? {
            true => Ok(head),
            false => Err(outside()),
        }
    }
}
