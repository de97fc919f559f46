//! What clients are told before anybody makes a room.

use serde::Serialize;

use super::{EncryptionPolicy, Level};
use crate::{Decision, RoomClass};

/// What `/.well-known/matrix/client` says to Element under `io.element.e2ee` and `im.vector.riot.e2ee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct PublishedDefault {
    /// Whether clients encrypt new private rooms and conversations unless told otherwise.
    pub default: bool,
    /// Whether clients hide encryption altogether.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force_disable: bool,
}

impl EncryptionPolicy {
    /// What to publish in `/.well-known/matrix/client`; nothing where clients are to decide for themselves.
    ///
    /// Clients know one default for conversations and private rooms together, so a class that is to be plain
    /// weighs more than one that is to be encrypted. Encryption is hidden altogether only where it is forbidden
    /// in every class, and for everyone.
    pub fn published_default(&self) -> Decision<Option<PublishedDefault>> {
        let forbidden = self.exceptions.is_empty()
            && RoomClass::ALL.iter().all(|class| self.level(*class) == Level::Forbidden);
        let asked = [RoomClass::Direct, RoomClass::Private];
        let with = |levels: [Level; 2]| asked.into_iter().find(|class| levels.contains(&self.level(*class)));
        let plain = with([Level::Off, Level::Forbidden]).map(|class| (false, class));
        let default = plain.or_else(|| with([Level::On, Level::Required]).map(|class| (true, class)));
        match default {
            Some((default, class)) => Decision::new(
                Some(PublishedDefault { default, force_disable: forbidden }),
                "clients are told the organisation's default",
                self.setting(class),
            ),
            None => Decision::new(None, "clients decide for themselves", self.setting(RoomClass::Private)),
        }
    }

    /// The flags for `unstable_features` of `/versions` which say that the server encrypts rooms made with a
    /// preset. `trusted_private_chat` is what clients use for conversations.
    pub fn forced_presets(&self) -> [(&'static str, bool); 3] {
        let forced = |class| self.level(class) == Level::Required;
        [
            ("io.element.e2ee_forced.public", forced(RoomClass::Public)),
            ("io.element.e2ee_forced.private", forced(RoomClass::Private)),
            ("io.element.e2ee_forced.trusted_private", forced(RoomClass::Direct)),
        ]
    }
}
