//! Room aliases, and what `m.room.canonical_alias` may say of them.

use parvis_storage::{RoomSn, WriteSet};
use ruma::{OwnedRoomAliasId, OwnedRoomId, OwnedServerName, RoomAliasId, RoomId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Actor, RoomError, Rooms};

/// How many servers are named by which a room can be entered.
const MOST_SERVERS: usize = 20;

#[derive(Deserialize)]
struct CanonicalAlias {
    alias: Option<String>,
    #[serde(default)]
    alt_aliases: Vec<String>,
}

impl Rooms {
    /// Gives a room an alias of this server.
    ///
    /// # Errors
    /// [`RoomError::AliasInUse`] if it names a room already.
    pub async fn add_alias(
        &self,
        actor: &Actor,
        alias: &RoomAliasId,
        room_id: &RoomId,
    ) -> Result<(), RoomError> {
        self.own_alias(alias)?;
        self.check_alias_is_free_to(actor, alias)?;
        let room = self.find(room_id).await?;
        self.must_be_joined(actor, room).await?;
        let mut set = WriteSet::new();
        set.add_alias(alias, room, actor.user);
        self.store.commit(set).await?;
        Ok(())
    }

    /// Refuses an alias that an application service keeps to itself, to all others.
    pub(crate) fn check_alias_is_free_to(&self, actor: &Actor, alias: &RoomAliasId) -> Result<(), RoomError> {
        match self.settings.services.keep_alias_from(alias, actor.service.as_deref()) {
            true => Err(RoomError::AliasIsExclusive),
            false => Ok(()),
        }
    }

    /// Takes an alias away. Who made it may, and who may set the room's canonical alias.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] or [`RoomError::Forbidden`].
    pub async fn remove_alias(&self, actor: &Actor, alias: &RoomAliasId) -> Result<(), RoomError> {
        let found = self.store.alias(alias).await?.ok_or(RoomError::NotFound("there is no such alias"))?;
        if found.creator != actor.user {
            let levels = self.turn(found.room).await?.power_levels().await?;
            if !levels.can_set_state(&actor.user_id, "m.room.canonical_alias") {
                return Err(RoomError::forbidden("you may not remove this alias"));
            }
        }
        let mut set = WriteSet::new();
        set.remove_alias(alias);
        self.store.commit(set).await?;
        self.drop_from_canonical(actor, found.room, alias).await
    }

    /// Takes a removed alias out of the room's `m.room.canonical_alias`, where the actor may.
    async fn drop_from_canonical(
        &self,
        actor: &Actor,
        room: RoomSn,
        alias: &RoomAliasId,
    ) -> Result<(), RoomError> {
        let room_id = self.store.room_id(room).await?;
        let current = self.turn(room).await?.state_pdu("m.room.canonical_alias", "").await?;
        let Some(mut content) = current.and_then(|event| event.content_as::<serde_json::Value>().ok()) else {
            return Ok(());
        };
        let before = content.clone();
        if content["alias"] == alias.as_str()
            && let Some(object) = content.as_object_mut()
        {
            object.remove("alias");
        }
        if let Some(alternatives) = content.get_mut("alt_aliases").and_then(|list| list.as_array_mut()) {
            alternatives.retain(|other| other != alias.as_str());
        }
        if content == before {
            return Ok(());
        }
        let content = crate::content::raw(&content);
        match self.set_state(actor, &room_id, "m.room.canonical_alias", "", &content).await {
            Ok(_) | Err(RoomError::Forbidden(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The room that an alias of this server names, and servers that are in it.
    ///
    /// # Errors
    /// [`RoomError::NotFound`].
    pub async fn resolve_alias(
        &self,
        alias: &RoomAliasId,
    ) -> Result<(RoomSn, OwnedRoomId, Vec<OwnedServerName>), RoomError> {
        let found = self.store.alias(alias).await?.ok_or(RoomError::NotFound("there is no such alias"))?;
        let room_id = self.store.room_id(found.room).await?;
        let mut servers = self.servers_in_room(found.room).await?;
        servers.truncate(MOST_SERVERS);
        Ok((found.room, room_id, servers))
    }

    /// The room that an alias names, of this server or another, and servers that are in it.
    ///
    /// # Errors
    /// [`RoomError::NotFound`], and what the alias' server says.
    pub async fn locate_alias(
        &self,
        alias: &RoomAliasId,
    ) -> Result<(OwnedRoomId, Vec<OwnedServerName>), RoomError> {
        if alias.server_name() == self.identity.server_name {
            let (_, room_id, servers) = self.resolve_alias(alias).await?;
            return Ok((room_id, servers));
        }
        self.alias_elsewhere(alias).await
    }

    /// The aliases of a room on this server, for its members and for everybody if it is world-readable.
    pub async fn aliases(&self, actor: &Actor, room_id: &RoomId) -> Result<Vec<OwnedRoomAliasId>, RoomError> {
        let room = self.find(room_id).await?;
        self.readable_root(actor.user, room).await?;
        Ok(self.store.aliases_of_room(room).await?)
    }

    pub(crate) fn own_alias(&self, alias: &RoomAliasId) -> Result<(), RoomError> {
        if alias.server_name() == self.identity.server_name {
            return Ok(());
        }
        Err(RoomError::InvalidParam("the alias belongs to another server".to_owned()))
    }

    /// Checks that the aliases that `m.room.canonical_alias` adds name this room.
    pub(crate) async fn check_canonical_alias(
        &self,
        room: RoomSn,
        content: &RawValue,
    ) -> Result<(), RoomError> {
        let parsed = serde_json::from_str::<CanonicalAlias>(content.get());
        let wanted = parsed.map_err(|error| RoomError::InvalidParam(error.to_string()))?;
        let current = self.turn(room).await?.state_pdu("m.room.canonical_alias", "").await?;
        let current = current.and_then(|event| event.content_as::<CanonicalAlias>().ok());
        let known = |alias: &str| {
            current.as_ref().is_some_and(|current| {
                current.alias.as_deref() == Some(alias)
                    || current.alt_aliases.iter().any(|other| other == alias)
            })
        };
        for alias in wanted.alias.iter().chain(&wanted.alt_aliases).filter(|alias| !known(alias)) {
            let parsed = OwnedRoomAliasId::try_from(alias.as_str())
                .map_err(|_| RoomError::InvalidParam(format!("{alias} is not a room alias")))?;
            let room_id = self.store.room_id(room).await?;
            let found = self.locate_alias(&parsed).await;
            if found.map_or(true, |found| found.0 != room_id) {
                return Err(RoomError::BadAlias(format!("{alias} does not name this room")));
            }
        }
        Ok(())
    }
}
