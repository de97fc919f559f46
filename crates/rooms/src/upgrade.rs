//! Upgrading a room: a new room of another version takes the old one's place.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#room-upgrades>

use parvis_events::{Membership, Pdu, RoomVersion};
use parvis_policy::RoomClass;
use parvis_storage::RoomSn;
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Map, Value, json};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Draft, Turn, in_turn},
    content::raw,
};

/// State that the new room takes over as it is, in this order.
const CARRIED: [&str; 12] = [
    "m.room.join_rules",
    "m.room.name",
    "m.room.topic",
    "m.room.avatar",
    "m.room.history_visibility",
    "m.room.guest_access",
    "m.room.encryption",
    "m.room.server_acl",
    "m.room.related_groups",
    "m.room.retention",
    "m.room.pinned_events",
    "m.room.policy",
];

impl Rooms {
    /// Makes the room that takes the place of an old one, closes the old one, and gives the new one's id.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who may not send `m.room.tombstone`.
    pub async fn upgrade(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        version: &str,
        additional_creators: &[String],
    ) -> Result<OwnedRoomId, RoomError> {
        let version = self.version_of(Some(version))?;
        let room = self.find(room_id).await?;
        let old = self.read_old(actor, room).await?;
        let class = class_named(&old.class);
        let mut turn = self.first_turn(self.empty_head(version, class).await?).await;
        let content = create_content(version, actor, &old, room_id, additional_creators);
        turn.stage_for(actor, Draft::state("m.room.create", "", raw(&content))).await?;
        self.stage_own_join(&mut turn, actor).await?;
        let levels = power_levels(version, actor, &old, additional_creators);
        // The upgrader may need more power than the old levels give, until everything is in place.
        let restored = levels_for_upgrader(version, actor, &levels);
        turn.stage_for(actor, Draft::state("m.room.power_levels", "", raw(&restored))).await?;
        self.carry_over(&mut turn, actor, &old).await?;
        if restored != levels {
            turn.stage_for(actor, Draft::state("m.room.power_levels", "", raw(&levels))).await?;
        }
        let (new_room, new_id) = (turn.head.room, turn.head.room_id.clone());
        let listed = self.store.is_published(room).await?;
        if listed {
            turn.set.publish_room(room, false);
            turn.set.publish_room(new_room, true);
        }
        turn.set.move_aliases(room, new_room);
        turn.submit().await.land().await?;
        self.close_old(actor, room, &new_id).await?;
        Ok(new_id)
    }

    async fn read_old(&self, actor: &Actor, room: RoomSn) -> Result<OldRoom, RoomError> {
        let mut turn = self.turn(room).await?;
        if turn.membership(&actor.user_id).await? != Membership::Join {
            return Err(RoomError::forbidden("you are not in this room"));
        }
        if !turn.power_levels().await?.can_set_state(&actor.user_id, "m.room.tombstone") {
            return Err(RoomError::forbidden("you may not upgrade this room"));
        }
        let root = turn.head.state_root;
        let (class, heads) = (turn.head.class.clone(), turn.head.heads.clone());
        drop(turn);
        let last = self.store.events(&heads).await?.first().map(|event| event.pdu.clone());
        let state = self.store.state_events(root).await?;
        Ok(OldRoom { class, last, state: state.iter().map(|event| event.pdu.clone()).collect() })
    }

    async fn carry_over(&self, turn: &mut Turn<'_>, actor: &Actor, old: &OldRoom) -> Result<(), RoomError> {
        let is_space =
            old.find("m.room.create").is_some_and(|create| create.content_json().contains("\"m.space\""));
        for kind in CARRIED {
            if let Some(event) = old.find(kind) {
                turn.stage_for(actor, Draft::state(kind, "", event.content().to_owned())).await?;
            }
        }
        for event in old.state.iter().filter(|event| {
            let banned = event.membership() == Some(Membership::Ban);
            banned || (is_space && event.kind() == "m.space.child" && event.content_json() != "{}")
        }) {
            let state_key = event.state_key().unwrap_or_default();
            turn.stage_for(actor, Draft::state(event.kind(), state_key, event.content().to_owned())).await?;
        }
        if let Some(event) = old.find("m.room.canonical_alias") {
            turn.stage_for(actor, Draft::state(event.kind(), "", event.content().to_owned())).await?;
        }
        Ok(())
    }

    /// Says in the old room where it has gone, and keeps people from writing there.
    async fn close_old(&self, actor: &Actor, room: RoomSn, new_id: &RoomId) -> Result<(), RoomError> {
        in_turn!(self, room, |turn| {
            let body = "This room has been replaced";
            let content = json!({ "body": body, "replacement_room": new_id });
            turn.stage_for(actor, Draft::state("m.room.tombstone", "", raw(&content))).await?;
            let alias = turn.state_pdu("m.room.canonical_alias", "").await?;
            let levels = turn.power_levels().await?;
            if alias.is_some_and(|alias| alias.content_json() != "{}")
                && levels.can_set_state(&actor.user_id, "m.room.canonical_alias")
            {
                turn.stage_for(actor, Draft::state("m.room.canonical_alias", "", raw(&json!({})))).await?;
            }
            self.silence(turn, actor).await
        })
    }

    /// Raises the levels for sending and inviting, where the actor may.
    async fn silence(&self, turn: &mut Turn<'_>, actor: &Actor) -> Result<(), RoomError> {
        let levels = turn.power_levels().await?;
        let Some(event) = turn.state_pdu("m.room.power_levels", "").await? else { return Ok(()) };
        let mut content: Map<String, Value> = event.content_as().unwrap_or_default();
        let restricted =
            content.get("users_default").and_then(Value::as_i64).unwrap_or(0).saturating_add(1).max(50);
        let mut changed = false;
        for field in ["events_default", "invite"] {
            if content.get(field).and_then(Value::as_i64).unwrap_or(0) < restricted {
                content.insert(field.to_owned(), restricted.into());
                changed = true;
            }
        }
        let may = levels.can_set_state(&actor.user_id, "m.room.power_levels")
            && levels.of(&actor.user_id).reaches(restricted);
        if changed && may {
            turn.stage_for(actor, Draft::state("m.room.power_levels", "", raw(&content))).await?;
        }
        Ok(())
    }
}

/// What is taken from the old room.
struct OldRoom {
    class: String,
    last: Option<Pdu>,
    state: Vec<Pdu>,
}

impl OldRoom {
    fn find(&self, kind: &str) -> Option<&Pdu> {
        self.state.iter().find(|event| event.is_state_of(kind, ""))
    }
}

fn class_named(name: &str) -> RoomClass {
    RoomClass::ALL.into_iter().find(|class| class.name() == name).unwrap_or(RoomClass::Private)
}

fn create_content(
    version: RoomVersion,
    actor: &Actor,
    old: &OldRoom,
    room_id: &RoomId,
    additional_creators: &[String],
) -> Map<String, Value> {
    let create = old.find("m.room.create").map(|event| event.content_as().unwrap_or_default());
    let mut content: Map<String, Value> = create.unwrap_or_default();
    for field in ["creator", "predecessor", "additional_creators"] {
        content.remove(field);
    }
    content.insert("room_version".to_owned(), version.as_str().into());
    if !version.creator_is_sender() {
        content.insert("creator".to_owned(), actor.user_id.as_str().into());
    }
    if version.additional_creators() && !additional_creators.is_empty() {
        content.insert("additional_creators".to_owned(), additional_creators.into());
    }
    let mut predecessor = json!({ "room_id": room_id });
    if let Some(last) = old.last.as_ref().filter(|_| !version.creators_have_infinite_power()) {
        predecessor["event_id"] = last.event_id().as_str().into();
    }
    content.insert("predecessor".to_owned(), predecessor);
    content
}

/// The old room's power levels, without those whose power is now above all levels.
fn power_levels(
    version: RoomVersion,
    actor: &Actor,
    old: &OldRoom,
    additional_creators: &[String],
) -> Map<String, Value> {
    let event = old.find("m.room.power_levels").map(|event| event.content_as().unwrap_or_default());
    let mut levels: Map<String, Value> = event.unwrap_or_default();
    if version.creators_have_infinite_power() {
        if let Some(users) = levels.get_mut("users").and_then(Value::as_object_mut) {
            users.retain(|user, _| user != actor.user_id.as_str() && !additional_creators.contains(user));
        }
        let events = levels.entry("events").or_insert_with(|| json!({}));
        if let Some(events) = events.as_object_mut() {
            events.insert("m.room.tombstone".to_owned(), 150.into());
        }
    } else if !levels.contains_key("users") {
        levels.insert("users".to_owned(), json!({ actor.user_id.as_str(): 100 }));
    }
    levels
}

/// The levels with the upgrader raised high enough to set everything that is carried over.
fn levels_for_upgrader(
    version: RoomVersion,
    actor: &Actor,
    levels: &Map<String, Value>,
) -> Map<String, Value> {
    let mut raised = levels.clone();
    if version.creators_have_infinite_power() {
        return raised;
    }
    let events = levels.get("events").and_then(Value::as_object).into_iter().flatten();
    let needed = events.filter_map(|(_, level)| level.as_i64()).max().unwrap_or(50);
    let fields =
        ["state_default", "ban"].map(|field| levels.get(field).and_then(Value::as_i64).unwrap_or(50));
    let needed = fields.into_iter().max().unwrap_or(50).max(needed);
    let users = raised.entry("users").or_insert_with(|| json!({}));
    if let Some(users) = users.as_object_mut() {
        let own = users.get(actor.user_id.as_str()).and_then(Value::as_i64).unwrap_or(0);
        users.insert(actor.user_id.to_string(), own.max(needed).into());
    }
    raised
}
