//! What the handlers have in hand.

use std::sync::Arc;

use parvis_accounts::Accounts;
use parvis_ambient::Ambient;
use parvis_e2ee::E2ee;
use parvis_media::Media;
use parvis_outbound::{Answers, Outbound, ServiceQueries};
use parvis_rooms::Rooms;
use parvis_sync::SyncEngine;
use ruma::{MilliSecondsSinceUnixEpoch, UInt};
use tokio::sync::Semaphore;

use crate::{KeyDocuments, Partners};

/// The state of the handlers: one handle for each engine. Cheap to clone. A handler uses the one or two that it
/// needs.
#[derive(Clone, Debug)]
pub struct FederationApi {
    /// The rooms; and through them the keys of other servers.
    pub rooms: Rooms,
    /// Who belongs here.
    pub accounts: Accounts,
    /// The server's half of end-to-end encryption.
    pub e2ee: E2ee,
    /// Files that users send.
    pub media: Media,
    /// What is told to users of this server.
    pub sync: SyncEngine,
    /// What is told to other servers.
    pub outbound: Outbound,
    /// Asks application services.
    pub services: ServiceQueries,
    /// What their transactions were answered.
    pub answers: Answers,
    /// With which servers the organisation federates.
    pub partners: Arc<dyn Partners>,
    /// This server's keys, and what it knows of others'.
    pub keys: Arc<dyn KeyDocuments>,
    /// Time and chance.
    pub ambient: Ambient,
    /// Who may work out a whole state at a time; see [`FederationApi::HEAVY`].
    pub heavy: Arc<Semaphore>,
}

impl FederationApi {
    /// How many answers that hold the whole state of a room are worked out at a time: each may take as much
    /// memory as the largest room.
    pub const HEAVY: usize = 4;

    /// The present time, as answers carry it.
    pub(crate) fn now(&self) -> MilliSecondsSinceUnixEpoch {
        let millis = u64::try_from(self.ambient.now().millis()).unwrap_or(0);
        MilliSecondsSinceUnixEpoch(UInt::new_saturating(millis))
    }
}
