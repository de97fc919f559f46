//! What other servers tell that is not an event: messages to devices here, and changes of devices there.

use parvis_storage::{CommitError, DeviceSn, StorageError, TransactionKey, WriteSet};
use ruma::{
    ServerName,
    api::federation::transactions::edu::{
        DeviceListUpdateContent, DirectDeviceContent, SigningKeyUpdateContent,
    },
};
use serde_json::value::RawValue;

use crate::{
    engine::E2ee,
    error::plain,
    to_device::{NO_EVENT, ToDevice, ToDeviceMessages},
};

/// Stands for a device where another server sends.
const ELSEWHERE: DeviceSn = DeviceSn(0);

impl E2ee {
    /// Takes in an EDU of another server, if it is of a type that is for this engine; says whether it is. What
    /// makes no sense, or is not theirs to say, is passed over.
    ///
    /// # Errors
    /// If the store fails: the server must send it again.
    pub async fn receive_edu(
        &self,
        origin: &ServerName,
        edu_type: &str,
        content: &RawValue,
    ) -> Result<bool, StorageError> {
        let json = content.get();
        match edu_type {
            "m.direct_to_device" => match serde_json::from_str::<DirectDeviceContent>(json) {
                Ok(sent) => self.receive_direct_to_device(origin, sent).await?,
                Err(error) => tracing::debug!(%origin, %error, "messages to devices that cannot be read"),
            },
            "m.device_list_update" => match serde_json::from_str::<DeviceListUpdateContent>(json) {
                Ok(update) => self.receive_device_list_update(origin, &update).await?,
                Err(error) => tracing::debug!(%origin, %error, "a change of devices that cannot be read"),
            },
            "m.signing_key_update" => match serde_json::from_str::<SigningKeyUpdateContent>(json) {
                Ok(update) => self.receive_signing_key_update(origin, &update).await?,
                Err(error) => tracing::debug!(%origin, %error, "a change of keys that cannot be read"),
            },
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Takes in messages to devices here. The same message once more is passed over.
    async fn receive_direct_to_device(
        &self,
        origin: &ServerName,
        sent: DirectDeviceContent,
    ) -> Result<(), StorageError> {
        if sent.sender.server_name() != origin {
            return Ok(());
        }
        let messages: ToDeviceMessages = sent
            .messages
            .into_iter()
            .map(|(user_id, devices)| {
                let devices = devices.into_iter().map(|(device, content)| (device, content.into_json()));
                (user_id, devices.collect())
            })
            .collect();
        let kind = sent.ev_type.to_string();
        let mut set = WriteSet::new();
        let key = TransactionKey {
            device: ELSEWHERE,
            scope: format!("m.direct_to_device/{origin}"),
            transaction_id: sent.message_id.to_string(),
        };
        set.use_transaction(key, NO_EVENT, self.now().millis());
        let to_device = ToDevice { kind: &kind, messages: &messages };
        let sender = self.store.intern_user(&sent.sender).await?;
        let devices = self.put_local_messages(&mut set, (sender, &sent.sender), to_device).await?;
        match self.store.commit(set).await {
            Ok(_) => self.note_messages(&devices).await,
            Err(CommitError::TransactionUsed(_)) => Ok(()),
            Err(error) => Err(plain(error)),
        }
    }
}
