//! What one server has not been told yet, and how far it is.
//!
//! A queue holds numbers and keys, not texts, and not many: one that grows too long, or whose server is silent for
//! too long, is dropped, and only remembers where it stood. What was missed is then looked up when the server is
//! back ([`crate::catch_up`]). Knows no clock, no store and no network.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{EventSn, Position, RoomSn, UserSn};
use ruma::api::federation::transactions::edu::PresenceUpdate;

use crate::load::{Load, MOST_EDUS, MOST_EVENTS, Transaction};

/// How many events wait in a queue at most.
const LONGEST: usize = 1_000;
/// How many receipts, people typing and presences wait in a queue at most, of each.
const MOST_EPHEMERAL: usize = 1_000;
/// For how long a transaction that failed is tried again as it is: five times, as long as the network leaves a
/// server in peace. After that the queue is dropped.
const PATIENCE: Duration = Duration::from_secs(150);
/// The longest time between two attempts where the network names none.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// Whether the queue knows everything that its server has not been told.
#[derive(Debug)]
enum Reach {
    /// It does.
    Abreast,
    /// It knows only up to where the server was told everything; what is new is not queued.
    Lagging,
    /// What was missed up to a position is being looked up; what is newer is queued.
    LookingUp { until: Position },
    /// What was missed up to a position is being told; what is newer is queued.
    CatchingUp { until: Position, missed: VecDeque<(Position, EventSn)> },
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Nothing.
    Idle,
    /// Nothing before a time.
    Waiting(Timestamp),
    /// A task is telling the server.
    Sending,
}

/// What is sent next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing.
    Rest,
    /// What was missed between two positions is to be looked up.
    LookUp { after: Position, until: Position },
    /// This, again.
    Retry(Arc<Transaction>),
    /// This.
    Tell(Load),
}

/// What one server has not been told yet. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Queue {
    reach: Reach,
    /// Everything up to here has arrived, or did not concern the server.
    arrived: Position,
    /// Where the store says that the server lags behind, if it does.
    pub(crate) recorded: Option<Position>,
    /// Newer than what is missed, oldest first. Those that are under way are still here.
    events: VecDeque<(Position, EventSn)>,
    receipts: BTreeMap<(RoomSn, UserSn), Position>,
    typing: BTreeMap<(RoomSn, UserSn), bool>,
    presence: BTreeMap<UserSn, PresenceUpdate>,
    stored_edus: bool,
    /// The transaction under way, or to be tried again.
    transaction: Option<Arc<Transaction>>,
    pub(crate) activity: Activity,
    failures: u32,
    /// How often the transaction was refused as bad.
    refusals: u32,
    failing_since: Option<Timestamp>,
    last_attempt: Option<Timestamp>,
    /// Whether the next attempt is made although the server is to be left in peace.
    forced: bool,
}

impl Queue {
    /// The queue of a server that was told everything up to a position.
    pub(crate) fn abreast(arrived: Position) -> Self {
        Self {
            reach: Reach::Abreast,
            arrived,
            recorded: None,
            events: VecDeque::new(),
            receipts: BTreeMap::new(),
            typing: BTreeMap::new(),
            presence: BTreeMap::new(),
            stored_edus: false,
            transaction: None,
            activity: Activity::Idle,
            failures: 0,
            refusals: 0,
            failing_since: None,
            last_attempt: None,
            forced: false,
        }
    }

    /// The queue of a server of which the store says that it lags behind.
    pub(crate) fn lagging(arrived: Position) -> Self {
        Self { reach: Reach::Lagging, recorded: Some(arrived), ..Self::abreast(arrived) }
    }

    /// Adds an event that is newer than all before. What is looked up is not queued as well.
    pub(crate) fn add_event(&mut self, position: Position, event: EventSn) {
        match self.reach {
            Reach::Lagging => return,
            Reach::LookingUp { until } | Reach::CatchingUp { until, .. } if position <= until => return,
            Reach::Abreast | Reach::LookingUp { .. } | Reach::CatchingUp { .. } => {}
        }
        if self.events.len() >= LONGEST {
            return self.fall_behind(position);
        }
        self.events.push_back((position, event));
    }

    /// Notes that a user's receipt moved in a room.
    pub(crate) fn add_receipt(&mut self, room: RoomSn, user: UserSn, position: Position) {
        if self.hears_ephemeral() && self.receipts.len() < MOST_EPHEMERAL {
            self.receipts.entry((room, user)).or_insert(position);
        }
    }

    /// Notes that a user types in a room, or does not any more.
    pub(crate) fn add_typing(&mut self, room: RoomSn, user: UserSn, typing: bool) {
        if self.hears_ephemeral() && self.typing.len() < MOST_EPHEMERAL {
            self.typing.insert((room, user), typing);
        }
    }

    /// Notes a user's presence.
    pub(crate) fn add_presence(&mut self, user: UserSn, update: &PresenceUpdate) {
        if self.hears_ephemeral() && self.presence.len() < MOST_EPHEMERAL {
            self.presence.insert(user, update.clone());
        }
    }

    /// Notes that something was put down in the store.
    pub(crate) fn add_stored_edus(&mut self) {
        self.stored_edus = true;
    }

    /// What passes is not kept for a server that does not answer.
    fn hears_ephemeral(&self) -> bool {
        self.failures == 0 && !matches!(self.reach, Reach::Lagging)
    }

    /// Whether anything is to be told.
    pub(crate) fn is_empty(&self) -> bool {
        let abreast = matches!(self.reach, Reach::Abreast);
        let ephemeral = self.receipts.is_empty() && self.typing.is_empty() && self.presence.is_empty();
        abreast && self.events.is_empty() && ephemeral && !self.stored_edus && self.transaction.is_none()
    }

    /// Whether it is empty and the store says nothing of it, so that it may be forgotten.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.is_empty() && self.recorded.is_none() && self.activity == Activity::Idle
    }

    /// Whether the last attempt failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// How many events wait in memory.
    pub(crate) fn waiting_events(&self) -> usize {
        match &self.reach {
            Reach::CatchingUp { missed, .. } => missed.len() + self.events.len(),
            Reach::Abreast | Reach::Lagging | Reach::LookingUp { .. } => self.events.len(),
        }
    }

    /// Whether the server lags behind: what it has not been told is not all in memory.
    pub(crate) fn is_lagging(&self) -> bool {
        !matches!(self.reach, Reach::Abreast)
    }

    /// Everything up to here has arrived.
    pub(crate) fn arrived(&self) -> Position {
        match self.reach {
            // While nothing was missed, all before the oldest that waits has arrived.
            Reach::Abreast => match self.events.front() {
                Some((oldest, _)) => Position(oldest.0 - 1),
                None => self.arrived,
            },
            Reach::Lagging | Reach::LookingUp { .. } | Reach::CatchingUp { .. } => self.arrived,
        }
    }

    /// Where the common position must stay because of this queue; nowhere, if the queue is empty or the store
    /// says where it stands.
    pub(crate) fn holds_back(&self) -> Option<Position> {
        let waits = !self.events.is_empty() || self.is_lagging();
        (waits && self.recorded.is_none()).then(|| self.arrived())
    }

    /// What is to be written of where it stands, if anything: `Some(None)` if its row is to be deleted.
    pub(crate) fn to_record(&self) -> Option<Option<Position>> {
        match self.recorded {
            None => self.is_lagging().then(|| Some(self.arrived())),
            Some(_) if !self.is_lagging() && self.events.is_empty() => Some(None),
            Some(recorded) => (recorded != self.arrived()).then(|| Some(self.arrived())),
        }
    }

    /// Drops what waits and remembers only how far the server is. `position` is that of an event that is to be
    /// told and not queued, or where the stream is.
    fn fall_behind(&mut self, position: Position) {
        self.arrived = if self.events.is_empty() && !self.is_lagging() {
            Position(position.0 - 1).max(self.arrived)
        } else {
            self.arrived()
        };
        self.reach = Reach::Lagging;
        self.events = VecDeque::new();
        self.receipts.clear();
        self.typing.clear();
        self.presence.clear();
        // If it is under way, its sender notes what becomes of it.
        let dropped = self.transaction.take();
        self.stored_edus |= dropped.is_some_and(|dropped| dropped.last_stored_edu.is_some());
    }

    /// What is to be done next. `following` is up to where the stream is being read just now: some of the events
    /// before that may have been offered to the queue already, and passed it by while it was lagging.
    pub(crate) fn next_step(&mut self, following: Position, now: Timestamp) -> Step {
        self.last_attempt = Some(now);
        if let Some(transaction) = &self.transaction {
            return Step::Retry(Arc::clone(transaction));
        }
        if let Reach::Lagging | Reach::LookingUp { .. } = self.reach {
            self.reach = Reach::LookingUp { until: following };
            self.events.clear();
            return Step::LookUp { after: self.arrived, until: following };
        }
        if let Reach::CatchingUp { until, missed } = &self.reach
            && missed.is_empty()
        {
            self.arrived = *until;
            self.reach = Reach::Abreast;
        }
        if self.is_empty() {
            return Step::Rest;
        }
        Step::Tell(self.load())
    }

    /// Puts what was missed, which was looked up, in front of what is newer.
    pub(crate) fn catch_up(
        &mut self,
        missed: Vec<(Position, EventSn)>,
        receipts: Vec<(RoomSn, UserSn, Position)>,
    ) {
        // So much may have come meanwhile that it is to be looked up again.
        let Reach::LookingUp { until } = self.reach else { return };
        self.reach = Reach::CatchingUp { until, missed: missed.into() };
        for (room, user, position) in receipts.into_iter().take(MOST_EPHEMERAL) {
            self.receipts.entry((room, user)).or_insert(position);
        }
    }

    fn load(&mut self) -> Load {
        let events = match &self.reach {
            Reach::CatchingUp { missed, .. } => missed,
            Reach::Abreast | Reach::Lagging | Reach::LookingUp { .. } => &self.events,
        };
        let events = events.iter().take(MOST_EVENTS).copied().collect();
        let typing = std::mem::take(&mut self.typing);
        // Presences share one EDU, and receipts few: they leave room for the others.
        let mut typing = typing.into_iter();
        let load = Load {
            events,
            receipts: std::mem::take(&mut self.receipts)
                .into_iter()
                .map(|((room, user), position)| (room, user, position))
                .collect(),
            typing: typing
                .by_ref()
                .take(MOST_EDUS / 2)
                .map(|((room, user), typing)| (room, user, typing))
                .collect(),
            presence: std::mem::take(&mut self.presence).into_values().collect(),
            stored_edus: std::mem::take(&mut self.stored_edus),
        };
        self.typing = typing.collect();
        load
    }

    /// Takes back what could not be put into words. What passes is lost.
    pub(crate) fn take_back(&mut self, load: &Load) {
        self.stored_edus |= load.stored_edus;
    }

    /// Notes what is on its way.
    pub(crate) fn begin(&mut self, transaction: &Arc<Transaction>) {
        self.transaction = Some(Arc::clone(transaction));
    }

    /// Whether the next attempt is to be made although the server is to be left in peace.
    pub(crate) fn take_forced(&mut self) -> bool {
        std::mem::take(&mut self.forced)
    }

    /// Notes that a transaction has arrived, or was given up. The stored EDUs in it are deleted.
    pub(crate) fn arrive(&mut self, transaction: &Transaction) {
        self.transaction = None;
        self.refusals = 0;
        self.failures = 0;
        self.failing_since = None;
        self.stored_edus |= transaction.leaves_stored_edus;
        let Some(last) = transaction.last_event else { return };
        match &mut self.reach {
            Reach::CatchingUp { missed, .. } => {
                while missed.front().is_some_and(|(position, _)| *position <= last) {
                    missed.pop_front();
                }
                self.arrived = last;
            }
            Reach::Abreast => {
                while self.events.front().is_some_and(|(position, _)| *position <= last) {
                    self.events.pop_front();
                }
                self.arrived = self.arrived.max(last);
            }
            // The queue grew too long meanwhile, and what it held is looked up.
            Reach::Lagging | Reach::LookingUp { .. } => self.arrived = self.arrived.max(last),
        }
    }

    /// Notes that an attempt failed. `wait` is how long the network leaves the server in peace, if it says so;
    /// `followed` is how far the stream was read. Gives when the next attempt is due.
    pub(crate) fn fail(&mut self, now: Timestamp, wait: Option<Duration>, followed: Position) -> Timestamp {
        self.failures = self.failures.saturating_add(1);
        let since = *self.failing_since.get_or_insert(now);
        let delay = wait.unwrap_or_else(|| own_delay(self.failures));
        let due = now.plus(delay.max(Duration::from_millis(100)));
        if due > since.plus(PATIENCE) {
            self.fall_behind(Position(followed.0 + 1));
        }
        self.activity = Activity::Waiting(due);
        due
    }

    /// Counts that the transaction was refused as bad; gives how often it was.
    pub(crate) fn count_refusal(&mut self) -> u32 {
        self.refusals += 1;
        self.refusals
    }

    /// When a server that was just heard from is to be tried, if it is waited for: at once, or as soon as
    /// `at_most_every` has passed since it was tried last.
    pub(crate) fn next_try(&self, now: Timestamp, at_most_every: Duration) -> Option<Timestamp> {
        let Activity::Waiting(due) = self.activity else { return None };
        let soonest = self.last_attempt.map_or(now, |last| last.plus(at_most_every).max(now));
        (self.failures > 0).then_some(soonest.min(due))
    }

    /// Has the next attempt made although the server is to be left in peace.
    pub(crate) fn force(&mut self) {
        self.forced = true;
    }

    /// Forgets everything: nothing is ever told to this server.
    pub(crate) fn give_up(&mut self, followed: Position) {
        let recorded = self.recorded;
        *self = Self { recorded, ..Self::abreast(followed) };
    }
}

/// One second, then twice as long each time.
fn own_delay(failures: u32) -> Duration {
    let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(doubled.min(LONGEST_DELAY.as_secs()))
}
