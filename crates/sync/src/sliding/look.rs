//! One look: what is new on a connection between where it stands and now. It waits for nothing and keeps nothing.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parvis_events::Membership;
use parvis_storage::{Member, Position, RoomSn, StorageError};
use ruma::{OwnedRoomId, OwnedUserId};

use super::{
    Sliding, SlidingError,
    answer::SlidingAnswer,
    connections::{RoomMark, Standing, Status, Step, Told},
    facts::Directs,
    index::RoomIndex,
    news::News,
    request::{KeyWanted, RoomWanted, SlidingRequest, StatePattern},
    room::{Candidate, Teller, ToldRoom},
    state::{Slots, StateReader},
    windows::{Wanted, Windows, WindowsSought},
};
use crate::{filter::Filter, parts::Parts, view::Reader};

/// How many rooms of one answer are looked at at the same time.
const AT_ONCE: usize = 8;
/// Of how many rooms a client is told at most that was away for long: with more, beginning anew is quicker for it,
/// since it begins with the rooms that it shows.
const MANY_ROOMS: usize = 100;

/// One look.
pub(super) struct Look<'a> {
    pub(super) parts: &'a Parts,
    pub(super) sliding: &'a Sliding,
    pub(super) request: &'a SlidingRequest,
    pub(super) reader: Reader,
    pub(super) user_id: OwnedUserId,
    /// What the client has.
    pub(super) standing: &'a Standing,
    /// Whether the connection was not used for long.
    pub(super) was_away: bool,
}

/// What a look sees.
pub(super) struct Sight {
    pub(super) until: Position,
    pub(super) windows: Windows,
    pub(super) news: News,
    /// Rooms in which something has happened since.
    pub(super) moved: Vec<RoomSn>,
    /// Rooms that left the list since, of which something was told.
    departed: BTreeMap<RoomSn, Member>,
    shape: u64,
}

/// The marks that a look changes, over those of the standing.
pub(super) struct Marks<'a> {
    standing: &'a Standing,
    changed: BTreeMap<RoomSn, Option<RoomMark>>,
}

impl<'a> Marks<'a> {
    /// What was told of a room, with what is told now.
    pub(super) fn get(&self, room: RoomSn) -> Option<&RoomMark> {
        match self.changed.get(&room) {
            Some(mark) => mark.as_ref(),
            None => self.standing.rooms.get(&room),
        }
    }

    /// Changes what was told of a room, if anything was.
    pub(super) fn change(&mut self, room: RoomSn, change: impl FnOnce(&mut RoomMark)) {
        if let Some(mark) = self.get(room) {
            let mut mark = mark.clone();
            change(&mut mark);
            self.changed.insert(room, Some(mark));
        }
    }
}

impl<'a> Look<'a> {
    /// What is new, and the step to there.
    pub(super) async fn look(&self) -> Result<(SlidingAnswer, Step), SlidingError> {
        // What is in memory only is looked at later than it is counted here, and so told twice rather than never.
        let ephemeral = self.parts.counter.now();
        let sight = self.see().await?;
        let told = self.tell(&sight).await?;
        let mut marks = Marks { standing: self.standing, changed: BTreeMap::new() };
        let mut answer = SlidingAnswer {
            pos: self.sliding.connections.next_pos(sight.until, ephemeral),
            lists: sight.windows.counts.clone(),
            ..SlidingAnswer::default()
        };
        self.note_unseen(&sight, &mut marks);
        for (room, (told, mark)) in told {
            marks.changed.insert(room, Some(mark));
            answer.rooms.push(told);
        }
        marks.changed.extend(sight.departed.keys().map(|room| (*room, None)));
        let device = self.extend(&sight, &mut marks, &mut answer).await?;
        let step = Step {
            until: sight.until,
            seen: ephemeral.count,
            rooms: marks.changed.into_iter().collect(),
            told: Told {
                counts: sight.windows.counts,
                settled: Some((sight.windows.asked, sight.shape)),
                device,
                account_data: self.request.extensions.account_data.is_some(),
                threads: self.request.extensions.threads.is_some(),
            },
            pos: answer.pos.clone(),
        };
        Ok((answer, step))
    }

    /// Whether there is something for which a client should not be left waiting.
    pub(super) fn is_news(&self, answer: &SlidingAnswer) -> bool {
        let keys = |device: &Arc<_>| self.standing.told.device.as_ref() != Some(device);
        answer.has_news()
            || answer.lists != self.standing.told.counts
            || answer.e2ee.as_ref().is_some_and(|news| keys(&news.device))
    }

    /// Looks at where the rooms stand and what has happened.
    async fn see(&self) -> Result<Sight, StorageError> {
        let (parts, user) = (self.parts, self.reader.user);
        let of_user = self.sliding.indexes.of(user);
        let mut index = of_user.take().await;
        let until = index.catch_up(parts, user, &self.user_id).await?;
        self.sliding.indexes.weigh(user, &of_user, &index);
        let news = match self.standing.until {
            Some(since) => News::between(parts, &index, user, since, until).await?,
            None => News::default(),
        };
        let windows = self.windows(&mut index, &news).await?;
        let mut sight = Sight {
            until,
            windows,
            news,
            moved: Vec::new(),
            departed: BTreeMap::new(),
            shape: index.shape(),
        };
        if let Some(since) = self.standing.until {
            sight.moved = index.moved_since(since).map(|(room, _)| room).collect();
            sight.departed = index.departed_since(since);
            sight.departed.retain(|room, _| self.standing.rooms.contains_key(room));
        }
        Ok(sight)
    }

    async fn windows(&self, index: &mut RoomIndex, news: &News) -> Result<Windows, StorageError> {
        // A room that was read has not moved, and is told all the same.
        let standing = self.standing;
        let walk_through = !news.read.is_empty();
        let windows =
            WindowsSought { parts: self.parts, directs: &self.sliding.directs, standing, walk_through };
        windows.find(index, self.request, (self.reader.user, &*self.user_id)).await
    }

    /// Tells of the rooms that are wanted and in which something is new, the one with the newest event first.
    async fn tell(&self, sight: &Sight) -> Result<Vec<(RoomSn, ToldRoom)>, SlidingError> {
        let mut wanted: Vec<(&RoomSn, &Wanted)> = sight.windows.rooms.iter().collect();
        wanted.sort_by_key(|(room, wanted)| (Reverse(wanted.listed.newest), **room));
        let candidates = wanted.into_iter().filter(|(room, wanted)| self.is_told(sight, **room, wanted));
        let mut candidates: Vec<Candidate> =
            candidates.map(|(room, wanted)| self.candidate(*room, wanted)).collect();
        for (room, member) in &sight.departed {
            candidates.push(self.departed(*room, *member).await?);
        }
        let updates = candidates.iter().filter(|candidate| candidate.mark.is_some()).count();
        if self.was_away && updates > MANY_ROOMS {
            return Err(SlidingError::UnknownPos);
        }
        let teller = self.teller(sight, &candidates).await?;
        let told = stream::iter(candidates).map(|candidate| teller.tell(candidate)).buffered(AT_ONCE);
        let told: Vec<Option<(RoomSn, ToldRoom)>> = told.try_collect().await?;
        Ok(told.into_iter().flatten().collect())
    }

    /// Whether something of a room may be new to the client.
    fn is_told(&self, sight: &Sight, room: RoomSn, wanted: &Wanted) -> bool {
        let Some(mark) = self.standing.rooms.get(&room) else { return true };
        let told = self.standing.until.and_then(|until| mark.events.told_until(until));
        told.is_none_or(|told| wanted.listed.newest > told)
            || sight.news.read.contains(&room)
            || mark.lacks(&wanted.room)
    }

    fn candidate(&self, room: RoomSn, wanted: &Wanted) -> Candidate {
        Candidate {
            room,
            room_id: wanted.listed.room_id.clone(),
            member: wanted.listed.member,
            wanted: Arc::clone(&wanted.room),
            lists: wanted.lists.clone(),
            mark: self.standing.rooms.get(&room).cloned(),
        }
    }

    /// A room that left the list: what was wanted of it last is told of its end.
    async fn departed(&self, room: RoomSn, member: Member) -> Result<Candidate, StorageError> {
        let mark = self.standing.rooms.get(&room);
        let wanted = mark.map(|mark| RoomWanted {
            timeline_limit: mark.timeline_limit.max(1),
            state: Arc::clone(&mark.state),
        });
        Ok(Candidate {
            room,
            room_id: self.parts.store.room_id(room).await?,
            member,
            wanted: Arc::new(wanted.unwrap_or_default()),
            lists: BTreeSet::new(),
            mark: mark.cloned(),
        })
    }

    /// What tells of the rooms: where they all stand, and where the state lies that is wanted of them, is read at
    /// once.
    async fn teller<'b>(
        &'b self,
        sight: &'b Sight,
        candidates: &[Candidate],
    ) -> Result<Teller<'b>, StorageError> {
        let (parts, user_id) = (self.parts, &*self.user_id);
        let rooms: Vec<RoomSn> = candidates.iter().map(|candidate| candidate.room).collect();
        let standings = parts.store.room_standings(&rooms).await?;
        let inside = |candidate: &&Candidate| {
            candidate.needs_state()
                && !matches!(candidate.member.membership, Membership::Invite | Membership::Knock)
        };
        let needy: Vec<&Candidate> = candidates.iter().filter(inside).collect();
        let rooms: Vec<RoomSn> = needy.iter().map(|candidate| candidate.room).collect();
        let patterns = patterns(&needy);
        let slots = match rooms.is_empty() {
            true => Slots::default(),
            false => Slots::find(parts, user_id, &rooms, &patterns).await?,
        };
        Ok(Teller {
            parts,
            reader: self.reader,
            user_id,
            since: self.standing.until,
            until: sight.until,
            news: &sight.news,
            directs: self.directs(!candidates.is_empty()).await?,
            standings: standings.into_iter().map(|standing| (standing.room, standing)).collect(),
            state: StateReader { parts, user_id, slots },
            filter: Filter::default().timeline,
        })
    }

    async fn directs(&self, needed: bool) -> Result<Arc<HashSet<OwnedRoomId>>, StorageError> {
        let directs: &Directs = &self.sliding.directs;
        if needed { directs.of(self.reader.user).await } else { Ok(Arc::default()) }
    }

    /// Notes what happened in rooms that are not wanted now, so that it is told when they are; and of those that are
    /// wanted, what is wanted of them.
    fn note_unseen(&self, sight: &Sight, marks: &mut Marks<'_>) {
        let Some(since) = self.standing.until else { return };
        let wanted = &sight.windows.rooms;
        for room in sight.moved.iter().filter(|room| !wanted.contains_key(room)) {
            marks.change(*room, |mark| mark.events = mark.events.missed(since));
        }
        for (room, wanted) in wanted {
            let Some(mark) = self.standing.rooms.get(room) else { continue };
            let told = mark.events.told_until(since);
            if mark.inside && (mark.state != wanted.room.state || told != Some(since)) {
                marks.change(*room, |mark| {
                    mark.state = Arc::clone(&wanted.room.state);
                    mark.events = Status::Live;
                });
            }
        }
    }
}

/// Which state is wanted of any of these rooms, with that after which rooms are named.
fn patterns(candidates: &[&Candidate]) -> BTreeSet<StatePattern> {
    let mut patterns = BTreeSet::new();
    // Most rooms share what is wanted of them.
    let mut seen = HashSet::new();
    for candidate in candidates {
        if seen.insert(Arc::as_ptr(&candidate.wanted.state)) {
            patterns.extend(candidate.wanted.state.patterns.iter().cloned());
        }
    }
    let name = |kind: &str| StatePattern { kind: Some(kind.to_owned()), key: KeyWanted::Is(String::new()) };
    patterns.extend(["m.room.name", "m.room.avatar"].map(name));
    patterns
}
