//! A room in memory: events are made, signed, and tried against its state, and every verdict is compared
//! with that of another implementation of the same rules.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashMap},
};

use parvis_dag::{AuthError, Known, auth_types, authorise, check_auth_events};
use parvis_events::{EventDraft, Pdu, RoomVersion, ServerKey};
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedRoomId, OwnedUserId, RoomId, UInt, UserId,
    events::TimelineEventType, owned_room_id, state_res,
};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

pub(crate) const ALICE: &str = "@alice:a.example";
pub(crate) const BOB: &str = "@bob:a.example";
pub(crate) const CARA: &str = "@cara:b.example";
pub(crate) const DAVE: &str = "@dave:b.example";

/// A room of Alice's.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) version: RoomVersion,
    pub(crate) room_id: Option<OwnedRoomId>,
    pub(crate) state: BTreeMap<(String, String), Pdu>,
    pub(crate) known: HashMap<OwnedEventId, Known>,
    /// What the next event follows.
    pub(crate) ends: Vec<OwnedEventId>,
    clock: Cell<i64>,
}

impl Room {
    /// A room before its create event.
    pub(crate) fn empty(version: RoomVersion) -> Self {
        let room_id = (!version.room_id_is_create_hash()).then(|| owned_room_id!("!room:a.example"));
        let clock = Cell::new(1_000);
        Self { version, room_id, state: BTreeMap::new(), known: HashMap::new(), ends: Vec::new(), clock }
    }

    /// A room whose create event has this content beside the usual.
    pub(crate) fn created(version: RoomVersion, more: Value) -> Self {
        let mut room = Self::empty(version);
        let mut content = json!({ "room_version": version.as_str() });
        if !version.creator_is_sender() {
            content["creator"] = json!(ALICE);
        }
        content.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let create = room.draft(ALICE, "m.room.create", Some(""), content).sign(version, &key()).unwrap();
        room.room_id = Some(create.room_id().to_owned());
        room.admit(create);
        room
    }

    /// A room that Alice made and joined, with this join rule and these power levels beside her own.
    pub(crate) fn new(version: RoomVersion, join_rule: &str, levels: Value) -> Self {
        let mut room = Self::created(version, json!({}));
        room.put(ALICE, "m.room.member", ALICE, json!({ "membership": "join" }));
        let mut content = levels;
        if !version.creators_have_infinite_power() {
            content["users"][ALICE] = json!(100);
        }
        room.put(ALICE, "m.room.power_levels", "", content);
        room.put(ALICE, "m.room.join_rules", "", json!({ "join_rule": join_rule }));
        room
    }

    /// A room that everybody may join.
    pub(crate) fn public(version: RoomVersion) -> Self {
        Self::new(version, "public", json!({}))
    }

    /// An event on top of the room, authorised by its state.
    pub(crate) fn draft(
        &self,
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> EventDraft {
        let content = to_raw_value(&content).unwrap();
        let sender = OwnedUserId::try_from(sender).unwrap();
        let keys = auth_types(self.version, &sender, kind, state_key, &content).unwrap_or_default();
        self.clock.set(self.clock.get() + 1);
        EventDraft {
            room_id: self.room_id.clone(),
            sender,
            kind: kind.to_owned(),
            state_key: state_key.map(ToOwned::to_owned),
            content,
            redacts: None,
            prev_events: self.ends.clone(),
            auth_events: keys
                .iter()
                .filter_map(|key| Some(self.state.get(key)?.event_id().to_owned()))
                .collect(),
            depth: self.clock.get(),
            origin_server_ts: self.clock.get(),
        }
    }

    /// The event of a draft.
    pub(crate) fn sign(&self, draft: EventDraft) -> Pdu {
        draft.sign(self.version, &key()).unwrap()
    }

    /// Takes an event into the room without asking whether it is allowed.
    pub(crate) fn admit(&mut self, pdu: Pdu) {
        if let Some(state_key) = pdu.state_key() {
            self.state.insert((pdu.kind().to_owned(), state_key.to_owned()), pdu.clone());
        }
        self.ends = vec![pdu.event_id().to_owned()];
        self.known.insert(pdu.event_id().to_owned(), Known::accepted(pdu));
    }

    /// Makes a state event and takes it into the room, allowed or not.
    pub(crate) fn put(&mut self, sender: &str, kind: &str, state_key: &str, content: Value) -> Pdu {
        let pdu = self.sign(self.draft(sender, kind, Some(state_key), content));
        self.admit(pdu.clone());
        pdu
    }

    /// Gives a user a membership, by whoever.
    pub(crate) fn put_member(&mut self, user: &str, membership: &str) -> Pdu {
        self.put(user, "m.room.member", user, json!({ "membership": membership }))
    }

    /// The room with a user in it.
    pub(crate) fn with_member(mut self, user: &str, membership: &str) -> Self {
        self.put_member(user, membership);
        self
    }

    /// Makes an event, requires that it is allowed, and takes it into the room.
    pub(crate) fn send(&mut self, sender: &str, kind: &str, state_key: Option<&str>, content: Value) -> Pdu {
        let pdu = self.sign(self.draft(sender, kind, state_key, content));
        if let Err(error) = self.judge_by_state(&pdu).and_then(|()| self.judge_by_citations(&pdu)) {
            panic!("{kind} of {sender} in version {}: {error}", self.version);
        }
        self.admit(pdu.clone());
        pdu
    }

    /// Whether the room's state allows an event.
    pub(crate) fn attempt(
        &self,
        sender: &str,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Result<(), AuthError> {
        self.judge_by_state(&self.sign(self.draft(sender, kind, state_key, content)))
    }

    /// Whether the room's state allows a change of membership.
    pub(crate) fn attempt_member(
        &self,
        sender: &str,
        target: &str,
        membership: &str,
    ) -> Result<(), AuthError> {
        self.attempt(sender, "m.room.member", Some(target), json!({ "membership": membership }))
    }

    /// Our verdict by the room's state, if the other implementation agrees.
    pub(crate) fn judge_by_state(&self, pdu: &Pdu) -> Result<(), AuthError> {
        let ours = self.judge_by_state_alone(pdu);
        let theirs = state_res::check_state_dependent_auth_rules(
            &self.version.rules().authorization,
            Theirs(Known::accepted(pdu.clone())),
            |kind, key| {
                let pdu = self.state.get(&(kind.to_string(), key.to_owned()))?;
                Some(Theirs(Known::accepted(pdu.clone())))
            },
        );
        // The other implementation knows no owned state.
        let agrees = self.version.owned_state() || ours.is_ok() == theirs.is_ok();
        assert!(agrees, "{ours:?} {theirs:?} {}", pdu.json());
        ours
    }

    /// Our verdict by the room's state.
    pub(crate) fn judge_by_state_alone(&self, pdu: &Pdu) -> Result<(), AuthError> {
        authorise(pdu, |kind, key| self.state.get(&(kind.to_owned(), key.to_owned())).cloned())
    }

    /// Our verdict by the events that an event cites, if the other implementation agrees.
    pub(crate) fn judge_by_citations(&self, pdu: &Pdu) -> Result<(), AuthError> {
        let ours = check_auth_events(pdu, |id| self.known.get(id).cloned());
        let theirs = state_res::check_state_independent_auth_rules(
            &self.version.rules().authorization,
            Theirs(Known::accepted(pdu.clone())),
            |id| self.known.get(id).cloned().map(Theirs),
        );
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?} {theirs:?} {}", pdu.json());
        ours
    }

    pub(crate) fn get(&self, kind: &str, state_key: &str) -> Option<&Pdu> {
        self.state.get(&(kind.to_owned(), state_key.to_owned()))
    }
}

/// The key of every server.
pub(crate) fn key() -> ServerKey {
    ServerKey::generate([3; 32], "k").unwrap()
}

/// The room versions in which something holds.
pub(crate) fn versions(holds: fn(RoomVersion) -> bool) -> impl Iterator<Item = RoomVersion> {
    RoomVersion::supported().filter(move |version| holds(*version))
}

/// A verdict's reason, for short assertions.
pub(crate) fn reason(verdict: Result<(), AuthError>) -> String {
    verdict.unwrap_err().reason().to_owned()
}

/// An event as the other implementation sees it.
#[derive(Clone, Debug)]
pub(crate) struct Theirs(pub(crate) Known);

impl state_res::Event for Theirs {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        self.0.pdu.owned_event_id()
    }
    fn room_id(&self) -> Option<&RoomId> {
        let derived = self.0.pdu.version().room_id_is_create_hash() && self.0.pdu.is_create();
        (!derived).then(|| self.0.pdu.room_id())
    }
    fn sender(&self) -> &UserId {
        self.0.pdu.sender()
    }
    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        MilliSecondsSinceUnixEpoch(UInt::try_from(self.0.pdu.origin_server_ts()).unwrap())
    }
    fn event_type(&self) -> &TimelineEventType {
        self.0.pdu.event_type()
    }
    fn content(&self) -> &RawValue {
        self.0.pdu.content()
    }
    fn state_key(&self) -> Option<&str> {
        self.0.pdu.state_key()
    }
    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.0.pdu.prev_events().iter())
    }
    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.0.pdu.auth_events().iter())
    }
    fn redacts(&self) -> Option<&Self::Id> {
        self.0.pdu.owned_redacts()
    }
    fn rejected(&self) -> bool {
        self.0.rejected
    }
}

/// The event id of a literal.
pub(crate) fn id(text: &str) -> OwnedEventId {
    EventId::parse(text).unwrap()
}
