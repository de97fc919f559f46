//! Where somebody seeks: the rooms in which they are or were, and those from which these rooms came.

use parvis_events::Membership;
use parvis_storage::{Member, RoomSn, StorageError, UserSn};
use ruma::{OwnedRoomId, OwnedUserId, RoomId};

use crate::{Actor, Rooms};

/// Through how many rooms that were upgraded one after the other a room is followed back.
const PREDECESSORS: usize = 16;

/// Where is sought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// In which rooms.
    pub rooms: Vec<RoomSn>,
    /// What these have sent; whoever it was, if nobody is named.
    pub senders: Option<Vec<UserSn>>,
}

impl Rooms {
    /// Where a user seeks who asks for these rooms, or for all, and for what these have sent, or whoever. Rooms that
    /// are named bring along those whose place they have taken.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn searched(
        &self,
        actor: &Actor,
        rooms: Option<&[OwnedRoomId]>,
        senders: Option<&[OwnedUserId]>,
    ) -> Result<Searched, StorageError> {
        let of_user = self.store.rooms_of_user(actor.user).await?;
        let mut searched: Vec<RoomSn> = match rooms {
            None => of_user
                .all()
                .into_iter()
                .filter(|(_, member)| has_been_in(member))
                .map(|(room, _)| room)
                .collect(),
            Some(rooms) => {
                let mut named = Vec::new();
                for room_id in rooms {
                    named.extend(self.with_predecessors(room_id).await?);
                }
                named.retain(|room| of_user.get(*room).is_some_and(|member| has_been_in(&member)));
                named
            }
        };
        searched.sort_unstable();
        searched.dedup();
        let senders = match senders {
            None => None,
            Some(senders) => {
                let mut known = Vec::new();
                for sender in senders {
                    known.extend(self.store.find_user(sender).await?);
                }
                Some(known)
            }
        };
        Ok(Searched { rooms: searched, senders })
    }

    /// A room, and those whose place it has taken one after the other, as far as they are here.
    async fn with_predecessors(&self, room_id: &RoomId) -> Result<Vec<RoomSn>, StorageError> {
        let mut found = Vec::new();
        let mut next = Some(room_id.to_owned());
        while let Some(room_id) = next.take().filter(|_| found.len() < PREDECESSORS) {
            let Some(room) = self.store.room_sn(&room_id).await? else { break };
            if found.contains(&room) {
                break;
            }
            found.push(room);
            // A room that is known from outside only says nothing of where it came from.
            next = self.predecessor(&room_id).await.ok().flatten();
        }
        Ok(found)
    }
}

fn has_been_in(member: &Member) -> bool {
    let is_or_was = matches!(member.membership, Membership::Join | Membership::Leave | Membership::Ban);
    is_or_was && !member.forgotten
}
