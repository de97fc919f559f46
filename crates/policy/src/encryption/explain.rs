//! Why a room is as it is, for people.

use super::{EncryptionPolicy, Level, StateChangeFacts, WhoMayTurnOn};
use crate::{Decision, RoomClass, encryption::StateChange};

impl EncryptionPolicy {
    /// What the organisation wants of the rooms of a class: the level, and a sentence for people.
    pub fn stance(&self, class: RoomClass) -> Decision<Level> {
        let level = self.level(class);
        let rule = match (level, &self.who_may_turn_on) {
            (Level::Off, WhoMayTurnOn::AnyoneWithPower) => {
                "New rooms of this kind are plain; whoever has the power in a room may turn encryption on."
            }
            (Level::Off, WhoMayTurnOn::Moderators) => {
                "New rooms of this kind are plain; those who moderate a room may turn encryption on."
            }
            (Level::Off, WhoMayTurnOn::Roles(_)) => {
                "New rooms of this kind are plain; people whom the organisation has named may turn encryption on."
            }
            (Level::Off, WhoMayTurnOn::Nobody) => {
                "New rooms of this kind are plain, and nobody may turn encryption on."
            }
            (Level::Client, _) => "People and their apps decide about encryption in rooms of this kind.",
            (Level::On, _) => {
                "New rooms of this kind are encrypted, unless whoever makes one chooses otherwise."
            }
            (Level::Required, _) => "New rooms of this kind are encrypted.",
            (Level::Forbidden, _) => "Rooms of this kind do not become encrypted.",
        };
        Decision::new(level, rule, self.setting(class))
    }

    /// Whether a person may turn encryption on in a plain room of this class, if the room's own rules allow it.
    pub fn lets_turn_on(&self, class: RoomClass, user: &str, is_moderator: bool) -> bool {
        let facts =
            StateChangeFacts { class, already_encrypted: false, has_algorithm: true, user, is_moderator };
        self.at_state_change(facts).outcome == StateChange::Allow
    }
}
