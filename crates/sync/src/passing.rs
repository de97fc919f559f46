//! What passes: typing and presence, for those who tell other servers of it.

use parvis_storage::{RoomSn, UserSn};
use tokio::sync::broadcast;

use crate::answer::PresenceUpdate;

/// How much may wait for those who listen. Who is slower misses some.
const WAITING: usize = 1_024;

/// Something that passed.
#[derive(Clone, Debug)]
pub enum Passing {
    /// A user types in a room, or goes on to, or does not any more.
    Typing {
        /// The room.
        room: RoomSn,
        /// The user, of this server or another.
        user: UserSn,
        /// Whether the user types.
        typing: bool,
    },
    /// The presence of a user of this server has changed.
    Presence {
        /// The user.
        user: UserSn,
        /// What others are told.
        update: PresenceUpdate,
    },
}

/// Tells those who listen.
#[derive(Debug)]
pub(crate) struct Teller(broadcast::Sender<Passing>);

impl Teller {
    /// Nobody listens yet.
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }

    /// Listens from now on.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Passing> {
        self.0.subscribe()
    }

    /// Tells those who listen, if anybody does.
    pub(crate) fn tell(&self, passing: Passing) {
        let _ = self.0.send(passing);
    }

    /// Tells whether a user types in a room.
    pub(crate) fn typing(&self, room: RoomSn, user: UserSn, typing: bool) {
        self.tell(Passing::Typing { room, user, typing });
    }
}
