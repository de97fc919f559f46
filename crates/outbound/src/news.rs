//! What passes, and is told by those who know it: typing and presence.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{RoomSn, UserSn};
use ruma::{OwnedServerName, ServerName, api::federation::transactions::edu::PresenceUpdate};

/// Servers forget that somebody is typing: how often those who go on are told of again.
const REPEAT_TYPING: Duration = Duration::from_secs(20);
/// How much may wait to be looked at.
const MOST: usize = 10_000;

/// What was told and not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct News {
    typing: Vec<(RoomSn, UserSn, bool)>,
    presence: HashMap<UserSn, PresenceUpdate>,
    heard_from: BTreeSet<OwnedServerName>,
    /// When it was last told of those who are typing.
    told: HashMap<(RoomSn, UserSn), Timestamp>,
}

/// What is looked at now.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Who types where, or does not any more, in order.
    pub(crate) typing: Vec<(RoomSn, UserSn, bool)>,
    /// Who is there.
    pub(crate) presence: HashMap<UserSn, PresenceUpdate>,
    /// The servers that have called us.
    pub(crate) heard_from: BTreeSet<OwnedServerName>,
}

impl News {
    /// Notes that a user types, or goes on to, or does not any more. Says whether that is news.
    pub(crate) fn add_typing(&mut self, room: RoomSn, user: UserSn, typing: bool, now: Timestamp) -> bool {
        let told = self.told.get(&(room, user)).copied();
        let is_news = match told {
            Some(told) => !typing || now.since(told) >= REPEAT_TYPING,
            None => typing,
        };
        if !is_news || self.typing.len() >= MOST {
            return false;
        }
        if typing {
            self.told.insert((room, user), now);
        } else {
            self.told.remove(&(room, user));
        }
        self.typing.push((room, user, typing));
        true
    }

    /// Notes a user's presence.
    pub(crate) fn add_presence(&mut self, user: UserSn, update: PresenceUpdate) {
        if self.presence.len() < MOST || self.presence.contains_key(&user) {
            self.presence.insert(user, update);
        }
    }

    /// Notes that a server has called us. Says whether that is news.
    pub(crate) fn hear_from(&mut self, server: &ServerName) -> bool {
        let is_news = self.heard_from.len() < MOST && !self.heard_from.contains(server);
        if is_news {
            self.heard_from.insert(server.to_owned());
        }
        is_news
    }

    /// Takes what is to be looked at.
    pub(crate) fn take(&mut self) -> Taken {
        Taken {
            typing: std::mem::take(&mut self.typing),
            presence: std::mem::take(&mut self.presence),
            heard_from: std::mem::take(&mut self.heard_from),
        }
    }
}
