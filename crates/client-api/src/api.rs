//! What the handlers have in hand.

use std::{ops::Deref, sync::Arc, time::Duration};

use parvis_accounts::Accounts;
use parvis_ambient::Clock;
use parvis_e2ee::E2ee;
use parvis_media::Media;
use parvis_organisation::Organisation;
use parvis_outbound::ServiceQueries;
use parvis_rooms::Rooms;
use parvis_search::Search;
use parvis_sync::{SyncEngine, View};
use ruma::{RoomVersionId, api::client::discovery::discover_support::Contact};

use crate::{calls::Calls, rate_limit::RateLimits, sign_on::SignOn};

/// The state of the handlers, which each request has: one pointer, all of whose clones are the same [`Handles`].
#[derive(Clone, Debug)]
pub struct ClientApi(Arc<Handles>);

impl Deref for ClientApi {
    type Target = Handles;

    fn deref(&self) -> &Handles {
        &self.0
    }
}

impl From<Handles> for ClientApi {
    fn from(handles: Handles) -> Self {
        Self(Arc::new(handles))
    }
}

/// One handle for each engine, and what is published about this homeserver. A handler uses the one or two that it
/// needs.
#[derive(Clone, Debug)]
pub struct Handles {
    /// What clients are told before they log in.
    pub discovery: Arc<Discovery>,
    /// The organisation's policy.
    pub organisation: Organisation,
    /// The server's half of end-to-end encryption.
    pub e2ee: E2ee,
    /// Files that users send.
    pub media: Media,
    /// The versions of new rooms.
    pub room_versions: Arc<RoomVersions>,
    /// The rooms.
    pub rooms: Rooms,
    /// What readers see of events.
    pub view: View,
    /// What is new.
    pub sync: SyncEngine,
    /// What was said, by its words.
    pub search: Search,
    /// Who belongs here.
    pub accounts: Accounts,
    /// Asks application services.
    pub services: ServiceQueries,
    /// Limits for those who ask too often.
    pub limits: Arc<RateLimits>,
    /// How people call one another.
    pub calls: Arc<Calls>,
    /// What time it is, for what is good for a while only.
    pub clock: Arc<dyn Clock>,
    /// Bounds on what one request may take.
    pub bounds: Bounds,
    /// How people sign in with their browsers, if apps are let in by OAuth 2.0.
    pub sign_on: Option<Arc<SignOn>>,
}

impl Handles {
    /// Whether apps may ask for passwords themselves.
    pub(crate) fn passwords_in_apps(&self) -> bool {
        self.sign_on.as_ref().is_none_or(|sign_on| sign_on.passwords_in_apps)
    }
}

/// Bounds on what one request may take, whatever it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The most events per room in an answer to a sync.
    pub most_timeline_events: usize,
    /// The longest that a sync waits for something new.
    pub longest_sync_wait: Duration,
    /// The most events in a page of history. One at least.
    pub most_messages: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        let longest_sync_wait = Duration::from_secs(300);
        Self { most_timeline_events: 100, longest_sync_wait, most_messages: 1_000 }
    }
}

/// The versions of new rooms.
#[derive(Clone, Debug)]
pub struct RoomVersions {
    /// The one that a room gets if nobody asks for another.
    pub default: RoomVersionId,
    /// Those in which rooms may be made.
    pub allowed: Vec<RoomVersionId>,
}

/// What clients and other servers are told about this homeserver.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The URL at which clients reach this homeserver, without a final slash.
    pub public_base_url: String,
    /// Where other servers reach this homeserver (`host:port`), if that is not at its own name.
    pub federation_address: Option<String>,
    /// Whom to ask for help.
    pub support_contacts: Vec<Contact>,
    /// A page with help.
    pub support_page: Option<String>,
    /// Whether clients are told to lay by devices.
    pub dehydrated_devices: bool,
}
