//! The public directory: which rooms are listed, and what is said of them.

use parvis_dag::HistoryVisibility;
use parvis_events::Pdu;
use parvis_storage::{RoomSn, StateRoot, Store, WriteSet};
use ruma::{OwnedRoomAliasId, OwnedRoomId, RoomId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Actor, RoomError, Rooms,
    encryption::{is_encryption, join_rule},
};

/// What a room shows of itself to those who are not in it.
#[derive(Clone, Debug)]
pub struct PublicRoom {
    /// The room.
    pub room_id: OwnedRoomId,
    /// `m.room.name`.
    pub name: Option<String>,
    /// `m.room.topic`.
    pub topic: Option<String>,
    /// `m.room.canonical_alias`.
    pub canonical_alias: Option<OwnedRoomAliasId>,
    /// `m.room.avatar`.
    pub avatar_url: Option<String>,
    /// How many users are joined.
    pub joined_members: usize,
    /// Whether anyone may read it.
    pub world_readable: bool,
    /// Whether guests may join.
    pub guest_can_join: bool,
    /// `m.room.join_rules`.
    pub join_rule: String,
    /// The rooms whose members may join, of a restricted room.
    pub allowed_rooms: Vec<OwnedRoomId>,
    /// The type of the room, such as `m.space`.
    pub room_type: Option<String>,
    /// The room version.
    pub room_version: String,
    /// The algorithm, of an encrypted room.
    pub encryption: Option<String>,
    /// Whether users of other servers may join.
    pub federates: bool,
}

impl PublicRoom {
    /// As it stands in a list of rooms
    /// (<https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3publicrooms>).
    pub fn listing(&self) -> Value {
        let mut body = json!({
            "room_id": self.room_id,
            "num_joined_members": self.joined_members,
            "world_readable": self.world_readable,
            "guest_can_join": self.guest_can_join,
            "join_rule": self.join_rule,
        });
        let alias = self.canonical_alias.as_ref().map(ToString::to_string);
        let fields = [
            ("name", &self.name),
            ("topic", &self.topic),
            ("canonical_alias", &alias),
            ("avatar_url", &self.avatar_url),
            ("room_type", &self.room_type),
        ];
        for (name, value) in fields {
            if let Some(value) = value {
                body[name] = value.as_str().into();
            }
        }
        body
    }

    /// As it stands in a hierarchy: the listing, and what those need to know who would join.
    pub fn summary(&self) -> Value {
        let mut body = self.listing();
        if !self.allowed_rooms.is_empty() {
            body["allowed_room_ids"] = self.allowed_rooms.iter().map(ToString::to_string).collect();
        }
        body["room_version"] = self.room_version.as_str().into();
        if let Some(algorithm) = &self.encryption {
            body["encryption"] = algorithm.as_str().into();
        }
        body
    }

    /// Whether anybody may read it, join it or ask to join it.
    pub(crate) fn is_open(&self) -> bool {
        self.world_readable || matches!(self.join_rule.as_str(), "public" | "knock" | "knock_restricted")
    }
}

/// Which part of the directory is wanted.
#[derive(Clone, Debug, Default)]
pub struct PublicRoomsQuery {
    /// Words to be found in name, topic or alias.
    pub search: Option<String>,
    /// Room types to keep; `None` stands for rooms without a type. All if empty.
    pub room_types: Vec<Option<String>>,
    /// How many rooms at most.
    pub limit: Option<usize>,
    /// Where to begin: a token from the page before.
    pub since: Option<String>,
    /// Only rooms that users of other servers may join.
    pub federated_only: bool,
    /// Whose directory.
    pub network: Network,
}

/// Whose directory is wanted: this network's own, or those that application services keep for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// This network's.
    #[default]
    Matrix,
    /// That of an instance of another network, by the instance's id.
    Other(String),
    /// All there are.
    All,
}

/// A page of the directory.
#[derive(Clone, Debug)]
pub struct PublicRoomsPage {
    /// The rooms, those with most members first.
    pub rooms: Vec<PublicRoom>,
    /// The token of the next page.
    pub next_batch: Option<String>,
    /// The token of the page before.
    pub prev_batch: Option<String>,
    /// How many rooms there are in all.
    pub total: usize,
}

const PAGE: usize = 100;

impl Rooms {
    /// Lists a room in the directory, or takes it off.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who may not set the room's canonical alias, or where nothing is listed.
    pub async fn publish(&self, actor: &Actor, room_id: &RoomId, listed: bool) -> Result<(), RoomError> {
        let room = self.find(room_id).await?;
        self.must_be_joined(actor, room).await?;
        let levels = self.turn(room).await?.power_levels().await?;
        if !levels.can_set_state(&actor.user_id, "m.room.canonical_alias") {
            return Err(RoomError::forbidden("you may not list this room"));
        }
        if listed && !self.settings.may_publish {
            return Err(RoomError::forbidden("this organisation does not list rooms"));
        }
        let mut set = WriteSet::new();
        set.publish_room(room, listed);
        self.store.commit(set).await?;
        Ok(())
    }

    /// Lists a room in the directory of another network, or takes it off. The network is named by its instance's id.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn publish_in_network(
        &self,
        network: &str,
        room_id: &RoomId,
        listed: bool,
    ) -> Result<(), RoomError> {
        let room = self.find(room_id).await?;
        let mut set = WriteSet::new();
        set.list_in_network(network, room, listed);
        self.store.commit(set).await?;
        Ok(())
    }

    async fn listed_in(&self, network: &Network) -> Result<Vec<RoomSn>, RoomError> {
        let mut rooms = match network {
            Network::Matrix => self.store.published_rooms().await?,
            Network::Other(network) => return Ok(self.store.rooms_of_network(Some(network)).await?),
            Network::All => {
                let mut rooms = self.store.published_rooms().await?;
                rooms.extend(self.store.rooms_of_network(None).await?);
                rooms
            }
        };
        rooms.sort_unstable();
        rooms.dedup();
        Ok(rooms)
    }

    /// Whether a room is listed.
    pub async fn is_listed(&self, room_id: &RoomId) -> Result<bool, RoomError> {
        let room = self.find(room_id).await?;
        Ok(self.store.is_published(room).await?)
    }

    /// A page of the directory.
    pub async fn public_rooms(&self, query: &PublicRoomsQuery) -> Result<PublicRoomsPage, RoomError> {
        let mut rooms = Vec::new();
        for room in self.listed_in(&query.network).await? {
            // What is known of a room that everybody here has left may be long out of date.
            if !self.is_resident(room).await? {
                continue;
            }
            let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
            let summary = self.describe(room, head.state_root).await?;
            if query.matches(&summary) {
                rooms.push(summary);
            }
        }
        rooms.sort_by(|a, b| b.joined_members.cmp(&a.joined_members).then_with(|| a.room_id.cmp(&b.room_id)));
        let total = rooms.len();
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE * 5);
        let start = match &query.since {
            None => 0,
            Some(token) => token
                .parse()
                .map_err(|_| RoomError::InvalidParam("`since` is no token of this list".to_owned()))?,
        };
        let page: Vec<PublicRoom> = rooms.into_iter().skip(start).take(limit).collect();
        let end = start + page.len();
        Ok(PublicRoomsPage {
            next_batch: (end < total).then(|| end.to_string()),
            prev_batch: (start > 0).then(|| start.saturating_sub(limit).to_string()),
            rooms: page,
            total,
        })
    }

    /// What a room shows of itself.
    pub(crate) async fn describe(&self, room: RoomSn, root: StateRoot) -> Result<PublicRoom, RoomError> {
        let create = state(&self.store, room, root, "m.room.create").await?.ok_or(RoomError::UnknownRoom)?;
        let rules = state(&self.store, room, root, "m.room.join_rules").await?;
        let visibility = state(&self.store, room, root, "m.room.history_visibility").await?;
        let guests = state(&self.store, room, root, "m.room.guest_access").await?;
        let encryption = state(&self.store, room, root, "m.room.encryption").await?;
        let text = async |kind: &str, field: &str| -> Result<Option<String>, RoomError> {
            Ok(state(&self.store, room, root, kind).await?.and_then(|event| text_field(&event, field)))
        };
        let alias = text("m.room.canonical_alias", "alias").await?;
        Ok(PublicRoom {
            room_id: create.owned_room_id().clone(),
            name: text("m.room.name", "name").await?,
            topic: text("m.room.topic", "topic").await?,
            canonical_alias: alias.and_then(|alias| OwnedRoomAliasId::try_from(alias).ok()),
            avatar_url: text("m.room.avatar", "url").await?,
            joined_members: self.store.members_of_room(room).await?.counts().0,
            world_readable: HistoryVisibility::of(visibility.as_ref()) == HistoryVisibility::WorldReadable,
            guest_can_join: guests.and_then(|event| text_field(&event, "guest_access")).as_deref()
                == Some("can_join"),
            join_rule: rules.as_ref().and_then(join_rule).unwrap_or_else(|| "invite".to_owned()),
            allowed_rooms: rules.as_ref().map(allowed_rooms).unwrap_or_default(),
            room_type: text_field(&create, "type"),
            room_version: create.version().as_str().to_owned(),
            federates: federates(&create),
            encryption: encryption.filter(is_encryption).and_then(|event| text_field(&event, "algorithm")),
        })
    }
}

impl PublicRoomsQuery {
    fn matches(&self, room: &PublicRoom) -> bool {
        if self.federated_only && !room.federates {
            return false;
        }
        if !self.room_types.is_empty() && !self.room_types.contains(&room.room_type) {
            return false;
        }
        let Some(search) = self.search.as_deref().map(str::to_lowercase).filter(|search| !search.is_empty())
        else {
            return true;
        };
        let alias = room.canonical_alias.as_ref().map(|alias| alias.as_str());
        let fields = [room.name.as_deref(), room.topic.as_deref(), alias];
        fields.into_iter().flatten().any(|field| field.to_lowercase().contains(&search))
    }
}

async fn state(store: &Store, room: RoomSn, root: StateRoot, kind: &str) -> Result<Option<Pdu>, RoomError> {
    Ok(store.state_event(room, root, kind, "").await?.map(|event| event.pdu.clone()))
}

/// Whether a room's create event lets users of other servers in.
fn federates(create: &Pdu) -> bool {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "m.federate")]
        federate: Option<Value>,
    }
    let content = create.content_as::<Content>().ok();
    content.and_then(|content| content.federate) != Some(Value::Bool(false))
}

/// A text field of an event's content.
pub(crate) fn text_field(event: &Pdu, field: &str) -> Option<String> {
    let content: serde_json::Map<String, serde_json::Value> = event.content_as().ok()?;
    content.get(field).and_then(|value| value.as_str()).filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

/// The rooms whose members may join, by a join rules event.
pub(crate) fn allowed_rooms(event: &Pdu) -> Vec<OwnedRoomId> {
    #[derive(Deserialize)]
    struct JoinRules {
        #[serde(default)]
        allow: Vec<AllowRule>,
    }
    #[derive(Deserialize)]
    struct AllowRule {
        room_id: Option<OwnedRoomId>,
    }
    let rules = event.content_as::<JoinRules>().ok();
    rules.into_iter().flat_map(|rules| rules.allow).filter_map(|rule| rule.room_id).collect()
}
