//! Rooms: making them, entering them, sending into them, and reading what they hold.
//!
//! Every event enters a room through one door ([`admit`]): it is built on the room's head, judged by the
//! rules of `dag`, and handed to storage as one write set with all that belongs to it. This crate asks
//! `policy` what the organisation wants, and knows nothing of HTTP or of who waits for news.

mod admit;
mod alias;
mod auth_graph;
mod calls;
mod content;
mod counters;
mod create;
mod delayed;
mod directory;
mod elsewhere;
mod encryption;
mod error;
mod event_near;
mod guests;
mod handshake;
mod hierarchy;
mod history;
mod membership;
mod notices;
mod others;
mod policy_server;
mod profile;
mod receive;
mod relationships;
mod reports;
mod searched;
mod send;
mod serve;
mod state;
mod take_in;
mod upgrade;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_application_services::{ApplicationService, ApplicationServices};
use parvis_cache::Cache;
use parvis_events::{RoomVersion, ServerKey};
use parvis_policy::{ClientKind, Standing};
use parvis_storage::{DeviceSn, StateRoot, Store, UserSn};
use ruma::{OwnedEventId, OwnedServerName, OwnedUserId, RoomId};
use tokio::sync::Mutex;

pub use admit::{StateGiven, TakenIn, Verdict};
pub use counters::RoomsStatus;
pub use create::{CreateRoom, InitialState};
pub use delayed::{DelayedAction, NewDelayedEvent};
pub use directory::{Network, PublicRoom, PublicRoomsPage, PublicRoomsQuery};
pub use encryption::{EncryptionOfRoom, TurnedOn};
pub use error::RoomError;
pub use event_near::EventNear;
pub use handshake::{Bound, Invitation, JoinAnswer, Template, ThirdPartyInvite};
pub use hierarchy::{HierarchyPage, HierarchyQuery, HierarchyRoom, SpaceChild};
pub use history::{Context, HistoryToken, MessagesPage, RelationsQuery};
pub use membership::Action;
pub use notices::NOTICES_LOCALPART;
pub use others::Others;
pub use parvis_storage::{
    DelayedEvent, Direction, Report, ReportedThing, ReportsWanted, RoomSn, StoredEvent,
};
pub use receive::Received;
pub use relationships::{RelationshipQuery, Replies, ReplyCounts, Told, TreeOfReplies, Way, walk_replies};
pub use searched::Searched;
pub use send::SendEvent;
pub use serve::{Accessible, ServedHierarchy, ServedReplies, ServedState, ServedStateIds};
pub use take_in::TakeInError;

use crate::{
    admit::{Desk, Resolved},
    auth_graph::AuthGraph,
    counters::Counters,
    delayed::Delayed,
    elsewhere::Profiles,
    handshake::Doors,
    hierarchy::elsewhere::Hierarchies,
    receive::{Filling, Receiving},
};

/// Who this homeserver is to others: its name, and the key that it signs with.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The server name.
    pub server_name: OwnedServerName,
    /// The signing key.
    pub key: Arc<ServerKey>,
}

/// What rooms are made like here.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// The version of new rooms.
    pub default_version: RoomVersion,
    /// The versions in which rooms may be made.
    pub allowed_versions: Vec<RoomVersion>,
    /// The organisation's policy.
    pub policy: Standing,
    /// Whether users may list rooms in the public directory.
    pub may_publish: bool,
    /// Whether rooms of the versions before 6 may be entered whose rules are known (3 to 5).
    pub join_old_versions: bool,
    /// Whether people may call one another from app to app, by which these tell each other their addresses.
    pub calls_between_apps: bool,
    /// The application services of the organisation, some of which keep aliases to themselves.
    pub services: ApplicationServices,
}

/// A local user who does something, and with what.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's number.
    pub user: UserSn,
    /// The user's id.
    pub user_id: OwnedUserId,
    /// The device, where a transaction id counts.
    pub device: Option<DeviceSn>,
    /// What the user's client does about encryption by itself.
    pub client: ClientKind,
    /// The application service that acts in the user's name.
    pub service: Option<Arc<ApplicationService>>,
    /// When the event that is sent counts as sent, in milliseconds since the Unix epoch, if that is not now.
    /// <https://spec.matrix.org/v1.19/application-service-api/#timestamp-massaging>
    pub timestamp: Option<i64>,
}

impl Actor {
    /// Somebody with an ordinary client.
    pub fn new(
        user: UserSn,
        user_id: OwnedUserId,
        device: impl Into<Option<DeviceSn>>,
        client: ClientKind,
    ) -> Self {
        Self { user, user_id, device: device.into(), client, service: None, timestamp: None }
    }
}

/// The rooms of one homeserver. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rooms {
    store: Store,
    ambient: Ambient,
    identity: Identity,
    others: Others,
    settings: Arc<RoomSettings>,
    desks: Cache<RoomSn, Arc<Desk>>,
    doors: Doors,
    profiles: Profiles,
    hierarchies: Hierarchies,
    receiving: Arc<Receiving>,
    filling: Filling,
    graphs: Cache<RoomSn, Graph>,
    /// What states were resolved to.
    resolutions: Cache<Vec<StateRoot>, Resolved>,
    /// Events that the policy server of their room would not sign, and when it was asked.
    unwelcome: Cache<OwnedEventId, Timestamp>,
    counters: Arc<Counters>,
    delayed: Arc<Delayed>,
    /// Held by whoever says something to a user for the server.
    noticing: Arc<Mutex<()>>,
    /// When the newest room was made, in milliseconds since the epoch.
    newest: Arc<AtomicI64>,
}

/// A room's graph of authorisation, and about how many bytes it had when it was used last.
type Graph = (Arc<Mutex<AuthGraph>>, usize);

/// How much memory the graphs of authorisation of all rooms take, in bytes, about.
const GRAPHS: u64 = 64 << 20;
/// How many resolutions are remembered.
const RESOLUTIONS: u64 = 4_096;
/// Of how many events it is remembered that a policy server would not sign them.
const UNWELCOME: u64 = 10_000;
/// How many rooms are kept ready for the next event.
const DESKS: u64 = 4_096;

impl Rooms {
    /// The rooms in a store, of a homeserver that meets `others`.
    pub fn new(
        store: Store,
        ambient: Ambient,
        identity: Identity,
        others: Others,
        settings: RoomSettings,
    ) -> Self {
        let weigh = |_: &RoomSn, graph: &Graph| u32::try_from(graph.1).unwrap_or(u32::MAX);
        Self {
            store,
            ambient,
            identity,
            others,
            settings: Arc::new(settings),
            desks: Cache::new(DESKS),
            graphs: Cache::weighed(GRAPHS, weigh),
            resolutions: Cache::new(RESOLUTIONS),
            counters: Arc::default(),
            delayed: Arc::default(),
            noticing: Arc::default(),
            doors: Doors::default(),
            profiles: Profiles::default(),
            hierarchies: Hierarchies::default(),
            receiving: Arc::default(),
            filling: Filling::default(),
            unwelcome: Cache::new(UNWELCOME),
            newest: Arc::default(),
        }
    }

    /// The graph of authorisation of a room.
    fn graph_of(&self, room: RoomSn) -> Arc<Mutex<AuthGraph>> {
        self.graphs.get_with(room, || (Arc::default(), 1_024)).0
    }

    /// Notes how large the graph of a room has become.
    fn weigh_graph(&self, room: RoomSn, bytes: usize) {
        if let Some((graph, known)) = self.graphs.get(&room)
            && known != bytes
        {
            self.graphs.insert(room, (graph, bytes));
        }
    }

    /// The number of a room.
    ///
    /// # Errors
    /// [`RoomError::UnknownRoom`].
    pub async fn find(&self, room_id: &RoomId) -> Result<RoomSn, RoomError> {
        self.store.room_sn(room_id).await?.ok_or(RoomError::UnknownRoom)
    }

    /// The time to write into a create event. Two rooms never get the same: where a room's id is the hash of
    /// its create event, two rooms made alike in the same millisecond would be one.
    fn creation_ts(&self) -> i64 {
        let now = self.ambient.now().millis();
        let next = |newest: i64| Some(now.max(newest + 1));
        let before = self.newest.fetch_update(Ordering::AcqRel, Ordering::Acquire, next);
        before.map_or(now, |newest| now.max(newest + 1))
    }

    /// The other homeservers.
    pub fn others(&self) -> &Others {
        &self.others
    }

    /// What the rooms have been through since the start, and what they hold in memory.
    pub fn status(&self) -> RoomsStatus {
        RoomsStatus {
            workers: self.receiving.workers(),
            graph_bytes: self.graphs.weight(),
            remembered_resolutions: self.resolutions.weight(),
            ..self.counters.status()
        }
    }

    /// The name of this server.
    pub fn server_name(&self) -> &ruma::ServerName {
        &self.identity.server_name
    }
}
