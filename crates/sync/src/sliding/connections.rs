//! What each connection has been told, kept in memory only and within bounds: a connection that is forgotten is
//! begun anew by its client.
//!
//! A connection stands at one position, and one more is kept that an answer has named but of which nobody knows
//! whether it arrived: as the changes that lead from the one to the other. Who comes back with the second makes
//! it the first; who comes back with the first gets another second.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use parvis_storage::{DeviceState, Ephemeral, Position, RoomSn, Slot, Token};

use super::{SlidingError, request::StateWanted, windows::Asked};
use crate::view::Reader;

/// How much memory all connections take together, in bytes, about.
const MEMORY: u64 = 128 << 20;
/// How many connections a device has at most; the one that was not used for longest gives way.
const CONNECTIONS: usize = 8;
/// For how long a connection is kept that nobody uses.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How many memberships are remembered of a room as told.
const MEMBERS: usize = 500;

/// The connections of everybody.
#[derive(Debug)]
pub(crate) struct Connections {
    by_reader: Cache<Reader, Arc<OfDevice>>,
    /// The number of the newest position of all connections.
    numbers: AtomicU64,
}

/// A connection, for one answer at a time.
pub(crate) type SharedConnection = Arc<tokio::sync::Mutex<Connection>>;

#[derive(Debug, Default)]
struct OfDevice {
    connections: Mutex<Vec<Named>>,
    weight: AtomicU64,
}

#[derive(Debug)]
struct Named {
    name: String,
    used: Timestamp,
    connection: SharedConnection,
}

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// What the client has.
    standing: Standing,
    /// What was answered to it last.
    step: Option<Step>,
}

/// What a client has at a position.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The position's name; empty at the beginning.
    pos: String,
    /// The place in the stream up to which everything was told; `None` at the beginning.
    pub(crate) until: Option<Position>,
    /// How many changes of what is kept in memory only were told.
    pub(crate) seen: Option<u64>,
    /// The rooms that were told.
    pub(crate) rooms: HashMap<RoomSn, RoomMark>,
    /// What goes for the connection as a whole.
    pub(crate) told: Told,
}

/// What goes for the connection as a whole at a position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// How many rooms are on each list.
    pub(crate) counts: BTreeMap<String, usize>,
    /// What was asked for, if every room in the windows was told accordingly, and the shape of the index then.
    pub(crate) settled: Option<(Arc<Asked>, u64)>,
    /// What the device had left of its keys.
    pub(crate) device: Option<Arc<DeviceState>>,
    /// Whether account-wide data was told.
    pub(crate) account_data: bool,
    /// Whether it was told which threads the user follows.
    pub(crate) threads: bool,
}

/// What leads from one position of a connection to the next.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) until: Position,
    pub(crate) seen: u64,
    /// Rooms of which something else was told; `None` for those of which the client knows nothing any more.
    pub(crate) rooms: Vec<(RoomSn, Option<RoomMark>)>,
    pub(crate) told: Told,
    pub(crate) pos: String,
}

/// Up to where something of a room was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nothing was told.
    #[default]
    Never,
    /// Everything was, up to where the connection stands.
    Live,
    /// Everything was up to this position; something has happened since.
    Previously(Position),
}

impl Status {
    /// Up to where it was told on a connection that stands at `until`.
    pub(crate) fn told_until(self, until: Position) -> Option<Position> {
        match self {
            Self::Never => None,
            Self::Live => Some(until),
            Self::Previously(position) => Some(position),
        }
    }

    /// The status after something happened that was not told, on a connection that stands at `until`.
    #[must_use]
    pub(crate) fn missed(self, until: Position) -> Self {
        match self {
            Self::Live => Self::Previously(until),
            other => other,
        }
    }
}

/// What was told of a room.
#[derive(Clone, Debug, Default)]
pub(crate) struct RoomMark {
    /// Whether it was told as somebody inside sees it.
    pub(crate) inside: bool,
    pub(crate) events: Status,
    pub(crate) receipts: Status,
    pub(crate) account_data: Status,
    /// How many of the newest events were told without a gap, at least.
    pub(crate) timeline_limit: usize,
    /// Which state was told.
    pub(crate) state: Arc<StateWanted>,
    /// The memberships that were told lazily.
    pub(crate) members: Arc<ToldMembers>,
}

/// Memberships that were told, by their slots.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToldMembers {
    slots: BTreeSet<Slot>,
    /// Whether some that were told were forgotten.
    forgot: bool,
}

impl ToldMembers {
    /// Whether this one was told and is remembered.
    pub(crate) fn has(&self, slot: Slot) -> bool {
        self.slots.contains(&slot)
    }

    /// Whether this one may have been told.
    pub(crate) fn may_have(&self, slot: Slot) -> bool {
        self.forgot || self.slots.contains(&slot)
    }

    /// Remembers more of them.
    pub(crate) fn add(&mut self, slots: impl IntoIterator<Item = Slot>) {
        self.slots.extend(slots);
        if self.slots.len() > MEMBERS {
            self.slots.clear();
            self.forgot = true;
        }
    }
}

impl Connections {
    /// Nobody is connected.
    pub(crate) fn new() -> Self {
        let weigh = |_: &Reader, device: &Arc<OfDevice>| {
            u32::try_from(device.weight.load(Ordering::Relaxed)).unwrap_or(u32::MAX)
        };
        Self { by_reader: Cache::weighed(MEMORY, weigh), numbers: AtomicU64::new(0) }
    }

    /// A connection of a device, and when it was used last: a new one where no position is named, which takes the
    /// place of the one of the same name.
    pub(crate) fn find(
        &self,
        reader: Reader,
        name: &str,
        is_new: bool,
        now: Timestamp,
    ) -> Result<(SharedConnection, Timestamp), SlidingError> {
        let device = self.by_reader.get_with(reader, Arc::default);
        let mut connections = device.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|named| now.since(named.used) < KEPT);
        let known = connections.iter().position(|named| named.name == name);
        if !is_new {
            let named = known.and_then(|index| connections.get_mut(index)).ok_or(SlidingError::UnknownPos)?;
            let before = std::mem::replace(&mut named.used, now);
            return Ok((Arc::clone(&named.connection), before));
        }
        if let Some(index) = known {
            connections.remove(index);
        }
        if connections.len() >= CONNECTIONS {
            let oldest = connections.iter().enumerate().min_by_key(|(_, named)| named.used);
            oldest.map(|(index, _)| index).map(|index| connections.remove(index));
        }
        let connection = SharedConnection::default();
        connections.push(Named { name: name.to_owned(), used: now, connection: Arc::clone(&connection) });
        Ok((connection, now))
    }

    /// Names the next position.
    pub(crate) fn next_pos(&self, until: Position, ephemeral: Ephemeral) -> String {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        let token = Token { position: until, ephemeral: Some(ephemeral), to_device: None };
        // A place in the stream as any other token, so that history can be paged from it.
        format!("{token}_c{number}")
    }

    /// Weighs the connections of a device anew.
    pub(crate) fn weigh(&self, reader: Reader, weight: usize) {
        if let Some(device) = self.by_reader.get(&reader) {
            let count = device.connections.lock().unwrap_or_else(PoisonError::into_inner).len();
            let weight = u64::try_from(weight * count.max(1)).unwrap_or(u64::MAX);
            if device.weight.swap(weight, Ordering::Relaxed) != weight {
                self.by_reader.insert(reader, device);
            }
        }
    }
}

impl Connection {
    /// What the client has who names this position.
    pub(crate) fn at(&mut self, pos: Option<&str>) -> Result<&Standing, SlidingError> {
        let Some(pos) = pos else { return Ok(&self.standing) };
        if self.step.as_ref().is_some_and(|step| step.pos == pos)
            && let Some(step) = self.step.take()
        {
            self.standing.take(step);
        }
        // Nobody can name the beginning.
        if self.standing.pos != pos || pos.is_empty() {
            return Err(SlidingError::UnknownPos);
        }
        Ok(&self.standing)
    }

    /// Keeps what is answered; gives the weight of all that is kept, in bytes, about.
    pub(crate) fn keep(&mut self, step: Step) -> usize {
        let rooms = self.standing.rooms.len() + step.rooms.len();
        self.step = Some(step);
        500 + rooms * 160
    }
}

impl Standing {
    fn take(&mut self, step: Step) {
        self.pos = step.pos;
        self.until = Some(step.until);
        self.seen = Some(step.seen);
        for (room, mark) in step.rooms {
            match mark {
                Some(mark) => drop(self.rooms.insert(room, mark)),
                None => drop(self.rooms.remove(&room)),
            }
        }
        self.told = step.told;
    }
}

#[cfg(test)]
mod tests {
    use parvis_storage::{DeviceSn, UserSn};

    use super::*;

    const READER: Reader = Reader { user: UserSn(1), device: DeviceSn(2) };

    fn step(pos: &str, rooms: Vec<(RoomSn, Option<RoomMark>)>) -> Step {
        Step { until: Position(1), seen: 0, rooms, told: Told::default(), pos: pos.to_owned() }
    }

    #[test]
    fn two_positions_are_kept_and_the_first_can_be_repeated_until_the_second_is_used() {
        let mut connection = Connection::default();
        let room = RoomSn(3);
        connection.keep(step("a", vec![(room, Some(RoomMark::default()))]));
        assert!(connection.at(Some("a")).unwrap().rooms.contains_key(&room));
        connection.keep(step("b", vec![(room, None)]));
        assert!(connection.at(Some("a")).unwrap().rooms.contains_key(&room), "the answer may be lost");
        connection.keep(step("c", vec![(room, None)]));
        assert!(connection.at(Some("b")).is_err(), "another answer took its place");
        assert!(!connection.at(Some("c")).unwrap().rooms.contains_key(&room));
        assert!(connection.at(Some("a")).is_err() && connection.at(Some("")).is_err());
    }

    #[test]
    fn connection_is_forgotten_when_it_is_not_used_for_a_week() {
        let connections = Connections::new();
        let day = |days: i64| Timestamp(days * 86_400_000);
        assert!(connections.find(READER, "x", false, day(0)).is_err());
        connections.find(READER, "x", true, day(0)).unwrap();
        connections.find(READER, "x", false, day(6)).unwrap();
        connections.find(READER, "x", false, day(12)).unwrap();
        assert!(connections.find(READER, "x", false, day(19)).is_err());
    }

    #[test]
    fn connection_that_was_not_used_for_longest_gives_way() {
        let connections = Connections::new();
        for number in 0..=CONNECTIONS {
            let now = Timestamp(i64::try_from(number).unwrap());
            connections.find(READER, &number.to_string(), true, now).unwrap();
        }
        assert!(connections.find(READER, "0", false, Timestamp(99)).is_err());
        assert!(connections.find(READER, "1", false, Timestamp(99)).is_ok());
    }

    #[test]
    fn memberships_that_were_forgotten_may_have_been_told() {
        let mut told = ToldMembers::default();
        told.add([Slot(1)]);
        assert!(told.has(Slot(1)) && !told.may_have(Slot(2)));
        told.add((0..=u32::try_from(MEMBERS).unwrap()).map(Slot));
        assert!(!told.has(Slot(1)) && told.may_have(Slot(2)));
    }
}
