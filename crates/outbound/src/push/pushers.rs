//! All pushers that are to be told anything, and the few that have something to be told. Pure.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::{EventSn, Position, PusherKey, UserSn};

use super::queue::{Activity, Queue, Step};

/// How many pushers whose gateways did not answer are tried at a time: the others must not wait for them.
const MOST_RETRIES: usize = 64;
/// After which time who was not told everything counts as lagging behind, so that the others do not wait: what is told
/// between two records is told again after a crash.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many lag behind from now on, at most, with one record.
const MOST_NEWLY_LAGGING: usize = 500;

/// The number of a pusher in this run.
pub(super) type Number = u64;

/// All pushers.
#[derive(Debug)]
pub(super) struct Pushers {
    /// Up to where the stream was read: everybody's queue has what concerns them.
    followed: Position,
    known: HashMap<Number, Known>,
    of_user: HashMap<UserSn, Vec<Number>>,
    /// Those with a queue.
    active: BTreeSet<Number>,
    /// When each of them is to be looked at that no task works on.
    due: BTreeSet<(Timestamp, Number)>,
    /// Those whose row says that they lag behind.
    recorded: HashMap<Number, Position>,
    retries: usize,
    next: Number,
    /// After which time what nobody has read comes into a mail.
    mail_delay: Duration,
    /// Whether there may be something that the store is to know.
    touched: bool,
}

/// When a record is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While the engine works.
    Working(Timestamp),
    /// At its end: nobody is told anything any more.
    End,
}

#[derive(Debug)]
struct Known {
    key: Arc<PusherKey>,
    /// The number on the icon, as far as it is known here.
    badge: Option<u64>,
    /// When the last mail was sent, as far as it is known here.
    mailed: Option<Timestamp>,
    queue: Option<Box<Queue>>,
}

/// What the store is to know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Up to where everybody was told everything who does not lag behind.
    pub(super) common: Position,
    /// Who lags behind from now on, or otherwise than before, or not any more.
    pub(super) changed: Vec<(Number, Arc<PusherKey>, Option<Position>)>,
}

/// How many pushers there are, and how they fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PusherCounts {
    /// All that are to be told anything.
    pub pushers: usize,
    /// Those that have something to be told.
    pub waiting: usize,
    /// Those of them whose gateways did not take the last attempt.
    pub failing: usize,
}

impl Pushers {
    pub(super) fn new(followed: Position, mail_delay: Duration) -> Self {
        Self {
            mail_delay,
            followed,
            known: HashMap::new(),
            of_user: HashMap::new(),
            active: BTreeSet::new(),
            due: BTreeSet::new(),
            recorded: HashMap::new(),
            retries: 0,
            next: 0,
            touched: true,
        }
    }

    /// Up to where the stream was read.
    pub(super) fn followed(&self) -> Position {
        self.followed
    }

    /// Notes that the stream was read up to a position.
    pub(super) fn follow(&mut self, until: Position) {
        self.followed = until;
        self.touched = true;
    }

    /// Whether there may be something that the store is to know.
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Whether a user has pushers.
    pub(super) fn has(&self, user: UserSn) -> bool {
        self.of_user.contains_key(&user)
    }

    /// Every user who has pushers.
    pub(super) fn users(&self) -> impl Iterator<Item = UserSn> {
        self.of_user.keys().copied()
    }

    pub(super) fn users_count(&self) -> usize {
        self.of_user.len()
    }

    /// Adds a pusher.
    pub(super) fn add(&mut self, key: PusherKey) -> Number {
        let number = self.next;
        self.next += 1;
        self.of_user.entry(key.user).or_default().push(number);
        self.known.insert(number, Known { key: Arc::new(key), badge: None, mailed: None, queue: None });
        number
    }

    /// Adds a pusher that lags behind.
    pub(super) fn add_lagging(&mut self, key: PusherKey, told: Position, due: Timestamp) {
        let number = self.add(key);
        self.recorded.insert(number, told);
        self.start(number, Queue::behind(told, due), due);
    }

    /// Takes note of all pushers that a user has now.
    pub(super) fn replace(&mut self, user: UserSn, keys: Vec<PusherKey>) {
        let numbers = self.of_user.get(&user).cloned().unwrap_or_default();
        let is_known = |known: &Self, key: &PusherKey| {
            numbers.iter().any(|number| known.known.get(number).is_some_and(|known| *known.key == *key))
        };
        let new: Vec<PusherKey> = keys.iter().filter(|key| !is_known(self, key)).cloned().collect();
        for number in numbers {
            if self.known.get(&number).is_some_and(|known| !keys.contains(&known.key)) {
                self.forget(number);
            }
        }
        for key in new {
            self.add(key);
        }
    }

    /// Forgets a pusher that is gone.
    pub(super) fn forget(&mut self, number: Number) {
        let Some(known) = self.known.remove(&number) else { return };
        if let Some(Activity::Due(due)) = known.queue.map(|queue| queue.activity) {
            self.due.remove(&(due, number));
        }
        self.active.remove(&number);
        self.recorded.remove(&number);
        if let Some(numbers) = self.of_user.get_mut(&known.key.user) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.of_user.remove(&known.key.user);
            }
        }
    }

    pub(super) fn key(&self, number: Number) -> Option<Arc<PusherKey>> {
        self.known.get(&number).map(|known| Arc::clone(&known.key))
    }

    /// Notes that an event notifies a user.
    pub(super) fn add_event(&mut self, user: UserSn, position: Position, event: EventSn, now: Timestamp) {
        let before = Position(position.0 - 1);
        self.with_queues(user, before, now, Some(self.mail_delay), |queue| queue.add_event(position, event));
    }

    /// Notes that what is unread to a user may be another number now; it is told when `due`, unless something else is
    /// told before.
    pub(super) fn add_badge(&mut self, user: UserSn, due: Timestamp) {
        let followed = self.followed;
        self.with_queues(user, followed, due, None, Queue::add_badge);
    }

    /// Changes the queues of a user. Those that come to be begin behind `told`; they are looked at when `due`, if they
    /// would be later. Queues of mails are only changed where there is a delay for them, and have their own time.
    fn with_queues(
        &mut self,
        user: UserSn,
        told: Position,
        due: Timestamp,
        mail_delay: Option<Duration>,
        mut change: impl FnMut(&mut Queue),
    ) {
        self.touched = true;
        for number in self.of_user.get(&user).cloned().unwrap_or_default() {
            let Some(known) = self.known.get_mut(&number) else { continue };
            let is_mail = known.key.is_mail();
            let due = match mail_delay {
                Some(delay) if is_mail => due.plus(delay),
                None if is_mail => continue,
                _ => due,
            };
            let Some(queue) = &mut known.queue else {
                let mut queue = Queue::new(told, due);
                change(&mut queue);
                self.start(number, queue, due);
                continue;
            };
            change(queue);
            if let Activity::Due(later) = queue.activity
                && due < later
                && !queue.is_failing()
                && !is_mail
            {
                queue.activity = Activity::Due(due);
                self.due.remove(&(later, number));
                self.due.insert((due, number));
            }
        }
    }

    fn start(&mut self, number: Number, queue: Queue, due: Timestamp) {
        if let Some(known) = self.known.get_mut(&number) {
            known.queue = Some(Box::new(queue));
            self.active.insert(number);
            self.due.insert((due, number));
        }
    }

    /// Those whose time has come, each for a task of its own.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<Number> {
        let mut taken = Vec::new();
        let due: Vec<(Timestamp, Number)> =
            self.due.iter().take_while(|(due, _)| *due <= now).copied().collect();
        for (time, number) in due {
            let Some(queue) = self.queue(number) else { continue };
            let retry = queue.is_failing();
            if retry && self.retries >= MOST_RETRIES {
                continue;
            }
            self.retries += usize::from(retry);
            if let Some(queue) = self.queue(number) {
                queue.activity = Activity::Running;
            }
            self.due.remove(&(time, number));
            taken.push(number);
        }
        taken
    }

    /// When somebody is to be looked at next.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        // Those that are due and wait for others to end are started when these end.
        let waiting = self.due.iter().find(|(_, number)| {
            let queue = self.known.get(number).and_then(|known| known.queue.as_ref());
            self.retries < MOST_RETRIES || !queue.is_some_and(|queue| queue.is_failing())
        });
        waiting.map(|(due, _)| *due)
    }

    /// Notes that a task that began with a retry has ended.
    pub(super) fn end_retry(&mut self) {
        self.retries = self.retries.saturating_sub(1);
    }

    pub(super) fn is_failing(&self, number: Number) -> bool {
        let queue = self.known.get(&number).and_then(|known| known.queue.as_ref());
        queue.is_some_and(|queue| queue.is_failing())
    }

    pub(super) fn queue(&mut self, number: Number) -> Option<&mut Queue> {
        self.touched = true;
        self.known.get_mut(&number)?.queue.as_deref_mut()
    }

    /// What is to be done next for a pusher. With nothing, its queue is gone.
    pub(super) fn next_step(&mut self, number: Number) -> Step {
        let followed = self.followed;
        let Some(queue) = self.queue(number) else { return Step::Rest };
        let step = queue.next_step(followed);
        if step == Step::Rest {
            self.end(number);
        }
        step
    }

    /// What there is for a mail, between two positions; with nothing, the queue is gone.
    pub(super) fn next_mail(&mut self, number: Number) -> Option<(Position, Position)> {
        let followed = self.followed;
        let next = self.queue(number)?.next_mail(followed);
        if next.is_none() {
            self.end(number);
        }
        next
    }

    /// Notes that all up to a position is in a mail that was sent now, or in none.
    pub(super) fn finish_mail(&mut self, number: Number, until: Position, sent: Option<Timestamp>) {
        self.queue(number).into_iter().for_each(|queue| queue.finish_mail(until));
        if let Some(known) = self.known.get_mut(&number) {
            known.mailed = sent.or(known.mailed);
        }
    }

    /// Has a mail wait until its time has come.
    pub(super) fn postpone(&mut self, number: Number, due: Timestamp) {
        let Some(queue) = self.queue(number) else { return };
        queue.postpone(due);
        self.due.insert((due, number));
    }

    /// When the last mail was sent, as far as it is known.
    pub(super) fn mailed(&self, number: Number) -> Option<Timestamp> {
        self.known.get(&number)?.mailed
    }

    /// Takes away a queue in which nothing is left.
    fn end(&mut self, number: Number) {
        self.active.remove(&number);
        if let Some(known) = self.known.get_mut(&number) {
            known.queue = None;
        }
    }

    /// The number on the icon, as far as it is known.
    pub(super) fn badge(&self, number: Number) -> Option<u64> {
        self.known.get(&number)?.badge
    }

    /// Notes that a gateway has taken a number for the icon. Others that wait for the same gateway are tried soon.
    pub(super) fn succeed(&mut self, number: Number, badge: u64, gateway: &str, soon: Timestamp) {
        if let Some(known) = self.known.get_mut(&number) {
            known.badge = Some(badge);
        }
        let was_failing = self.is_failing(number);
        if let Some(queue) = self.queue(number) {
            queue.succeed();
        }
        if was_failing {
            self.hurry(gateway, soon);
        }
    }

    /// Has those tried soon that wait for a gateway.
    fn hurry(&mut self, gateway: &str, soon: Timestamp) {
        for number in self.active.iter().copied().collect::<Vec<_>>() {
            let Some(queue) = self.queue(number) else { continue };
            if let Activity::Due(later) = queue.activity
                && soon < later
                && queue.gateway.as_deref() == Some(gateway)
            {
                queue.activity = Activity::Due(soon);
                self.due.remove(&(later, number));
                self.due.insert((soon, number));
            }
        }
    }

    /// Notes that an attempt failed.
    pub(super) fn fail(
        &mut self,
        number: Number,
        gateway: Option<&str>,
        now: Timestamp,
        at_least: Duration,
        share: u64,
    ) {
        let Some(queue) = self.queue(number) else { return };
        queue.gateway = gateway.map(Arc::from);
        let due = queue.fail(now, at_least, share);
        self.due.insert((due, number));
    }

    /// What the store is to know, as far as it does not.
    pub(super) fn record(&mut self, moment: Moment) -> Record {
        self.touched = false;
        let mut newly = 0;
        let mut record = Record { common: self.followed, changed: Vec::new() };
        for number in &self.active {
            let Some(known) = self.known.get(number) else { continue };
            let Some(queue) = &known.queue else { continue };
            let told = queue.told(self.followed);
            let before = self.recorded.get(number).copied();
            let is_late = match moment {
                Moment::End => true,
                Moment::Working(now) => {
                    // A mail waits by intention.
                    let is_late = queue.is_failing()
                        || queue.is_behind()
                        || known.key.is_mail()
                        || now.since(queue.since) > PATIENCE;
                    is_late && newly < MOST_NEWLY_LAGGING
                }
            };
            if before.is_some() || is_late {
                if before != Some(told) {
                    newly += usize::from(before.is_none());
                    record.changed.push((*number, Arc::clone(&known.key), Some(told)));
                }
            } else {
                // It may be late the next time.
                self.touched = true;
                record.common = record.common.min(told);
            }
        }
        for number in self.recorded.keys().filter(|number| !self.active.contains(number)) {
            if let Some(known) = self.known.get(number) {
                record.changed.push((*number, Arc::clone(&known.key), None));
            }
        }
        record
    }

    /// Notes that the store knows this.
    pub(super) fn recorded(&mut self, record: &Record) {
        for (number, _, told) in &record.changed {
            match told {
                Some(told) if self.known.contains_key(number) => drop(self.recorded.insert(*number, *told)),
                _ => drop(self.recorded.remove(number)),
            }
        }
    }

    pub(super) fn counts(&self) -> PusherCounts {
        let failing = self.active.iter().filter(|number| self.is_failing(**number)).count();
        PusherCounts { pushers: self.known.len(), waiting: self.active.len(), failing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000);
    const DELAY: Duration = Duration::from_secs(600);

    fn key(user: i64, pushkey: &str) -> PusherKey {
        PusherKey { user: UserSn(user), app_id: "app".to_owned(), pushkey: pushkey.to_owned() }
    }

    fn tell(pushers: &mut Pushers, number: Number) -> Option<i64> {
        let Step::Tell(position, _) = pushers.next_step(number) else { return None };
        pushers.queue(number).unwrap().finish(position);
        Some(position.0)
    }

    #[test]
    fn common_position_waits_for_who_is_told_and_not_for_who_lags() {
        let mut pushers = Pushers::new(Position(10), DELAY);
        pushers.add(key(1, "a"));
        pushers.add(key(2, "b"));
        pushers.add_event(UserSn(1), Position(11), EventSn(11), NOW);
        pushers.add_event(UserSn(2), Position(12), EventSn(12), NOW);
        pushers.follow(Position(12));
        let due = pushers.take_due(NOW);
        assert_eq!(due.len(), 2);
        assert_eq!(pushers.record(Moment::Working(NOW)).common, Position(10));
        pushers.fail(due[0], Some("gateway"), NOW, Duration::ZERO, 0);
        let record = pushers.record(Moment::Working(NOW));
        assert_eq!((record.common, record.changed.len()), (Position(11), 1));
        assert_eq!(record.changed[0].2, Some(Position(10)));
        pushers.recorded(&record);
        assert_eq!(tell(&mut pushers, due[1]), Some(12));
        assert_eq!(pushers.next_step(due[1]), Step::Rest);
        assert_eq!(
            pushers.record(Moment::Working(NOW)),
            Record { common: Position(12), changed: Vec::new() }
        );
        assert_eq!(tell(&mut pushers, due[0]), Some(11));
        assert_eq!(pushers.next_step(due[0]), Step::Rest);
        assert_eq!(pushers.record(Moment::Working(NOW)).changed[0].2, None, "it does not lag any more");
    }

    #[test]
    fn gateway_that_answers_again_is_told_by_all_who_wait_for_it() {
        let mut pushers = Pushers::new(Position(0), DELAY);
        for user in 1..=3 {
            pushers.add(key(user, "k"));
            pushers.add_event(UserSn(user), Position(user), EventSn(user), NOW);
        }
        for number in pushers.take_due(NOW) {
            let gateway = if number == 2 { "other" } else { "gateway" };
            pushers.fail(number, Some(gateway), NOW, Duration::from_secs(600), 0);
        }
        let later = NOW.plus(Duration::from_secs(700));
        assert_eq!(pushers.take_due(NOW), [] as [u64; 0]);
        pushers.due.remove(&(NOW.plus(Duration::from_secs(600)), 0));
        pushers.queue(0).unwrap().activity = Activity::Running;
        pushers.succeed(0, 1, "gateway", NOW);
        assert_eq!(pushers.take_due(NOW), [1]);
        assert_eq!(pushers.take_due(later), [2]);
    }

    #[test]
    fn at_the_end_who_was_not_told_everything_holds_back_nobody() {
        let mut pushers = Pushers::new(Position(10), DELAY);
        pushers.add(key(1, "a"));
        pushers.add_event(UserSn(1), Position(11), EventSn(11), NOW);
        pushers.follow(Position(20));
        assert_eq!(pushers.record(Moment::Working(NOW)).common, Position(10));
        let record = pushers.record(Moment::End);
        assert_eq!((record.common, record.changed[0].2), (Position(20), Some(Position(10))));
        let late = NOW.plus(Duration::from_secs(3));
        assert_eq!(pushers.record(Moment::Working(late)), record, "nor who takes long");
    }

    #[test]
    fn few_are_tried_again_at_a_time() {
        let mut pushers = Pushers::new(Position(0), DELAY);
        for user in 1..=100 {
            pushers.add(key(user, "k"));
            pushers.add_event(UserSn(user), Position(user), EventSn(user), NOW);
        }
        for number in pushers.take_due(NOW) {
            pushers.fail(number, Some("gateway"), NOW, Duration::ZERO, 0);
        }
        let later = NOW.plus(Duration::from_secs(10));
        assert_eq!(pushers.take_due(later).len(), MOST_RETRIES);
        assert_eq!(pushers.next_due(), None);
        pushers.add(key(200, "k"));
        pushers.add_event(UserSn(200), Position(200), EventSn(200), later);
        assert_eq!(pushers.take_due(later), [100], "who did not fail does not wait");
        pushers.end_retry();
        assert_eq!(pushers.take_due(later).len(), 1);
    }

    #[test]
    fn mail_waits_and_holds_back_nobody() {
        let mut pushers = Pushers::new(Position(0), DELAY);
        pushers.add(PusherKey { app_id: "m.email".to_owned(), ..key(1, "a@example.org") });
        pushers.add_event(UserSn(1), Position(1), EventSn(1), NOW);
        pushers.follow(Position(5));
        let record = pushers.record(Moment::Working(NOW));
        assert_eq!((record.common, record.changed[0].2), (Position(5), Some(Position(0))));
        pushers.recorded(&record);
        assert_eq!(pushers.take_due(NOW), [] as [u64; 0]);
        let later = NOW.plus(DELAY);
        pushers.add_event(UserSn(1), Position(6), EventSn(6), later);
        pushers.add_badge(UserSn(1), later);
        assert_eq!(pushers.take_due(later), [0]);
        assert_eq!(pushers.next_mail(0), Some((Position(0), Position(6))));
        pushers.postpone(0, later.plus(DELAY));
        assert_eq!(pushers.take_due(later), [] as [u64; 0]);
        assert_eq!(pushers.take_due(later.plus(DELAY)), [0]);
        assert_eq!(pushers.next_mail(0), Some((Position(0), Position(6))));
        pushers.finish_mail(0, Position(6), Some(later));
        assert_eq!((pushers.next_mail(0), pushers.mailed(0)), (None, Some(later)));
        pushers.follow(Position(9));
        assert_eq!(pushers.record(Moment::Working(later)).changed[0].2, None);
    }

    #[test]
    fn pushers_that_stay_keep_their_queues() {
        let mut pushers = Pushers::new(Position(0), DELAY);
        pushers.replace(UserSn(1), vec![key(1, "a"), key(1, "b")]);
        pushers.add_event(UserSn(1), Position(1), EventSn(1), NOW);
        pushers.replace(UserSn(1), vec![key(1, "b"), key(1, "c")]);
        assert_eq!(pushers.take_due(NOW), [1]);
        assert_eq!(pushers.counts(), PusherCounts { pushers: 2, waiting: 1, failing: 0 });
        pushers.replace(UserSn(1), Vec::new());
        assert!(!pushers.has(UserSn(1)));
        assert_eq!(pushers.counts(), PusherCounts::default());
    }
}
