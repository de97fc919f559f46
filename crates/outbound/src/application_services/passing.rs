//! What is soon stale, and waits to be told to application services: typing and presence. Pure; kept in memory alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parvis_storage::{RoomSn, UserSn};
use serde_json::Value;

/// How many rooms and users may wait for one service. What comes beyond that is not told.
const MOST_WAITING: usize = 1_000;

/// What waits, for each service that wants it.
#[derive(Debug)]
pub(super) struct Passing {
    /// Who types where.
    typing: HashMap<RoomSn, BTreeSet<UserSn>>,
    waiting: HashMap<String, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    typing: BTreeSet<RoomSn>,
    presence: BTreeMap<UserSn, Value>,
}

/// What one service is to be told.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The rooms in which typing has changed, with all who type there.
    pub(super) typing: Vec<(RoomSn, Vec<UserSn>)>,
    /// Whose presence has changed, and the content of the event.
    pub(super) presence: Vec<(UserSn, Value)>,
}

impl Passing {
    /// Nothing, for these services.
    pub(super) fn new(services: impl IntoIterator<Item = String>) -> Self {
        let waiting = services.into_iter().map(|service| (service, Waiting::default())).collect();
        Self { typing: HashMap::new(), waiting }
    }

    /// Notes that somebody types, or does not any more; gives the services to tell.
    pub(super) fn add_typing(&mut self, room: RoomSn, user: UserSn, typing: bool) -> Vec<String> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let users = self.typing.entry(room).or_default();
        let changed = if typing { users.insert(user) } else { users.remove(&user) };
        if users.is_empty() {
            self.typing.remove(&room);
        }
        if !changed {
            return Vec::new();
        }
        self.note(|waiting| {
            if waiting.typing.len() < MOST_WAITING {
                waiting.typing.insert(room);
            }
        })
    }

    /// Notes somebody's presence; gives the services to tell.
    pub(super) fn add_presence(&mut self, user: UserSn, content: Value) -> Vec<String> {
        self.note(|waiting| {
            if waiting.presence.len() < MOST_WAITING {
                waiting.presence.insert(user, content.clone());
            }
        })
    }

    /// What waits for a service; it waits no more.
    pub(super) fn take(&mut self, service: &str) -> Taken {
        let Some(waiting) = self.waiting.get_mut(service) else { return Taken::default() };
        let Waiting { typing, presence } = std::mem::take(waiting);
        let users = |room: &RoomSn| self.typing.get(room).map(|users| users.iter().copied().collect());
        Taken {
            typing: typing.into_iter().map(|room| (room, users(&room).unwrap_or_default())).collect(),
            presence: presence.into_iter().collect(),
        }
    }

    fn note(&mut self, mut add: impl FnMut(&mut Waiting)) -> Vec<String> {
        self.waiting
            .iter_mut()
            .map(|(service, waiting)| {
                add(waiting);
                service.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROOM: RoomSn = RoomSn(1);

    #[test]
    fn service_is_told_who_types_now_and_once() {
        let mut passing = Passing::new(["irc".to_owned()]);
        assert_eq!(passing.add_typing(ROOM, UserSn(1), true), ["irc"]);
        assert_eq!(passing.add_typing(ROOM, UserSn(1), true), [""; 0], "going on is no news");
        passing.add_typing(ROOM, UserSn(2), true);
        passing.add_typing(ROOM, UserSn(1), false);
        assert_eq!(passing.take("irc").typing, [(ROOM, vec![UserSn(2)])]);
        assert!(passing.take("irc").typing.is_empty());
        passing.add_typing(ROOM, UserSn(2), false);
        assert_eq!(passing.take("irc").typing, [(ROOM, vec![])]);
    }

    #[test]
    fn newest_presence_counts() {
        let mut passing = Passing::new(["irc".to_owned()]);
        passing.add_presence(UserSn(1), json!({ "presence": "online" }));
        passing.add_presence(UserSn(1), json!({ "presence": "offline" }));
        assert_eq!(passing.take("irc").presence, [(UserSn(1), json!({ "presence": "offline" }))]);
    }

    #[test]
    fn nothing_is_kept_where_nobody_wants_it() {
        let mut passing = Passing::new([]);
        assert!(passing.add_typing(ROOM, UserSn(1), true).is_empty());
        assert!(passing.typing.is_empty() && passing.take("irc").typing.is_empty());
    }
}
