//! The authorisation rules: which events a room's state allows.
//!
//! The rules are numbered in the page of each room version; all versions have one text here, which asks the
//! version's table where they differ. <https://spec.matrix.org/v1.19/server-server-api/#authorization-rules>

mod levels;
mod membership;
mod selection;
mod state_key;
mod third_party;

use std::collections::HashSet;

use parvis_events::{Membership, Pdu};
use ruma::{EventId, UserId};

pub(crate) use self::selection::auth_types_of;
pub use self::{selection::auth_types, state_key::owner_of_state_key};
use crate::{
    create::check_create,
    error::AuthError,
    known::{Known, create_event_id},
    power::{Power, PowerLevels},
};

/// Refuses with a reason, which is only put together when it is needed.
fn require(holds: bool, reason: impl FnOnce() -> String) -> Result<(), AuthError> {
    if holds { Ok(()) } else { Err(AuthError::new(reason())) }
}

/// Checks the rules that look only at the event and the events that it cites.
///
/// `known` looks events up by id; it must know the auth events and, where the room id is the create event's
/// hash, the create event.
///
/// # Errors
///
/// [`AuthError`]: the event is rejected.
pub fn check_auth_events(pdu: &Pdu, known: impl Fn(&EventId) -> Option<Known>) -> Result<(), AuthError> {
    if pdu.kind() == "m.room.create" {
        return check_create(pdu);
    }
    if let Some(create) = create_event_id(pdu) {
        let accepted = known(&create).is_some_and(|create| create.pdu.is_create() && !create.rejected);
        require(accepted, || "the room id is not that of an accepted create event".to_owned())?;
    }
    let expected = auth_types_of(pdu)?;
    let mut seen = HashSet::new();
    for id in pdu.auth_events() {
        let Some(Known { pdu: cited, rejected }) = known(id) else {
            return Err(AuthError::new(format!("the auth event {id} is not known")));
        };
        require(!rejected, || format!("the auth event {id} was rejected"))?;
        require(cited.room_id() == pdu.room_id(), || format!("the auth event {id} is of another room"))?;
        let Some(state_key) = cited.state_key() else {
            return Err(AuthError::new(format!("the auth event {id} is not a state event")));
        };
        let key = (cited.kind().to_owned(), state_key.to_owned());
        require(expected.contains(&key), || format!("the auth event {id} ({}) has no say here", key.0))?;
        require(seen.insert(key), || format!("the auth event {id} is the second of its kind"))?;
    }
    let cites_create = seen.iter().any(|(kind, _)| kind == "m.room.create");
    require(pdu.version().room_id_is_create_hash() || cites_create, || {
        "no create event is among the auth events".to_owned()
    })
}

/// Checks the rules that look at a state of the room: whether that state allows the event.
///
/// `state` gives the event of a type and state key, and must give the create event. The event's signatures
/// are taken as checked. Create events, to which no state applies, pass.
///
/// # Errors
///
/// [`AuthError`] names the rule that forbids the event.
pub fn authorise(pdu: &Pdu, state: impl Fn(&str, &str) -> Option<Pdu>) -> Result<(), AuthError> {
    if pdu.kind() == "m.room.create" {
        return Ok(());
    }
    let room = Room::read(&state)?;
    room.check_federation(pdu)?;
    if pdu.kind() == "m.room.member" {
        return membership::check(pdu, &room);
    }
    let sender = pdu.sender();
    let is_joined = room.membership(sender)? == Membership::Join;
    require(is_joined, || format!("{sender} is not in the room"))?;
    if pdu.kind() == "m.room.third_party_invite" {
        return room.require_power(sender, room.levels.to_invite(), "inviting");
    }
    let needed =
        if pdu.is_state() { room.levels.to_set_state(pdu.kind()) } else { room.levels.to_send(pdu.kind()) };
    room.require_power(sender, needed, pdu.kind())?;
    state_key::check(pdu, &room.levels)?;
    // In this rule the type alone counts, with a state key or without.
    if pdu.kind() == "m.room.power_levels" {
        return levels::check(pdu, &room.levels);
    }
    Ok(())
}

/// A state of a room, as the rules ask about it.
struct Room<'a> {
    create: Pdu,
    levels: PowerLevels,
    state: &'a dyn Fn(&str, &str) -> Option<Pdu>,
}

impl<'a> Room<'a> {
    fn read(state: &'a dyn Fn(&str, &str) -> Option<Pdu>) -> Result<Self, AuthError> {
        let create = state("m.room.create", "")
            .ok_or_else(|| AuthError::new("the room's state has no create event"))?;
        let levels = PowerLevels::checked(&create, state("m.room.power_levels", "").as_ref())?;
        Ok(Self { create, levels, state })
    }

    fn check_federation(&self, pdu: &Pdu) -> Result<(), AuthError> {
        let at_home = pdu.sender().server_name() == self.create.sender().server_name();
        require(at_home || self.levels.create().federated, || {
            format!("the room is closed to other servers than {}", self.create.sender().server_name())
        })
    }

    fn event(&self, kind: &str, state_key: &str) -> Option<Pdu> {
        (self.state)(kind, state_key)
    }

    /// A user's membership; of who was never in the room, `leave`.
    fn membership(&self, user: &UserId) -> Result<Membership, AuthError> {
        match self.event("m.room.member", user.as_str()) {
            None => Ok(Membership::Leave),
            Some(event) => event
                .membership()
                .ok_or_else(|| AuthError::new(format!("the membership of {user} is unreadable"))),
        }
    }

    /// The join rule. Without an event, or without the field, a room is for the invited.
    fn join_rule(&self) -> String {
        let Some(event) = self.event("m.room.join_rules", "") else { return "invite".to_owned() };
        match event.content_as::<serde_json::Map<String, serde_json::Value>>() {
            Ok(content) => match content.get("join_rule") {
                None => "invite".to_owned(),
                Some(rule) => rule.as_str().unwrap_or_default().to_owned(),
            },
            Err(_) => String::new(),
        }
    }

    fn power(&self, user: &UserId) -> Power {
        self.levels.of(user)
    }

    fn require_power(&self, user: &UserId, needed: i64, purpose: &str) -> Result<(), AuthError> {
        let power = self.power(user);
        require(power.reaches(needed), || {
            format!("{purpose} needs the power level {needed}, {user} has {power}")
        })
    }
}
