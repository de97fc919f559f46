//! What other servers say of themselves and their users: aliases, public rooms, profiles.

use std::{sync::Arc, time::Duration};

use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use parvis_peers::Limits;
use ruma::{
    OwnedRoomId, OwnedServerName, OwnedUserId, RoomAliasId, ServerName, UInt, UserId,
    api::federation::{
        directory::get_public_rooms_filtered,
        query::{get_profile_information, get_room_information},
    },
    directory::{Filter, PublicRoomsChunk, RoomTypeFilter},
};
use serde_json::{Map, Value};

use crate::{PublicRoom, PublicRoomsPage, PublicRoomsQuery, RoomError, Rooms};

/// How many servers are taken from an answer.
const MOST_SERVERS: usize = 50;
/// How many profiles are remembered.
const MOST_PROFILES: u64 = 5_000;
/// For how long a profile is remembered.
const PROFILE_AGE: Duration = Duration::from_secs(60);
/// The largest answer with a profile, in bytes.
const PROFILE_BYTES: usize = 128 << 10;

/// A profile, by field.
type ProfileFields = Map<String, Value>;

/// Profiles of others' users that were asked for lately, and when.
#[derive(Clone, Debug)]
pub(crate) struct Profiles(Cache<OwnedUserId, (Timestamp, Arc<ProfileFields>)>);

impl Default for Profiles {
    fn default() -> Self {
        Self(Cache::new(MOST_PROFILES))
    }
}

impl Rooms {
    /// The room that another server's alias names, and servers that are in it.
    pub(crate) async fn alias_elsewhere(
        &self,
        alias: &RoomAliasId,
    ) -> Result<(OwnedRoomId, Vec<OwnedServerName>), RoomError> {
        let request = get_room_information::v1::Request::new(alias.to_owned());
        let server = alias.server_name();
        let answer = self.others.federation.call(server, request, person()).await?;
        let mut servers = answer.servers;
        servers.truncate(MOST_SERVERS);
        if !servers.iter().any(|known| known == server) {
            servers.push(server.to_owned());
        }
        Ok((answer.room_id, servers))
    }

    /// A page of another server's directory.
    ///
    /// # Errors
    /// What that server says.
    pub async fn public_rooms_of(
        &self,
        server: &ServerName,
        query: &PublicRoomsQuery,
    ) -> Result<PublicRoomsPage, RoomError> {
        let mut request = get_public_rooms_filtered::v1::Request::new();
        request.limit = query.limit.map(|limit| UInt::new_saturating(limit.try_into().unwrap_or(u64::MAX)));
        request.since.clone_from(&query.since);
        let mut filter = Filter::new();
        filter.generic_search_term.clone_from(&query.search);
        let types = query.room_types.iter().map(|kind| RoomTypeFilter::from(kind.clone()));
        filter.room_types = types.collect();
        request.filter = filter;
        let answer = self.others.federation.call(server, request, person()).await?;
        let rooms: Vec<PublicRoom> = answer.chunk.into_iter().map(public_room).collect();
        let total = answer.total_room_count_estimate.map(u64::from);
        Ok(PublicRoomsPage {
            next_batch: answer.next_batch,
            prev_batch: answer.prev_batch,
            total: total.and_then(|total| usize::try_from(total).ok()).unwrap_or(rooms.len()),
            rooms,
        })
    }

    /// The profile of another server's user, by field. Remembered for a minute.
    ///
    /// # Errors
    /// What that server says.
    pub async fn profile_elsewhere(&self, user_id: &UserId) -> Result<ProfileFields, RoomError> {
        if let Some((told, known)) = self.profiles.0.get(user_id)
            && self.ambient.now().since(told) < PROFILE_AGE
        {
            return Ok((*known).clone());
        }
        let request = get_profile_information::v1::Request::new(user_id.to_owned());
        let limits = Limits { max_bytes: PROFILE_BYTES, ..person() };
        let answer = self.others.federation.call(user_id.server_name(), request, limits).await?;
        let profile: ProfileFields = answer.into_iter().collect();
        self.profiles.0.insert(user_id.to_owned(), (self.ambient.now(), Arc::new(profile.clone())));
        Ok(profile)
    }
}

/// For a question for whose answer a person waits.
fn person() -> Limits {
    Limits { despite_back_off: true, ..Limits::QUESTION }
}

/// A room as another server lists it.
fn public_room(room: PublicRoomsChunk) -> PublicRoom {
    PublicRoom {
        room_id: room.room_id,
        name: room.name,
        topic: room.topic,
        canonical_alias: room.canonical_alias,
        avatar_url: room.avatar_url.map(|url| url.to_string()),
        joined_members: u64::from(room.num_joined_members).try_into().unwrap_or(usize::MAX),
        world_readable: room.world_readable,
        guest_can_join: room.guest_can_join,
        join_rule: room.join_rule.as_str().to_owned(),
        allowed_rooms: Vec::new(),
        room_type: room.room_type.map(|kind| kind.to_string()),
        room_version: String::new(),
        federates: true,
        encryption: None,
    }
}
