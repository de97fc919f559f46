//! What a search asks for, and where in its answers a page begins.

use std::fmt;

use parvis_rooms::StoredEvent;
use parvis_search::TextKind;
use parvis_sync::EventFilter;
use parvis_wire::MatrixError;
use ruma::{
    OwnedRoomId, OwnedUserId, RoomId, UserId,
    api::client::{
        filter::RoomEventFilter,
        search::search_events::v3::{Criteria, GroupingKey, OrderBy, SearchKeys},
    },
};
use serde::Deserialize;

/// How many results a page has if the client does not say, and at most.
const RESULTS: usize = 10;
const MOST_RESULTS: usize = 100;
/// How many neighbours of a result are shown at most, on either side.
const MOST_NEIGHBOURS: usize = 50;

/// What is asked for.
pub(super) struct Asked {
    pub(super) term: String,
    pub(super) kinds: Vec<TextKind>,
    pub(super) by_rank: bool,
    pub(super) limit: usize,
    /// Only in these rooms.
    pub(super) rooms: Option<Vec<OwnedRoomId>>,
    /// Only what these have sent.
    pub(super) senders: Option<Vec<OwnedUserId>>,
    /// What the client wants of all that; the rooms are looked at apart, since those come along whose place they took.
    pub(super) filter: EventFilter,
    pub(super) neighbours: Option<Neighbours>,
    pub(super) with_state: bool,
    pub(super) group_by: Vec<GroupBy>,
    /// Where the page begins.
    pub(super) from: Option<Batch>,
}

/// Which neighbours of a result are shown.
pub(super) struct Neighbours {
    pub(super) before: usize,
    pub(super) after: usize,
    pub(super) with_profiles: bool,
}

/// By what results are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupBy {
    Room,
    Sender,
}

/// A group of results.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Room(OwnedRoomId),
    Sender(OwnedUserId),
}

/// Where a page begins, as clients carry it around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) at: At,
    /// Only results of this group.
    pub(super) group: Option<Group>,
}

/// A place among the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// Before the result with this time and place: in order of time.
    Before(i64, i64),
    /// Behind so many results: in order of rank.
    Behind(usize),
}

impl Asked {
    /// Reads what is asked for. `body` is the request as it came.
    pub(super) fn new(
        criteria: &Criteria,
        next_batch: Option<&str>,
        body: &[u8],
    ) -> Result<Self, MatrixError> {
        let limit =
            criteria.filter.limit.map(|limit| usize::try_from(u64::from(limit)).unwrap_or(usize::MAX));
        let count = |limit: ruma::UInt| usize::try_from(u64::from(limit)).unwrap_or(usize::MAX);
        let context = &criteria.event_context;
        let neighbours = asks_for_context(body).then(|| Neighbours {
            before: count(context.before_limit).min(MOST_NEIGHBOURS),
            after: count(context.after_limit).min(MOST_NEIGHBOURS),
            with_profiles: context.include_profile,
        });
        let by_rank = match &criteria.order_by {
            None | Some(OrderBy::Rank) => true,
            Some(OrderBy::Recent) => false,
            Some(_) => return Err(MatrixError::invalid_param("`order_by` is `rank` or `recent`")),
        };
        let from = next_batch.map(Batch::parse).transpose()?;
        if from.as_ref().is_some_and(|from| matches!(from.at, At::Behind(_)) != by_rank) {
            return Err(MatrixError::invalid_param("`next_batch` is of a search in another order"));
        }
        Ok(Self {
            term: criteria.search_term.clone(),
            kinds: kinds(criteria.keys.as_deref())?,
            by_rank,
            limit: limit.unwrap_or(RESULTS).clamp(1, MOST_RESULTS),
            rooms: criteria.filter.rooms.clone(),
            senders: criteria.filter.senders.clone(),
            filter: everywhere(&criteria.filter),
            neighbours,
            with_state: criteria.include_state == Some(true),
            group_by: group_by(criteria)?,
            from,
        })
    }
}

/// The filter without the rooms that it names.
fn everywhere(filter: &RoomEventFilter) -> EventFilter {
    let mut filter = filter.clone();
    filter.rooms = None;
    EventFilter::of_room(&filter)
}

fn kinds(keys: Option<&[SearchKeys]>) -> Result<Vec<TextKind>, MatrixError> {
    let Some(keys) = keys.filter(|keys| !keys.is_empty()) else { return Ok(TextKind::ALL.to_vec()) };
    let kind = |key: &SearchKeys| {
        let known = TextKind::ALL.into_iter().find(|kind| kind.key() == key.as_str());
        known
            .ok_or_else(|| MatrixError::invalid_param("`keys` are content.body, content.name, content.topic"))
    };
    keys.iter().map(kind).collect()
}

fn group_by(criteria: &Criteria) -> Result<Vec<GroupBy>, MatrixError> {
    let mut group_by = Vec::new();
    for key in criteria.groupings.group_by.iter().filter_map(|grouping| grouping.key.as_ref()) {
        let by = match key {
            GroupingKey::RoomId => GroupBy::Room,
            GroupingKey::Sender => GroupBy::Sender,
            _ => return Err(MatrixError::invalid_param("results are grouped by `room_id` or `sender`")),
        };
        if !group_by.contains(&by) {
            group_by.push(by);
        }
    }
    Ok(group_by)
}

/// Whether the client asks for the surroundings of results: only where it says how many it wants, even if these are
/// as many as nobody says.
fn asks_for_context(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Body {
        search_categories: Categories,
    }
    #[derive(Deserialize)]
    struct Categories {
        room_events: Option<RoomEvents>,
    }
    #[derive(Deserialize)]
    struct RoomEvents {
        event_context: Option<serde::de::IgnoredAny>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    body.and_then(|body| body.search_categories.room_events)
        .is_some_and(|events| events.event_context.is_some())
}

impl GroupBy {
    /// The name that it has in requests and answers.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Room => "room_id",
            Self::Sender => "sender",
        }
    }

    /// The group in which an event is.
    pub(super) fn group_of(self, event: &StoredEvent) -> Group {
        match self {
            Self::Room => Group::Room(event.pdu.owned_room_id().clone()),
            Self::Sender => Group::Sender(event.pdu.owned_sender().clone()),
        }
    }
}

impl Group {
    /// What all its results have in common.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Room(room_id) => room_id.as_str(),
            Self::Sender(user_id) => user_id.as_str(),
        }
    }

    /// Whether an event is in it.
    pub(super) fn has(&self, event: &StoredEvent) -> bool {
        match self {
            Self::Room(room_id) => event.pdu.room_id() == room_id,
            Self::Sender(user_id) => event.pdu.sender() == user_id,
        }
    }
}

impl Batch {
    fn parse(text: &str) -> Result<Self, MatrixError> {
        let bad = || MatrixError::invalid_param("`next_batch` is no token of this server");
        let (at, group) = text.split_once('.').map_or((text, None), |(at, group)| (at, Some(group)));
        let at = At::parse(at).ok_or_else(bad)?;
        let group = group.map(|group| Group::parse(group).ok_or_else(bad)).transpose()?;
        Ok(Self { at, group })
    }
}

impl At {
    fn parse(text: &str) -> Option<Self> {
        if let Some(behind) = text.strip_prefix('k') {
            return behind.parse().ok().map(Self::Behind);
        }
        let (ts, place) = text.strip_prefix('n')?.split_once('_')?;
        Some(Self::Before(ts.parse().ok()?, place.parse().ok()?))
    }
}

impl Group {
    fn parse(text: &str) -> Option<Self> {
        match text.split_at_checked(1)? {
            ("r", room_id) => RoomId::parse(room_id).ok().map(Self::Room),
            ("u", user_id) => UserId::parse(user_id).ok().map(Self::Sender),
            _ => None,
        }
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            At::Before(ts, place) => write!(formatter, "n{ts}_{place}")?,
            At::Behind(results) => write!(formatter, "k{results}")?,
        }
        match &self.group {
            None => Ok(()),
            Some(Group::Room(room_id)) => write!(formatter, ".r{room_id}"),
            Some(Group::Sender(user_id)) => write!(formatter, ".u{user_id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::{owned_room_id, owned_user_id};

    use super::*;

    #[test]
    fn batch_is_read_as_it_was_written() {
        let groups = [
            None,
            Some(Group::Room(owned_room_id!("!r.x:y.z"))),
            Some(Group::Sender(owned_user_id!("@a.b:c.d"))),
        ];
        for at in [At::Before(1_700_000_000_000, -5), At::Behind(30)] {
            for group in groups.clone() {
                let batch = Batch { at, group };
                assert_eq!(Batch::parse(&batch.to_string()).unwrap(), batch);
            }
        }
        for text in ["", "n", "n1", "k-1", "x1_2", "k1.", "k1.r@a:b", "n1_2.x"] {
            assert!(Batch::parse(text).is_err(), "{text}");
        }
    }
}
