//! The part of a room's timeline that an answer carries.
//!
//! Knows nothing of what else an answer tells of the room.

use std::sync::Arc;

use parvis_storage::{
    Direction, EventFlags, EventSn, Position, RoomSn, StateRoot, StorageError, Store, StoredEvent,
};
use ruma::RoomId;

use crate::{
    answer::Timeline,
    filter::EventFilter,
    parts::Parts,
    view::{Reader, ShownEvent},
};

/// How many events are read at a time at least, after the first.
const PIECE: usize = 32;
/// How many pieces are read in search of events that the filter and the history visibility let through.
const PIECES: usize = 16;

/// The part of a timeline that is told, and what was learned while reading it.
pub(crate) struct Slice {
    pub(crate) timeline: Timeline,
    /// The state after the newest event that was read; `None` where none was.
    pub(crate) newest_root: Option<StateRoot>,
    /// Whether state has changed between the start of the slice and its end.
    pub(crate) state_changed: bool,
    /// The state at the start of the slice, where the room came here from elsewhere at that moment: it follows from
    /// nothing that was here before.
    pub(crate) seam: Option<StateRoot>,
}

/// Where events come from, newest first.
pub(crate) struct Source {
    room: RoomSn,
    after: Position,
    /// Events that were not read yet lie at or before this position.
    before: Position,
    /// The numbers of all events that there are, oldest first, where they are known.
    known: Option<Vec<EventSn>>,
}

impl Source {
    /// The events of a room after one position up to another, whose numbers may be known already.
    pub(crate) fn new(room: RoomSn, after: Position, until: Position, known: Option<Vec<EventSn>>) -> Self {
        Self { room, after, before: until, known }
    }

    /// The next events, newest first; none when there are no more.
    async fn next(&mut self, store: &Store, count: usize) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let events = match &mut self.known {
            Some(known) => {
                let mut newest = known.split_off(known.len().saturating_sub(count));
                newest.reverse();
                store.events(&newest).await?
            }
            None if self.before > self.after => {
                store.timeline(self.room, self.after, self.before, Direction::Backward, count).await?
            }
            None => Vec::new(),
        };
        self.before = match events.last() {
            Some(oldest) if events.len() == count => Position(oldest.position.0 - 1),
            // There are no more.
            _ => self.after,
        };
        Ok(events)
    }
}

/// Reads timelines for one reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slicer<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) reader: Reader,
    /// Which events are wanted.
    pub(crate) filter: &'a EventFilter,
    /// How many events are told at most.
    pub(crate) limit: usize,
}

impl Slicer<'_> {
    /// The newest events that the reader wants and may see, at most as many as they ask for.
    pub(crate) async fn slice(
        &self,
        room_id: &RoomId,
        mut source: Source,
        until: Position,
    ) -> Result<Slice, StorageError> {
        let limit = self.limit;
        let mut newest_root = None;
        let mut state_changed = false;
        // Newest first. One more than is told, to know whether there are more.
        let mut shown: Vec<ShownEvent> = Vec::new();
        let mut ended = false;
        let mut seam = None;
        // Before which event the room's history has a hole.
        let mut hole = None;
        let mut count = limit + 1;
        for _ in 0..PIECES {
            let mut events = source.next(&self.parts.store, count).await?;
            count = count.max(PIECE);
            if let Some(at) = events.iter().position(|event| event.flags.contains(EventFlags::SEAM)) {
                events.truncate(at + 1);
                seam = Some(events[at].state_root);
                source.before = Position(events[at].position.0 - 1);
            }
            ended = events.is_empty();
            if ended {
                break;
            }
            if let Some(behind) = events.iter().position(|event| event.follows_unknown()) {
                // What is older belongs to another stretch, with which the reader would take this for continuous.
                events.truncate(behind + 1);
                hole = events.last().map(|event| Position(event.position.0 - 1));
            }
            newest_root = newest_root.or_else(|| events.first().map(|event| event.room_root));
            state_changed |= events.iter().any(|event| event.flags.contains(EventFlags::MOVES));
            if limit == 0 {
                break;
            }
            shown.extend(self.seen(room_id, events).await?);
            if shown.len() > limit || seam.is_some() || hole.is_some() {
                break;
            }
        }
        seam = seam.filter(|_| limit > 0 && shown.len() <= limit);
        let limited = !ended;
        let start = match (ended, shown.len() > limit, hole) {
            (true, ..) => source.after,
            (false, false, Some(hole)) if limit > 0 => hole,
            (false, false, None) if limit > 0 => source.before,
            (false, ..) => {
                shown.truncate(limit);
                shown.last().map_or(until, |oldest| Position(oldest.event.position.0 - 1))
            }
        };
        shown.reverse();
        Ok(Slice { timeline: Timeline { events: shown, limited, start }, newest_root, state_changed, seam })
    }

    async fn seen(
        &self,
        room_id: &RoomId,
        mut events: Vec<Arc<StoredEvent>>,
    ) -> Result<Vec<ShownEvent>, StorageError> {
        let filter = self.filter;
        if !filter.has_room(room_id) {
            return Ok(Vec::new());
        }
        events.retain(|event| filter.has_event(&event.pdu));
        self.parts.view.show(self.reader, &events).await
    }
}
