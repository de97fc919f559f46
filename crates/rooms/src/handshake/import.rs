//! A whole room arrives: the state that came with a join is checked, event by event, and stored. The events come first,
//! in pieces, as outliers that nobody sees; the last write makes a room of them.

use std::collections::{HashMap, HashSet, VecDeque};

use parvis_dag::{Known, authorise, judge_outlier};
use parvis_events::{Membership, Pdu, RoomVersion};
use parvis_storage::{EventFlags, EventSn, NewEvent, RoomHead, Slot, StateRoot, TypeSn, UserSn};
use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};

use super::told::Told;
use crate::{
    RoomError, Rooms,
    admit::{Attempts, Turn},
};

/// The most events that are taken with one join.
const MOST_EVENTS: usize = 1_000_000;
/// How many events are written at once: their rows are held in memory until they are.
const PIECE: usize = 2_000;

/// A room that has come with a join, checked.
pub(super) struct Arrival {
    pub(super) join: Pdu,
    /// Every event that came and that its auth events allow, each after those.
    pub(super) events: Vec<Pdu>,
    /// Which of them are the state before the join.
    pub(super) state: Vec<usize>,
}

impl Rooms {
    /// Checks what has come with a join: every event by its signatures, and by the events that authorise it. What
    /// fails is left out; the join fails only if the room has no create event of the right version, or if what is
    /// left does not let the user in.
    pub(super) async fn check_arrival(
        &self,
        join: Pdu,
        version: RoomVersion,
        told: Told,
    ) -> Result<Arrival, RoomError> {
        let in_state = told.state.len();
        if in_state + told.auth_chain.len() > MOST_EVENTS {
            return Err(RoomError::Unreachable("the room is too large".to_owned()));
        }
        // The state is named by its events' ids, which are known only once they are read.
        let state = self.verify_many(told.state, version).await?;
        let state_ids: HashSet<OwnedEventId> =
            state.iter().map(|event| event.owned_event_id().clone()).collect();
        let chain = self.verify_many(told.auth_chain, version).await?;
        let mut events = state;
        events.extend(chain.into_iter().filter(|event| !state_ids.contains(event.event_id())));
        if events.len() < in_state {
            tracing::info!(room = %join.room_id(), in_state, left = events.len(), "some state came unsigned");
        }
        let arrive = move || arrive(join, version, events, &state_ids);
        let arrival = tokio::task::spawn_blocking(arrive).await.map_err(|_| RoomError::Busy)?;
        arrival.map_err(RoomError::Unreachable)
    }

    /// Stores a room that has come with the join of a user of this server.
    pub(super) async fn import(&self, user: UserSn, arrival: Arrival) -> Result<(), RoomError> {
        let names = self.names_of(&arrival).await?;
        let mut attempts = Attempts::default();
        loop {
            let turn = match self.store.room_sn(arrival.join.room_id()).await? {
                Some(room) => self.turn(room).await?,
                None => {
                    let join = &arrival.join;
                    let head = self.outside_head(join.room_id(), join.version()).await?;
                    self.first_turn(head).await
                }
            };
            let mut stage = Stage::new(self, &turn, &names, &arrival).await?;
            let join = stage.number_of(arrival.join.event_id());
            if join.is_some_and(|sn| stage.stands(sn)) {
                // Another server was quicker to send the join back than this one to tell of the room.
                return Ok(());
            }
            let Some((mut turn, last)) =
                self.write_pieces(turn, &mut stage, &arrival.events, &mut attempts).await?
            else {
                continue;
            };
            last.iter().for_each(|event| stage.outlier(&mut turn, event));
            self.stage_arrival(&mut turn, user, &arrival, stage).await?;
            if attempts.finish(turn).await? {
                tracing::info!(room = %arrival.join.room_id(), events = arrival.size(), "joined a room");
                return Ok(());
            }
        }
    }

    /// Writes events as outliers, piece by piece, but for the last piece, which it gives with the turn in which the
    /// room is made of them; nothing where somebody else has written to the room meanwhile.
    async fn write_pieces<'rooms, 'events>(
        &'rooms self,
        mut turn: Turn<'rooms>,
        stage: &mut Stage<'_>,
        events: &'events [Pdu],
        attempts: &mut Attempts,
    ) -> Result<Option<(Turn<'rooms>, &'events [Pdu])>, RoomError> {
        let mut left = events;
        while left.len() > PIECE {
            let (piece, later) = left.split_at(PIECE);
            piece.iter().for_each(|event| stage.outlier(&mut turn, event));
            let room = turn.room();
            let expected = turn.head.head_version + i64::from(!turn.set.is_empty());
            if !attempts.finish(turn).await? {
                return Ok(None);
            }
            turn = self.turn(room).await?;
            if turn.head.head_version != expected {
                attempts.again()?;
                return Ok(None);
            }
            left = later;
        }
        Ok(Some((turn, left)))
    }

    /// The numbers of all users and types in a room.
    async fn names_of(&self, arrival: &Arrival) -> Result<Names, RoomError> {
        let mut user_ids = HashSet::new();
        let mut names = Names::default();
        for event in arrival.events.iter().chain([&arrival.join]) {
            user_ids.insert(event.owned_sender().clone());
            user_ids.extend(member_of(event));
            if !names.types.contains_key(event.kind()) {
                let number = self.store.intern_type(event.kind()).await?;
                names.types.insert(event.kind().into(), number);
            }
        }
        names.users = self.store.intern_users(&user_ids).await?;
        Ok(names)
    }

    async fn stage_arrival(
        &self,
        turn: &mut Turn<'_>,
        user: UserSn,
        arrival: &Arrival,
        mut stage: Stage<'_>,
    ) -> Result<(), RoomError> {
        let known = stage.number_of(arrival.join.event_id());
        let mut changes = Vec::with_capacity(arrival.state.len());
        for event in arrival.state.iter().filter_map(|index| arrival.events.get(*index)) {
            if let (Some(slot), Some(sn)) = (stage.slot_of(turn, event), stage.number_of(event.event_id())) {
                changes.push((slot, Some(sn)));
            }
        }
        let before = self.store.change_state(&mut turn.set, StateRoot::EMPTY, &changes).await?;
        let join = stage.new_event(turn, &arrival.join, EventFlags::SEAM.with(EventFlags::HANDED));
        let join_sn = join.sn;
        let change: Vec<_> = join.slot.iter().map(|slot| (*slot, Some(join_sn))).collect();
        let after = self.store.change_state(&mut turn.set, before, &change).await?;
        let prev: Vec<EventSn> = join.prev.iter().copied().filter(|sn| stage.stands(*sn)).collect();
        let mut join = NewEvent { state_root: before, prev, ..join };
        join.stand_at(before, after);
        match known {
            Some(_) => turn.set.promote_event(join),
            None => turn.set.add_event(join),
        }
        let missing: Vec<OwnedEventId> =
            arrival.join.prev_events().iter().filter(|id| !stage.has_past(id)).cloned().collect();
        turn.set.add_missing_events(turn.head.room, &missing);
        self.stage_members(turn, arrival, &stage).await?;
        turn.set.put_member(user, turn.room(), Membership::Join, join_sn);
        turn.set.remove_outside_view(user, turn.room());
        let head = RoomHead {
            version: arrival.join.version(),
            heads: vec![join_sn],
            state_root: after,
            depth: arrival.join.depth(),
            ..turn.head.clone()
        };
        turn.begin_anew(head, &arrival.join);
        Ok(())
    }

    /// Stages the memberships that the state gives. Those of users of this server that are as they were stay as
    /// they are: it is no news to anybody.
    async fn stage_members(
        &self,
        turn: &mut Turn<'_>,
        arrival: &Arrival,
        stage: &Stage<'_>,
    ) -> Result<(), RoomError> {
        let (room, names) = (turn.room(), stage.names);
        for event in arrival.state.iter().filter_map(|index| arrival.events.get(*index)) {
            let (Some(membership), Some(user_id)) = (event.membership(), member_of(event)) else { continue };
            let (Some(user), Some(sn)) = (names.users.get(&user_id), stage.number_of(event.event_id()))
            else {
                continue;
            };
            if user_id.server_name() == self.identity.server_name {
                let known = self.store.member(*user, room).await?;
                if known.is_some_and(|known| known.membership == membership) {
                    continue;
                }
            }
            turn.set.put_member(*user, room, membership, sn);
        }
        Ok(())
    }
}

/// Whose membership an event is about.
fn member_of(event: &Pdu) -> Option<OwnedUserId> {
    let state_key = event.state_key().filter(|_| event.kind() == "m.room.member")?;
    <&UserId>::try_from(state_key).ok().map(ToOwned::to_owned)
}

/// Numbers of names.
#[derive(Default)]
struct Names {
    users: HashMap<OwnedUserId, UserSn>,
    types: HashMap<Box<str>, TypeSn>,
}

/// What the events of an arrival are numbered with.
struct Stage<'a> {
    names: &'a Names,
    /// The numbers of all events, those that were here before and those that come now.
    numbers: HashMap<OwnedEventId, EventSn>,
    /// Events that were here before, without those that authorise them.
    loose: HashSet<EventSn>,
    known: HashSet<EventSn>,
    /// Those of them that are no outliers.
    standing: HashSet<EventSn>,
    next: i64,
    slots: HashMap<(TypeSn, Box<str>), Slot>,
}

impl<'a> Stage<'a> {
    async fn new(
        rooms: &Rooms,
        turn: &Turn<'_>,
        names: &'a Names,
        arrival: &Arrival,
    ) -> Result<Self, RoomError> {
        let store = &rooms.store;
        let mut ids: Vec<&EventId> = arrival.events.iter().map(Pdu::event_id).collect();
        ids.extend(arrival.join.prev_events().iter().chain([arrival.join.owned_event_id()]).map(|id| &**id));
        let numbers = store.event_sns(&ids).await?;
        let known: HashSet<EventSn> = numbers.values().copied().collect();
        let sns: Vec<EventSn> = known.iter().copied().collect();
        let stored = store.events(&sns).await?;
        let is_loose = |event: &&std::sync::Arc<parvis_storage::StoredEvent>| {
            event.flags.contains(EventFlags::OUTLIER) && event.auth.len() < event.pdu.auth_events().len()
        };
        let standing = stored.iter().filter(|event| event.is_shown()).map(|event| event.sn).collect();
        let loose = stored.iter().filter(is_loose).map(|event| event.sn).collect();
        let slots = store.slots_of_room(turn.room()).await?.into_iter();
        let slots = slots.map(|(kind, key, slot)| ((kind, key.into_boxed_str()), slot)).collect();
        let next = store.next_numbers(arrival.events.len() + 1).await?;
        Ok(Self { names, numbers, loose, standing, known, next, slots })
    }

    fn number_of(&self, event_id: &EventId) -> Option<EventSn> {
        self.numbers.get(event_id).copied()
    }

    /// Whether an event stands in the room's history here, and is no outlier.
    fn stands(&self, sn: EventSn) -> bool {
        self.standing.contains(&sn)
    }

    fn has_past(&self, event_id: &EventId) -> bool {
        self.number_of(event_id).is_some_and(|sn| self.stands(sn))
    }

    /// Stages an event that is known by itself, unless it was here before.
    fn outlier(&mut self, turn: &mut Turn<'_>, event: &Pdu) {
        match self.number_of(event.event_id()) {
            Some(sn) if self.known.contains(&sn) => {
                if self.loose.contains(&sn) {
                    turn.set.set_auth_events(sn, &self.numbers_of(event.auth_events()));
                }
            }
            _ => {
                let event = self.new_event(turn, event, EventFlags::OUTLIER);
                turn.set.add_event(event);
            }
        }
    }

    fn numbers_of(&self, event_ids: &[OwnedEventId]) -> Vec<EventSn> {
        event_ids.iter().filter_map(|id| self.number_of(id)).collect()
    }

    fn slot_of(&mut self, turn: &mut Turn<'_>, event: &Pdu) -> Option<Slot> {
        let state_key = event.state_key()?;
        let kind = self.names.types.get(event.kind()).copied()?;
        let slot = self.slots.entry((kind, state_key.into())).or_insert_with(|| {
            let slot = Slot(turn.head.next_slot);
            turn.head.next_slot += 1;
            let room = turn.head.room;
            turn.set.add_slot(room, kind, state_key, slot);
            slot
        });
        Some(*slot)
    }

    /// An event to be written; one that is here as an outlier keeps its numbers.
    fn new_event(&mut self, turn: &mut Turn<'_>, event: &Pdu, flags: EventFlags) -> NewEvent {
        let known = self.number_of(event.event_id());
        let sn = known.unwrap_or(EventSn(self.next));
        if known.is_none() {
            self.next += 1;
            self.numbers.insert(event.owned_event_id().clone(), sn);
        }
        let user = |user_id: &OwnedUserId| self.names.users.get(user_id).copied();
        let member = member_of(event).and_then(|user_id| user(&user_id));
        let sender = user(event.owned_sender()).unwrap_or(UserSn(0));
        let slot = self.slot_of(turn, event);
        let state_index = slot.filter(|_| known.is_none()).map(|_| {
            turn.head.next_state_index += 1;
            turn.head.next_state_index - 1
        });
        NewEvent {
            sn,
            room: turn.head.room,
            kind: self.names.types.get(event.kind()).copied().unwrap_or(TypeSn(0)),
            sender,
            member,
            slot,
            state_index,
            flags,
            state_root: StateRoot::EMPTY,
            room_root: StateRoot::EMPTY,
            prev: self.numbers_of(event.prev_events()),
            auth: self.numbers_of(event.auth_events()),
            transaction: None,
            pdu: event.clone(),
        }
    }
}

/// Judges what came, and whether it lets the newcomer in.
fn arrive(
    join: Pdu,
    version: RoomVersion,
    events: Vec<Pdu>,
    state_ids: &HashSet<OwnedEventId>,
) -> Result<Arrival, String> {
    let room_id = join.owned_room_id().clone();
    // Who tells of the state after the join, and not before it, tells of the join too.
    let is_before = |event: &Pdu| *event.room_id() == room_id && event.event_id() != join.event_id();
    let events = allowed(events.into_iter().filter(is_before).collect());
    let mut by_key: HashMap<(&str, &str), usize> = HashMap::with_capacity(state_ids.len());
    let mut state = Vec::with_capacity(state_ids.len());
    for (index, event) in events.iter().enumerate() {
        let Some(state_key) = event.state_key().filter(|_| state_ids.contains(event.event_id())) else {
            continue;
        };
        if let std::collections::hash_map::Entry::Vacant(place) = by_key.entry((event.kind(), state_key)) {
            place.insert(index);
            state.push(index);
        }
    }
    let look_up = |kind: &str, state_key: &str| {
        by_key.get(&(kind, state_key)).and_then(|index| events.get(*index)).cloned()
    };
    let create = look_up("m.room.create", "").ok_or("the room came without its create event")?;
    if version_of(&create) != Some(version) {
        return Err("the room has another version than was said".to_owned());
    }
    let by_id: HashMap<&EventId, &Pdu> = events.iter().map(|event| (event.event_id(), event)).collect();
    judge_outlier(&join, |id| by_id.get(id).map(|event| Known::accepted((*event).clone())))
        .and_then(|()| authorise(&join, look_up))
        .map_err(|reason| format!("the room as it came does not let the user in: {reason}"))?;
    drop(by_id);
    Ok(Arrival { join, events, state })
}

fn version_of(create: &Pdu) -> Option<RoomVersion> {
    let content: serde_json::Map<String, serde_json::Value> = create.content_as().ok()?;
    content.get("room_version").map_or(Some("1"), |version| version.as_str())?.parse().ok()
}

/// Those of the events that are allowed by those that authorise them, each after those. Where one of these is
/// missing or not allowed itself, the event is left out.
fn allowed(events: Vec<Pdu>) -> Vec<Pdu> {
    let index: HashMap<OwnedEventId, usize> =
        events.iter().enumerate().map(|(index, event)| (event.owned_event_id().clone(), index)).collect();
    let mut waits_for = vec![0_usize; events.len()];
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    // Where the room's id is its create event's hash, all need it and none cites it: it comes first.
    let mut ready: VecDeque<usize> = VecDeque::new();
    for (at, event) in events.iter().enumerate() {
        let cited: HashSet<&OwnedEventId> = event.auth_events().iter().collect();
        waits_for[at] = cited.len();
        for id in cited {
            if let Some(authoriser) = index.get(id) {
                followers[*authoriser].push(at);
            }
        }
        match waits_for[at] {
            0 if event.is_create() => ready.push_front(at),
            0 => ready.push_back(at),
            _ => {}
        }
    }
    let mut order = Vec::with_capacity(events.len());
    let mut accepted = vec![false; events.len()];
    while let Some(at) = ready.pop_front() {
        let known = |id: &EventId| {
            let index = index.get(id).filter(|index| accepted[**index])?;
            Some(Known::accepted(events[*index].clone()))
        };
        if let Err(reason) = judge_outlier(&events[at], known) {
            tracing::info!(event = %events[at].event_id(), %reason, "an event that came with a join is left out");
            continue;
        }
        accepted[at] = true;
        order.push(at);
        for follower in &followers[at] {
            waits_for[*follower] -= 1;
            if waits_for[*follower] == 0 {
                ready.push_back(*follower);
            }
        }
    }
    order.into_iter().map(|at| events[at].clone()).collect()
}
