//! The one door into a room.
//!
//! A room has a desk. Who writes takes a [`Turn`] at it: events are built on the head that is there, judged
//! against the current state, and staged; [`Turn::submit`] hands all of them to storage as one write set and
//! leaves the desk to the next writer without waiting for the disk. The next event is thus built on one that
//! may not be durable yet: if its write fails, so does every write behind it (their guards name a head that
//! never came to be), and each is decided again on the head that is.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parvis_dag as dag;
use parvis_events::{EventDraft, Membership, Pdu};
use parvis_storage::{
    CommitError, Committed, DeviceSn, EventFlags, EventSn, NewEvent, Position, RoomHead, RoomSn, Slot,
    StateRoot, Submitted, TransactionKey, TypeSn, UserSn, WriteSet,
};
use ruma::{EventId, OwnedEventId, OwnedUserId, UserId};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Actor, RoomError, Rooms};

/// How often an operation is decided again because the room moved.
const ATTEMPTS: usize = 8;
/// How many entries of current state a desk remembers.
const REMEMBERED: usize = 512;

/// A type and a state key.
type StateKey = (Box<str>, Box<str>);
/// A state event and its number.
type Numbered = (EventSn, Pdu);

/// Where a room is written.
#[derive(Debug)]
pub(crate) struct Desk {
    tip: Arc<Mutex<Tip>>,
    in_flight: Arc<AtomicUsize>,
}

/// What lies on a desk.
#[derive(Debug)]
struct Tip {
    /// The head that the next event is built on; `None` if it must be read first.
    head: Option<RoomHead>,
    /// The ids of the head's events.
    prev_events: Vec<OwnedEventId>,
    /// Tells a tip that was read again from the one before.
    epoch: u64,
    /// Slots given by writes under way.
    slots: HashMap<(TypeSn, Box<str>), Slot>,
    /// Entries of the current state that were looked up before.
    state: HashMap<StateKey, Option<Numbered>>,
}

/// An event that somebody wants to send.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: String,
    pub(crate) state_key: Option<String>,
    pub(crate) content: Box<RawValue>,
    pub(crate) redacts: Option<OwnedEventId>,
}

impl Draft {
    pub(crate) fn message(kind: &str, content: Box<RawValue>) -> Self {
        Self { kind: kind.to_owned(), state_key: None, content, redacts: None }
    }

    pub(crate) fn state(kind: &str, state_key: &str, content: Box<RawValue>) -> Self {
        Self { kind: kind.to_owned(), state_key: Some(state_key.to_owned()), content, redacts: None }
    }
}

/// An event that was staged.
#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub(crate) sn: EventSn,
    pub(crate) pdu: Pdu,
}

/// Somebody's turn at a room's desk. Dropped without [`submit`](Self::submit), it leaves no trace.
pub(crate) struct Turn<'a> {
    rooms: &'a Rooms,
    desk: Arc<Desk>,
    tip: OwnedMutexGuard<Tip>,
    /// The version that the room's head had when the turn began; `None` for a room that is being made.
    expected: Option<i64>,
    /// The head as it will be.
    pub(crate) head: RoomHead,
    prev_events: Vec<OwnedEventId>,
    slots: Vec<((TypeSn, Box<str>), Slot)>,
    state: Vec<(StateKey, Numbered)>,
    /// Whether what is remembered of the current state is out of date after this turn.
    forget_state: bool,
    /// What will be written. Operations add rows of their own.
    pub(crate) set: WriteSet,
}

/// A turn's writes, on their way.
pub(crate) struct Flight {
    desk: Arc<Desk>,
    epoch: u64,
    submitted: Submitted,
}

impl Flight {
    /// Waits until the writes are durable.
    pub(crate) async fn land(self) -> Result<Committed, CommitError> {
        let outcome = self.submitted.done().await;
        self.desk.in_flight.fetch_sub(1, Ordering::AcqRel);
        if outcome.is_err() {
            let mut tip = self.desk.tip.lock().await;
            if tip.epoch == self.epoch {
                tip.clear();
            }
        }
        outcome
    }
}

impl Tip {
    fn new() -> Self {
        Self { head: None, prev_events: Vec::new(), epoch: 0, slots: HashMap::new(), state: HashMap::new() }
    }

    fn clear(&mut self) {
        *self = Self { epoch: self.epoch + 1, ..Self::new() };
    }
}

impl Rooms {
    fn desk(&self, room: RoomSn) -> Arc<Desk> {
        let make = || Arc::new(Desk { tip: Arc::new(Mutex::new(Tip::new())), in_flight: Arc::default() });
        self.desks.get_with(room, make)
    }

    /// Takes a turn at a room that exists.
    pub(crate) async fn turn(&self, room: RoomSn) -> Result<Turn<'_>, RoomError> {
        let desk = self.desk(room);
        let mut tip = Arc::clone(&desk.tip).lock_owned().await;
        if tip.slots.len() > REMEMBERED && desk.in_flight.load(Ordering::Acquire) == 0 {
            tip.slots.clear();
        }
        let head = match &tip.head {
            Some(head) => head.clone(),
            None => {
                let head = self.store.room_head(room).await?.ok_or(RoomError::UnknownRoom)?;
                let heads = self.store.events(&head.heads).await?;
                tip.prev_events = heads.iter().map(|event| event.pdu.owned_event_id().clone()).collect();
                tip.head = Some((*head).clone());
                (*head).clone()
            }
        };
        Ok(self.turn_at(desk, tip, Some(head.head_version), head))
    }

    /// Takes the first turn at a room that is being made.
    pub(crate) async fn first_turn(&self, head: RoomHead) -> Turn<'_> {
        let desk = self.desk(head.room);
        let tip = Arc::clone(&desk.tip).lock_owned().await;
        self.turn_at(desk, tip, None, head)
    }

    fn turn_at(
        &self,
        desk: Arc<Desk>,
        tip: OwnedMutexGuard<Tip>,
        expected: Option<i64>,
        head: RoomHead,
    ) -> Turn<'_> {
        Turn {
            rooms: self,
            desk,
            prev_events: tip.prev_events.clone(),
            tip,
            expected,
            head,
            slots: Vec::new(),
            state: Vec::new(),
            forget_state: false,
            set: WriteSet::new(),
        }
    }
}

/// How often an operation was decided. It is decided again when the room moved meanwhile, but not for ever.
#[derive(Debug, Default)]
pub(crate) struct Attempts(usize);

impl Attempts {
    /// Writes what a turn has staged, if anything. Says whether that is done; if not, the room has moved, and
    /// the operation is to be decided again.
    pub(crate) async fn finish(&mut self, turn: Turn<'_>) -> Result<bool, RoomError> {
        if turn.set.is_empty() {
            return Ok(true);
        }
        match turn.submit().await.land().await {
            Ok(_) => Ok(true),
            Err(CommitError::RoomMoved) => self.again().map(|()| false),
            Err(error) => Err(error.into()),
        }
    }

    /// Counts one more attempt.
    pub(crate) fn again(&mut self) -> Result<(), RoomError> {
        self.0 += 1;
        if self.0 < ATTEMPTS { Ok(()) } else { Err(RoomError::Busy) }
    }
}

/// Decides and writes, again if the room moved meanwhile: `in_turn!(rooms, room, |turn| { … })`. The block stages
/// what is to be written and gives the operation's answer; if it stages nothing, nothing is written.
///
/// A macro, since a function that takes such a block cannot promise that the future it makes may move between
/// threads.
macro_rules! in_turn {
    ($rooms:expr, $room:expr, |$turn:ident| $decide:block) => {{
        let mut attempts = $crate::admit::Attempts::default();
        loop {
            let mut taken = $rooms.turn($room).await?;
            let $turn = &mut taken;
            let answer: Result<_, $crate::RoomError> = async { $decide }.await;
            let answer = answer?;
            if attempts.finish(taken).await? {
                break Ok(answer);
            }
        }
    }};
}
pub(crate) use in_turn;

impl Turn<'_> {
    /// The room.
    pub(crate) fn room(&self) -> RoomSn {
        self.head.room
    }

    /// The current state event of a type and state key, with what this turn has staged.
    pub(crate) async fn state(&mut self, kind: &str, state_key: &str) -> Result<Option<Numbered>, RoomError> {
        let is_wanted = |key: &StateKey| &*key.0 == kind && &*key.1 == state_key;
        if let Some((_, found)) = self.state.iter().rev().find(|entry| is_wanted(&entry.0)) {
            return Ok(Some(found.clone()));
        }
        let key = (kind.into(), state_key.into());
        if let Some(found) = self.tip.state.get(&key) {
            return Ok(found.clone());
        }
        let found = self.read_state(kind, state_key).await?;
        if self.tip.state.len() >= REMEMBERED {
            self.tip.state.clear();
        }
        self.tip.state.insert(key, found.clone());
        Ok(found)
    }

    async fn read_state(&self, kind: &str, state_key: &str) -> Result<Option<Numbered>, RoomError> {
        let store = &self.rooms.store;
        let root = self.tip.head.as_ref().map_or(StateRoot::EMPTY, |head| head.state_root);
        let Some(kind) = store.find_type(kind).await? else { return Ok(None) };
        let Some(slot) = self.slot(kind, state_key).await? else { return Ok(None) };
        let Some(sn) = store.state_slot(root, slot).await? else { return Ok(None) };
        Ok(Some((sn, store.event(sn).await?.pdu.clone())))
    }

    /// The current state event's PDU.
    pub(crate) async fn state_pdu(&mut self, kind: &str, state_key: &str) -> Result<Option<Pdu>, RoomError> {
        Ok(self.state(kind, state_key).await?.map(|found| found.1))
    }

    /// A user's membership as this turn sees it; [`Membership::Leave`] for who was never in.
    pub(crate) async fn membership(&mut self, user_id: &UserId) -> Result<Membership, RoomError> {
        let event = self.state_pdu("m.room.member", user_id.as_str()).await?;
        Ok(event.and_then(|event| event.membership()).unwrap_or(Membership::Leave))
    }

    /// The room's power levels as this turn sees them.
    pub(crate) async fn power_levels(&mut self) -> Result<dag::PowerLevels, RoomError> {
        let create = self.state_pdu("m.room.create", "").await?.ok_or(RoomError::UnknownRoom)?;
        let levels = self.state_pdu("m.room.power_levels", "").await?;
        Ok(dag::PowerLevels::new(&create, levels.as_ref()))
    }

    async fn slot(&self, kind: TypeSn, state_key: &str) -> Result<Option<Slot>, RoomError> {
        let key = (kind, Box::from(state_key));
        let staged = self.slots.iter().find(|entry| entry.0 == key).map(|entry| entry.1);
        match staged.or_else(|| self.tip.slots.get(&key).copied()) {
            Some(slot) => Ok(Some(slot)),
            None if self.expected.is_none() => Ok(None),
            None => Ok(self.rooms.store.slot(self.room(), kind, state_key).await?),
        }
    }

    /// Builds an event on what is staged, judges it, and stages it.
    ///
    /// # Errors
    /// If the event cannot be built or the room's rules refuse it; the turn is then as it was.
    pub(crate) async fn stage(
        &mut self,
        sender: &UserId,
        sender_sn: UserSn,
        draft: Draft,
        transaction: Option<(DeviceSn, String)>,
    ) -> Result<Staged, RoomError> {
        let (pdu, auth) = self.build(sender, draft).await?;
        self.place(sender_sn, pdu, auth, transaction).await
    }

    /// Builds an event on what is staged and judges it, without staging it.
    ///
    /// # Errors
    /// If the event cannot be built or the room's rules refuse it.
    pub(crate) async fn rehearse(&mut self, sender: &UserId, draft: Draft) -> Result<Pdu, RoomError> {
        Ok(self.build(sender, draft).await?.0)
    }

    /// Builds an event that the rules allow; gives it with the numbers of its auth events.
    async fn build(&mut self, sender: &UserId, draft: Draft) -> Result<(Pdu, Vec<EventSn>), RoomError> {
        let state = self.auth_state(sender, &draft).await?;
        let pdu = self.sign(sender, draft, &state)?;
        // A local event is built on the current state and cites that state's auth events: the checks against
        // the auth events, the state before and the current state are one and the same.
        let look_up = |kind: &str, state_key: &str| {
            let found = state.iter().find(|entry| entry.0 == kind && entry.1 == state_key);
            found.map(|entry| entry.3.clone())
        };
        dag::authorise(&pdu, look_up)?;
        let auth = state.iter().filter(|entry| pdu.auth_events().contains(entry.3.owned_event_id()));
        let auth = auth.map(|entry| entry.2).collect();
        Ok((pdu, auth))
    }

    /// The state events by which an event is judged, and the create event: type, state key, number, event.
    async fn auth_state(
        &mut self,
        sender: &UserId,
        draft: &Draft,
    ) -> Result<Vec<(String, String, EventSn, Pdu)>, RoomError> {
        let state_key = draft.state_key.as_deref();
        let mut keys = dag::auth_types(self.head.version, sender, &draft.kind, state_key, &draft.content)?;
        let create = ("m.room.create".to_owned(), String::new());
        if !keys.contains(&create) {
            keys.push(create);
        }
        let mut state = Vec::with_capacity(keys.len());
        for (kind, state_key) in keys {
            if let Some((sn, pdu)) = self.state(&kind, &state_key).await? {
                state.push((kind, state_key, sn, pdu));
            }
        }
        Ok(state)
    }

    fn sign(
        &self,
        sender: &UserId,
        draft: Draft,
        state: &[(String, String, EventSn, Pdu)],
    ) -> Result<Pdu, RoomError> {
        let version = self.head.version;
        let is_create = draft.kind == "m.room.create";
        let cites = |kind: &str| kind != "m.room.create" || !version.room_id_is_create_hash();
        let auth_events =
            state.iter().filter(|entry| cites(&entry.0)).map(|entry| entry.3.owned_event_id().clone());
        let event = EventDraft {
            room_id: (!(is_create && version.room_id_is_create_hash())).then(|| self.head.room_id.clone()),
            sender: sender.to_owned(),
            kind: draft.kind,
            state_key: draft.state_key,
            content: draft.content,
            redacts: draft.redacts,
            prev_events: self.prev_events.clone(),
            auth_events: auth_events.collect(),
            depth: self.head.depth + 1,
            origin_server_ts: if is_create {
                self.rooms.creation_ts()
            } else {
                self.rooms.ambient.now().millis()
            },
        };
        Ok(event.sign(version, &self.rooms.identity.key)?)
    }

    /// Judges an event from elsewhere, and stages it if it is accepted. One that is here already is not staged
    /// again.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if it is not accepted.
    pub(crate) async fn receive(&mut self, pdu: &Pdu, flags: EventFlags) -> Result<(), RoomError> {
        let store = &self.rooms.store;
        if let Some(known) = store.event_by_id(pdu.event_id()).await?
            && !known.flags.contains(EventFlags::OUTLIER)
        {
            return match known.flags.is_shown() {
                true => Ok(()),
                false => Err(RoomError::forbidden("the event was not accepted before")),
            };
        }
        let cited: Vec<&EventId> = pdu.auth_events().iter().map(|id| &**id).collect();
        let numbers = store.event_sns(&cited).await?;
        let auth: Vec<EventSn> = numbers.values().copied().collect();
        let mut known = HashMap::new();
        for event in store.events(&auth).await? {
            let rejected = event.flags.contains(EventFlags::REJECTED);
            known.insert(event.pdu.owned_event_id().clone(), dag::Known { pdu: event.pdu.clone(), rejected });
        }
        let create = self.state_pdu("m.room.create", "").await?;
        for create in create.iter() {
            known.insert(create.owned_event_id().clone(), dag::Known::accepted(create.clone()));
        }
        let mut state = HashMap::new();
        for key in dag::auth_types(pdu.version(), pdu.sender(), pdu.kind(), pdu.state_key(), pdu.content())? {
            if let Some(event) = self.state_pdu(&key.0, &key.1).await? {
                state.insert(key, event);
            }
        }
        state.extend(create.map(|create| (("m.room.create".to_owned(), String::new()), create)));
        let current = |kind: &str, key: &str| state.get(&(kind.to_owned(), key.to_owned())).cloned();
        let verdict = dag::judge(pdu, |id| known.get(id).cloned(), current, current);
        if let Some(reason) = verdict.reason() {
            return Err(RoomError::Forbidden(reason.to_string()));
        }
        let sender = self.rooms.store.intern_user(pdu.sender()).await?;
        self.place_flagged(sender, pdu.clone(), auth, None, flags).await?;
        Ok(())
    }

    /// Stages a signed event that the rules allow: its place in the graph, its slot, the state after it.
    async fn place(
        &mut self,
        sender: UserSn,
        pdu: Pdu,
        auth: Vec<EventSn>,
        transaction: Option<(DeviceSn, String)>,
    ) -> Result<Staged, RoomError> {
        self.place_flagged(sender, pdu, auth, transaction, EventFlags::ACCEPTED).await
    }

    async fn place_flagged(
        &mut self,
        sender: UserSn,
        pdu: Pdu,
        auth: Vec<EventSn>,
        transaction: Option<(DeviceSn, String)>,
        flags: EventFlags,
    ) -> Result<Staged, RoomError> {
        let store = &self.rooms.store;
        let sn = EventSn(store.next_number().await?);
        let kind = store.intern_type(pdu.kind()).await?;
        let member = self.member_of(&pdu).await?;
        if pdu.is_create() {
            self.head.room_id = pdu.owned_room_id().clone();
        }
        let state_root = self.head.state_root;
        let (mut slot, mut state_index) = (None, None);
        if let Some(state_key) = pdu.state_key() {
            let taken = self.take_slot(kind, state_key).await?;
            self.head.state_root =
                store.change_state(&mut self.set, state_root, &[(taken, Some(sn))]).await?;
            state_index = Some(self.head.next_state_index);
            self.head.next_state_index += 1;
            slot = Some(taken);
            self.state.push(((pdu.kind().into(), state_key.into()), (sn, pdu.clone())));
        }
        self.set.add_event(NewEvent {
            sn,
            room: self.head.room,
            kind,
            sender,
            member: member.map(|member| member.0),
            slot,
            state_index,
            flags,
            state_root,
            room_root: self.head.state_root,
            prev: std::mem::replace(&mut self.head.heads, vec![sn]),
            auth,
            transaction,
            pdu: pdu.clone(),
        });
        if let Some((user, membership)) = member {
            self.set.put_member(user, self.head.room, membership, sn);
        }
        self.head.depth = pdu.depth();
        self.prev_events = vec![pdu.owned_event_id().clone()];
        Ok(Staged { sn, pdu })
    }

    /// For a membership event, whose membership it is, and which.
    async fn member_of(&self, pdu: &Pdu) -> Result<Option<(UserSn, Membership)>, RoomError> {
        let Some(membership) = pdu.membership() else { return Ok(None) };
        let user_id = pdu.state_key().and_then(|key| OwnedUserId::try_from(key).ok());
        let user_id =
            user_id.ok_or_else(|| RoomError::forbidden("the state key of a membership is a user id"))?;
        Ok(Some((self.rooms.store.intern_user(&user_id).await?, membership)))
    }

    /// Stages an event of which only itself is known, such as an invitation to a room elsewhere; gives its number.
    pub(crate) async fn stage_outlier(&mut self, pdu: &Pdu) -> Result<EventSn, RoomError> {
        let store = &self.rooms.store;
        if let Some(sn) = store.event_sn(pdu.event_id()).await? {
            return Ok(sn);
        }
        let numbers = async |ids: &[OwnedEventId]| {
            let ids: Vec<&EventId> = ids.iter().map(|id| &**id).collect();
            store.event_sns(&ids).await.map(|found| found.into_values().collect::<Vec<_>>())
        };
        let (prev, auth) = (numbers(pdu.prev_events()).await?, numbers(pdu.auth_events()).await?);
        let sn = EventSn(store.next_number().await?);
        let kind = store.intern_type(pdu.kind()).await?;
        let sender = store.intern_user(pdu.sender()).await?;
        let member = self.member_of(pdu).await?.map(|member| member.0);
        let mut slot = None;
        let mut state_index = None;
        if let Some(state_key) = pdu.state_key() {
            slot = Some(self.take_slot(kind, state_key).await?);
            state_index = Some(self.head.next_state_index);
            self.head.next_state_index += 1;
        }
        self.set.add_event(NewEvent {
            sn,
            room: self.head.room,
            kind,
            sender,
            member,
            slot,
            state_index,
            flags: EventFlags::OUTLIER,
            state_root: StateRoot::EMPTY,
            room_root: StateRoot::EMPTY,
            prev,
            auth,
            transaction: None,
            pdu: pdu.clone(),
        });
        Ok(sn)
    }

    /// Makes an event the only one that the next follows, in a room whose state is now another.
    pub(crate) fn begin_anew(&mut self, head: RoomHead, end: &Pdu) {
        self.head = head;
        self.prev_events = vec![end.owned_event_id().clone()];
        self.forget_state = true;
    }

    async fn take_slot(&mut self, kind: TypeSn, state_key: &str) -> Result<Slot, RoomError> {
        if let Some(slot) = self.slot(kind, state_key).await? {
            return Ok(slot);
        }
        let slot = Slot(self.head.next_slot);
        self.head.next_slot += 1;
        self.slots.push(((kind, state_key.into()), slot));
        self.set.add_slot(self.head.room, kind, state_key, slot);
        Ok(slot)
    }

    /// Takes the content out of an event, in the same write as the redaction that was staged.
    pub(crate) fn redact(&mut self, target: EventSn, redacted: &Pdu, by: EventSn) {
        self.set.redact_event(target, redacted.json(), by);
        self.forget_state |= redacted.is_state();
    }

    /// Demands that the device has not used the transaction id before.
    pub(crate) fn use_transaction(&mut self, key: TransactionKey, event: EventSn) {
        let now = self.rooms.ambient.now().millis();
        self.set.use_transaction(key, event, now);
    }

    /// Hands what was staged to storage, and the desk to the next writer.
    pub(crate) async fn submit(mut self) -> Flight {
        self.head.head_version += 1;
        self.head.last_position = self.head.last_position.max(Position::START);
        let mut set = std::mem::take(&mut self.set);
        set.move_room(self.expected, self.head.clone());
        let tip = &mut *self.tip;
        tip.slots.extend(self.slots.drain(..));
        if self.forget_state {
            tip.state.clear();
        } else {
            tip.state.extend(self.state.drain(..).map(|(key, found)| (key, Some(found))));
        }
        tip.head = Some(self.head.clone());
        tip.prev_events = std::mem::take(&mut self.prev_events);
        let epoch = tip.epoch;
        self.desk.in_flight.fetch_add(1, Ordering::AcqRel);
        // Still holding the desk, so that writes reach the queue in the order of their heads.
        let submitted = self.rooms.store.submit(set).await;
        Flight { desk: Arc::clone(&self.desk), epoch, submitted }
    }

    /// Stages an event in an actor's name.
    pub(crate) async fn stage_for(&mut self, actor: &Actor, draft: Draft) -> Result<Staged, RoomError> {
        self.stage(&actor.user_id, actor.user, draft, None).await
    }
}
