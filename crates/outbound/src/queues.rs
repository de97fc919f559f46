//! The queues of all servers that are to be told something, and when each is due.
//!
//! A server that was told everything has no queue. Knows no clock, no store and no network.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_storage::Position;
use ruma::{OwnedServerName, ServerName};

use crate::queue::{Activity, Queue};

/// How many servers that failed are tried at once. Those that answer never wait for them.
const RETRIES_AT_ONCE: usize = 64;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Queues {
    by_server: BTreeMap<OwnedServerName, Queue>,
    due: BTreeSet<(Timestamp, OwnedServerName)>,
    retrying: usize,
    /// How far the stream was read.
    pub(crate) followed: Position,
    /// Up to where it is being read: the events between are offered to the queues one after another.
    pub(crate) following: Position,
}

/// What is to be written of where the servers stand.
#[derive(Debug)]
pub(crate) struct Record {
    /// Up to where every server was told everything that has no row.
    pub(crate) common: Position,
    /// The rows that are new or changed, or to be deleted.
    pub(crate) rows: Vec<(OwnedServerName, Option<Position>)>,
}

/// What the queues hold, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueStatus {
    /// How many servers are to be told something.
    pub servers: usize,
    /// How many of them failed at the last attempt.
    pub failing: usize,
    /// How many of them missed so much that it must be looked up.
    pub lagging: usize,
    /// To how many of them something is on its way.
    pub sending: usize,
    /// How many events wait in memory, for all servers together.
    pub waiting_events: usize,
}

impl Queues {
    /// No queues, with the stream read up to a position.
    pub(crate) fn new(followed: Position) -> Self {
        Self { by_server: BTreeMap::new(), due: BTreeSet::new(), retrying: 0, followed, following: followed }
    }

    /// Notes up to where the stream is being read from now on.
    pub(crate) fn begin_to_read(&mut self, until: Position) {
        self.following = self.following.max(until);
    }

    /// Notes that the stream was read up to there.
    pub(crate) fn finish_reading(&mut self, until: Position) {
        self.followed = until;
        self.following = self.following.max(until);
    }

    /// Brings a server's queue back that the store says lags behind.
    pub(crate) fn restore_lagging(&mut self, server: OwnedServerName, arrived: Position, now: Timestamp) {
        self.by_server.insert(server.clone(), Queue::lagging(arrived));
        self.wait(&server, now);
    }

    /// Adds something to a server's queue that is to be told by `due` at the latest.
    pub(crate) fn add(&mut self, server: &ServerName, due: Timestamp, add: impl FnOnce(&mut Queue)) {
        if !self.by_server.contains_key(server) {
            self.by_server.insert(server.to_owned(), Queue::abreast(self.followed));
        }
        let Some(queue) = self.by_server.get_mut(server) else { return };
        add(queue);
        match queue.activity {
            Activity::Idle => self.wait(&server.to_owned(), due),
            Activity::Waiting(later) if !queue.is_failing() && due < later => {
                self.wait(&server.to_owned(), due);
            }
            Activity::Waiting(_) | Activity::Sending => {}
        }
    }

    /// A server's queue.
    pub(crate) fn get_mut(&mut self, server: &ServerName) -> Option<&mut Queue> {
        self.by_server.get_mut(server)
    }

    /// Has a server told at a time.
    fn wait(&mut self, server: &OwnedServerName, due: Timestamp) {
        let Some(queue) = self.by_server.get_mut(server) else { return };
        if let Activity::Waiting(before) = queue.activity {
            self.due.remove(&(before, server.clone()));
        }
        queue.activity = Activity::Waiting(due);
        self.due.insert((due, server.clone()));
    }

    /// Takes note that a server was heard from: if it did not answer lately it is tried soon.
    pub(crate) fn heard_from(&mut self, server: &ServerName, now: Timestamp, at_most_every: Duration) {
        let Some(queue) = self.by_server.get_mut(server) else { return };
        if let Some(due) = queue.next_try(now, at_most_every) {
            queue.force();
            self.wait(&server.to_owned(), due);
        }
    }

    /// The servers whose time has come; from now on they count as being told.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Vec<OwnedServerName> {
        let mut taken = Vec::new();
        for (due, server) in &self.due {
            if *due > now {
                break;
            }
            let Some(queue) = self.by_server.get_mut(server) else { continue };
            if queue.is_failing() {
                if self.retrying >= RETRIES_AT_ONCE {
                    continue;
                }
                self.retrying += 1;
            }
            queue.activity = Activity::Sending;
            taken.push((*due, server.clone()));
        }
        for entry in &taken {
            self.due.remove(entry);
        }
        taken.into_iter().map(|(_, server)| server).collect()
    }

    /// When the next server is due. Those that wait for others to finish are not counted.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        let full = self.retrying >= RETRIES_AT_ONCE;
        let mut due = self.due.iter().filter(|(due, server)| {
            !full || *due > now || self.by_server.get(server).is_none_or(|queue| !queue.is_failing())
        });
        due.next().map(|(due, _)| *due)
    }

    /// Notes that a server's task has nothing more to tell. `was_failing` is whether it began as a retry.
    pub(crate) fn rest(&mut self, server: &ServerName, was_failing: bool) {
        self.end_attempt(was_failing);
        let Some(queue) = self.by_server.get_mut(server) else { return };
        queue.activity = Activity::Idle;
        if queue.is_forgettable() {
            self.by_server.remove(server);
        }
    }

    /// Notes that an attempt failed, and when the next one is due.
    pub(crate) fn fail(
        &mut self,
        server: &ServerName,
        was_failing: bool,
        now: Timestamp,
        wait: Option<Duration>,
    ) {
        self.end_attempt(was_failing);
        let followed = self.followed;
        let Some(queue) = self.by_server.get_mut(server) else { return };
        let due = queue.fail(now, wait, followed);
        queue.activity = Activity::Idle;
        self.wait(&server.to_owned(), due);
    }

    /// Notes that a server has answered: it is not one that failed any more.
    pub(crate) fn succeed(&mut self, was_failing: &mut bool) {
        self.end_attempt(std::mem::take(was_failing));
    }

    fn end_attempt(&mut self, was_failing: bool) {
        if was_failing {
            self.retrying = self.retrying.saturating_sub(1);
        }
    }

    /// What is to be written of where the servers stand.
    pub(crate) fn record(&self) -> Record {
        let held = self.by_server.values().filter_map(Queue::holds_back).min();
        let rows = self.by_server.iter();
        let rows = rows.filter_map(|(server, queue)| Some((server.clone(), queue.to_record()?))).collect();
        Record { common: held.map_or(self.followed, |held| held.min(self.followed)), rows }
    }

    /// Notes that this was written.
    pub(crate) fn recorded(&mut self, record: &Record) {
        for (server, position) in &record.rows {
            let Some(queue) = self.by_server.get_mut(server) else { continue };
            queue.recorded = *position;
            if queue.is_forgettable() {
                self.by_server.remove(server);
            }
        }
    }

    /// What the queues hold.
    pub(crate) fn status(&self) -> QueueStatus {
        let mut status = QueueStatus { servers: self.by_server.len(), ..QueueStatus::default() };
        for queue in self.by_server.values() {
            status.failing += usize::from(queue.is_failing());
            status.lagging += usize::from(queue.is_lagging());
            status.sending += usize::from(queue.activity == Activity::Sending);
            status.waiting_events += queue.waiting_events();
        }
        status
    }
}

#[cfg(test)]
mod tests {
    use parvis_storage::EventSn;
    use ruma::{owned_server_name, server_name};

    use super::*;
    use crate::queue::Step;

    const NOW: Timestamp = Timestamp(1_000);

    #[test]
    fn what_passes_by_a_server_that_lags_while_the_stream_is_read_is_looked_up() {
        let server = server_name!("other.test");
        let mut queues = Queues::new(Position(2));
        queues.restore_lagging(owned_server_name!("other.test"), Position(1), NOW);
        queues.begin_to_read(Position(10));
        let offer = |queues: &mut Queues, position: i64| {
            queues.add(server, NOW, |queue| queue.add_event(Position(position), EventSn(position)));
        };
        offer(&mut queues, 5);
        assert_eq!(queues.take_due(NOW), [server]);
        let following = queues.following;
        let step = queues.get_mut(server).unwrap().next_step(following, NOW);
        let Step::LookUp { after: Position(1), until: Position(10) } = step else { panic!("{step:?}") };
        offer(&mut queues, 7);
        queues.finish_reading(Position(10));
        offer(&mut queues, 12);
        let queue = queues.get_mut(server).unwrap();
        queue.catch_up(vec![(Position(7), EventSn(7))], Vec::new());
        let Step::Tell(load) = queue.next_step(following, NOW) else { panic!("nothing to tell") };
        assert_eq!(load.events, [(Position(7), EventSn(7))], "the newest of what was missed");
        assert_eq!(queue.waiting_events(), 2, "each once: what was missed, and what came after it");
    }
}
