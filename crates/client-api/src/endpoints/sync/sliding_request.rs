//! The requests of sliding sync, in the form that clients use and in the one that was accepted.
//!
//! What is not known is ignored: clients ask for extensions of which this server has never heard.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use parvis_sync::{
    ExtensionsWanted, KeyWanted, ListWanted, Position, RoomFilter, RoomWanted, Scope, SlidingRequest,
    StatePattern, StateWanted, ToDeviceWanted,
};
use parvis_wire::MatrixError;
use ruma::{OwnedRoomId, presence::PresenceState};
use serde::{Deserialize, Deserializer};

/// How many lists a connection has at most.
const MOST_LISTS: usize = 100;
/// How many windows a list has at most.
const MOST_RANGES: usize = 100;
/// How many rooms a connection subscribes to at most.
const MOST_SUBSCRIPTIONS: usize = 100;
/// How many state events a request names at most, of one list or room.
pub(super) const MOST_STATE: usize = 500;
/// How many messages to the device are told where the client does not say.
const MESSAGES: usize = 100;
/// How many changes of which threads are followed are told at most, and where the client does not say.
const THREADS: usize = 100;

/// The body as clients send it today.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body {
    conn_id: Option<String>,
    /// A name of the client's for its request, which the answer repeats.
    pub(super) txn_id: Option<String>,
    lists: BTreeMap<String, List>,
    room_subscriptions: BTreeMap<OwnedRoomId, Room>,
    extensions: Extensions,
}

#[derive(Debug, Deserialize)]
struct List {
    #[serde(default)]
    ranges: Vec<(u64, u64)>,
    #[serde(flatten)]
    room: Room,
    filters: Option<Filters>,
}

#[derive(Debug, Deserialize)]
struct Room {
    #[serde(default)]
    timeline_limit: u64,
    #[serde(default)]
    required_state: Vec<(String, String)>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Filters {
    pub(super) is_dm: Option<bool>,
    pub(super) is_encrypted: Option<bool>,
    #[serde(alias = "is_invited")]
    pub(super) is_invite: Option<bool>,
    pub(super) room_types: Option<Vec<Option<String>>>,
    pub(super) not_room_types: Option<Vec<Option<String>>>,
    pub(super) spaces: Option<Vec<OwnedRoomId>>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) not_tags: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Extensions {
    to_device: ToDevice,
    e2ee: Switch,
    account_data: Scoped,
    receipts: Scoped,
    typing: Scoped,
    #[serde(rename = "io.element.msc4308.thread_subscriptions")]
    thread_subscriptions: Threads,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ToDevice {
    #[serde(deserialize_with = "or_default")]
    enabled: bool,
    limit: Option<u64>,
    since: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Threads {
    #[serde(deserialize_with = "or_default")]
    enabled: bool,
    limit: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Switch {
    #[serde(deserialize_with = "or_default")]
    enabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scoped {
    #[serde(deserialize_with = "or_default")]
    enabled: bool,
    lists: Option<BTreeSet<String>>,
    rooms: Option<BTreeSet<String>>,
}

/// Clients write `null` for what they do not say.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(value)?.unwrap_or_default())
}

/// What stands beside the body or in it, as the form is.
pub(super) struct Envelope {
    pub(super) pos: Option<String>,
    pub(super) timeout: Duration,
    pub(super) set_presence: PresenceState,
    /// How many events of a timeline are told, whatever the client says.
    pub(super) most_timeline_events: usize,
}

impl Body {
    /// The request.
    pub(super) fn request(self, envelope: Envelope) -> Result<SlidingRequest, MatrixError> {
        let most = envelope.most_timeline_events;
        let mut lists = BTreeMap::new();
        for (name, list) in self.lists {
            lists.insert(name, list.wanted(most)?);
        }
        let mut subscriptions = BTreeMap::new();
        for (room_id, room) in self.room_subscriptions {
            subscriptions.insert(room_id, Arc::new(room.wanted(most)?));
        }
        Parsed { connection: self.conn_id, lists, subscriptions, extensions: self.extensions }
            .request(envelope)
    }
}

/// A request whose lists and subscriptions are read.
pub(super) struct Parsed {
    pub(super) connection: Option<String>,
    pub(super) lists: BTreeMap<String, ListWanted>,
    pub(super) subscriptions: BTreeMap<OwnedRoomId, Arc<RoomWanted>>,
    pub(super) extensions: Extensions,
}

impl Parsed {
    /// The request, if it is within bounds.
    pub(super) fn request(self, envelope: Envelope) -> Result<SlidingRequest, MatrixError> {
        bounded("lists", self.lists.len(), MOST_LISTS)?;
        bounded("room_subscriptions", self.subscriptions.len(), MOST_SUBSCRIPTIONS)?;
        let connection = self.connection.unwrap_or_default();
        bounded("conn_id", connection.len(), 255)?;
        Ok(SlidingRequest {
            connection,
            // Clients begin with an empty one, too.
            pos: envelope.pos.filter(|pos| !pos.is_empty()),
            timeout: envelope.timeout,
            set_presence: envelope.set_presence,
            lists: self.lists,
            subscriptions: self.subscriptions,
            extensions: self.extensions.wanted()?,
        })
    }
}

impl List {
    fn wanted(self, most_timeline_events: usize) -> Result<ListWanted, MatrixError> {
        Ok(ListWanted {
            ranges: ranges(&self.ranges)?,
            filter: self.filters.unwrap_or_default().wanted(),
            room: Arc::new(self.room.wanted(most_timeline_events)?),
        })
    }
}

impl Room {
    fn wanted(self, most_timeline_events: usize) -> Result<RoomWanted, MatrixError> {
        bounded("required_state", self.required_state.len(), MOST_STATE)?;
        let mut state = StateWanted::default();
        for (kind, key) in self.required_state {
            if kind == "m.room.member" && key == "$LAZY" {
                state.lazy_members = true;
            } else {
                state.patterns.insert(pattern(kind, key));
            }
        }
        Ok(RoomWanted {
            timeline_limit: size(self.timeline_limit).min(most_timeline_events),
            state: Arc::new(state),
        })
    }
}

impl Filters {
    pub(super) fn wanted(self) -> RoomFilter {
        RoomFilter {
            is_dm: self.is_dm,
            is_encrypted: self.is_encrypted,
            is_invite: self.is_invite,
            room_types: self.room_types,
            not_room_types: self.not_room_types,
            spaces: self.spaces,
            tags: self.tags,
            not_tags: self.not_tags,
        }
    }
}

impl Extensions {
    fn wanted(self) -> Result<ExtensionsWanted, MatrixError> {
        let to_device = match self.to_device.enabled {
            true => Some(self.to_device.wanted()?),
            false => None,
        };
        Ok(ExtensionsWanted {
            to_device,
            e2ee: self.e2ee.enabled,
            account_data: self.account_data.wanted(),
            receipts: self.receipts.wanted(),
            typing: self.typing.wanted(),
            threads: self.thread_subscriptions.wanted(),
        })
    }
}

impl ToDevice {
    fn wanted(self) -> Result<ToDeviceWanted, MatrixError> {
        let since = self.since.filter(|since| !since.is_empty()).map(|since| since.parse().map(Position));
        let since = since.transpose();
        let since =
            since.map_err(|_| MatrixError::invalid_param("`since` of `to_device` is not one of ours"))?;
        Ok(ToDeviceWanted { limit: self.limit.map_or(MESSAGES, size), since })
    }
}

impl Threads {
    fn wanted(&self) -> Option<usize> {
        self.enabled.then(|| self.limit.map_or(THREADS, size).clamp(1, THREADS))
    }
}

impl Scoped {
    fn wanted(self) -> Option<Scope> {
        let lists = self.lists.filter(|lists| !lists.contains("*"));
        let rooms = self.rooms.filter(|rooms| !rooms.contains("*"));
        let rooms = rooms
            .map(|rooms| rooms.into_iter().filter_map(|room| OwnedRoomId::try_from(room).ok()).collect());
        self.enabled.then_some(Scope { lists, rooms })
    }
}

/// A pattern as clients write it.
fn pattern(kind: String, key: String) -> StatePattern {
    let kind = (kind != "*").then_some(kind);
    let key = match key.as_str() {
        "*" => KeyWanted::Any,
        "$ME" => KeyWanted::Own,
        _ => KeyWanted::Is(key),
    };
    StatePattern { kind, key }
}

/// Windows, checked.
pub(super) fn ranges(ranges: &[(u64, u64)]) -> Result<Vec<(usize, usize)>, MatrixError> {
    bounded("ranges", ranges.len(), MOST_RANGES)?;
    if ranges.iter().any(|(first, last)| first > last) {
        return Err(MatrixError::invalid_param("a range ends before it begins"));
    }
    Ok(ranges.iter().map(|(first, last)| (size(*first), size(*last))).collect())
}

/// A number that counts things in memory.
pub(super) fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Refuses more than there may be of something.
pub(super) fn bounded(what: &str, count: usize, most: usize) -> Result<(), MatrixError> {
    match count > most {
        true => Err(MatrixError::invalid_param(format!("`{what}` may not be longer than {most}"))),
        false => Ok(()),
    }
}
