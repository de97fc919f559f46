//! A generated room: a creator, the usual state, and many members who came one after the other. All events are
//! signed as a real server would. Does not know how they are asked for.

use std::collections::HashMap;

use parvis_events::{EventDraft, Pdu, RoomVersion, ServerKey};
use ruma::{OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, ServerName};
use serde_json::{Value, json, value::RawValue};

use crate::clock;

/// Milliseconds between two events.
const STEP_MS: i64 = 10;

/// What can go wrong while the room is made.
pub(crate) type Failure = Box<dyn std::error::Error>;

/// The room. Every event is a state event of a slot of its own, so the state after an event is all events up to
/// it.
pub(crate) struct Room {
    id: OwnedRoomId,
    version: RoomVersion,
    events: Vec<Pdu>,
    places: HashMap<OwnedEventId, usize>,
    /// How many come before the ordinary members: what a new member needs to know.
    ground: usize,
    /// The events that allow a join.
    allowing_joins: Vec<OwnedEventId>,
}

impl Room {
    /// Makes a public room of this server with so many members, its creator among them.
    pub(crate) fn generate(
        server: &ServerName,
        key: &ServerKey,
        version: RoomVersion,
        members: usize,
    ) -> Result<Self, Failure> {
        let creator = OwnedUserId::try_from(format!("@creator:{server}"))?;
        let mut builder = Builder::new(server, key, version, members)?;
        builder.ground(&creator)?;
        let ground = builder.events.len();
        let mut allowing_joins =
            vec![builder.named("m.room.join_rules")?, builder.named("m.room.power_levels")?];
        if !version.room_id_is_create_hash() {
            allowing_joins.push(builder.named("m.room.create")?);
        }
        for number in 1..members {
            let member = OwnedUserId::try_from(format!("@member-{number}:{server}"))?;
            let content = json!({ "membership": "join", "displayname": format!("Member number {number}") });
            builder.append(&member, "m.room.member", member.as_str(), &content, allowing_joins.clone())?;
        }
        let places = builder.events.iter().enumerate();
        let places = places.map(|(place, event)| (event.owned_event_id().clone(), place)).collect();
        Ok(Self { id: builder.room_id()?, version, places, ground, allowing_joins, events: builder.events })
    }

    pub(crate) fn id(&self) -> &RoomId {
        &self.id
    }

    pub(crate) fn version(&self) -> RoomVersion {
        self.version
    }

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// All events, in the order in which they were sent.
    pub(crate) fn events(&self) -> &[Pdu] {
        &self.events
    }

    /// Those that came before the ordinary members.
    pub(crate) fn ground(&self) -> &[Pdu] {
        &self.events[..self.ground]
    }

    /// The state before this event. An event that is not from here came after all that is.
    pub(crate) fn state_before(&self, event_id: &str) -> &[Pdu] {
        let place = self.places.get(event_id).copied().unwrap_or(self.events.len());
        &self.events[..place]
    }

    /// The event of this id.
    pub(crate) fn event(&self, event_id: &str) -> Option<&Pdu> {
        self.places.get(event_id).and_then(|place| self.events.get(*place))
    }

    /// At most so many events, from this one backwards.
    pub(crate) fn backwards(&self, event_id: &str, limit: usize) -> impl Iterator<Item = &Pdu> {
        let end = self.places.get(event_id).map_or(self.events.len(), |place| place + 1);
        self.events[..end].iter().rev().take(limit)
    }

    /// The event of a join, for the joining server to sign.
    pub(crate) fn join_template(&self, user_id: &str) -> Value {
        json!({
            "type": "m.room.member",
            "room_id": self.id,
            "sender": user_id,
            "state_key": user_id,
            "content": { "membership": "join" },
            "auth_events": self.allowing_joins,
            "prev_events": self.events.last().map(Pdu::event_id).into_iter().collect::<Vec<_>>(),
            "depth": self.events.len() + 1,
            "origin_server_ts": clock::epoch_ms(),
        })
    }
}

/// Puts one event after the other.
struct Builder<'a> {
    key: &'a ServerKey,
    version: RoomVersion,
    room_id: Option<OwnedRoomId>,
    events: Vec<Pdu>,
    time: i64,
}

impl<'a> Builder<'a> {
    fn new(
        server: &ServerName,
        key: &'a ServerKey,
        version: RoomVersion,
        members: usize,
    ) -> Result<Self, Failure> {
        let named = || OwnedRoomId::try_from(format!("!generated:{server}"));
        let room_id = if version.room_id_is_create_hash() { None } else { Some(named()?) };
        let steps = i64::try_from(members + 10)?;
        let time = clock::epoch_ms() - steps * STEP_MS;
        Ok(Self { key, version, room_id, events: Vec::with_capacity(members + 10), time })
    }

    /// What every room begins with.
    fn ground(&mut self, creator: &OwnedUserId) -> Result<(), Failure> {
        let hashed = self.version.room_id_is_create_hash();
        let mut create = json!({ "room_version": self.version.as_str() });
        if !self.version.creator_is_sender() {
            create["creator"] = creator.as_str().into();
        }
        self.append(creator, "m.room.create", "", &create, Vec::new())?;
        if let (true, Some(create)) = (hashed, self.events.first()) {
            self.room_id = Some(create.owned_room_id().clone());
        }
        let mut auth = if hashed { Vec::new() } else { vec![self.named("m.room.create")?] };
        let joined = json!({ "membership": "join", "displayname": "The creator" });
        auth.push(self.append(creator, "m.room.member", creator.as_str(), &joined, auth.clone())?);
        let users = if hashed { json!({}) } else { json!({ creator.as_str(): 100 }) };
        let levels = json!({ "users": users, "users_default": 0, "state_default": 50, "events_default": 0 });
        auth.push(self.append(creator, "m.room.power_levels", "", &levels, auth.clone())?);
        let rest = [
            ("m.room.join_rules", json!({ "join_rule": "public" })),
            ("m.room.history_visibility", json!({ "history_visibility": "shared" })),
            ("m.room.name", json!({ "name": "A very large room" })),
            ("m.room.topic", json!({ "topic": "Everybody is here" })),
        ];
        for (kind, content) in rest {
            self.append(creator, kind, "", &content, auth.clone())?;
        }
        Ok(())
    }

    fn append(
        &mut self,
        sender: &OwnedUserId,
        kind: &str,
        state_key: &str,
        content: &Value,
        auth_events: Vec<OwnedEventId>,
    ) -> Result<OwnedEventId, Failure> {
        self.time += STEP_MS;
        let draft = EventDraft {
            room_id: self.room_id.clone(),
            sender: sender.clone(),
            kind: kind.to_owned(),
            state_key: Some(state_key.to_owned()),
            content: RawValue::from_string(content.to_string())?,
            redacts: None,
            prev_events: self.events.last().map(|event| event.owned_event_id().clone()).into_iter().collect(),
            auth_events,
            depth: i64::try_from(self.events.len() + 1)?,
            origin_server_ts: self.time,
        };
        let event = draft.sign(self.version, self.key)?;
        let event_id = event.owned_event_id().clone();
        self.events.push(event);
        Ok(event_id)
    }

    /// The id of the state event of this type.
    fn named(&self, kind: &str) -> Result<OwnedEventId, Failure> {
        let found = self.events.iter().find(|event| event.kind() == kind);
        found.map(|event| event.owned_event_id().clone()).ok_or_else(|| format!("there is no {kind}").into())
    }

    fn room_id(&self) -> Result<OwnedRoomId, Failure> {
        self.room_id.clone().ok_or_else(|| "the room has no id".into())
    }
}

#[cfg(test)]
mod tests {
    use parvis_events::{PublicKeys, RawPdu, RoomVersion, ServerKey};
    use ruma::server_name;

    use super::Room;

    #[test]
    fn every_event_of_the_room_is_well_formed_and_signed() {
        for version in [RoomVersion::V11, RoomVersion::V12] {
            let server = server_name!("localhost:8448");
            let key = ServerKey::generate([7; 32], "resident").unwrap();
            let room = Room::generate(server, &key, version, 20).unwrap();
            assert_eq!(room.len(), 7 + 19);
            let mut keys = PublicKeys::new();
            keys.insert(server, key.key_id(), &key.public_key_base64());
            for event in room.events() {
                let raw = RawPdu::parse(event.json().as_bytes(), version).unwrap();
                let signed = raw.check_format().unwrap().verify(&keys).unwrap();
                assert!(signed.hash_matches());
                assert_eq!(signed.into_pdu().room_id(), room.id());
            }
        }
    }

    #[test]
    fn state_before_an_event_is_all_that_came_before_it() {
        let key = ServerKey::generate([7; 32], "resident").unwrap();
        let room = Room::generate(server_name!("localhost:8448"), &key, RoomVersion::V11, 5).unwrap();
        let third = room.events()[2].event_id().as_str();
        assert_eq!(room.state_before(third).len(), 2);
        assert_eq!(room.state_before("$of_a_join_from_elsewhere").len(), room.len());
        assert_eq!(room.backwards(third, 2).count(), 2);
    }
}
