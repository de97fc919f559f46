//! What one pusher is to be told, as numbers: what waits, what is to be looked up, how far it was told. Pure: asks
//! nobody, and is told the time.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parvis_ambient::Timestamp;
use parvis_storage::{EventSn, Position};

/// How many events wait in memory for one pusher; what comes beyond is looked up when they are told.
const MOST_WAITING: usize = 100;
/// The shortest and the longest time between two attempts.
const SHORTEST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(3_600);

/// What one pusher is to be told. Who was told everything has no queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// What notifies, oldest first, without a gap.
    waiting: VecDeque<(Position, EventSn)>,
    /// Everything up to here was told.
    told: Position,
    /// Up to where was looked up: all of that is told or waits.
    looked_up: Position,
    /// There is more behind what waits, up to here.
    missing: Option<Position>,
    /// Whether the number on the icon is to be told.
    badge: bool,
    /// Whether it is being looked up, or the number told.
    busy: bool,
    pub(super) activity: Activity,
    /// When it was first to be looked at.
    pub(super) since: Timestamp,
    failures: u32,
    /// How often the gateway found fault with what comes first.
    refusals: u32,
    /// The gateway that did not answer.
    pub(super) gateway: Option<Arc<str>>,
}

/// What happens to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// It is looked at when the time has come.
    Due(Timestamp),
    /// A task works on it.
    Running,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Rest,
    /// Find out what there is to tell between two positions.
    LookUp { after: Position, until: Position },
    /// Tell of this event.
    Tell(Position, EventSn),
    /// Tell the number on the icon.
    Badge,
}

impl Queue {
    /// The queue of a pusher that was told everything up to a position.
    pub(super) fn new(told: Position, due: Timestamp) -> Self {
        Self {
            since: due,
            waiting: VecDeque::new(),
            told,
            looked_up: told,
            missing: None,
            badge: false,
            busy: false,
            activity: Activity::Due(due),
            failures: 0,
            refusals: 0,
            gateway: None,
        }
    }

    /// The queue of a pusher that lags behind: what it is to be told is looked up.
    pub(super) fn behind(told: Position, due: Timestamp) -> Self {
        Self { missing: Some(told), badge: true, ..Self::new(told, due) }
    }

    /// Notes that an event is to be told.
    pub(super) fn add_event(&mut self, position: Position, event: EventSn) {
        if position <= self.looked_up || self.waiting.back().is_some_and(|last| last.0 >= position) {
            return;
        }
        if self.missing.is_some() || self.waiting.len() >= MOST_WAITING {
            self.missing = self.missing.max(Some(position));
        } else {
            self.waiting.push_back((position, event));
        }
    }

    /// Notes that the number on the icon may be another.
    pub(super) fn add_badge(&mut self) {
        self.badge = true;
    }

    /// What is to be done next; `followed` is up to where the stream was read.
    pub(super) fn next_step(&mut self, followed: Position) -> Step {
        if let Some((position, event)) = self.waiting.front() {
            return Step::Tell(*position, *event);
        }
        if let Some(missing) = self.missing.take() {
            let until = missing.max(followed);
            self.looked_up = self.looked_up.max(until);
            self.busy = true;
            return Step::LookUp { after: self.told, until };
        }
        self.busy = std::mem::take(&mut self.badge);
        if self.busy { Step::Badge } else { Step::Rest }
    }

    /// Takes what was looked up; `all` says whether that is all there is up to `until`.
    pub(super) fn take_found(&mut self, found: Vec<(Position, EventSn)>, until: Position, all: bool) {
        self.busy = false;
        let later = std::mem::replace(&mut self.waiting, found.into());
        if all {
            if self.waiting.is_empty() {
                self.told = self.told.max(until);
            }
            self.waiting.extend(later.into_iter().filter(|(position, _)| *position > until));
        } else {
            let newest = later.back().map(|last| last.0);
            self.missing = self.missing.max(newest).max(Some(until));
        }
    }

    /// Puts back a look-up that failed.
    pub(super) fn put_back(&mut self, until: Position) {
        self.busy = false;
        let newest = self.waiting.back().map(|last| last.0);
        self.waiting.clear();
        self.missing = self.missing.max(newest).max(Some(until));
    }

    /// Notes that the number on the icon was told, or need not be; or that it could not be.
    pub(super) fn finish_badge(&mut self, told: bool) {
        self.busy = false;
        self.badge |= !told;
    }

    /// Notes that an event was told, or is not to be.
    pub(super) fn finish(&mut self, position: Position) {
        while self.waiting.front().is_some_and(|first| first.0 <= position) {
            self.waiting.pop_front();
        }
        self.told = self.told.max(position);
        self.refusals = 0;
    }

    /// Between which positions there is something for a mail, if there may be any: a mail is made of all that is
    /// unread when it is sent.
    pub(super) fn next_mail(&mut self, followed: Position) -> Option<(Position, Position)> {
        let newest = self.waiting.back().map(|last| last.0).max(self.missing)?;
        self.badge = false;
        self.busy = true;
        Some((self.told, newest.max(followed)))
    }

    /// Notes that all up to a position is in a mail that was sent, or in none.
    pub(super) fn finish_mail(&mut self, until: Position) {
        self.missing = self.missing.filter(|missing| *missing > until);
        self.finish(until);
        self.busy = false;
        self.succeed();
    }

    /// Has a mail wait until its time has come.
    pub(super) fn postpone(&mut self, due: Timestamp) {
        self.busy = false;
        self.activity = Activity::Due(due);
    }

    /// Notes that the gateway has answered.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
        self.gateway = None;
    }

    /// Notes that an attempt failed; gives when the next one is due. `share` is a random number.
    pub(super) fn fail(&mut self, now: Timestamp, at_least: Duration, share: u64) -> Timestamp {
        self.busy = false;
        self.failures = self.failures.saturating_add(1);
        let due = now.plus(delay(self.failures, share).max(at_least.min(LONGEST_DELAY)));
        self.activity = Activity::Due(due);
        due
    }

    /// Counts that the gateway has found fault with what comes first; gives how often it has.
    pub(super) fn count_refusal(&mut self) -> u32 {
        self.refusals += 1;
        self.refusals
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether it is behind what memory holds.
    pub(super) fn is_behind(&self) -> bool {
        self.missing.is_some()
    }

    /// Up to where everything was told, if the stream was read up to `followed`.
    pub(super) fn told(&self, followed: Position) -> Position {
        let is_abreast = self.waiting.is_empty() && self.missing.is_none() && !self.badge && !self.busy;
        if is_abreast { self.told.max(followed) } else { self.told }
    }
}

/// One second, then twice as long each time, up to an hour; of that between a half and all, by lot, so that a gateway
/// which is back is not called by everybody at once.
fn delay(failures: u32, share: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let longest = SHORTEST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
    let half = longest / 2;
    let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_millis(share % millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(0);

    fn event(number: i64) -> (Position, EventSn) {
        (Position(number), EventSn(number))
    }

    fn told(queue: &mut Queue, followed: i64) -> Vec<i64> {
        let mut told = Vec::new();
        while let Step::Tell(position, _) = queue.next_step(Position(followed)) {
            queue.finish(position);
            told.push(position.0);
        }
        told
    }

    #[test]
    fn events_are_told_in_order_and_once() {
        let mut queue = Queue::new(Position(4), START);
        for number in [5, 7, 7, 6, 9] {
            let (position, event) = event(number);
            queue.add_event(position, event);
        }
        assert_eq!(told(&mut queue, 9), [5, 7, 9]);
        assert_eq!(queue.next_step(Position(9)), Step::Rest);
        assert_eq!(queue.told(Position(9)), Position(9));
    }

    #[test]
    fn what_does_not_fit_is_looked_up_behind_what_waits() {
        let mut queue = Queue::new(Position(0), START);
        for number in 1..=150 {
            queue.add_event(Position(number), EventSn(number));
        }
        // The step that ends this is the look-up.
        assert_eq!(told(&mut queue, 150).len(), 100);
        assert_eq!(queue.told(Position(150)), Position(100));
        queue.take_found((101..=150).map(event).collect(), Position(150), true);
        assert_eq!(told(&mut queue, 150).len(), 50);
        assert_eq!(queue.told(Position(150)), Position(150));
    }

    #[test]
    fn nothing_is_lost_or_doubled_between_the_stream_and_a_look_up() {
        let mut queue = Queue::behind(Position(10), START);
        queue.add_event(Position(20), EventSn(20));
        // The stream was read up to 15 only, but 20 was dropped already.
        let step = queue.next_step(Position(15));
        assert_eq!(step, Step::LookUp { after: Position(10), until: Position(20) });
        queue.add_event(Position(18), EventSn(18));
        queue.add_event(Position(25), EventSn(25));
        queue.take_found(vec![event(12), event(18), event(20)], Position(20), true);
        assert_eq!(told(&mut queue, 25), [12, 18, 20, 25]);
        assert_eq!(queue.next_step(Position(25)), Step::Rest);
    }

    #[test]
    fn look_up_that_finds_a_part_goes_on_behind_it() {
        let mut queue = Queue::behind(Position(0), START);
        assert_eq!(queue.next_step(Position(30)), Step::LookUp { after: Position(0), until: Position(30) });
        queue.add_event(Position(31), EventSn(31));
        queue.take_found(vec![event(1), event(2)], Position(30), false);
        for number in [1, 2] {
            assert_eq!(queue.next_step(Position(31)), Step::Tell(Position(number), EventSn(number)));
            queue.finish(Position(number));
        }
        let step = queue.next_step(Position(31));
        assert_eq!(step, Step::LookUp { after: Position(2), until: Position(31) });
        queue.put_back(Position(31));
        assert_eq!(queue.next_step(Position(31)), step, "a look-up that failed is made again");
    }

    #[test]
    fn number_that_was_not_told_is_told_later() {
        let mut queue = Queue::new(Position(5), START);
        queue.add_badge();
        assert_eq!(queue.next_step(Position(9)), Step::Badge);
        assert_eq!(queue.told(Position(9)), Position(5), "it is not told yet");
        queue.finish_badge(false);
        assert_eq!(queue.next_step(Position(9)), Step::Badge);
        queue.finish_badge(true);
        assert_eq!((queue.next_step(Position(9)), queue.told(Position(9))), (Step::Rest, Position(9)));
    }

    #[test]
    fn waits_grow_to_an_hour_and_differ() {
        let longest = |failures| delay(failures, u64::MAX - 1);
        assert!(delay(1, 0) >= Duration::from_millis(500) && longest(1) <= Duration::from_secs(1));
        assert!(delay(2, 0) >= Duration::from_secs(1) && longest(2) <= Duration::from_secs(2));
        assert!(longest(40) <= Duration::from_secs(3_600) && delay(40, 0) >= Duration::from_secs(1_800));
        assert_ne!(delay(10, 3), delay(10, 4));
    }
}
