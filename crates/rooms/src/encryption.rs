//! Where rooms meet the organisation's policy on encryption: when it is set, when a room with it is entered, and when
//! somebody asks why a room is as it is.

use parvis_dag::PowerLevels;
use parvis_events::Pdu;
use parvis_policy::{
    Decision, RoomClass, RoomTraits,
    encryption::{Join, JoinFacts, Level, StateChange, StateChangeFacts},
};
use parvis_storage::RoomSn;
use ruma::{OwnedServerName, OwnedUserId, RoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{Actor, RoomError, Rooms, admit::Turn};

pub(crate) const ENCRYPTION: &str = "m.room.encryption";
/// The power from which on somebody counts as a moderator: what clients call so.
const MODERATOR: i64 = 50;
/// Of how many members it is looked up whether they may turn encryption on.
const MOST_MEMBERS: usize = 10_000;
/// How many of those who may are named.
const MOST_NAMED: usize = 100;

/// How a room stands to encryption, and why.
#[derive(Clone, Debug)]
pub struct EncryptionOfRoom {
    /// The event that turned encryption on; none in a plain room.
    pub encrypted_by: Option<TurnedOn>,
    /// The room's class.
    pub class: RoomClass,
    /// Whether the room was made on another server.
    pub lives_elsewhere: bool,
    /// What the organisation wants of rooms of this class now.
    pub stance: Decision<Level>,
    /// Who in the room may turn encryption on, a hundred at most; nobody where it is on.
    pub may_turn_on: Vec<OwnedUserId>,
    /// Whether there may be more of them than are named.
    pub may_be_more: bool,
}

/// Who turned encryption on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedOn {
    /// The sender of the event that is the room's state.
    pub sender: OwnedUserId,
    /// When, by the sender's clock, in milliseconds since the Unix epoch.
    pub origin_server_ts: i64,
}

impl EncryptionOfRoom {
    /// How it stands, in sentences for people.
    pub fn explanation(&self) -> String {
        let place = if self.lives_elsewhere {
            " It was made on another server; what this organisation sets binds its own people only."
        } else {
            ""
        };
        if let Some(TurnedOn { sender, .. }) = &self.encrypted_by {
            return format!("This room is encrypted, and stays so: {sender} turned encryption on.{place}");
        }
        let names: Vec<&str> = self.may_turn_on.iter().map(|user| user.as_str()).collect();
        let who = match (names.as_slice(), self.may_be_more) {
            ([], false) => "Nobody in this room may turn encryption on.".to_owned(),
            (names, false) => format!("These people may turn encryption on: {}.", names.join(", ")),
            (names, true) => format!("These people and others may turn encryption on: {}.", names.join(", ")),
        };
        format!("This room is plain. {} {who}{place}", self.stance.rule)
    }

    /// How it stands, for clients and support pages.
    pub fn to_json(&self) -> Value {
        let encrypted_by = self.encrypted_by.as_ref().map(|TurnedOn { sender, origin_server_ts }| {
            json!({ "sender": sender, "origin_server_ts": origin_server_ts })
        });
        json!({
            "encrypted": self.encrypted_by.is_some(),
            "encrypted_by": encrypted_by,
            "class": self.class.name(),
            "lives_elsewhere": self.lives_elsewhere,
            "level": self.stance.outcome.name(),
            "rule": self.stance.rule,
            "setting": self.stance.setting.name,
            "may_turn_on": self.may_turn_on,
            "may_be_more": self.may_be_more,
            "explanation": self.explanation(),
        })
    }
}

impl Rooms {
    /// Asks the organisation's policy whether encryption may be set in a room.
    pub(crate) async fn check_encryption(
        &self,
        turn: &mut Turn<'_>,
        actor: &Actor,
        content: &RawValue,
    ) -> Result<(), RoomError> {
        let current = turn.state_pdu(ENCRYPTION, "").await?;
        let facts = StateChangeFacts {
            class: self.class_of(turn).await?,
            already_encrypted: current.is_some_and(|event| is_encryption(&event)),
            has_algorithm: has_algorithm(content),
            user: actor.user_id.as_str(),
            is_moderator: moderates(&turn.power_levels().await?, &actor.user_id),
        };
        let decision = self.settings.policy.now().encryption.at_state_change(facts);
        match decision.outcome {
            StateChange::Allow => Ok(()),
            StateChange::Forbid => Err(RoomError::Policy { rule: decision.rule, setting: decision.setting }),
        }
    }

    /// Asks the organisation's policy whether one of its people may enter a room that may live elsewhere. What is
    /// known of it from outside is what counts.
    pub(crate) async fn check_entry(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<(), RoomError> {
        let policy = self.settings.policy.now();
        let decide = |facts| policy.encryption.at_join(facts);
        // Where no answer could keep anybody out, nothing is asked.
        if decide(JoinFacts { lives_elsewhere: true, is_encrypted: true }).outcome == Join::Allow {
            return Ok(());
        }
        let facts = match self.residence(room_id).await? {
            Some(room) => {
                let mut turn = self.turn(room).await?;
                let encryption = turn.state_pdu(ENCRYPTION, "").await?;
                let is_encrypted = encryption.is_some_and(|event| is_encryption(&event));
                JoinFacts { lives_elsewhere: self.lives_elsewhere(&mut turn).await?, is_encrypted }
            }
            None => {
                let is_encrypted = self.looks_encrypted(actor, room_id, via).await?;
                JoinFacts { lives_elsewhere: true, is_encrypted }
            }
        };
        let decision = decide(facts);
        match decision.outcome {
            Join::Allow => Ok(()),
            Join::Refuse => Err(RoomError::Policy { rule: decision.rule, setting: decision.setting }),
        }
    }

    /// Whether a room in which nobody here is looks encrypted: from an invitation, or from what its servers tell.
    async fn looks_encrypted(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        via: &[OwnedServerName],
    ) -> Result<bool, RoomError> {
        if let Some(room) = self.store.room_sn(room_id).await?
            && let Some(view) = self.store.outside_view(actor.user, room).await?
        {
            let is_encryption = |event: &String| {
                let event: Option<Value> = serde_json::from_str(event).ok();
                event.is_some_and(|event| {
                    event["type"] == ENCRYPTION && event["content"]["algorithm"].is_string()
                })
            };
            return Ok(view.state.iter().any(is_encryption));
        }
        let found = self.ask_elsewhere(room_id, via, false).await;
        Ok(found.is_some_and(|found| found.room.summary.encryption.is_some()))
    }

    /// How a room stands to encryption, and why, for somebody who is in it.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for others.
    pub async fn explain_encryption_to(
        &self,
        actor: &Actor,
        room_id: &RoomId,
    ) -> Result<EncryptionOfRoom, RoomError> {
        let room = self.find_readable(room_id).await?;
        self.must_be_joined(actor, room).await?;
        self.explain_encryption(room_id).await
    }

    /// How a room stands to encryption, and why.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`] if nobody here is in it.
    pub async fn explain_encryption(&self, room_id: &RoomId) -> Result<EncryptionOfRoom, RoomError> {
        let room = self.residence(room_id).await?.ok_or(RoomError::UnknownRoom)?;
        let mut turn = self.turn(room).await?;
        let class = self.class_of(&mut turn).await?;
        let lives_elsewhere = self.lives_elsewhere(&mut turn).await?;
        let levels = turn.power_levels().await?;
        let encryption = turn.state_pdu(ENCRYPTION, "").await?.filter(is_encryption);
        drop(turn);
        let policy = self.settings.policy.now();
        let encrypted_by = encryption.map(|event| TurnedOn {
            sender: event.sender().to_owned(),
            origin_server_ts: event.origin_server_ts(),
        });
        let (may_turn_on, may_be_more) = match encrypted_by {
            Some(_) => (Vec::new(), false),
            None => {
                // Our policy binds our own people.
                let lets = |user: &UserId| {
                    user.server_name() != self.identity.server_name
                        || policy.encryption.lets_turn_on(class, user.as_str(), moderates(&levels, user))
                };
                self.members_who(room, |user| levels.can_set_state(user, ENCRYPTION) && lets(user)).await?
            }
        };
        let stance = policy.encryption.stance(class);
        Ok(EncryptionOfRoom { encrypted_by, class, lives_elsewhere, stance, may_turn_on, may_be_more })
    }

    /// The joined members of whom something holds, and whether there may be more than are given.
    async fn members_who(
        &self,
        room: RoomSn,
        holds: impl Fn(&UserId) -> bool,
    ) -> Result<(Vec<OwnedUserId>, bool), RoomError> {
        let mut joined = self.store.members_of_room(room).await?.joined();
        let mut may_be_more = joined.len() > MOST_MEMBERS;
        joined.truncate(MOST_MEMBERS);
        let mut found = self.store.user_ids(&joined).await?;
        found.retain(|user| holds(user));
        found.sort();
        may_be_more |= found.len() > MOST_NAMED;
        found.truncate(MOST_NAMED);
        Ok((found, may_be_more))
    }

    /// The class of a room, from how it was begun and from its state and members now.
    pub(crate) async fn class_of(&self, turn: &mut Turn<'_>) -> Result<RoomClass, RoomError> {
        let create = turn.state_pdu("m.room.create", "").await?;
        let join_rules = turn.state_pdu("m.room.join_rules", "").await?;
        let is_public = join_rules.is_some_and(|event| join_rule(&event).as_deref() == Some("public"));
        Ok(RoomClass::of(RoomTraits {
            is_space: create.is_some_and(|event| room_type(&event).as_deref() == Some("m.space")),
            is_open: is_public || self.store.is_published(turn.room()).await?,
            is_direct: RoomClass::was_begun_as_conversation(&turn.head.class),
            has_outsiders: self.has_outsiders(turn.room()).await?,
        }))
    }

    /// Whether somebody of another server is in a room, or is invited.
    async fn has_outsiders(&self, room: RoomSn) -> Result<bool, RoomError> {
        let own = &self.identity.server_name;
        if self.store.servers_of_room(room).await?.keys().any(|server| server != own) {
            return Ok(true);
        }
        let invited = self.store.members_of_room(room).await?.invited();
        let invited = self.store.user_ids(&invited).await?;
        Ok(invited.iter().any(|user| user.server_name() != own))
    }

    async fn lives_elsewhere(&self, turn: &mut Turn<'_>) -> Result<bool, RoomError> {
        let create = turn.state_pdu("m.room.create", "").await?;
        Ok(create.is_some_and(|event| event.sender().server_name() != self.identity.server_name))
    }
}

fn moderates(levels: &PowerLevels, user: &UserId) -> bool {
    levels.of(user).reaches(MODERATOR)
}

/// Whether the content of an `m.room.encryption` event turns encryption on.
pub(crate) fn has_algorithm(content: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Encryption {
        #[serde(rename = "algorithm")]
        _algorithm: String,
    }
    serde_json::from_str::<Encryption>(content.get()).is_ok()
}

/// Whether an `m.room.encryption` event turns encryption on.
pub(crate) fn is_encryption(event: &Pdu) -> bool {
    has_algorithm(event.content())
}

/// The `join_rule` of a room.
pub(crate) fn join_rule(event: &Pdu) -> Option<String> {
    #[derive(Deserialize)]
    struct JoinRules {
        join_rule: String,
    }
    event.content_as::<JoinRules>().ok().map(|content| content.join_rule)
}

/// The `type` of a room, from its create event.
fn room_type(event: &Pdu) -> Option<String> {
    #[derive(Deserialize)]
    struct Create {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    event.content_as::<Create>().ok().and_then(|content| content.kind)
}
