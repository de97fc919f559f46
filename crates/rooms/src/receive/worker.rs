//! The worker of a room: takes what lies in its inbox into the room, in order, as long as something lies there.
//! What lacks ancestors that cannot be had just now is tried again later, a few times.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use parvis_dag::topological_order;
use parvis_events::Pdu;
use parvis_storage::{EventFlags, InboxEvent, RoomHead, RoomSn, StorageError};
use ruma::{OwnedEventId, OwnedServerName};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};

use super::{ancestors::Try, in_vain::InVain};
use crate::{
    RoomError, Rooms,
    admit::{Attempts, Judged, StateGiven},
};

/// How many events of an inbox are read at a time, and written together if nothing hinders.
const AT_ONCE: usize = 50;
/// How often the ancestors of an event are looked for before it is given up; it may be sent again.
const TRIES: usize = 5;
/// How long after the first try the next one comes, at least; it triples each time. All that comes due within such a
/// span is tried together, since often all of it lacks the same.
const PAUSE: Duration = Duration::from_secs(5);
/// Of how many rooms it is remembered when their ends were brought together.
const ROOMS: u64 = 10_000;
/// How long a worker rests after the database has failed.
const REST: Duration = Duration::from_secs(5);

/// The workers of all rooms.
#[derive(Debug)]
pub(crate) struct Receiving {
    closing: watch::Sender<bool>,
    /// When the ends of a room were last brought together.
    pub(super) brought_together: Cache<RoomSn, Timestamp>,
    workers: Mutex<Workers>,
}

#[derive(Debug, Default)]
struct Workers {
    of_rooms: HashMap<RoomSn, Arc<Wakeup>>,
    tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Wakeup {
    /// Whether something came since the worker last looked.
    news: Mutex<bool>,
    notify: Notify,
}

impl Default for Receiving {
    fn default() -> Self {
        let (closing, brought_together) = (watch::Sender::new(false), Cache::new(ROOMS));
        Self { closing, brought_together, workers: Mutex::default() }
    }
}

impl Receiving {
    /// How many rooms are worked on.
    pub(crate) fn workers(&self) -> usize {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).of_rooms.len()
    }
}

/// An event whose ancestors could not be had.
struct Deferred {
    tries: usize,
    due: Timestamp,
    /// What it follows.
    prev: Vec<OwnedEventId>,
}

impl Deferred {
    /// Which try the next one is. One that comes before its time because something has entered does not count.
    fn next_try(&self) -> usize {
        if self.due == HURRIED { self.tries } else { self.tries + 1 }
    }
}

/// Some of the events in an inbox.
struct Page {
    pdus: Vec<Pdu>,
    origins: HashMap<OwnedEventId, OwnedServerName>,
}

impl Page {
    fn read(head: &RoomHead, events: Vec<InboxEvent>) -> Self {
        let mut page = Self { pdus: Vec::new(), origins: HashMap::with_capacity(events.len()) };
        for event in events {
            let InboxEvent { event_id, origin, json, .. } = event;
            match Pdu::from_stored(event_id.clone(), head.room_id.clone(), head.version, json) {
                Ok(pdu) => page.pdus.push(pdu),
                Err(error) => tracing::error!(%error, "an event in the inbox cannot be read"),
            }
            page.origins.insert(event_id, origin);
        }
        page
    }
}

/// When what is hurried is due.
const HURRIED: Timestamp = Timestamp(0);

/// What was deferred in a room.
type Later = HashMap<OwnedEventId, Deferred>;

/// Has what was deferred for want of these events wait no longer.
fn hurry<'a>(later: &mut Later, entered: impl IntoIterator<Item = &'a OwnedEventId>) {
    if later.is_empty() {
        return;
    }
    let entered: HashSet<&OwnedEventId> = entered.into_iter().collect();
    let waiting = later.values_mut().filter(|one| one.prev.iter().any(|prev| entered.contains(prev)));
    waiting.for_each(|one| one.due = HURRIED);
}

impl Rooms {
    /// Goes on with what lay in the inboxes when the server stopped, and with what is to be sent later.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn resume(&self) -> Result<(), StorageError> {
        for room in self.store.rooms_with_inbox().await? {
            self.wake_worker(room);
        }
        let mut closing = self.receiving.closing.subscribe();
        let rooms = self.clone();
        let mut workers = self.receiving.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.tasks.spawn(async move {
            tokio::select! {
                biased;
                _ = closing.wait_for(|closing| *closing) => {}
                () = rooms.send_what_is_due() => {}
            }
        });
        Ok(())
    }

    /// Lets the workers end.
    pub fn stop(&self) {
        self.receiving.closing.send_replace(true);
    }

    /// Lets the workers end and waits until they have. What lies in the inboxes is taken up by the next run.
    pub async fn close(&self) {
        self.stop();
        let mut tasks = {
            let mut workers = self.receiving.workers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut workers.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    /// Tells the worker of a room that something has come.
    pub(super) fn wake_worker(&self, room: RoomSn) {
        let mut workers = self.receiving.workers.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.receiving.closing.borrow() {
            return;
        }
        if let Some(wakeup) = workers.of_rooms.get(&room) {
            *wakeup.news.lock().unwrap_or_else(PoisonError::into_inner) = true;
            wakeup.notify.notify_one();
            return;
        }
        while workers.tasks.try_join_next().is_some() {}
        let wakeup = Arc::new(Wakeup::default());
        workers.of_rooms.insert(room, Arc::clone(&wakeup));
        workers.tasks.spawn(self.clone().work(room, wakeup));
    }

    async fn work(self, room: RoomSn, wakeup: Arc<Wakeup>) {
        let mut closing = self.receiving.closing.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => {}
            () = self.take_all(room, &wakeup) => {}
        }
    }

    /// Takes events until none is left.
    async fn take_all(&self, room: RoomSn, wakeup: &Wakeup) {
        let mut later = Later::new();
        loop {
            *wakeup.news.lock().unwrap_or_else(PoisonError::into_inner) = false;
            let rest = match self.pass(room, wakeup, &mut later).await {
                Ok(()) if later.is_empty() && self.end_worker(room, wakeup) => return,
                Ok(()) => {
                    let now = self.ambient.now();
                    later.values().map(|deferred| deferred.due.since(now)).min().unwrap_or_default()
                }
                Err(error) => {
                    tracing::error!(room = room.0, %error, "the inbox of a room cannot be worked on");
                    REST
                }
            };
            tokio::select! {
                biased;
                () = wakeup.notify.notified() => {}
                () = self.ambient.clock.sleep(rest) => {}
            }
        }
    }

    /// Takes the worker off the list, unless something has come. Says whether it did.
    fn end_worker(&self, room: RoomSn, wakeup: &Wakeup) -> bool {
        let mut workers = self.receiving.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *wakeup.news.lock().unwrap_or_else(PoisonError::into_inner);
        if !news {
            workers.of_rooms.remove(&room);
        }
        !news
    }

    /// Goes once through a room's inbox.
    async fn pass(&self, room: RoomSn, wakeup: &Wakeup, later: &mut Later) -> Result<(), RoomError> {
        let Some(head) = self.store.room_head(room).await? else { return Ok(()) };
        let mut behind = 0;
        let mut seen = HashSet::new();
        let mut in_vain = InVain::default();
        loop {
            let events = self.store.inbox(room, behind, AT_ONCE).await?;
            let Some(last) = events.last() else { break };
            behind = last.number;
            seen.extend(events.iter().map(|event| event.event_id.clone()));
            let now = self.ambient.now();
            let is_due = |event: &InboxEvent| later.get(&event.event_id).is_none_or(|one| one.due <= now);
            let due: Vec<InboxEvent> = events.into_iter().filter(is_due).collect();
            let page = Page::read(&head, due);
            self.take_page(room, wakeup, page, behind, later, &mut in_vain).await?;
        }
        // What was deferred may have been taken since, as something's ancestor or as news beside a search; waiting
        // for it would be waiting for nothing, without a pause.
        later.retain(|id, _| seen.contains(id));
        self.bring_ends_together(room).await
    }

    /// Takes events into the room: first all that need nothing more, in one write, so that nobody waits for what
    /// somebody else withholds.
    async fn take_page(
        &self,
        room: RoomSn,
        wakeup: &Wakeup,
        Page { pdus, origins }: Page,
        behind: i64,
        later: &mut Later,
        in_vain: &mut InVain,
    ) -> Result<(), RoomError> {
        let (pdus, unwelcome) = self.police(room, pdus).await?;
        let mut waiting = topological_order(pdus);
        let mut has_changed = true;
        while !waiting.is_empty() {
            if has_changed {
                let lacking = self.take_what_can_be(room, &waiting, &unwelcome).await?;
                let entered = waiting.iter().filter(|pdu| !lacking.contains(*pdu));
                let entered: Vec<OwnedEventId> = entered.map(|pdu| pdu.owned_event_id().clone()).collect();
                for id in &entered {
                    later.remove(id);
                }
                hurry(later, &entered);
                waiting = lacking;
            }
            if waiting.is_empty() {
                return Ok(());
            }
            let pdu = waiting.remove(0);
            let Some(origin) = origins.get(pdu.event_id()) else { continue };
            let tries = later.get(pdu.event_id()).map_or(1, Deferred::next_try);
            let skip = later.keys().cloned().collect();
            let attempt = Try { skip, is_last: tries >= TRIES, in_vain: &mut *in_vain };
            let search = self.take_with_ancestors(room, origin, &pdu, attempt);
            let (is_decided, news) = self.search_beside_news(room, wakeup, behind, search).await?;
            if is_decided {
                later.remove(pdu.event_id());
                hurry(later, in_vain.found.keys());
            } else {
                self.defer(&pdu, tries, later).await?;
            }
            hurry(later, &news);
            has_changed = is_decided || !news.is_empty();
        }
        Ok(())
    }

    /// Lets a search for the ancestors of an event go on. Whatever comes meanwhile is taken in, if it needs nothing
    /// more: others may take long to answer, or never do. Says whether the event was decided, and what entered
    /// meanwhile.
    async fn search_beside_news(
        &self,
        room: RoomSn,
        wakeup: &Wakeup,
        behind: i64,
        search: impl Future<Output = Result<bool, RoomError>>,
    ) -> Result<(bool, Vec<OwnedEventId>), RoomError> {
        let found = Notify::new();
        let search = async {
            let outcome = search.await;
            found.notify_one();
            outcome
        };
        let news = async {
            let (mut behind, mut entered) = (behind, Vec::new());
            loop {
                tokio::select! {
                    biased;
                    () = found.notified() => return Ok(entered),
                    () = wakeup.notify.notified() => {
                        behind = self.take_news(room, behind, &mut entered).await?;
                    }
                }
            }
        };
        // Both to their ends: neither may be left in the middle of a write.
        let (found, news): (_, Result<Vec<OwnedEventId>, RoomError>) = tokio::join!(search, news);
        Ok((found?, news?))
    }

    /// Takes in what lies in the inbox behind a number and needs nothing more, and adds it to what has `entered`. Gives
    /// the number up to which the inbox was looked at.
    async fn take_news(
        &self,
        room: RoomSn,
        behind: i64,
        entered: &mut Vec<OwnedEventId>,
    ) -> Result<i64, RoomError> {
        let Some(head) = self.store.room_head(room).await? else { return Ok(behind) };
        let mut behind = behind;
        loop {
            let events = self.store.inbox(room, behind, AT_ONCE).await?;
            let Some(last) = events.last() else { return Ok(behind) };
            behind = last.number;
            let (pdus, unwelcome) = self.police(room, Page::read(&head, events).pdus).await?;
            let pdus = topological_order(pdus);
            let lacking = self.take_what_can_be(room, &pdus, &unwelcome).await?;
            let taken = pdus.iter().filter(|pdu| !lacking.contains(*pdu));
            entered.extend(taken.map(|pdu| pdu.owned_event_id().clone()));
        }
    }

    /// Takes those of the events whose ancestors are here; gives the others, in their order.
    async fn take_what_can_be(
        &self,
        room: RoomSn,
        pdus: &[Pdu],
        unwelcome: &HashSet<OwnedEventId>,
    ) -> Result<Vec<Pdu>, RoomError> {
        let missing = self.missing_in(room).await?;
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            turn.note_overtaken(&missing, pdus.iter());
            turn.keep_out_of_sight(unwelcome);
            let mut lacking = Vec::new();
            for pdu in pdus {
                match turn.take_in(pdu, &StateGiven::new(), None, EventFlags::ACCEPTED).await? {
                    Judged::Missing { .. } => {
                        lacking.push(pdu.clone());
                        continue;
                    }
                    Judged::Refused(reason) => tracing::info!(event = %pdu.event_id(), reason, "refused"),
                    Judged::Done(_) => {}
                }
                turn.set.take_from_inbox(pdu.event_id());
            }
            if attempts.finish(turn).await? {
                return Ok(lacking);
            }
        }
    }

    /// Lets an event wait, or gives it up.
    async fn defer(&self, pdu: &Pdu, tries: usize, later: &mut Later) -> Result<(), RoomError> {
        let id = pdu.owned_event_id().clone();
        if tries >= TRIES {
            tracing::warn!(event = %id, room = %pdu.room_id(), "what an event builds on cannot be had, it is given up");
            self.counters.count_given_up();
            later.remove(&id);
            let mut set = parvis_storage::WriteSet::new();
            set.take_from_inbox(&id);
            self.store.commit(set).await?;
            return Ok(());
        }
        let pause = PAUSE.saturating_mul(3_u32.saturating_pow(u32::try_from(tries - 1).unwrap_or(u32::MAX)));
        tracing::info!(event = %id, room = %pdu.room_id(), tries, "what an event builds on cannot be had now");
        let prev = pdu.prev_events().to_vec();
        later.insert(id, Deferred { tries, prev, due: self.ambient.now().plus(pause).round_up(PAUSE) });
        Ok(())
    }
}
