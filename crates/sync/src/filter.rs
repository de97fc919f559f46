//! Filters: which events, rooms and data a client wants
//! (<https://spec.matrix.org/v1.19/client-server-api/#filtering>).
//!
//! Made once from the definition that the client sent or stored, then asked for each event.

use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use parvis_events::Pdu;
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    api::client::filter::{
        EventFormat, Filter as DataFilter, FilterDefinition, LazyLoadOptions, RoomEventFilter, UrlFilter,
    },
};
use serde::{Deserialize, de::IgnoredAny};

/// How many timeline events a room gives where the client does not say.
const DEFAULT_LIMIT: usize = 10;
/// How many timeline events a room gives at most.
const GREATEST_LIMIT: usize = 1_000;

/// What a client wants of a sync.
#[derive(Clone, Debug)]
pub struct Filter {
    /// The rooms that are wanted at all.
    pub(crate) rooms: Names<OwnedRoomId>,
    /// Whether a first sync tells of rooms that the user has left.
    pub(crate) include_leave: bool,
    pub(crate) timeline: EventFilter,
    pub(crate) state: EventFilter,
    pub(crate) ephemeral: EventFilter,
    pub(crate) room_account_data: EventFilter,
    pub(crate) account_data: EventFilter,
    pub(crate) presence: EventFilter,
    /// Whether memberships are only told of as far as they are needed.
    pub(crate) lazy: Option<LazyMembers>,
    /// Whether what is unread in threads is counted apart.
    pub(crate) thread_counts: bool,
    /// Which fields of events are wanted; all of them where this is `None`.
    pub event_fields: Option<Vec<String>>,
    /// Whether events are wanted in the form in which servers exchange them.
    pub federation_format: bool,
    /// Tells filters apart, for what is remembered of each.
    pub(crate) fingerprint: u64,
}

/// How memberships are loaded lazily.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LazyMembers {
    /// Whether the client wants those again that it has been told of.
    pub(crate) redundant: bool,
}

/// Names that are wanted, save for some that are not.
#[derive(Clone, Debug)]
pub(crate) struct Names<T> {
    wanted: Option<HashSet<T>>,
    unwanted: HashSet<T>,
}

/// Which events of one kind a client wants.
#[derive(Clone, Debug)]
pub struct EventFilter {
    rooms: Names<OwnedRoomId>,
    senders: Names<OwnedUserId>,
    types: Option<Vec<String>>,
    not_types: Vec<String>,
    url: Option<bool>,
    /// How many events are wanted at most.
    pub(crate) limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self::from(&FilterDefinition::default())
    }
}

impl From<&FilterDefinition> for Filter {
    fn from(definition: &FilterDefinition) -> Self {
        let room = &definition.room;
        let lazy = match room.state.lazy_load_options {
            LazyLoadOptions::Enabled { include_redundant_members } => {
                Some(LazyMembers { redundant: include_redundant_members })
            }
            _ => None,
        };
        let mut fingerprint = DefaultHasher::new();
        // What was read from JSON can be written as JSON; all that could not would share one fingerprint.
        serde_json::to_string(definition).unwrap_or_default().hash(&mut fingerprint);
        Self {
            rooms: Names::new(room.rooms.as_deref(), &room.not_rooms),
            include_leave: room.include_leave,
            timeline: EventFilter::of_room(&room.timeline),
            state: EventFilter::of_room(&room.state),
            ephemeral: EventFilter::of_room(&room.ephemeral),
            room_account_data: EventFilter::of_room(&room.account_data),
            account_data: EventFilter::of_data(&definition.account_data),
            presence: EventFilter::of_data(&definition.presence),
            lazy,
            thread_counts: room.timeline.unread_thread_notifications,
            event_fields: definition.event_fields.clone(),
            federation_format: definition.event_format == EventFormat::Federation,
            fingerprint: fingerprint.finish(),
        }
    }
}

impl<T: std::hash::Hash + Eq + Clone> Names<T> {
    fn new(wanted: Option<&[T]>, unwanted: &[T]) -> Self {
        Self {
            wanted: wanted.map(|names| names.iter().cloned().collect()),
            unwanted: unwanted.iter().cloned().collect(),
        }
    }

    /// Whether a name is wanted. Being unwanted weighs more.
    pub(crate) fn has<Q: std::hash::Hash + Eq + ?Sized>(&self, name: &Q) -> bool
    where
        T: std::borrow::Borrow<Q>,
    {
        !self.unwanted.contains(name) && self.wanted.as_ref().is_none_or(|wanted| wanted.contains(name))
    }
}

impl EventFilter {
    /// The filter of a request for the events of rooms.
    pub fn of_room(filter: &RoomEventFilter) -> Self {
        Self {
            rooms: Names::new(filter.rooms.as_deref(), &filter.not_rooms),
            senders: Names::new(filter.senders.as_deref(), &filter.not_senders),
            types: filter.types.clone(),
            not_types: filter.not_types.clone(),
            url: filter.url_filter.map(|filter| matches!(filter, UrlFilter::EventsWithUrl)),
            limit: limit(filter.limit),
        }
    }

    fn of_data(filter: &DataFilter) -> Self {
        Self {
            rooms: Names::new(None, &[]),
            senders: Names::new(filter.senders.as_deref(), &filter.not_senders),
            types: filter.types.clone(),
            not_types: filter.not_types.clone(),
            url: None,
            limit: limit(filter.limit),
        }
    }

    /// Whether an event passes.
    pub fn wants(&self, pdu: &Pdu) -> bool {
        self.has_room(pdu.room_id()) && self.has_event(pdu)
    }

    /// Whether anything of a room can pass.
    pub(crate) fn has_room(&self, room: &RoomId) -> bool {
        self.rooms.has(room)
    }

    /// Whether an event of a room passes, the room apart.
    pub(crate) fn has_event(&self, pdu: &Pdu) -> bool {
        self.has_type(pdu.kind()) && self.senders.has(pdu.sender()) && self.has_url(pdu)
    }

    /// Whether data of a type, sent by somebody, passes.
    pub(crate) fn has(&self, kind: &str, sender: &UserId) -> bool {
        self.has_type(kind) && self.senders.has(sender)
    }

    /// Whether a type passes.
    pub(crate) fn has_type(&self, kind: &str) -> bool {
        let matches = |patterns: &[String]| patterns.iter().any(|pattern| glob(pattern, kind));
        !matches(&self.not_types) && self.types.as_deref().is_none_or(matches)
    }

    fn has_url(&self, pdu: &Pdu) -> bool {
        #[derive(Deserialize)]
        struct Content {
            url: Option<IgnoredAny>,
        }
        self.url.is_none_or(|wanted| {
            pdu.content_as::<Content>().is_ok_and(|content| content.url.is_some()) == wanted
        })
    }
}

fn limit(wanted: Option<ruma::UInt>) -> usize {
    let wanted = wanted.map(|limit| usize::try_from(u64::from(limit)).unwrap_or(usize::MAX));
    wanted.unwrap_or(DEFAULT_LIMIT).min(GREATEST_LIMIT)
}

/// Whether a text matches a pattern in which `*` stands for any text. Takes time proportional to both.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.len() >= tail.len() && text.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::*;

    fn filter(json: serde_json::Value) -> Filter {
        Filter::from(&serde_json::from_value::<FilterDefinition>(json).unwrap())
    }

    #[test]
    fn star_stands_for_any_text() {
        let cases = [
            ("m.room.message", "m.room.message", true),
            ("m.room.*", "m.room.message", true),
            ("m.room.*", "m.reaction", false),
            ("*", "", true),
            ("*.message", "m.room.message", true),
            ("m*ss*e", "m.room.message", true),
            ("m*ab", "m.a", false),
            ("a*a", "a", false),
            ("m.room.?", "m.room.x", false),
        ];
        for (pattern, text, matches) in cases {
            assert_eq!(glob(pattern, text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn unwanted_type_weighs_more_than_a_wanted_one() {
        let filter = filter(serde_json::json!({
            "account_data": { "types": ["m.*"], "not_types": ["m.push_rules"], "senders": ["@a:x"] },
        }));
        let data = &filter.account_data;
        assert!(data.has_type("m.direct") && !data.has_type("m.push_rules") && !data.has_type("im.vector"));
        assert!(data.has("m.direct", user_id!("@a:x")) && !data.has("m.direct", user_id!("@b:x")));
    }

    #[test]
    fn limits_have_a_default_and_a_bound() {
        let limit = |limit: serde_json::Value| {
            filter(serde_json::json!({ "room": { "timeline": limit } })).timeline.limit
        };
        assert_eq!(limit(serde_json::json!({})), 10);
        assert_eq!(limit(serde_json::json!({ "limit": 0 })), 0);
        assert_eq!(limit(serde_json::json!({ "limit": 1_000_000 })), 1_000);
    }

    #[test]
    fn empty_list_of_types_wants_nothing() {
        let filter = filter(serde_json::json!({ "room": { "state": { "types": [] } } }));
        assert!(!filter.state.has_type("m.room.name"));
        assert!(filter.timeline.has_type("m.room.name"));
    }
}
