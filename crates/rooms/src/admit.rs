//! The one door into a room.
//!
//! A room has a desk. Who writes takes a [`Turn`] at it: events are built on the head that is there, judged
//! against the current state, and staged; events of other servers bring their own place in the graph
//! (`remote`). [`Turn::submit`] hands all of them to storage as one write set and leaves the desk to the next writer without waiting for the disk. The next event is thus built on one that
//! may not be durable yet: if its write fails, so does every write behind it (their guards name a head that
//! never came to be), and each is decided again on the head that is.

mod entry;
mod outliers;
mod redaction;
mod remote;
mod resolution;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use parvis_dag as dag;
use parvis_events::{EventDraft, MAX_PREV_EVENTS, Membership, Pdu};
use parvis_storage::{
    AuthEdges, CommitError, Committed, DeviceSn, EventFlags, EventSn, RoomHead, RoomSn, Slot, StateRoot,
    StorageError, StoredEvent, Submitted, TransactionKey, TypeSn, UserSn, WriteSet,
};
use ruma::{OwnedEventId, UserId};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use self::remote::{StateGiven, TakenIn, Verdict};
pub(crate) use self::{redaction::Redacts, remote::Judged, resolution::Resolved};
use crate::{
    Actor, RoomError, Rooms,
    counters::{Counted, Counters},
};

/// How often an operation is decided again because the room moved.
const ATTEMPTS: usize = 8;
/// How many entries of current state a desk remembers.
const REMEMBERED: usize = 512;

/// A type and a state key.
type StateKey = (Box<str>, Box<str>);
/// A state event and its number.
type Numbered = (EventSn, Pdu);

use self::entry::Entry;

/// Where a room is written.
#[derive(Debug)]
pub(crate) struct Desk {
    tip: Arc<Mutex<Tip>>,
    /// Of the writes that were submitted here, in their order, how many are known to be durable or refused.
    landed: AtomicU64,
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
    /// How many writes were submitted here.
    submitted: u64,
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
    /// When it counts as sent, if not now.
    pub(crate) timestamp: Option<i64>,
}

impl Draft {
    pub(crate) fn message(kind: &str, content: Box<RawValue>) -> Self {
        Self { kind: kind.to_owned(), state_key: None, content, redacts: None, timestamp: None }
    }

    pub(crate) fn state(kind: &str, state_key: &str, content: Box<RawValue>) -> Self {
        let state_key = Some(state_key.to_owned());
        Self { kind: kind.to_owned(), state_key, content, redacts: None, timestamp: None }
    }

    /// The same, sent when the actor says.
    pub(crate) fn at_time_of(self, actor: &Actor) -> Self {
        Self { timestamp: actor.timestamp, ..self }
    }
}

/// What a local event follows.
struct Cited {
    events: Vec<EventSn>,
    ids: Vec<OwnedEventId>,
    /// The state there.
    state_root: StateRoot,
    /// The greatest depth among them.
    depth: i64,
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
    /// The ids of the head's events, in their order.
    prev_events: Vec<OwnedEventId>,
    slots: HashMap<(TypeSn, Box<str>), Slot>,
    /// Pairs of a type and a state key that were looked for and have no slot. Nobody else gives one meanwhile.
    without_slot: std::sync::Mutex<HashSet<(TypeSn, Box<str>)>>,
    /// Entries of the current state that this turn has set or, where [`met`](Self::met), looked up.
    state: Vec<(StateKey, Option<Numbered>)>,
    /// The state beneath those entries.
    base: StateRoot,
    /// Whether forks met in this turn, so that what the desk remembers of the state counts no more.
    met: bool,
    redacted_state: bool,
    /// Events of other servers that something which is here follows, though not directly: what lies between is not
    /// here. They are no ends of the room.
    overtaken: HashSet<OwnedEventId>,
    /// Events of other servers that the room's policy server would not sign.
    unwelcome: HashSet<OwnedEventId>,
    /// What this turn adds to the counts.
    counted: Counted,
    /// The events that this turn has staged, which nobody else can read yet.
    staged: HashMap<EventSn, Arc<StoredEvent>>,
    staged_ids: HashMap<OwnedEventId, EventSn>,
    /// The edges of the state events among them.
    staged_edges: Vec<AuthEdges>,
    /// What will be written. Operations add rows of their own.
    pub(crate) set: WriteSet,
}

/// A turn's writes, on their way.
pub(crate) struct Flight {
    desk: Arc<Desk>,
    epoch: u64,
    /// Which of the desk's writes it is.
    number: u64,
    submitted: Submitted,
    counters: Arc<Counters>,
    counted: Counted,
}

impl Flight {
    /// Waits until the writes are durable.
    pub(crate) async fn land(self) -> Result<Committed, CommitError> {
        let outcome = self.submitted.done().await;
        self.desk.landed.fetch_max(self.number, Ordering::AcqRel);
        match &outcome {
            Ok(_) => self.counters.add(self.counted),
            Err(_) => {
                let mut tip = self.desk.tip.lock().await;
                if tip.epoch == self.epoch {
                    tip.clear();
                }
            }
        }
        outcome
    }
}

impl Tip {
    fn new() -> Self {
        Self {
            head: None,
            prev_events: Vec::new(),
            epoch: 0,
            submitted: 0,
            slots: HashMap::new(),
            state: HashMap::new(),
        }
    }

    fn clear(&mut self) {
        *self = Self { epoch: self.epoch + 1, submitted: self.submitted, ..Self::new() };
    }
}

impl Rooms {
    fn desk(&self, room: RoomSn) -> Arc<Desk> {
        let make = || Arc::new(Desk { tip: Arc::new(Mutex::new(Tip::new())), landed: AtomicU64::new(0) });
        self.desks.get_with(room, make)
    }

    /// Takes a turn at a room that exists.
    pub(crate) async fn turn(&self, room: RoomSn) -> Result<Turn<'_>, RoomError> {
        let desk = self.desk(room);
        let mut tip = Arc::clone(&desk.tip).lock_owned().await;
        if tip.slots.len() > REMEMBERED && desk.landed.load(Ordering::Acquire) >= tip.submitted {
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
            base: head.state_root,
            head,
            slots: HashMap::new(),
            without_slot: std::sync::Mutex::default(),
            state: Vec::new(),
            met: false,
            redacted_state: false,
            overtaken: HashSet::new(),
            unwelcome: HashSet::new(),
            counted: Counted::default(),
            staged: HashMap::new(),
            staged_ids: HashMap::new(),
            staged_edges: Vec::new(),
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
            return Ok(found.clone());
        }
        let key = (kind.into(), state_key.into());
        if let Some(found) = self.tip.state.get(&key).filter(|_| !self.met) {
            return Ok(found.clone());
        }
        let found = self.state_in(self.base, kind, state_key).await?;
        if self.met {
            self.state.push((key, found.clone()));
            return Ok(found);
        }
        if self.tip.state.len() >= REMEMBERED {
            self.tip.state.clear();
        }
        self.tip.state.insert(key, found.clone());
        Ok(found)
    }

    /// The event of a type and state key in a state, which this turn may have made.
    async fn state_in(
        &self,
        root: StateRoot,
        kind: &str,
        state_key: &str,
    ) -> Result<Option<Numbered>, RoomError> {
        let store = &self.rooms.store;
        let Some(kind) = store.find_type(kind).await? else { return Ok(None) };
        let Some(slot) = self.slot(kind, state_key).await? else { return Ok(None) };
        let mut found = store.slots_in(&self.set, &[(root, slot)]).await?;
        let Some(sn) = found.pop().flatten() else { return Ok(None) };
        Ok(Some((sn, self.event(sn).await?.pdu.clone())))
    }

    /// An event that is stored or staged.
    async fn event(&self, sn: EventSn) -> Result<Arc<StoredEvent>, RoomError> {
        match self.staged.get(&sn) {
            Some(event) => Ok(Arc::clone(event)),
            None => Ok(self.rooms.store.event(sn).await?),
        }
    }

    /// Events that are stored or staged, in the order asked for.
    async fn events(&self, sns: &[EventSn]) -> Result<Vec<Arc<StoredEvent>>, RoomError> {
        let stored: Vec<EventSn> = sns.iter().copied().filter(|sn| !self.staged.contains_key(sn)).collect();
        let mut stored = self.rooms.store.events(&stored).await?.into_iter();
        let missing = || StorageError::Corrupt("an event number without an event".to_owned());
        let mut events = Vec::with_capacity(sns.len());
        for sn in sns {
            let event = self.staged.get(sn).cloned().or_else(|| stored.next()).ok_or_else(missing)?;
            if event.sn != *sn {
                return Err(missing().into());
            }
            events.push(event);
        }
        Ok(events)
    }

    /// Those of these events that are stored or staged, by id.
    async fn find_events(
        &self,
        event_ids: &[&ruma::EventId],
    ) -> Result<HashMap<OwnedEventId, Arc<StoredEvent>>, RoomError> {
        let mut sns: Vec<EventSn> =
            event_ids.iter().filter_map(|id| self.staged_ids.get(*id).copied()).collect();
        sns.extend(self.rooms.store.event_sns(event_ids).await?.into_values());
        sns.sort_unstable();
        sns.dedup();
        let events = self.events(&sns).await?;
        Ok(events.into_iter().map(|event| (event.pdu.owned_event_id().clone(), event)).collect())
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
        let staged = self.slots.get(&key).or_else(|| self.tip.slots.get(&key));
        if let Some(slot) = staged {
            return Ok(Some(*slot));
        }
        if self.expected.is_none() || self.without_slot().contains(&key) {
            return Ok(None);
        }
        let found = self.rooms.store.slot(self.room(), kind, state_key).await?;
        if found.is_none() {
            self.without_slot().insert(key);
        }
        Ok(found)
    }

    fn without_slot(&self) -> MutexGuard<'_, HashSet<(TypeSn, Box<str>)>> {
        self.without_slot.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.stage_flagged(sender, sender_sn, draft, transaction, EventFlags::ACCEPTED).await
    }

    /// As [`stage`](Self::stage), with flags.
    pub(crate) async fn stage_flagged(
        &mut self,
        sender: &UserId,
        sender_sn: UserSn,
        draft: Draft,
        transaction: Option<(DeviceSn, String)>,
        flags: EventFlags,
    ) -> Result<Staged, RoomError> {
        let (pdu, auth, cited) = self.build(sender, draft).await?;
        let pdu = self.have_signed(pdu).await?;
        let Cited { events: prev, state_root, .. } = cited;
        let entry = Entry { sender: sender_sn, flags, prev, auth, state_root, transaction, ..Entry::of(pdu) };
        self.enter(entry).await
    }

    /// An event with the signature of the room's policy server, if it has one.
    async fn have_signed(&mut self, pdu: Pdu) -> Result<Pdu, RoomError> {
        let policy = self.state_pdu("m.room.policy", "").await?;
        let server = self.rooms.policy_server_of(self.room(), policy.as_ref()).await?;
        self.rooms.have_signed_by(server.as_ref(), pdu).await
    }

    /// Says which events of other servers the policy server of the room would not sign.
    pub(crate) fn keep_out_of_sight(&mut self, unwelcome: &HashSet<OwnedEventId>) {
        self.unwelcome.clone_from(unwelcome);
    }

    /// Builds an event on what is durable and judges it, without staging it.
    ///
    /// # Errors
    /// If the event cannot be built or the room's rules refuse it.
    pub(crate) async fn rehearse(&mut self, sender: &UserId, draft: Draft) -> Result<Pdu, RoomError> {
        // Another server sees it before it is written: it must not follow what may never be.
        self.settle().await?;
        Ok(self.build(sender, draft).await?.0)
    }

    /// Notes which of these events, ancestors first, something that is here follows already: those that are missing
    /// here, and what they follow.
    pub(crate) fn note_overtaken<'a>(
        &mut self,
        missing: &HashSet<OwnedEventId>,
        events: impl DoubleEndedIterator<Item = &'a Pdu>,
    ) {
        for pdu in events.rev() {
            if missing.contains(pdu.event_id()) || self.overtaken.contains(pdu.event_id()) {
                self.overtaken.insert(pdu.owned_event_id().clone());
                self.overtaken.extend(pdu.prev_events().iter().cloned());
            }
        }
    }

    /// Waits until what others have submitted at this desk can be read. Nothing more is submitted meanwhile.
    pub(crate) async fn settle(&self) -> Result<(), RoomError> {
        let submitted = self.tip.submitted;
        if self.desk.landed.load(Ordering::Acquire) < submitted {
            self.rooms.store.settle().await?;
            self.desk.landed.fetch_max(submitted, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Builds an event that the rules allow; gives it with the numbers of its auth events and what it follows.
    async fn build(
        &mut self,
        sender: &UserId,
        draft: Draft,
    ) -> Result<(Pdu, Vec<EventSn>, Cited), RoomError> {
        let cited = self.cite().await?;
        let state = self.auth_state(cited.state_root, sender, &draft).await?;
        let pdu = self.sign(sender, draft, &cited, &state)?;
        // A local event is built on the current state and cites that state's auth events: the checks against
        // the auth events, the state before and the current state are one and the same.
        let look_up = |kind: &str, state_key: &str| {
            let found = state.iter().find(|entry| entry.0 == kind && entry.1 == state_key);
            found.map(|entry| entry.3.clone())
        };
        dag::authorise(&pdu, look_up)?;
        let auth = state.iter().filter(|entry| pdu.auth_events().contains(entry.3.owned_event_id()));
        let auth = auth.map(|entry| entry.2).collect();
        Ok((pdu, auth, cited))
    }

    /// What the next local event follows: all of the head's events, or as many as an event may name.
    async fn cite(&mut self) -> Result<Cited, RoomError> {
        let head = &self.head;
        if head.heads.len() <= MAX_PREV_EVENTS {
            let (events, state_root) = (head.heads.clone(), head.state_root);
            return Ok(Cited { events, ids: self.prev_events.clone(), state_root, depth: head.depth });
        }
        // The newest stand last. The others are cited by the events after this one.
        let events = head.heads[..MAX_PREV_EVENTS].to_vec();
        let ids = self.prev_events[..MAX_PREV_EVENTS].to_vec();
        let cited = self.events(&events).await?;
        let depth = cited.iter().map(|event| event.pdu.depth()).max().unwrap_or_default();
        let state_root = self.state_after_all(&cited).await?;
        Ok(Cited { events, ids, state_root, depth })
    }

    /// The state events by which an event is judged, and the create event: type, state key, number, event.
    async fn auth_state(
        &mut self,
        root: StateRoot,
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
            let found = if root == self.head.state_root {
                self.state(&kind, &state_key).await?
            } else {
                self.state_in(root, &kind, &state_key).await?
            };
            state.extend(found.map(|(sn, pdu)| (kind, state_key, sn, pdu)));
        }
        Ok(state)
    }

    fn sign(
        &self,
        sender: &UserId,
        draft: Draft,
        cited: &Cited,
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
            prev_events: cited.ids.clone(),
            auth_events: auth_events.collect(),
            depth: cited.depth.saturating_add(1),
            origin_server_ts: match draft.timestamp {
                _ if is_create => self.rooms.creation_ts(),
                Some(timestamp) => timestamp,
                None => self.rooms.ambient.now().millis(),
            },
        };
        Ok(event.sign(version, &self.rooms.identity.key)?)
    }

    /// Makes an event the only one that the next follows, in a room whose state is now another.
    pub(crate) fn begin_anew(&mut self, head: RoomHead, end: &Pdu) {
        self.base = head.state_root;
        self.met = true;
        self.state.clear();
        self.head = head;
        self.prev_events = vec![end.owned_event_id().clone()];
        self.rooms.graphs.remove(&self.head.room);
    }

    async fn take_slot(&mut self, kind: TypeSn, state_key: &str) -> Result<Slot, RoomError> {
        if let Some(slot) = self.slot(kind, state_key).await? {
            return Ok(slot);
        }
        let slot = Slot(self.head.next_slot);
        self.head.next_slot += 1;
        self.slots.insert((kind, state_key.into()), slot);
        self.set.add_slot(self.head.room, kind, state_key, slot);
        Ok(slot)
    }

    /// Takes the content out of an event, in the same write as the redaction that was staged.
    pub(crate) fn redact(&mut self, target: EventSn, redacted: &Pdu, by: EventSn) {
        self.set.redact_event(target, redacted.json(), by);
        self.redacted_state |= redacted.is_state();
    }

    /// Demands that the device has not used the transaction id before.
    pub(crate) fn use_transaction(&mut self, key: TransactionKey, event: EventSn) {
        let now = self.rooms.ambient.now().millis();
        self.set.use_transaction(key, event, now);
    }

    /// Hands what was staged to storage, and the desk to the next writer.
    pub(crate) async fn submit(mut self) -> Flight {
        self.head.head_version += 1;
        let mut set = std::mem::take(&mut self.set);
        set.move_room(self.expected, self.head.clone());
        let tip = &mut *self.tip;
        tip.slots.extend(self.slots.drain());
        if self.redacted_state || self.met {
            tip.state.clear();
        }
        if !self.redacted_state {
            tip.state.extend(self.state.drain(..));
        }
        tip.head = Some(self.head.clone());
        tip.prev_events = std::mem::take(&mut self.prev_events);
        tip.submitted += 1;
        let (epoch, number) = (tip.epoch, tip.submitted);
        // Still holding the desk, so that writes reach the queue in the order of their heads.
        let submitted = self.rooms.store.submit(set).await;
        let (desk, counters) = (Arc::clone(&self.desk), Arc::clone(&self.rooms.counters));
        Flight { desk, epoch, number, submitted, counters, counted: self.counted }
    }

    /// Stages an event in an actor's name.
    pub(crate) async fn stage_for(&mut self, actor: &Actor, draft: Draft) -> Result<Staged, RoomError> {
        self.stage(&actor.user_id, actor.user, draft, None).await
    }
}
