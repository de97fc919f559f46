//! Whether encryption may be set in a room that exists, and whether a room with it may be entered.

use super::{EncryptedElsewhere, EncryptionPolicy, Level, setting};
use crate::{Decision, RoomClass};

/// Whether `m.room.encryption` may be set in a room that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StateChange {
    /// It may, if the room's own rules allow it.
    Allow,
    /// It may not; the decision's rule is the message for the client.
    Forbid,
}

/// The facts of an attempt to set `m.room.encryption` in a room that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateChangeFacts<'a> {
    /// The room's class.
    pub class: RoomClass,
    /// Whether the room is encrypted already.
    pub already_encrypted: bool,
    /// Whether the new content names an `algorithm`, without which it turns nothing on.
    pub has_algorithm: bool,
    /// The user id of the sender.
    pub user: &'a str,
    /// Whether the sender moderates the room.
    pub is_moderator: bool,
}

/// Whether a room may be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Join {
    /// It may, if the room's own rules allow it.
    Allow,
    /// It may not; the decision's rule is the message for the client.
    Refuse,
}

/// The facts of an attempt to enter a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JoinFacts {
    /// Whether the room was made on another server.
    pub lives_elsewhere: bool,
    /// Whether it is encrypted, as far as is known before one is in it.
    pub is_encrypted: bool,
}

impl EncryptionPolicy {
    /// Whether a local sender may set `m.room.encryption` in a room that exists. Application services and
    /// administrators are local senders too.
    pub fn at_state_change(&self, facts: StateChangeFacts<'_>) -> Decision<StateChange> {
        const ALLOW: StateChange = StateChange::Allow;
        const FORBID: StateChange = StateChange::Forbid;
        let (level, level_setting) = self.level_for(facts.class, facts.user);
        let (outcome, rule) = match (level, facts.already_encrypted, facts.has_algorithm) {
            (_, true, true) => (ALLOW, "the room is encrypted already, and stays so"),
            (_, true, false) => (FORBID, "Encryption cannot be turned off in a room where it is on."),
            (Level::Forbidden, false, _) => {
                (FORBID, "This organisation does not allow encryption in rooms of this kind.")
            }
            (_, false, false) => (ALLOW, "without an algorithm it turns nothing on"),
            (Level::Client, false, true) => (ALLOW, "the client decides about encryption"),
            (Level::On | Level::Required, false, true) => (ALLOW, "rooms of this class should be encrypted"),
            (Level::Off, false, true) => return self.turn_on(facts),
        };
        Decision::new(outcome, rule, level_setting)
    }

    fn turn_on(&self, facts: StateChangeFacts<'_>) -> Decision<StateChange> {
        let who = setting("who_may_turn_on", &self.who_may_turn_on);
        match self.may_turn_on(facts.user, facts.is_moderator) {
            Ok(()) => Decision::new(StateChange::Allow, "this person may turn encryption on", who),
            Err(rule) => Decision::new(StateChange::Forbid, rule, who),
        }
    }

    /// Whether a local user may enter a room.
    pub fn at_join(&self, facts: JoinFacts) -> Decision<Join> {
        let setting = setting("encrypted_elsewhere", &self.encrypted_elsewhere);
        match self.encrypted_elsewhere {
            EncryptedElsewhere::Refuse if facts.lives_elsewhere && facts.is_encrypted => Decision::new(
                Join::Refuse,
                "This organisation does not let its people into encrypted rooms of other servers.",
                setting,
            ),
            _ => Decision::new(Join::Allow, "encryption is no reason to stay out", setting),
        }
    }
}
