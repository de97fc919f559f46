//! The engine's handle. What it can do stands in the other modules, a kind of operation each.

use std::sync::Arc;

use parvis_ambient::{Ambient, Timestamp};
use parvis_peers::Federation;
use parvis_storage::{DeviceSn, StorageError, Store, UserSn};
use ruma::{OwnedDeviceId, OwnedUserId, ServerName, UserId};
use tokio::sync::{Mutex, MutexGuard, Notify, watch};

use crate::arrivals::{Arrivals, BoxLimits};

/// How many locks there are. Those who get the same one wait for each other without need.
const TURNS: usize = 64;

/// How the engine works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct E2eeSettings {
    /// Whether other servers are told what people call their devices.
    pub share_device_names: bool,
    /// How much may wait for one device.
    pub boxes: BoxLimits,
}

/// The server's half of an organisation's end-to-end encryption. Cheap to clone; all clones are the same engine.
#[derive(Clone, Debug)]
pub struct E2ee {
    pub(crate) store: Store,
    pub(crate) ambient: Ambient,
    pub(crate) federation: Federation,
    pub(crate) settings: E2eeSettings,
    turns: Arc<[Mutex<()>]>,
    pub(crate) arrivals: Arc<Arrivals>,
    /// Tells of lists of devices that must be asked for again.
    pub(crate) missed: Arc<Notify>,
    /// Whether the engine is closing.
    pub(crate) closing: Arc<watch::Sender<bool>>,
}

/// A user on a device: who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserSn,
    /// The user's name.
    pub user_id: OwnedUserId,
    /// The device.
    pub device: DeviceSn,
    /// The device's name.
    pub device_id: OwnedDeviceId,
}

impl E2ee {
    /// The engine over what is kept in `store`. Other servers are asked by `federation`.
    pub fn new(store: Store, ambient: Ambient, federation: Federation, settings: E2eeSettings) -> Self {
        let turns = (0..TURNS).map(|_| Mutex::default()).collect();
        let closing = Arc::new(watch::Sender::new(false));
        let (arrivals, missed) = (Arc::default(), Arc::default());
        Self { store, ambient, federation, settings, turns, arrivals, missed, closing }
    }

    /// Ends the engine's tasks.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Whether a user of another server is in a room with somebody of this one, so that we are told of their
    /// devices.
    pub(crate) async fn follows(&self, user: UserSn) -> Result<bool, StorageError> {
        for (room, member) in self.store.rooms_of_user(user).await?.all() {
            if member.is_joined() && self.store.servers_of_room(room).await?.contains_key(self.server_name())
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until nobody else on this node changes what has this number.
    pub(crate) async fn turn(&self, number: i64) -> MutexGuard<'_, ()> {
        let index = usize::try_from(number.unsigned_abs()).unwrap_or_default() % TURNS;
        self.turns[index].lock().await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }

    /// The name of this server.
    pub(crate) fn server_name(&self) -> &ServerName {
        self.federation.origin()
    }

    /// Whether a user belongs here.
    pub(crate) fn is_ours(&self, user_id: &UserId) -> bool {
        user_id.server_name() == self.server_name()
    }
}
