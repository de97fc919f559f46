//! Which events of a page a client wants.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#filtering>

use parvis_rooms::StoredEvent;
use ruma::api::client::filter::{LazyLoadOptions, RoomEventFilter, UrlFilter};

/// The filter of one request.
#[derive(Debug)]
pub(crate) struct EventFilter<'a>(&'a RoomEventFilter);

impl<'a> EventFilter<'a> {
    /// The filter that a request carries.
    pub(crate) fn new(filter: &'a RoomEventFilter) -> Self {
        Self(filter)
    }

    /// Whether the members that matter for a page are wanted beside it.
    pub(crate) fn lazy_load_members(&self) -> bool {
        matches!(self.0.lazy_load_options, LazyLoadOptions::Enabled { .. })
    }

    /// Whether an event passes. What is excluded stays out even if it is also included.
    pub(crate) fn wants(&self, event: &StoredEvent) -> bool {
        let (filter, pdu) = (self.0, &event.pdu);
        let is_type = |pattern: &String| matches_type(pattern, pdu.kind());
        let is_sender = |user: &ruma::OwnedUserId| pdu.sender() == user;
        let is_room = |room: &ruma::OwnedRoomId| pdu.room_id() == room;
        !filter.not_types.iter().any(is_type)
            && !filter.not_senders.iter().any(is_sender)
            && !filter.not_rooms.iter().any(is_room)
            && filter.types.as_ref().is_none_or(|types| types.iter().any(is_type))
            && filter.senders.as_ref().is_none_or(|senders| senders.iter().any(is_sender))
            && filter.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(is_room))
            && filter
                .url_filter
                .as_ref()
                .is_none_or(|wanted| (*wanted == UrlFilter::EventsWithUrl) == has_url(event))
    }
}

fn has_url(event: &StoredEvent) -> bool {
    #[derive(serde::Deserialize)]
    struct Content {
        #[serde(default)]
        url: Option<serde_json::Value>,
    }
    event.pdu.content_as::<Content>().is_ok_and(|content| content.url.is_some_and(|url| url.is_string()))
}

/// Whether an event type matches a pattern in which `*` stands for any text.
fn matches_type(pattern: &str, kind: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == kind };
    let Some(mut kind) = kind.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or(("", rest), |(middle, end)| (middle, end));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match kind.find(part) {
            Some(index) => kind = &kind[index + part.len()..],
            None => return false,
        }
    }
    kind.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_in_a_type_stands_for_any_text() {
        let table = [
            ("m.room.message", "m.room.message", true),
            ("m.room.message", "m.room.messages", false),
            ("m.room.*", "m.room.name", true),
            ("*", "anything", true),
            ("*.name", "m.room.name", true),
            ("m.*.name", "m.room.name", true),
            ("m.*room*.name", "m.x.room.y.name", true),
            ("m.room.*", "m.rooms", false),
            ("a*a", "a", false),
        ];
        for (pattern, kind, expected) in table {
            assert_eq!(matches_type(pattern, kind), expected, "{pattern} on {kind}");
        }
    }
}
