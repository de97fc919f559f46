//! Sessions: a user on a device, known by an access token.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use parvis_application_services::ApplicationService;
use parvis_storage::{DeviceSn, SessionSn, UserSn};
use ruma::{OwnedDeviceId, OwnedUserId};

/// Who is calling: a user on one of their devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user: UserSn,
    /// The user's name.
    pub user_id: OwnedUserId,
    /// The device; or a number that stands for none, as an application service may have it (see
    /// [`without_device`](Self::without_device)).
    pub device: DeviceSn,
    /// The device's name; empty where there is none.
    pub device_id: OwnedDeviceId,
    /// This session among those that the device has had.
    pub session: SessionSn,
    /// Whether the user administers this homeserver.
    pub is_admin: bool,
    /// Whether the user may read and leave, and do little else.
    pub suspended: bool,
    /// Whether the user is a guest.
    pub guest: bool,
    /// Whether an app has it by OAuth 2.0.
    pub by_oauth: bool,
    /// The application service that acts in the user's name.
    pub service: Option<Arc<ApplicationService>>,
}

impl Session {
    /// What stands for a device where an application service acts for a user without one. Each user has one such
    /// number, so that the transaction ids of two users are not mixed up; it is in no table of devices.
    pub(crate) fn no_device_of(user: UserSn) -> DeviceSn {
        DeviceSn(user.0.saturating_neg())
    }

    /// Whether there is no device.
    pub fn without_device(&self) -> bool {
        self.device.0 <= 0
    }
}

/// A session that was just opened: what the client is told, once.
#[derive(Clone)]
pub struct OpenedSession {
    /// The user.
    pub user_id: OwnedUserId,
    /// The device.
    pub device_id: OwnedDeviceId,
    /// The access token.
    pub access_token: String,
    /// The refresh token, if the client can use one.
    pub refresh_token: Option<String>,
    /// How long the access token lives; `None` is for ever.
    pub expires_in: Option<Duration>,
}

impl fmt::Debug for OpenedSession {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user_id, device_id, .. } = self;
        formatter
            .debug_struct("OpenedSession")
            .field("user_id", user_id)
            .field("device_id", device_id)
            .finish_non_exhaustive()
    }
}

/// The device on which a session is opened, as the client asks for it.
#[derive(Clone, Debug, Default)]
pub struct NewDevice {
    /// The device's name; a new one is made up if the client has none. A known device is used again.
    pub device_id: Option<OwnedDeviceId>,
    /// What people call it, if it is new.
    pub display_name: Option<String>,
    /// Whether the client can refresh its token.
    pub refreshable: bool,
    /// The address from which it is asked for, which is then the first from which the device was seen.
    pub from: Option<IpAddr>,
}
