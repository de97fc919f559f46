//! Rooms of a hierarchy that no user of this server is in: other servers are asked what they show of themselves.
//!
//! Answers are remembered for a few minutes, also that there was none, so that the next page asks nobody again.

use std::{sync::Arc, time::Duration};

use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use parvis_peers::Limits;
use ruma::{
    OwnedRoomId, OwnedServerName, RoomId, ServerName,
    api::federation::space::get_hierarchy::v1::{Request, Response},
    room::{JoinRuleSummary, RoomSummary},
};

use super::{HierarchyRoom, SpaceChild};
use crate::{PublicRoom, Rooms};

/// How many rooms' answers are remembered.
const MOST_REMEMBERED: u64 = 2_000;
/// For how long.
const AGE: Duration = Duration::from_secs(300);
/// How many servers are asked for one room at most.
const MOST_SERVERS: usize = 3;
/// How many children of one room are heeded.
const MOST_CHILDREN: usize = 1_000;
/// How long one server has.
const PATIENCE: Duration = Duration::from_secs(10);

/// A room, and those right below it, as another server shows them.
#[derive(Debug)]
pub(crate) struct ShownElsewhere {
    pub(crate) room: HierarchyRoom,
    /// What children show of themselves; not what they say of theirs.
    pub(crate) children: Vec<PublicRoom>,
    /// Children to which there is no way from here.
    pub(crate) inaccessible: Vec<OwnedRoomId>,
}

/// What a room and those below it show, if any server told, and when; by room, and by whether only suggested children
/// count.
type Answers = Cache<(OwnedRoomId, bool), (Timestamp, Option<Arc<ShownElsewhere>>)>;

/// What other servers said lately.
#[derive(Clone, Debug)]
pub(crate) struct Hierarchies(Answers);

impl Default for Hierarchies {
    fn default() -> Self {
        Self(Cache::new(MOST_REMEMBERED))
    }
}

impl Rooms {
    /// What is remembered of a room: an answer, or that there was none.
    pub(crate) fn remembered_elsewhere(
        &self,
        room_id: &RoomId,
        suggested_only: bool,
    ) -> Option<Option<Arc<ShownElsewhere>>> {
        let (told, answer) = self.hierarchies.0.get(&(room_id.to_owned(), suggested_only))?;
        (self.ambient.now().since(told) < AGE).then_some(answer)
    }

    /// Asks servers for a room and those right below it, one after the other until one tells.
    pub(crate) async fn ask_elsewhere(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        suggested_only: bool,
    ) -> Option<Arc<ShownElsewhere>> {
        let others = via.iter().filter(|server| **server != self.identity.server_name);
        let mut found = None;
        for server in others.take(MOST_SERVERS) {
            found = self.ask_one(server, room_id, suggested_only).await;
            if found.is_some() {
                break;
            }
        }
        let found = found.map(Arc::new);
        self.hierarchies.0.insert((room_id.to_owned(), suggested_only), (self.ambient.now(), found.clone()));
        found
    }

    async fn ask_one(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        suggested_only: bool,
    ) -> Option<ShownElsewhere> {
        let mut request = Request::new(room_id.to_owned());
        request.suggested_only = suggested_only;
        let limits = Limits { timeout: PATIENCE, ..Limits::QUESTION };
        match self.others.federation.call(server, request, limits).await {
            Ok(answer) if answer.room.summary.room_id == *room_id => Some(shown(answer, suggested_only)),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(%server, %room_id, %error, "a space could not be asked for");
                None
            }
        }
    }
}

fn shown(answer: Response, suggested_only: bool) -> ShownElsewhere {
    let children = answer.room.children_state.iter().take(MOST_CHILDREN);
    let children =
        children.filter_map(|child| SpaceChild::from_stripped(child.deserialize_as_unchecked().ok()?));
    let mut children: Vec<_> = children.filter(|child| child.suggested || !suggested_only).collect();
    SpaceChild::sort(&mut children);
    ShownElsewhere {
        room: HierarchyRoom { summary: public_room(answer.room.summary), children },
        children: answer.children.into_iter().take(MOST_CHILDREN).map(public_room).collect(),
        inaccessible: answer.inaccessible_children.into_iter().take(MOST_CHILDREN).collect(),
    }
}

fn public_room(room: RoomSummary) -> PublicRoom {
    let join_rule = room.join_rule.as_str().to_owned();
    let allowed_rooms = match room.join_rule {
        JoinRuleSummary::Restricted(rule) | JoinRuleSummary::KnockRestricted(rule) => rule.allowed_room_ids,
        _ => Vec::new(),
    };
    PublicRoom {
        room_id: room.room_id,
        name: room.name,
        topic: room.topic,
        canonical_alias: room.canonical_alias,
        avatar_url: room.avatar_url.map(|url| url.to_string()),
        joined_members: u64::from(room.num_joined_members).try_into().unwrap_or(usize::MAX),
        world_readable: room.world_readable,
        guest_can_join: room.guest_can_join,
        join_rule,
        allowed_rooms,
        room_type: room.room_type.map(|kind| kind.to_string()),
        room_version: room.room_version.map(|version| version.to_string()).unwrap_or_default(),
        federates: true,
        encryption: room.encryption.map(|algorithm| algorithm.to_string()),
    }
}
