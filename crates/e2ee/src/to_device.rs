//! Messages to single devices
//! (<https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging>).

use std::collections::BTreeMap;

use parvis_storage::{CommitError, DeviceSn, EventSn, StorageError, TransactionKey, UserSn, WriteSet};
use ruma::{OwnedUserId, ServerName, UserId, to_device::DeviceIdOrAllDevices};
use serde::Serialize;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

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
pub(crate) const NO_EVENT: EventSn = EventSn(0);

/// About how large an EDU may be, in bytes: some servers take no larger ones than events.
const EDU_BYTES: usize = 48 << 10;
/// How many letters and digits name a message: 142 bits.
const MESSAGE_ID_LENGTH: usize = 24;

/// Messages for one server.
#[derive(Default)]
struct Edu<'a> {
    messages: BTreeMap<&'a UserId, BTreeMap<&'a DeviceIdOrAllDevices, &'a RawValue>>,
    size: usize,
}

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
        let devices = self.put_local_messages(&mut set, (caller.user, &caller.user_id), sent).await?;
        self.put_remote_messages(&mut set, &caller.user_id, sent);
        match self.store.commit(set).await {
            Ok(_) => self.note_messages(&devices).await,
            Err(CommitError::TransactionUsed(_)) => Ok(()),
            Err(error) => Err(plain(error)),
        }
    }

    /// Puts down the messages that are for devices elsewhere, in as few EDUs for each server as others take.
    fn put_remote_messages(&self, set: &mut WriteSet, sender: &UserId, sent: ToDevice<'_>) {
        let mut by_server: BTreeMap<&ServerName, Vec<Edu<'_>>> = BTreeMap::new();
        for (user_id, devices) in sent.messages.iter().filter(|(user_id, _)| !self.is_ours(user_id)) {
            for (device, content) in devices {
                let edus = by_server.entry(user_id.server_name()).or_default();
                let size = content.get().len() + 200;
                if edus.last().is_none_or(|edu| edu.size + size > EDU_BYTES) {
                    edus.push(Edu::default());
                }
                if let Some(edu) = edus.last_mut() {
                    edu.size += size;
                    edu.messages.entry(user_id).or_default().insert(device, content);
                }
            }
        }
        let now = self.now().millis();
        for (server, edus) in by_server {
            for Edu { messages, .. } in edus {
                let message_id = self.ambient.chance.text(MESSAGE_ID_LENGTH);
                let content = json!({
                    "sender": sender,
                    "type": sent.kind,
                    "message_id": message_id,
                    "messages": messages,
                });
                let edu = json!({ "edu_type": "m.direct_to_device", "content": content });
                set.put_outgoing_edu(server, &edu.to_string(), now);
            }
        }
    }

    /// Puts down the messages of a sender that are for devices here, one for each device, and gives the devices. A
    /// message that names a device goes before one that is for all of a user's.
    pub(crate) async fn put_local_messages(
        &self,
        set: &mut WriteSet,
        (sender, sender_id): (UserSn, &UserId),
        sent: ToDevice<'_>,
    ) -> Result<Vec<DeviceSn>, StorageError> {
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
                let event = Event { r#type: sent.kind, sender: sender_id, content };
                let event = to_raw_value(&event)
                    .map_err(|error| StorageError::Corrupt(format!("a message to a device: {error}")))?;
                messages.push((user, device.device, event.get().to_owned()));
            }
        }
        let devices = messages.iter().map(|(_, device, _)| *device).collect();
        set.send_to_devices(sender, messages);
        Ok(devices)
    }
}
