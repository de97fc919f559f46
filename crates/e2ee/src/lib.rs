//! The server's half of end-to-end encryption: keys of devices and of users, messages to single devices, and
//! backups of room keys.
//!
//! The server keeps what clients give it and hands it on exactly as often as the specification says: a one-time
//! key to one, a message to a device until the device has it. It can read none of what it carries, and never
//! decides by who has verified whom. This crate knows nothing of rooms' events, and nothing of HTTP.
//!
//! <https://spec.matrix.org/v1.19/client-server-api/#end-to-end-encryption>

mod arrivals;
mod backup;
mod boxes;
mod claim;
mod cross_signing;
mod dehydrated;
mod engine;
mod error;
mod key_object;
mod query;
mod receive;
mod remote;
mod remote_lists;
mod restored;
mod signatures;
mod tasks;
mod tell;
mod to_device;
mod upload;

pub use arrivals::BoxLimits;
pub use backup::{BackupError, NewBackup, RoomKeys, StoredKeys};
pub use claim::{Claimed, Claims, KeyClaims};
pub use cross_signing::{Confirmation, CrossSigningError, CrossSigningUpload};
pub use dehydrated::{DehydratedError, LaidBy, MessagesLaidBy, NewDehydratedDevice};
pub use engine::{Caller, E2ee, E2eeSettings};
pub use key_object::InvalidKey;
pub use parvis_storage::{BackedUpKey, KeyBackup, KeysMeant, Position, StorageError};
pub use query::{DeviceList, KeyQuery, Keys, ListedDevice, Viewer};
pub use signatures::{SignatureFailure, SignatureFailures};
pub use to_device::{ToDevice, ToDeviceMessages};
pub use upload::{KeyUpload, UploadError};
