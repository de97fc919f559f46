//! Serving spaces: what a room shows to a server that is perhaps not in it, and the rooms right below it.
//! <https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1hierarchyroomid>

use parvis_storage::{RoomHead, RoomSn};
use ruma::{OwnedRoomId, RoomId, ServerName};

use crate::{HierarchyRoom, PublicRoom, RoomError, Rooms};

/// The most rooms below a space that are told of.
const MOST_CHILDREN: usize = 200;
/// How many users of a server are looked at in search of one who was invited.
const MOST_INVITED: usize = 10_000;

/// A room and those right below it, as another server may know of them.
#[derive(Clone, Debug)]
pub struct ServedHierarchy {
    /// The room.
    pub room: HierarchyRoom,
    /// What its children show of themselves, as far as they are known here.
    pub children: Vec<PublicRoom>,
    /// The children that are known here and to which the server has no way.
    pub inaccessible_children: Vec<OwnedRoomId>,
}

/// What a server may know of a room.
#[derive(Clone, Debug)]
pub enum Accessible {
    /// What the room shows of itself.
    Yes(Box<PublicRoom>),
    /// Nothing.
    No,
    /// The room is not known here.
    Unknown,
}

impl Rooms {
    /// A room, and those right below it if it is a space.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if the server may not know of the room.
    pub async fn serve_hierarchy(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        suggested_only: bool,
    ) -> Result<ServedHierarchy, RoomError> {
        let missing = || RoomError::NotFound("there is no such room, or your server may not see it");
        let room = self.store.room_sn(room_id).await?.ok_or_else(missing)?;
        let head = self.store.room_head(room).await?.ok_or_else(missing)?;
        if !matches!(self.accessible_to_server(server, room_id).await?, Accessible::Yes(_)) {
            return Err(missing());
        }
        let found = self.visit(room, &head, suggested_only).await?;
        let (mut children, mut inaccessible_children) = (Vec::new(), Vec::new());
        for child in found.children.iter().take(MOST_CHILDREN) {
            match self.accessible_to_server(server, &child.room_id).await? {
                Accessible::Yes(shown) => children.push(*shown),
                Accessible::No => inaccessible_children.push(child.room_id.clone()),
                Accessible::Unknown => {}
            }
        }
        Ok(ServedHierarchy { room: found, children, inaccessible_children })
    }

    /// What a server may know of a room: all that is open, that a user of it is joined or invited to, or may join
    /// by right of another room.
    pub async fn accessible_to_server(
        &self,
        server: &ServerName,
        room_id: &RoomId,
    ) -> Result<Accessible, RoomError> {
        let Some(room) = self.store.room_sn(room_id).await? else { return Ok(Accessible::Unknown) };
        let Some(head) = self.store.room_head(room).await? else { return Ok(Accessible::Unknown) };
        if !self.is_server_in_room(room, self.server_name()).await? {
            // What is known of it may be long out of date.
            return Ok(Accessible::Unknown);
        }
        let shown = self.describe(room, head.state_root).await?;
        if self.is_within_reach(server, &head, &shown).await? {
            return Ok(Accessible::Yes(Box::new(shown)));
        }
        Ok(Accessible::No)
    }

    async fn is_within_reach(
        &self,
        server: &ServerName,
        head: &RoomHead,
        shown: &PublicRoom,
    ) -> Result<bool, RoomError> {
        if !shown.federates || shown.is_open() {
            return Ok(shown.federates);
        }
        if self.is_server_in_room(head.room, server).await?
            || self.is_server_invited(head.room, server).await?
        {
            return Ok(true);
        }
        if !matches!(shown.join_rule.as_str(), "restricted" | "knock_restricted") {
            return Ok(false);
        }
        for allowed in &shown.allowed_rooms {
            let Some(allowed) = self.store.room_sn(allowed).await? else { continue };
            if self.is_server_in_room(allowed, server).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn is_server_invited(&self, room: RoomSn, server: &ServerName) -> Result<bool, RoomError> {
        let mut invited = self.store.members_of_room(room).await?.invited();
        invited.truncate(MOST_INVITED);
        let user_ids = self.store.user_ids(&invited).await?;
        Ok(user_ids.iter().any(|user_id| user_id.server_name() == server))
    }
}
