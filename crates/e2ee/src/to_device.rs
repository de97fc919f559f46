//! Messages to single devices
//! (<https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging>).

use std::collections::BTreeMap;

use parvis_storage::{CommitError, DeviceSn, EventSn, StorageError, TransactionKey, UserSn, WriteSet};
use ruma::{OwnedUserId, UserId, to_device::DeviceIdOrAllDevices};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    engine::{Caller, E2ee},
    error::plain,
};

/// The contents of messages, by user and device.
pub type ToDeviceMessages = BTreeMap<OwnedUserId, BTreeMap<DeviceIdOrAllDevices, Box<RawValue>>>;

/// Messages of one type.
#[derive(Clone, Copy, Debug)]
pub struct ToDevice<'a> {
    /// The type of the events.
    pub kind: &'a str,
    /// The contents.
    pub messages: &'a ToDeviceMessages,
}

/// What marks a transaction that made no event.
const NO_EVENT: EventSn = EventSn(0);

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    sender: &'a UserId,
    content: &'a RawValue,
}

impl E2ee {
    /// Sends messages to devices here and elsewhere. A transaction id that the caller's device has used is
    /// answered as if they were sent again.
    ///
    /// # Errors
    /// If the store fails; nothing was sent then.
    pub async fn send_to_device(
        &self,
        caller: &Caller,
        transaction_id: &str,
        sent: ToDevice<'_>,
    ) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        let key = TransactionKey {
            device: caller.device,
            scope: format!("sendToDevice/{}", sent.kind),
            transaction_id: transaction_id.to_owned(),
        };
        set.use_transaction(key, NO_EVENT, self.now().millis());
        set.send_to_devices(self.local_messages(&caller.user_id, sent).await?);
        match self.store.commit(set).await {
            Ok(_) | Err(CommitError::TransactionUsed(_)) => Ok(()),
            Err(error) => Err(plain(error)),
        }
    }

    /// The messages that are for devices here, one for each device. One that names a device goes before one
    /// that is for all of a user's.
    pub(crate) async fn local_messages(
        &self,
        sender: &UserId,
        sent: ToDevice<'_>,
    ) -> Result<Vec<(UserSn, DeviceSn, String)>, StorageError> {
        let mut messages = Vec::new();
        for (user_id, devices) in sent.messages {
            if !self.is_ours(user_id) {
                continue;
            }
            let Some(user) = self.store.find_user(user_id).await? else { continue };
            let everybody = devices.get(&DeviceIdOrAllDevices::AllDevices);
            for device in self.store.devices(user).await? {
                let named = devices.get(&DeviceIdOrAllDevices::DeviceId(device.device_id));
                let Some(content) = named.or(everybody) else { continue };
                let event = Event { r#type: sent.kind, sender, content };
                let event = to_raw_value(&event)
                    .map_err(|error| StorageError::Corrupt(format!("a message to a device: {error}")))?;
                messages.push((user, device.device, event.get().to_owned()));
            }
        }
        Ok(messages)
    }
}
