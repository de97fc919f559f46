//! The organisation's encryption switch: which rooms may, must or must not be end-to-end encrypted.
//!
//! A change of policy never changes a room that exists. State that comes from another server is not this module's
//! business: a server that alters it splits the room.

mod explain;
mod in_room;
mod level;
mod new_room;
mod published;

use serde::{Deserialize, Serialize};

pub use in_room::{Join, JoinFacts, StateChange, StateChangeFacts};
pub use level::{EncryptedElsewhere, Exception, Level, Role, StripFor, WhoMayTurnOn};
pub use new_room::{AtCreation, CreationFacts, OUT_OF_REACH_POWER_LEVEL};
pub use published::PublishedDefault;

use crate::{RoomClass, decision::Setting};

/// What the organisation wants of encryption: the section `encryption` of its policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncryptionPolicy {
    /// What holds for conversations among the organisation's own people.
    pub direct: Level,
    /// What holds for conversations with people of other servers.
    pub direct_with_partner: Level,
    /// What holds for rooms one must be invited to.
    pub private: Level,
    /// What holds for such rooms with people of other servers in them.
    pub private_with_outsiders: Level,
    /// What holds for rooms open to all.
    pub public: Level,
    /// What holds for spaces.
    pub space: Level,
    /// Who may turn encryption on where the level is `off`.
    pub who_may_turn_on: WhoMayTurnOn,
    /// From whose new rooms encryption is left out where the level is `off`.
    pub strip_for: StripFor,
    /// The roles that people have in the organisation.
    pub roles: Vec<Role>,
    /// Levels that hold for what single people do.
    pub exceptions: Vec<Exception>,
    /// Whether people may enter encrypted rooms of other servers.
    pub encrypted_elsewhere: EncryptedElsewhere,
    /// Whether new accounts are made so that clients do not press for a backup of keys.
    pub silence_backup_prompts: bool,
}

/// The section of the policy that this module knows.
const SECTION: &str = "encryption";

impl EncryptionPolicy {
    /// The same level for every class of rooms.
    pub fn everywhere(level: Level) -> Self {
        Self {
            direct: level,
            direct_with_partner: level,
            private: level,
            private_with_outsiders: level,
            public: level,
            space: level,
            ..Self::default()
        }
    }

    /// What holds for rooms of this class.
    pub fn level(&self, class: RoomClass) -> Level {
        match class {
            RoomClass::Direct => self.direct,
            RoomClass::DirectWithPartner => self.direct_with_partner,
            RoomClass::Private => self.private,
            RoomClass::PrivateWithOutsiders => self.private_with_outsiders,
            RoomClass::Public => self.public,
            RoomClass::Space => self.space,
        }
    }

    /// What holds for what a person does in rooms of this class, and why.
    fn level_for(&self, class: RoomClass, user: &str) -> (Level, Setting) {
        match self.exceptions.iter().rev().find(|exception| exception.user == user) {
            Some(exception) => (exception.level, setting("exceptions", exception)),
            None => (self.level(class), self.setting(class)),
        }
    }

    fn setting(&self, class: RoomClass) -> Setting {
        setting(class.name(), &self.level(class))
    }

    fn has_role(&self, user: &str, roles: &[String]) -> bool {
        let mut named = self.roles.iter().filter(|role| roles.contains(&role.name));
        named.any(|role| role.users.iter().any(|member| member == user))
    }

    /// Whether the organisation lets a person turn encryption on where the level is `off`, and if not, why not.
    fn may_turn_on(&self, user: &str, is_moderator: bool) -> Result<(), &'static str> {
        match &self.who_may_turn_on {
            WhoMayTurnOn::AnyoneWithPower => Ok(()),
            WhoMayTurnOn::Moderators if is_moderator => Ok(()),
            WhoMayTurnOn::Moderators => Err("Only those who moderate the room may turn on encryption."),
            WhoMayTurnOn::Roles(roles) if self.has_role(user, roles) => Ok(()),
            WhoMayTurnOn::Roles(_) => {
                Err("Only people whom this organisation has named may turn on encryption.")
            }
            WhoMayTurnOn::Nobody => Err("This organisation lets nobody turn on encryption in a room."),
        }
    }
}

fn setting(key: &str, value: &impl Serialize) -> Setting {
    Setting::new(format!("{SECTION}.{key}"), value)
}
