//! What becomes of encryption when a room is made. A room that takes the place of another has what that one had,
//! whatever the policy is by now, so nobody asks here.

use serde_json::{Value, json};

use super::{EncryptionPolicy, Level, StripFor, WhoMayTurnOn, setting};
use crate::{ClientKind, Decision, RoomClass};

/// What becomes of `m.room.encryption` in the `initial_state` of a new room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtCreation {
    /// It stays as the client has it: there, or absent.
    Keep,
    /// It is left out, and the call succeeds: some clients cannot make a room any more where it is refused.
    LeaveOut,
    /// The server adds its own, in place of what the client has.
    Add,
}

/// The facts of making a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreationFacts<'a> {
    /// The room's class.
    pub class: RoomClass,
    /// Whether the client asks for encryption: with an `algorithm`, without which nothing is encrypted.
    pub requested: bool,
    /// What the client does about encryption by itself.
    pub client: ClientKind,
    /// The user id of whoever makes the room.
    pub user: &'a str,
}

/// The power level for `m.room.encryption` at which clients stop offering it: above everyone's.
pub const OUT_OF_REACH_POWER_LEVEL: i64 = 101;

impl EncryptionPolicy {
    /// What to do with `m.room.encryption` when a room is created.
    pub fn at_creation(&self, facts: CreationFacts<'_>) -> Decision<AtCreation> {
        let (level, setting) = self.level_for(facts.class, facts.user);
        let (outcome, rule) = match (level, facts.requested) {
            (Level::Required, false) => (AtCreation::Add, "new rooms of this class are encrypted"),
            (Level::Required, true) => (AtCreation::Keep, "new rooms of this class are encrypted"),
            (Level::On, true) => (AtCreation::Keep, "new rooms of this class are encrypted"),
            (Level::On, false) if self.chose_plain(facts.client) => {
                (AtCreation::Keep, "this client leaves encryption out only where a person chose so")
            }
            (Level::On, false) => (AtCreation::Add, "new rooms of this class are encrypted"),
            (Level::Client, _) => (AtCreation::Keep, "the client decides about encryption"),
            (Level::Off | Level::Forbidden, false) => (AtCreation::Keep, "no encryption was asked for"),
            (Level::Forbidden, true) => (AtCreation::LeaveOut, "rooms of this class are never encrypted"),
            (Level::Off, true) => return self.off_at_creation(facts),
        };
        Decision::new(outcome, rule, setting)
    }

    /// Whether a client that asks for no encryption does so because a person wanted none.
    fn chose_plain(&self, client: ClientKind) -> bool {
        let published = self.published_default().outcome;
        client == ClientKind::FollowsPublishedDefault && published.is_some_and(|published| published.default)
    }

    fn off_at_creation(&self, facts: CreationFacts<'_>) -> Decision<AtCreation> {
        let leave_out = |rule, setting| Decision::new(AtCreation::LeaveOut, rule, setting);
        let (_, level) = self.level_for(facts.class, facts.user);
        match (self.strip_for, facts.client) {
            (StripFor::Everyone, _) => leave_out(
                "new rooms of this class begin plain; encryption can be turned on in the room",
                level,
            ),
            (StripFor::ClientsThatIgnoreThePublishedDefault, ClientKind::IgnoresPublishedDefault) => {
                leave_out(
                    "this client asks for encryption of its own accord; it can be turned on in the room",
                    level,
                )
            }
            // Whoever makes a room moderates it.
            (StripFor::ClientsThatIgnoreThePublishedDefault, ClientKind::FollowsPublishedDefault) => {
                match self.may_turn_on(facts.user, true) {
                    Ok(()) => Decision::new(
                        AtCreation::Keep,
                        "this client asks for encryption only where a person chose it",
                        setting("strip_for", &self.strip_for),
                    ),
                    Err(rule) => leave_out(rule, setting("who_may_turn_on", &self.who_may_turn_on)),
                }
            }
        }
    }

    /// The power level to set for `m.room.encryption` in a new room, after all else has been merged, so that
    /// clients do not offer what would be refused. Room creators who stand above all levels still see it.
    pub fn power_level_at_creation(&self, class: RoomClass, user: &str) -> Decision<Option<i64>> {
        let (level, level_setting) = self.level_for(class, user);
        const HIDE: &str = "clients should not offer what would be refused";
        if level == Level::Forbidden {
            return Decision::new(Some(OUT_OF_REACH_POWER_LEVEL), HIDE, level_setting);
        }
        if level == Level::Off && self.who_may_turn_on == WhoMayTurnOn::Nobody {
            let who = setting("who_may_turn_on", &self.who_may_turn_on);
            return Decision::new(Some(OUT_OF_REACH_POWER_LEVEL), HIDE, who);
        }
        Decision::new(None, "encryption may be set by whoever has the power", level_setting)
    }

    /// The account data with which a new account begins, so that clients do not press for a backup of keys. It is
    /// the account's own from then on.
    pub fn account_data_at_registration(&self) -> Vec<(&'static str, Value)> {
        if !self.silence_backup_prompts {
            return Vec::new();
        }
        vec![
            ("m.key_backup", json!({ "enabled": false })),
            ("m.org.matrix.custom.backup_disabled", json!({ "disabled": true })),
            ("io.element.recovery", json!({ "enabled": false })),
        ]
    }
}
