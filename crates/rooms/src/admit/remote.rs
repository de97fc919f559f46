//! An event of another server enters: the state before it is found from what it follows, it is judged, and it
//! takes its place in the graph, or is kept out of sight.
//!
//! All that it follows and all that authorises it must be here; who calls fetches what is missing.
//! <https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu>

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parvis_dag::{self as dag, Known};
use parvis_events::Pdu;
use parvis_storage::{Direction, EventFlags, EventSn, Place, Position, StateRoot, StoredEvent};
use ruma::{EventId, OwnedEventId};

use super::{Turn, entry::Entry, resolution::known};
use crate::RoomError;

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the room.
    Accepted,
    /// It was allowed when it was sent, but the current state forbids it: kept, not shown, and nothing that we
    /// send follows it. With the reason.
    SoftFailed(String),
    /// It was never allowed: kept only so that its children can be judged. With the reason.
    Rejected(String),
}

impl Verdict {
    fn flags(&self) -> EventFlags {
        match self {
            Self::Accepted => EventFlags::ACCEPTED,
            Self::SoftFailed(_) => EventFlags::SOFT_FAILED,
            Self::Rejected(_) => EventFlags::REJECTED,
        }
    }

    fn of_stored(event: &StoredEvent) -> Self {
        let before = || "it was decided so before".to_owned();
        if event.flags.contains(EventFlags::REJECTED) {
            Self::Rejected(before())
        } else if event.flags.contains(EventFlags::SOFT_FAILED) {
            Self::SoftFailed(before())
        } else {
            Self::Accepted
        }
    }
}

impl From<dag::Verdict> for Verdict {
    fn from(verdict: dag::Verdict) -> Self {
        match verdict {
            dag::Verdict::Accept => Self::Accepted,
            dag::Verdict::SoftFail(reason) => Self::SoftFailed(reason.reason().to_owned()),
            dag::Verdict::Reject(reason) => Self::Rejected(reason.reason().to_owned()),
        }
    }
}

/// An event that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenIn {
    /// Its number.
    pub event: EventSn,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether it was not here before.
    pub is_new: bool,
}

/// The state after events that are not here, or at which no state is known, as others gave it: the state events
/// by the id of the event. They are here, perhaps as outliers.
pub type StateGiven = HashMap<OwnedEventId, Vec<EventSn>>;

/// What a turn makes of an event.
#[derive(Debug)]
pub(crate) enum Judged {
    /// It is staged, or was here.
    Done(TakenIn),
    /// These events that it follows, and these that authorise it, have to be fetched first.
    Missing { prev: Vec<OwnedEventId>, auth: Vec<OwnedEventId> },
    /// It cannot be an event of this room, and is not kept.
    Refused(&'static str),
}

/// What an event follows and what authorises it.
struct Surroundings {
    prev: Vec<Arc<StoredEvent>>,
    missing: Vec<OwnedEventId>,
    auth: Vec<Arc<StoredEvent>>,
    create: Option<Arc<StoredEvent>>,
}

type StateLookUp = HashMap<(String, String), Pdu>;

impl Turn<'_> {
    /// Judges an event of another server whose ancestors are here, and stages it if it is accepted, with flags of
    /// whoever calls. One that is here already is not staged again.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] if it is not accepted: leave the turn then.
    pub(crate) async fn receive(&mut self, pdu: &Pdu, flags: EventFlags) -> Result<(), RoomError> {
        match self.take_in(pdu, &StateGiven::new(), None, flags).await? {
            Judged::Done(TakenIn { verdict: Verdict::Accepted, .. }) => Ok(()),
            Judged::Done(TakenIn {
                verdict: Verdict::Rejected(reason) | Verdict::SoftFailed(reason),
                ..
            }) => Err(RoomError::Forbidden(reason)),
            Judged::Missing { .. } => {
                Err(RoomError::forbidden("the event follows events that are not known here"))
            }
            Judged::Refused(reason) => Err(RoomError::forbidden(reason)),
        }
    }

    /// Judges an event of another server and stages it. `given` tells the state after events that it follows
    /// and that are not here; `past` is the place of an event that was fetched from the room's past.
    pub(crate) async fn take_in(
        &mut self,
        pdu: &Pdu,
        given: &StateGiven,
        past: Option<Place>,
        flags: EventFlags,
    ) -> Result<Judged, RoomError> {
        if *pdu.room_id() != *self.head.room_id {
            return Ok(Judged::Refused("the event is of another room"));
        }
        // The event, or what it follows, may have been submitted a moment ago.
        self.settle().await?;
        let id = pdu.event_id();
        let stored = self.find_events(&[id]).await?.remove(id);
        if let Some(event) = stored.as_ref().filter(|event| event.has_state()) {
            let verdict = Verdict::of_stored(event);
            return Ok(Judged::Done(TakenIn { event: event.sn, verdict, is_new: false }));
        }
        if pdu.is_create() && !self.is_own_create(pdu).await? {
            return Ok(Judged::Refused("the room was created by another event"));
        }
        let surroundings = match self.surroundings(pdu, given).await? {
            Ok(surroundings) => surroundings,
            Err(missing) => return Ok(missing),
        };
        let state_root = self.state_before(&surroundings, given).await?;
        let mut verdict = self.judge(pdu, &surroundings, state_root, past.is_some()).await?;
        if verdict == Verdict::Accepted && past.is_none() && self.unwelcome.contains(id) {
            verdict = Verdict::SoftFailed("the room's policy server has not signed it".to_owned());
        }
        if verdict != Verdict::Accepted {
            tracing::info!(event = %id, room = %self.head.room_id, ?verdict, "an event does not enter");
        }
        let followed = self.rooms.store.is_missing(self.head.room, id).await?;
        if followed {
            self.set.found_missing_event(self.head.room, id);
        }
        let is_news = verdict == Verdict::Accepted && past.is_none();
        let followed = followed || self.overtaken.contains(id) || is_news && self.is_from_before(pdu).await?;
        let redacts = self.redacts(pdu, state_root).await?;
        let sns = |events: &[Arc<StoredEvent>]| events.iter().map(|event| event.sn).collect();
        let entry = Entry {
            sender: self.rooms.store.intern_user(pdu.sender()).await?,
            flags: verdict.flags().with(flags).with(redacts.flags()),
            prev: sns(&surroundings.prev),
            auth: sns(&surroundings.auth),
            missing: surroundings.missing,
            state_root,
            outlier: stored,
            followed,
            past,
            ..Entry::of(pdu.clone())
        };
        let staged = self.enter(entry).await?;
        if verdict == Verdict::Accepted {
            self.settle_redaction(&staged, redacts)?;
            self.settle_waiting_redactions(&staged).await?;
        }
        Ok(Judged::Done(TakenIn { event: staged.sn, verdict, is_new: true }))
    }

    /// Whether an event that comes as news is older than what this server joined the room at. Others have followed it
    /// since, even if that is not known here; taken for an end, it would bring the room's old state back.
    async fn is_from_before(&self, pdu: &Pdu) -> Result<bool, RoomError> {
        if pdu.depth() >= self.head.depth {
            return Ok(false);
        }
        let (store, room) = (&self.rooms.store, self.head.room);
        let first = store.timeline(room, Position::START, store.head(), Direction::Forward, 1).await?;
        let arrival = first.first().filter(|event| event.flags.contains(EventFlags::SEAM));
        Ok(arrival.is_some_and(|arrival| pdu.depth() < arrival.pdu.depth()))
    }

    /// Whether this is the event that created the room, or may be.
    async fn is_own_create(&self, pdu: &Pdu) -> Result<bool, RoomError> {
        let create = self.state_in(self.head.state_root, "m.room.create", "").await?;
        Ok(create.is_none_or(|(_, create)| create.event_id() == pdu.event_id()))
    }

    /// Finds what an event follows and what authorises it, or says what is missing.
    async fn surroundings(
        &self,
        pdu: &Pdu,
        given: &StateGiven,
    ) -> Result<Result<Surroundings, Judged>, RoomError> {
        let create = create_id(pdu);
        let ids: Vec<&EventId> = pdu
            .prev_events()
            .iter()
            .chain(pdu.auth_events())
            .chain(&create)
            .map(|id| &**id)
            .collect::<HashSet<_>>()
            .into_iter()
            .collect();
        let found = self.find_events(&ids).await?;
        let mut surroundings =
            Surroundings { prev: Vec::new(), missing: Vec::new(), auth: Vec::new(), create: None };
        let (mut prev, mut auth) = (Vec::new(), Vec::new());
        for id in unique(pdu.prev_events()) {
            match found.get(id) {
                Some(event) if event.room != self.head.room => {
                    return Ok(Err(Judged::Refused("the event follows an event of another room")));
                }
                Some(event) if event.has_state() => surroundings.prev.push(Arc::clone(event)),
                _ if given.contains_key(id) => surroundings.missing.push(id.clone()),
                _ => prev.push(id.clone()),
            }
        }
        for id in unique(pdu.auth_events()) {
            match found.get(id) {
                Some(event) => surroundings.auth.push(Arc::clone(event)),
                None => auth.push(id.clone()),
            }
        }
        surroundings.create = create.as_ref().and_then(|id| found.get(id).cloned());
        if !prev.is_empty() || !auth.is_empty() {
            return Ok(Err(Judged::Missing { prev, auth }));
        }
        Ok(Ok(surroundings))
    }

    /// The state before an event: that after all that it follows.
    async fn state_before(
        &mut self,
        surroundings: &Surroundings,
        given: &StateGiven,
    ) -> Result<StateRoot, RoomError> {
        let mut roots = Vec::new();
        for event in &surroundings.prev {
            roots.push(self.state_after(event).await?);
        }
        for id in &surroundings.missing {
            let Some(state) = given.get(id) else { continue };
            roots.push(self.root_of(state).await?);
        }
        self.resolve_roots(roots).await
    }

    /// The state that consists of these events.
    pub(crate) async fn root_of(&mut self, state: &[EventSn]) -> Result<StateRoot, RoomError> {
        let events = self.events(state).await?;
        let changes: Vec<_> = events.iter().filter_map(|event| Some((event.slot?, Some(event.sn)))).collect();
        Ok(self.rooms.store.change_state(&mut self.set, StateRoot::EMPTY, &changes).await?)
    }

    async fn judge(
        &mut self,
        pdu: &Pdu,
        surroundings: &Surroundings,
        before: StateRoot,
        is_past: bool,
    ) -> Result<Verdict, RoomError> {
        let cited = surroundings.auth.iter().chain(&surroundings.create);
        let cited: HashMap<&EventId, Known> =
            cited.map(|event| (event.pdu.event_id(), known(event))).collect();
        let mut keys: Vec<(String, String)> = dag::relevant_keys([pdu]).into_iter().collect();
        keys.push(("m.room.create".to_owned(), String::new()));
        let mut then = StateLookUp::new();
        let mut now = StateLookUp::new();
        let is_past = is_past || self.head.heads.is_empty();
        let is_current = before == self.head.state_root;
        for (kind, state_key) in keys {
            let found = if is_current {
                self.state_pdu(&kind, &state_key).await?
            } else {
                self.state_in(before, &kind, &state_key).await?.map(|found| found.1)
            };
            then.extend(found.map(|found| ((kind.clone(), state_key.clone()), found)));
            // What was sent long ago is not held against what the room is now; nor is what begins it here.
            if !is_current && !is_past {
                let found = self.state_pdu(&kind, &state_key).await?;
                now.extend(found.map(|found| ((kind, state_key), found)));
            }
        }
        let now = if is_current || is_past { &then } else { &now };
        let look_up = |state: &StateLookUp, kind: &str, state_key: &str| {
            state.get(&(kind.to_owned(), state_key.to_owned())).cloned()
        };
        let verdict = dag::judge(
            pdu,
            |id| cited.get(id).cloned(),
            |kind, state_key| look_up(&then, kind, state_key),
            |kind, state_key| look_up(now, kind, state_key),
        );
        Ok(verdict.into())
    }
}

/// The create event of a room whose id is that event's.
pub(super) fn create_id(pdu: &Pdu) -> Option<OwnedEventId> {
    let is_named = pdu.version().room_id_is_create_hash() && !pdu.is_create();
    is_named.then(|| EventId::parse(format!("${}", pdu.room_id().strip_sigil())).ok()).flatten()
}

/// Ids without repetition, in their order.
pub(super) fn unique(ids: &[OwnedEventId]) -> impl Iterator<Item = &OwnedEventId> {
    let mut seen = HashSet::new();
    ids.iter().filter(move |id| seen.insert(*id))
}
