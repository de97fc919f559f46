//! What is told of one room: everything, or what is new since it was told last.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use parvis_events::Membership;
use parvis_storage::{Member, Position, RoomSn, RoomStanding, StateRoot, StorageError, StoredEvent};
use ruma::{OwnedRoomId, UserId};
use serde::Deserialize;

use super::{
    answer::{Hero, SlidingRoom},
    connections::{RoomMark, Status, ToldMembers},
    news::News,
    request::RoomWanted,
    state::{Changed, StateReader, is_member},
};
use crate::{
    filter::EventFilter,
    parts::Parts,
    timeline::{Slice, Slicer, Source},
    view::{Reader, ShownEvent},
};

/// Tells of rooms, all for one answer.
pub(super) struct Teller<'a> {
    pub(super) parts: &'a Parts,
    pub(super) reader: Reader,
    pub(super) user_id: &'a UserId,
    /// Where the connection stands; `None` at the beginning.
    pub(super) since: Option<Position>,
    /// The end of what is told.
    pub(super) until: Position,
    pub(super) news: &'a News,
    pub(super) directs: Arc<HashSet<OwnedRoomId>>,
    pub(super) standings: HashMap<RoomSn, RoomStanding>,
    pub(super) state: StateReader<'a>,
    pub(super) filter: EventFilter,
}

/// A room that may be told of.
pub(super) struct Candidate {
    pub(super) room: RoomSn,
    pub(super) room_id: OwnedRoomId,
    pub(super) member: Member,
    /// What is wanted of it.
    pub(super) wanted: Arc<RoomWanted>,
    /// In the windows of which lists it is.
    pub(super) lists: BTreeSet<String>,
    /// What was told of it.
    pub(super) mark: Option<RoomMark>,
}

/// What is told of a room, and what has been told with it.
pub(super) type ToldRoom = (SlidingRoom, RoomMark);

/// A part of a room's timeline, and what the client had before.
struct Stretch {
    slice: Slice,
    /// The end of what the client has; `None` if it has nothing.
    from: Option<Position>,
    /// The state at the end.
    end: StateRoot,
    expanded: bool,
}

impl Candidate {
    /// What was told of the room as somebody inside sees it.
    fn mark_inside(&self) -> Option<&RoomMark> {
        self.mark.as_ref().filter(|mark| mark.inside)
    }

    /// Up to where the client has the room as somebody inside sees it.
    fn told_inside(&self, since: Option<Position>) -> Option<Position> {
        self.mark_inside().and_then(|mark| mark.events.told_until(since?))
    }

    /// Up to where anything of the room was told.
    fn told_until(&self, since: Option<Position>) -> Option<Position> {
        self.mark.as_ref().and_then(|mark| mark.events.told_until(since?))
    }

    /// Whether more is wanted of the room than the client has.
    fn wants_more(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| mark.lacks(&self.wanted))
    }

    /// Whether the whole room is told, or more of its state.
    pub(super) fn needs_state(&self) -> bool {
        self.mark_inside().is_none_or(|mark| self.wanted.state.beyond(&mark.state).is_some())
    }
}

impl RoomMark {
    /// Whether more is wanted of the room than was told.
    pub(super) fn lacks(&self, wanted: &RoomWanted) -> bool {
        let more = || wanted.state.beyond(&self.state).is_some();
        self.inside && (wanted.timeline_limit > self.timeline_limit || more())
    }
}

impl Teller<'_> {
    /// What is told of a room; nothing, if nothing of what happened there is for the reader.
    pub(super) async fn tell(
        &self,
        candidate: Candidate,
    ) -> Result<Option<(RoomSn, ToldRoom)>, StorageError> {
        let told = match candidate.member.membership {
            Membership::Join => self.joined(&candidate).await?,
            Membership::Invite | Membership::Knock => self.outside(&candidate).await?,
            Membership::Leave | Membership::Ban => self.left(&candidate).await?,
        };
        let Some((mut room, mark)) = told else { return Ok(None) };
        // Who has seen the room from outside only begins with it now.
        room.initial |= candidate.mark.is_none();
        room.lists = candidate.lists.iter().cloned().collect();
        room.is_dm = self.directs.contains(&candidate.room_id);
        Ok(Some((candidate.room, (room, mark))))
    }

    /// A room in which the user is.
    async fn joined(&self, candidate: &Candidate) -> Result<Option<ToldRoom>, StorageError> {
        let (room, member) = (candidate.room, candidate.member);
        let stretch = self.stretch(candidate).await?;
        let mut told = SlidingRoom::nothing(candidate.room_id.clone(), Membership::Join);
        told.initial = stretch.from.is_none();
        let mark = self.tell_inside(candidate, stretch, &mut told).await?;
        let whole = told.initial || told.expanded;
        if told.counts.is_none() && self.news.may_have_new_members(room) && self.news.events(room).is_some() {
            told.counts = Some(self.parts.store.members_of_room(room).await?.counts());
        }
        let timeline = told.timeline.as_ref();
        let quiet = timeline.is_none_or(|timeline| timeline.events.is_empty() && !timeline.limited)
            && told.state.is_empty()
            && told.gone.is_empty()
            && told.heroes.is_none()
            && told.counts.is_none();
        if quiet && !whole && !self.news.read.contains(&room) {
            return Ok(None);
        }
        let counts = self.parts.unread.counts(self.reader.user, self.user_id, room, self.until).await?;
        told.unread = Some(counts.total());
        let standing = self.standings.get(&room);
        let bumped = standing.map(|standing| standing.bumped).filter(|bumped| *bumped > Position::START);
        told.bump = Some(bumped.unwrap_or(member.position));
        Ok(Some((told, mark)))
    }

    /// The timeline that is told of a room in which the user is.
    async fn stretch(&self, candidate: &Candidate) -> Result<Stretch, StorageError> {
        let (room, member) = (candidate.room, candidate.member);
        let mut from = candidate.told_inside(self.since);
        if let Some(told) = from
            && member.position > told
            && !self.parts.was_joined(room, told, self.user_id).await?
        {
            from = None;
        }
        let limit = candidate.wanted.timeline_limit;
        let expanded =
            from.is_some() && candidate.mark.as_ref().is_some_and(|mark| limit > mark.timeline_limit);
        let after = from.filter(|_| !expanded).unwrap_or(Position::START);
        let known = self.news.events(room).filter(|_| self.since == Some(after));
        let source = Source::new(room, after, self.until, known);
        let slice = self.slicer(limit).slice(&candidate.room_id, source, self.until).await?;
        let end = match slice.newest_root {
            Some(root) => root,
            None => self.parts.root_at(room, self.until).await?,
        };
        Ok(Stretch { slice, from, end, expanded })
    }

    fn slicer(&self, limit: usize) -> Slicer<'_> {
        Slicer { parts: self.parts, reader: self.reader, filter: &self.filter, limit }
    }

    /// Fills in what somebody sees who is or was inside: timeline, state, names.
    async fn tell_inside(
        &self,
        candidate: &Candidate,
        stretch: Stretch,
        told: &mut SlidingRoom,
    ) -> Result<RoomMark, StorageError> {
        let room = candidate.room;
        let Stretch { slice, from, end, expanded } = stretch;
        let timeline = slice.timeline;
        let before = candidate.mark.clone().filter(|_| from.is_some()).unwrap_or_default();
        let changed = match from {
            // What is new on the timeline is all that is new, and no state is among it.
            Some(_) if !slice.state_changed && !timeline.limited && !expanded => Changed::default(),
            Some(from) => {
                let known = self.parts.root_at(room, from).await?;
                self.state.changed(known, end).await?
            }
            None => Changed::default(),
        };
        let gap = from.is_some() && timeline.limited && !expanded;
        let state = self.state_of(candidate, from, end, &changed, (&timeline.events, gap), &before).await?;
        let mut members = Arc::clone(&before.members);
        self.note_members(candidate, &state, &timeline.events, &mut members);
        self.describe(room, end, from.is_none(), &changed, told).await?;
        told.state = match from {
            Some(_) => self.parts.view.show_changed_state(self.reader, &state).await?,
            None => self.parts.view.show_state(self.reader, &state),
        };
        told.live = match self.since {
            Some(since) => timeline.events.iter().filter(|shown| shown.event.position > since).count(),
            None => 0,
        };
        let wanted = &candidate.wanted.state;
        let place = |event: &Arc<StoredEvent>| {
            let key = event.pdu.state_key().unwrap_or_default();
            let is_wanted = wanted.wants(event.pdu.kind(), key, self.user_id);
            is_wanted.then(|| (event.pdu.kind().to_owned(), key.to_owned()))
        };
        told.gone = changed.cleared.iter().filter_map(place).collect();
        told.expanded = expanded;
        let limit = candidate.wanted.timeline_limit;
        let mark = RoomMark {
            inside: true,
            events: Status::Live,
            // Who has more than is wanted now keeps it, until there is a gap.
            timeline_limit: if timeline.limited { limit } else { limit.max(before.timeline_limit) },
            state: Arc::clone(&candidate.wanted.state),
            members,
            ..candidate.mark.clone().unwrap_or_default()
        };
        told.timeline = Some(timeline);
        Ok(mark)
    }

    /// The state events that are told.
    async fn state_of(
        &self,
        candidate: &Candidate,
        from: Option<Position>,
        end: StateRoot,
        changed: &Changed,
        (timeline, gap): (&[ShownEvent], bool),
        before: &RoomMark,
    ) -> Result<Vec<Arc<StoredEvent>>, StorageError> {
        let (room, wanted) = (candidate.room, &candidate.wanted.state);
        let mut events = Vec::new();
        if from.is_none() {
            events = self.state.wanted(room, end, wanted).await?;
        } else {
            events.extend(changed.set.iter().filter_map(|(slot, event)| {
                let key = event.pdu.state_key().unwrap_or_default();
                let is_wanted = wanted.wants(event.pdu.kind(), key, self.user_id);
                // A gap is not told membership by membership: only those that the client has are put right.
                let lazily =
                    wanted.lazy_members && is_member(event) && (!gap || before.members.may_have(*slot));
                (is_wanted || lazily).then(|| Arc::clone(event))
            }));
            if let Some(more) = wanted.beyond(&before.state) {
                events.extend(self.state.wanted(room, end, &more).await?);
            }
        }
        if wanted.lazy_members {
            let known = if before.state.lazy_members { &*before.members } else { &ToldMembers::default() };
            events.extend(self.state.needed_members(room, end, timeline, known).await?);
        }
        let mut seen = HashSet::new();
        events.retain(|event| seen.insert(event.sn));
        events.sort_by_key(|event| event.sn);
        Ok(events)
    }

    fn note_members(
        &self,
        candidate: &Candidate,
        state: &[Arc<StoredEvent>],
        timeline: &[ShownEvent],
        members: &mut Arc<ToldMembers>,
    ) {
        if !candidate.wanted.state.lazy_members {
            return;
        }
        let events = state.iter().chain(timeline.iter().map(|shown| &shown.event));
        let mut slots = events.filter(|event| is_member(event)).filter_map(|event| event.slot).peekable();
        if slots.peek().is_some() {
            Arc::make_mut(members).add(slots);
        }
    }

    /// Fills in how the room is to be named, where that is news.
    async fn describe(
        &self,
        room: RoomSn,
        end: StateRoot,
        whole: bool,
        changed: &Changed,
        told: &mut SlidingRoom,
    ) -> Result<(), StorageError> {
        let find = |kind: &str| changed.set.values().find(|event| event.pdu.is_state_of(kind, ""));
        let (name, avatar) = match whole {
            true => (
                self.state.one(room, end, "m.room.name").await?,
                self.state.one(room, end, "m.room.avatar").await?,
            ),
            false => (find("m.room.name").cloned(), find("m.room.avatar").cloned()),
        };
        told.avatar = match avatar.map(|event| text(&event, "url")) {
            Some(None) if whole => None,
            avatar => avatar,
        };
        let renamed = name.is_some();
        told.name = match name.map(|event| text(&event, "name")) {
            Some(None) if whole => None,
            name => name,
        };
        let is_named = told.name.as_ref().is_some_and(Option::is_some);
        let regrouped = changed.set.values().chain(&changed.cleared).any(|event| is_member(event));
        if !is_named && (whole || renamed || regrouped) {
            let named = !whole && !renamed && self.has_name(room, end).await?;
            if !named {
                told.heroes = Some(self.heroes(room, end).await?);
            }
        }
        if whole || regrouped {
            told.counts = Some(self.parts.store.members_of_room(room).await?.counts());
        }
        Ok(())
    }

    async fn has_name(&self, room: RoomSn, root: StateRoot) -> Result<bool, StorageError> {
        let event = self.parts.store.state_event(room, root, "m.room.name", "").await?;
        Ok(event.is_some_and(|event| text(&event, "name").is_some()))
    }

    async fn heroes(&self, room: RoomSn, root: StateRoot) -> Result<Vec<Hero>, StorageError> {
        let users = self.parts.heroes((self.reader.user, self.user_id), room, root).await?;
        let mut heroes = Vec::with_capacity(users.len());
        for user_id in users {
            let event = self.parts.store.state_event(room, root, "m.room.member", user_id.as_str()).await?;
            let shown = |field| event.as_ref().and_then(|event| text(event, field));
            heroes.push(Hero { display_name: shown("displayname"), avatar: shown("avatar_url"), user_id });
        }
        Ok(heroes)
    }

    /// A room that the user knows from outside.
    async fn outside(&self, candidate: &Candidate) -> Result<Option<ToldRoom>, StorageError> {
        let (room, member) = (candidate.room, candidate.member);
        let known = candidate.mark.as_ref().filter(|mark| !mark.inside);
        if known.is_some() && candidate.told_until(self.since).is_some_and(|told| member.position <= told) {
            return Ok(None);
        }
        let reader = (self.reader.user, self.user_id);
        let room_id = candidate.room_id.clone();
        let Some(stripped) = self.parts.stripped(reader, room_id, room, member).await? else {
            return Ok(None);
        };
        let mut told = SlidingRoom::nothing(candidate.room_id.clone(), member.membership);
        told.name = stripped.state.iter().find_map(|event| stripped_name(event)).map(Some);
        told.stripped = Some(stripped.state);
        told.bump = Some(member.position);
        let mark =
            RoomMark { inside: false, events: Status::Live, ..candidate.mark.clone().unwrap_or_default() };
        Ok(Some((told, mark)))
    }

    /// A room in which the user is no more: told as it was at the leaving, with the leaving itself.
    async fn left(&self, candidate: &Candidate) -> Result<Option<ToldRoom>, StorageError> {
        let (room, member) = (candidate.room, candidate.member);
        if candidate.told_until(self.since).is_some_and(|told| member.position <= told)
            && !candidate.wants_more()
        {
            return Ok(None);
        }
        let own = self.parts.store.event(member.event).await?;
        let mut told = SlidingRoom::nothing(candidate.room_id.clone(), member.membership);
        let stay = self.parts.view.stay_end(self.reader.user, room).await?;
        let mut mark = match stay {
            Some(stay) => {
                let stretch = self.last_stretch(candidate, stay).await?;
                self.tell_inside(candidate, stretch, &mut told).await?
            }
            // Who was never in knows only that they are out.
            None => RoomMark { events: Status::Live, ..candidate.mark.clone().unwrap_or_default() },
        };
        mark.inside = true;
        let shown = self.parts.view.show_state(self.reader, std::slice::from_ref(&own));
        if let Some(timeline) = &mut told.timeline
            && candidate.wanted.timeline_limit > 0
            && !timeline.events.iter().any(|event| event.event.sn == own.sn)
        {
            // Also where the room's history is hidden: that they are out is theirs to know.
            timeline.events.extend(shown.iter().cloned());
        }
        if !told.state.iter().any(|event| event.event.sn == own.sn) {
            told.state.extend(shown);
        }
        told.counts = None;
        told.bump = Some(member.position);
        Ok(Some((told, mark)))
    }

    /// The timeline up to the end of the user's last stay.
    async fn last_stretch(&self, candidate: &Candidate, stay: Position) -> Result<Stretch, StorageError> {
        let room = candidate.room;
        let from = match candidate.told_inside(self.since) {
            Some(told) if told >= stay => Some(stay),
            Some(told) if self.parts.was_joined(room, told, self.user_id).await? => Some(told),
            _ => None,
        };
        let source = Source::new(room, from.unwrap_or(Position::START), stay, None);
        let slicer = self.slicer(candidate.wanted.timeline_limit);
        let slice = slicer.slice(&candidate.room_id, source, stay).await?;
        let end = self.parts.root_at(room, stay).await?;
        Ok(Stretch { slice, from, end, expanded: false })
    }
}

/// A text in the content of an event that is not empty.
fn text(event: &StoredEvent, field: &str) -> Option<String> {
    let content = event.pdu.content_as::<serde_json::Value>().ok()?;
    content[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The room's name, if this is the stripped event that says it.
fn stripped_name(event: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Stripped {
        #[serde(rename = "type")]
        kind: String,
        content: serde_json::Value,
    }
    let event: Stripped = serde_json::from_str(event).ok()?;
    let name = event.content["name"].as_str().filter(|name| !name.is_empty());
    name.filter(|_| event.kind == "m.room.name").map(str::to_owned)
}
