//! Reading what was said: pages of the timeline, an event and its surroundings, relations and threads.
//!
//! What is found here is not yet fit for a reader: which of the events they may see, and what is said beside
//! each, is decided by the `view` of `sync`.

use std::sync::Arc;

use parvis_events::Membership;
use parvis_storage::{Direction, EventSn, Place, Position, RoomSn, StateRoot, StoredEvent};
use ruma::{EventId, RoomId};

use crate::{Actor, RoomError, Rooms};

/// A place in a room's history, as clients carry it around: `s` and a position, or `t` and a place that is behind
/// no position.
///
/// The tokens of sync begin in the same way, and can be used as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryToken(pub Place);

impl HistoryToken {
    /// Reads a token; what sync adds behind the position does not matter here.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(place) = text.strip_prefix('t') {
            return place.parse().ok().map(|place| Self(Place(place)));
        }
        let digits = text.strip_prefix('s')?;
        let end =
            digits.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(digits.len());
        digits[..end].parse().ok().map(|position| Self(Place::behind(Position(position))))
    }

    /// The last position that lies before it.
    pub fn position(self) -> Position {
        self.0.position()
    }
}

impl std::fmt::Display for HistoryToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Place::behind(self.position()) == self.0 {
            true => write!(formatter, "s{}", self.position().0),
            false => write!(formatter, "t{}", self.0.0),
        }
    }
}

/// A page of a room's timeline.
#[derive(Clone, Debug)]
pub struct MessagesPage {
    /// The events, in the direction asked for.
    pub events: Vec<Arc<StoredEvent>>,
    /// Where the page begins.
    pub start: HistoryToken,
    /// Where the next page begins; nothing if this one is empty.
    pub end: Option<HistoryToken>,
}

/// An event among its neighbours.
#[derive(Clone, Debug)]
pub struct Context {
    /// The event.
    pub event: Arc<StoredEvent>,
    /// What came before it, newest first.
    pub before: Vec<Arc<StoredEvent>>,
    /// What came after it, oldest first.
    pub after: Vec<Arc<StoredEvent>>,
    /// A token to page back from.
    pub start: HistoryToken,
    /// A token to page on from.
    pub end: HistoryToken,
    /// The state at the last of these events.
    pub state_root: StateRoot,
    /// The room.
    pub room: RoomSn,
}

/// Which children of an event are wanted.
#[derive(Clone, Debug, Default)]
pub struct RelationsQuery {
    /// Only this relation type.
    pub relation_type: Option<String>,
    /// Only this event type.
    pub kind: Option<String>,
    /// Where to begin.
    pub from: Option<HistoryToken>,
    /// Where to stop.
    pub to: Option<HistoryToken>,
    /// Oldest first instead of newest first.
    pub forward: bool,
    /// How many at most.
    pub limit: usize,
    /// Whether children of children are wanted too, up to three deep.
    pub recurse: bool,
}

const DEPTH: usize = 3;
/// How many empty pages in a row say that somebody may still know what came before, until the last one says that
/// nobody does. Fetched events stand further apart than this.
const EMPTY_PAGES: i64 = 8;
impl Rooms {
    /// A page of the timeline. Backwards, what is missing is fetched from others; where one of them may have it but
    /// does not answer, the page is empty and has an end to go on from, a few times.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] for who may read nothing of the room.
    pub async fn messages(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        from: Option<HistoryToken>,
        to: Option<HistoryToken>,
        direction: Direction,
        limit: usize,
    ) -> Result<MessagesPage, RoomError> {
        let room = self.find_readable(room_id).await?;
        let last = self.last_readable(actor, room).await?;
        let (start, after, until) = match direction {
            Direction::Backward => {
                let start = from.map_or(last, |from| from.0.min(last));
                (start, to.map_or(Place::BEGINNING, |to| to.0), start)
            }
            Direction::Forward => {
                let start = from.map_or(Place::BEGINNING, |from| from.0);
                (start, start, to.map_or(last, |to| to.0.min(last)))
            }
        };
        let mut events = self.store.history(room, after, until, direction, limit).await?;
        let mut is_open = false;
        if direction == Direction::Backward {
            let low = events.last().filter(|_| events.len() == limit).map_or(after, |last| last.place);
            // What is missing below the last event before this page is looked for here; also again, after as many
            // empty pages as the token has gone down meanwhile.
            let high = Place(until.0.saturating_add(EMPTY_PAGES));
            let filled = self.fill_holes(room, low, high).await?;
            is_open = filled.is_open;
            if filled.any {
                events = self.store.history(room, after, until, direction, limit).await?;
            }
        }
        let end = events.last().map(|last| match direction {
            Direction::Backward => HistoryToken(Place(last.place.0 - 1)),
            Direction::Forward => HistoryToken(last.place),
        });
        let end = match end {
            // What is missing cannot be had just now; that it is the end must not be said. The token goes on, so
            // that nobody asks in a circle for ever.
            None if is_open => Some(HistoryToken(Place(start.0.saturating_sub(1)))),
            end => end,
        };
        Ok(MessagesPage { events, start: HistoryToken(start), end })
    }

    /// Up to where a user may read a room: everything for members and where it is world-readable, else the
    /// departure.
    async fn last_readable(&self, actor: &Actor, room: RoomSn) -> Result<Place, RoomError> {
        self.readable_root(actor.user, room).await?;
        let member = self.store.member(actor.user, room).await?;
        let left = member.filter(|member| matches!(member.membership, Membership::Leave | Membership::Ban));
        let newest = Place::behind(self.store.head());
        let Some(left) = left else { return Ok(newest) };
        let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
        let event = self.store.event(left.event).await?;
        match self.readable_root(actor.user, room).await? == head.state_root
            && event.room_root != head.state_root
        {
            true => Ok(newest),
            false => Ok(Place::behind(left.position)),
        }
    }

    /// An event of a room.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if it is not there, or never was accepted.
    pub async fn event(&self, room_id: &RoomId, event_id: &EventId) -> Result<Arc<StoredEvent>, RoomError> {
        let missing = RoomError::NotFound("there is no such event in this room");
        let Some(room) = self.store.room_sn(room_id).await? else { return Err(missing) };
        let event = self.store.event_by_id(event_id).await?;
        event.filter(|event| event.room == room && event.is_shown()).ok_or(missing)
    }

    /// An event of which only the id is known. Whether somebody may see it is not looked at.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] if there is none.
    pub async fn event_of_any_room(&self, event_id: &EventId) -> Result<Arc<StoredEvent>, RoomError> {
        let event = self.store.event_by_id(event_id).await?;
        event.filter(|event| event.is_shown()).ok_or(RoomError::NotFound("there is no such event"))
    }

    /// An event with up to `limit` others around it.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub async fn context(
        &self,
        room_id: &RoomId,
        event_id: &EventId,
        limit: usize,
    ) -> Result<Context, RoomError> {
        let event = self.event(room_id, event_id).await?;
        self.context_of(event, limit / 2, limit - limit / 2).await
    }

    /// An event of a room with up to so many others before and after it.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn context_of(
        &self,
        event: Arc<StoredEvent>,
        before: usize,
        after: usize,
    ) -> Result<Context, RoomError> {
        let (room, here) = (event.room, event.place);
        let back = Place(here.0 - 1);
        let before = self.store.history(room, Place::BEGINNING, back, Direction::Backward, before).await?;
        let head = Place::behind(self.store.head());
        let after = self.store.history(room, here, head, Direction::Forward, after).await?;
        let start = before.last().map_or(back, |first| Place(first.place.0 - 1));
        let last = after.last().unwrap_or(&event);
        let (end, state_root) = (last.place, last.room_root);
        Ok(Context {
            before,
            after,
            start: HistoryToken(start),
            end: HistoryToken(end),
            state_root,
            room,
            event,
        })
    }

    /// The children of an event, and where the next page begins.
    ///
    /// # Errors
    /// As [`event`](Self::event).
    pub async fn relations(
        &self,
        room_id: &RoomId,
        parent: &EventId,
        query: &RelationsQuery,
    ) -> Result<(Vec<Arc<StoredEvent>>, Option<HistoryToken>), RoomError> {
        let parent = self.event(room_id, parent).await?;
        let mut children = self.children(&parent, query).await?;
        children.sort_by_key(|child| child.place);
        if !query.forward {
            children.reverse();
        }
        let from =
            query.from.map_or(if query.forward { Place::BEGINNING } else { Place::END }, |token| token.0);
        let to = query.to.map_or(if query.forward { Place::END } else { Place::BEGINNING }, |token| token.0);
        let is_wanted = |place: Place| match query.forward {
            true => place > from && place <= to,
            false => place <= from && place > to,
        };
        children.retain(|child| is_wanted(child.place));
        let more = children.len() > query.limit;
        children.truncate(query.limit);
        let next = children.last().filter(|_| more).map(|last| match query.forward {
            true => HistoryToken(last.place),
            false => HistoryToken(Place(last.place.0 - 1)),
        });
        Ok((children, next))
    }

    async fn children(
        &self,
        parent: &StoredEvent,
        query: &RelationsQuery,
    ) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let mut found: Vec<Arc<StoredEvent>> = Vec::new();
        let mut parents = vec![parent.pdu.owned_event_id().clone()];
        for depth in 0..if query.recurse { DEPTH } else { 1 } {
            let targets: Vec<&EventId> = parents.iter().map(|id| &**id).collect();
            let relations = self.store.relations(&targets).await?;
            let matching = |kind: &str| query.relation_type.as_deref().is_none_or(|wanted| wanted == kind);
            // Children of children count whatever their relation is.
            let relations = relations.into_iter().filter(|child| depth > 0 || matching(&child.relation_type));
            let sns: Vec<EventSn> = relations.map(|child| child.event).collect();
            let children = self.store.events(&sns).await?;
            parents = children.iter().map(|child| child.pdu.owned_event_id().clone()).collect();
            found.extend(children.into_iter().filter(|child| child.room == parent.room));
            if parents.is_empty() {
                break;
            }
        }
        found.retain(|child| query.kind.as_deref().is_none_or(|wanted| wanted == child.pdu.kind()));
        Ok(found)
    }

    /// The roots of a room's threads, those with the newest replies first, and where the next page begins.
    pub async fn threads(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        from: Option<HistoryToken>,
        limit: usize,
    ) -> Result<(Vec<Arc<StoredEvent>>, Option<HistoryToken>), RoomError> {
        let room = self.find_readable(room_id).await?;
        self.readable_root(actor.user, room).await?;
        let before = from.map_or(Place::END, |token| token.0);
        let roots = self.store.threads(room, before, limit + 1).await?;
        let next = (roots.len() > limit).then(|| HistoryToken(roots[limit - 1].latest));
        let mut events = Vec::with_capacity(roots.len());
        for root in roots.iter().take(limit) {
            if let Some(event) = self.store.event_by_id(&root.root).await?.filter(|event| event.room == room)
            {
                events.push(event);
            }
        }
        Ok((events, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_of_sync_is_understood() {
        assert_eq!(HistoryToken::parse("s12_3_7"), Some(HistoryToken(Place::behind(Position(12)))));
        assert_eq!(HistoryToken::parse("s-5"), Some(HistoryToken(Place::behind(Position(-5)))));
        assert_eq!(HistoryToken::parse("x12"), None);
        assert_eq!(HistoryToken::parse("s"), None);
        assert_eq!(HistoryToken(Place::behind(Position(12))).to_string(), "s12");
        let between = HistoryToken(Place(Place::of(Position(12)).0 - 16));
        assert_eq!(HistoryToken::parse(&between.to_string()), Some(between));
    }
}
