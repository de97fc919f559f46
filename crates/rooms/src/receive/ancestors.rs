//! An event whose ancestors are not all here: they are fetched, within bounds. First the events in between; where
//! those do not lead back to what is here, the state at the edge, and the hole is noted; and whatever authorises
//! any of them.
//!
//! An event enters only with all that authorises it and with a state before it. Where that cannot be had it does
//! not enter; what follows it may, with a hole in its place.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use parvis_dag::topological_order;
use parvis_events::Pdu;
use parvis_storage::{EventFlags, EventSn, Place, RoomSn};
use ruma::{EventId, OwnedEventId, OwnedServerName, ServerName};

use super::{asking::Asking, edges::MOST_EDGES, in_vain::InVain};
use crate::{
    RoomError, Rooms,
    admit::{Attempts, Judged, StateGiven},
};

/// How many times events in between are asked for.
const ROUNDS: usize = 60;
/// How often others are asked what lies between. A room waits for the answers; who answers with twenty events at a
/// time, as most do, tells nearly [`MOST_BETWEEN`] of them with so many.
const MOST_QUESTIONS: usize = 24;
/// How many events in between are fetched at most.
const MOST_BETWEEN: usize = 500;
/// How many events are named at either side of what lies between.
const MOST_NAMED: usize = 20;
/// How many holes of a room are looked at, the newest first.
const MOST_HOLES: usize = 1_000;
/// How often all is tried without an event that cannot enter.
const DETOURS: usize = 3;

/// Who has been asked for what lies between, and had an answer.
#[derive(Default)]
struct Asked {
    /// Who told all that they have.
    told_all: BTreeSet<OwnedServerName>,
    /// Who told nothing new: perhaps they do not know what it leads up to.
    told_nothing: BTreeSet<OwnedServerName>,
    /// Whether somebody told something.
    told_some: bool,
    /// How many questions were asked.
    questions: usize,
}

/// One of several tries to take in an event.
pub(super) struct Try<'a> {
    /// Events of the inbox that were tried in vain.
    pub(super) skip: HashSet<OwnedEventId>,
    /// Whether it is the last one, in which nobody is waited for.
    pub(super) is_last: bool,
    /// What was asked for just now, for other events.
    pub(super) in_vain: &'a mut InVain,
}

/// The search for the ancestors of an event.
pub(super) struct Search<'a> {
    pub(super) asking: Asking<'a>,
    /// The event, and those of its ancestors that were found and are not here yet.
    pub(super) pool: BTreeMap<OwnedEventId, Pdu>,
    /// The state after events that stay unknown.
    pub(super) given: StateGiven,
    /// Events that cannot enter: they count as unknown.
    pub(super) barred: HashSet<OwnedEventId>,
    /// Events that are missing here though something follows them. What came before them is history, and not looked
    /// for here.
    pub(super) missing: HashSet<OwnedEventId>,
    /// Whether more lies between than is fetched at once.
    pub(super) is_far: bool,
}

impl Rooms {
    /// Takes in an event after its ancestors, which are fetched. Says whether the event was decided; if not, it is to
    /// be tried again later, unless this was the last try.
    pub(super) async fn take_with_ancestors(
        &self,
        room: RoomSn,
        origin: &ServerName,
        pdu: &Pdu,
        Try { skip, is_last, in_vain }: Try<'_>,
    ) -> Result<bool, RoomError> {
        let asking = self.asking(room, Some(origin)).await?;
        let pool = BTreeMap::from([(pdu.owned_event_id().clone(), pdu.clone())]);
        let missing = self.missing_in(room).await?;
        let (given, barred) = (StateGiven::new(), HashSet::new());
        let mut search = Search { asking, pool, given, barred, missing, is_far: false };
        let is_decided = self.search_ancestors(&mut search, pdu, &skip, is_last, in_vain).await?;
        in_vain.found = search.pool;
        Ok(is_decided)
    }

    async fn search_ancestors(
        &self,
        search: &mut Search<'_>,
        pdu: &Pdu,
        skip: &HashSet<OwnedEventId>,
        last: bool,
        in_vain: &mut InVain,
    ) -> Result<bool, RoomError> {
        self.connect(search, in_vain.found.values().cloned().collect()).await?;
        if !self.fetch_between(search, skip, last, in_vain).await? {
            return Ok(false);
        }
        for _ in 0..DETOURS {
            if !self.fetch_edges(search, last, in_vain).await? {
                return Ok(false);
            }
            if !self.fetch_authority(search, pdu).await? {
                // Whatever comes before it, it cannot enter.
                return Ok(false);
            }
            let stuck = self.take_pool(search).await?;
            match stuck {
                None => return Ok(true),
                Some(stuck) if stuck == *pdu.owned_event_id() => return Ok(false),
                Some(stuck) => {
                    search.pool.remove(&stuck);
                    search.barred.insert(stuck);
                }
            }
        }
        Ok(false)
    }

    /// The events of a room that are missing though something follows them.
    pub(super) async fn missing_in(&self, room: RoomSn) -> Result<HashSet<OwnedEventId>, RoomError> {
        let holes = self.store.missing_events(room, Place::BEGINNING, Place::END, MOST_HOLES).await?;
        Ok(holes.into_iter().map(|hole| hole.event_id).collect())
    }

    /// What the events of the pool follow and what is neither in it nor here, with the events that follow it.
    pub(super) async fn edges(
        &self,
        search: &Search<'_>,
    ) -> Result<BTreeMap<OwnedEventId, OwnedEventId>, RoomError> {
        let mut edges: BTreeMap<OwnedEventId, OwnedEventId> = BTreeMap::new();
        for pdu in search.pool.values() {
            for prev in pdu.prev_events().iter().filter(|prev| !search.pool.contains_key(*prev)) {
                edges.insert(prev.clone(), pdu.owned_event_id().clone());
            }
        }
        let ids: Vec<&EventId> = edges.keys().map(|id| &**id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        for event in self.store.events(&sns).await?.iter().filter(|event| event.has_state()) {
            edges.remove(event.pdu.event_id());
        }
        Ok(edges)
    }

    /// Fetches the events between those of the pool and what is here: from the inbox, from whoever tells what lies
    /// between, and by their ids. Says whether to go on with what was found; not where somebody was silent who may
    /// know more.
    async fn fetch_between(
        &self,
        search: &mut Search<'_>,
        skip: &HashSet<OwnedEventId>,
        last: bool,
        in_vain: &mut InVain,
    ) -> Result<bool, RoomError> {
        let heads = self.store.events(&search.asking.head.heads).await?;
        let earliest: Vec<OwnedEventId> =
            heads.iter().take(MOST_NAMED).map(|head| head.pdu.owned_event_id().clone()).collect();
        let mut asked = Asked::default();
        for _ in 0..ROUNDS {
            let mut edges = self.edges(search).await?;
            edges.retain(|_, by| !search.missing.contains(by));
            if edges.is_empty() {
                return Ok(true);
            }
            if in_vain.has_any(&search.asking.servers, &edges, last) {
                return Ok(false);
            }
            let before = search.pool.len();
            if before >= MOST_BETWEEN {
                break;
            }
            self.find_in_inbox(search, &edges, skip).await?;
            if search.pool.len() > before {
                continue;
            }
            if asked.questions >= MOST_QUESTIONS {
                break;
            }
            self.ask_between(search, &earliest, &edges, &mut asked).await?;
            if search.pool.len() > before {
                asked.told_some = true;
                continue;
            }
            if !asked.told_some && asked.told_all.is_empty() && asked.told_nothing.is_empty() {
                // Who tells nonsense, or nothing, is not asked further questions.
                in_vain.note(&search.asking.servers, &edges, last);
                return Ok(false);
            }
            // Somebody may have it who does not know what follows it.
            let wanted: Vec<OwnedEventId> = edges.keys().take(MOST_EDGES).cloned().collect();
            let others = search.asking.servers.iter().filter(|server| !asked.told_all.contains(*server));
            let told = search.asking.events_of(others, &wanted).await?;
            self.connect(search, told.events).await?;
            if search.pool.len() == before {
                let goes_on = last || !told.is_open;
                if !goes_on {
                    in_vain.note(&search.asking.servers, &edges, last);
                }
                return Ok(goes_on);
            }
            asked = Asked { told_some: true, questions: asked.questions, ..Asked::default() };
        }
        search.is_far = true;
        Ok(true)
    }

    /// Asks one server after the other for what lies between, until one tells of something new. Those who have no
    /// more to tell are noted, and not asked again.
    async fn ask_between(
        &self,
        search: &mut Search<'_>,
        earliest: &[OwnedEventId],
        edges: &BTreeMap<OwnedEventId, OwnedEventId>,
        asked: &mut Asked,
    ) -> Result<(), RoomError> {
        let latest: BTreeSet<&OwnedEventId> = edges.values().collect();
        let are_all = latest.len() <= MOST_NAMED;
        let latest: Vec<OwnedEventId> = latest.into_iter().take(MOST_NAMED).cloned().collect();
        let before = search.pool.len();
        for server in search.asking.servers.clone() {
            if asked.told_all.contains(&server) || asked.told_nothing.contains(&server) {
                continue;
            }
            asked.questions += 1;
            let between = search.asking.missing_events(&server, earliest, &latest).await?;
            let Some(between) = between else { continue };
            let is_all = between.is_all && are_all;
            self.connect(search, between.pdus).await?;
            if search.pool.len() > before {
                if is_all {
                    asked.told_all.insert(server);
                }
                break;
            }
            asked.told_nothing.insert(server);
        }
        Ok(())
    }

    /// Takes those of the events into the pool that are not here and to which its events lead back.
    async fn connect(&self, search: &mut Search<'_>, mut found: Vec<Pdu>) -> Result<(), RoomError> {
        // Who is asked may go back further than to what is here.
        let known = self.placed_among(&found).await?;
        found.retain(|pdu| !known.contains(pdu.event_id()));
        search.connect(found);
        Ok(())
    }

    async fn find_in_inbox(
        &self,
        search: &mut Search<'_>,
        edges: &BTreeMap<OwnedEventId, OwnedEventId>,
        skip: &HashSet<OwnedEventId>,
    ) -> Result<(), RoomError> {
        let ids: Vec<&EventId> = edges.keys().filter(|id| !skip.contains(*id)).map(|id| &**id).collect();
        let (room_id, version) = (search.asking.head.room_id.clone(), search.asking.head.version);
        for event in self.store.in_inbox(search.asking.room, &ids).await? {
            if let Ok(pdu) = Pdu::from_stored(event.event_id.clone(), room_id.clone(), version, event.json) {
                search.pool.insert(event.event_id, pdu);
            }
        }
        Ok(())
    }

    /// Those of the state events that are here and were not rejected.
    pub(super) async fn accepted_of(
        &self,
        room: RoomSn,
        state: impl Iterator<Item = &OwnedEventId>,
    ) -> Result<Vec<EventSn>, RoomError> {
        let ids: Vec<&EventId> = state.map(|id| &**id).collect();
        let sns: Vec<EventSn> = self.store.event_sns(&ids).await?.into_values().collect();
        let events = self.store.events(&sns).await?;
        let accepted =
            events.iter().filter(|event| event.room == room && !event.flags.contains(EventFlags::REJECTED));
        Ok(accepted.map(|event| event.sn).collect())
    }

    /// Fetches what authorises the events of the pool and is neither in it nor here. Says whether all is there that
    /// authorises this one.
    pub(super) async fn fetch_authority(&self, search: &Search<'_>, pdu: &Pdu) -> Result<bool, RoomError> {
        let mut unknown = self.unknown_authority(search).await?;
        if unknown.is_empty() {
            return Ok(true);
        }
        let chain = search.asking.auth_chain(pdu.event_id()).await?;
        self.keep_outliers(search.asking.room, chain).await?;
        unknown = self.unknown_authority(search).await?;
        if !unknown.is_empty() {
            let events = search.asking.events(&unknown).await?.events;
            self.keep_outliers(search.asking.room, events).await?;
            unknown = self.unknown_authority(search).await?;
        }
        Ok(!pdu.auth_events().iter().any(|id| unknown.contains(id)))
    }

    async fn unknown_authority(&self, search: &Search<'_>) -> Result<Vec<OwnedEventId>, RoomError> {
        let cited: BTreeSet<&EventId> = search
            .pool
            .values()
            .flat_map(|pdu| pdu.auth_events())
            .filter(|id| !search.pool.contains_key(*id))
            .map(|id| &**id)
            .collect();
        let cited: Vec<&EventId> = cited.into_iter().collect();
        let known = self.store.event_sns(&cited).await?;
        let unknown = cited.into_iter().filter(|id| !known.contains_key(*id));
        Ok(unknown.take(MOST_BETWEEN).map(ToOwned::to_owned).collect())
    }

    /// Takes in the pool, ancestors first, in one write. Gives the first event that cannot enter, if any.
    async fn take_pool(&self, search: &Search<'_>) -> Result<Option<OwnedEventId>, RoomError> {
        let pool = search.pool.values().cloned().collect();
        let (pool, unwelcome) = self.police(search.asking.room, pool).await?;
        let order = topological_order(pool);
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(search.asking.room).await?;
            turn.note_overtaken(&search.missing, order.iter());
            turn.keep_out_of_sight(&unwelcome);
            let mut stuck = None;
            for pdu in &order {
                match turn.take_in(pdu, &search.given, None, EventFlags::ACCEPTED).await? {
                    Judged::Missing { prev, auth } => {
                        tracing::debug!(event = %pdu.event_id(), ?prev, ?auth, "still lacks ancestors");
                        stuck = Some(pdu.owned_event_id().clone());
                        break;
                    }
                    Judged::Refused(reason) => tracing::info!(event = %pdu.event_id(), reason, "refused"),
                    Judged::Done(_) => {}
                }
                turn.set.take_from_inbox(pdu.event_id());
            }
            if attempts.finish(turn).await? {
                return Ok(stuck);
            }
        }
    }
}

impl Search<'_> {
    /// Takes those of the events into the pool to which its events lead back.
    fn connect(&mut self, found: Vec<Pdu>) {
        let open = self.pool.values().filter(|pdu| !self.missing.contains(pdu.event_id()));
        let from = open.flat_map(|pdu| pdu.prev_events()).cloned().collect();
        self.connect_from(from, found);
    }

    /// Takes those of the events into the pool to which these lead back.
    pub(super) fn connect_from(&mut self, mut to_look_at: Vec<OwnedEventId>, found: Vec<Pdu>) {
        let mut found: HashMap<OwnedEventId, Pdu> =
            found.into_iter().map(|pdu| (pdu.owned_event_id().clone(), pdu)).collect();
        while let Some(id) = to_look_at.pop() {
            if self.barred.contains(&id) || self.pool.len() >= MOST_BETWEEN {
                continue;
            }
            if let Some(pdu) = found.remove(&id) {
                if !self.missing.contains(&id) {
                    to_look_at.extend(pdu.prev_events().iter().cloned());
                }
                self.pool.insert(id, pdu);
            }
        }
    }
}
