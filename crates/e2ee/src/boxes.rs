//! How much waits for one device.
//!
//! A device that takes nothing, because nobody uses it or somebody floods it, must not fill the database. What goes
//! first are the oldest messages of whoever has most waiting: who writes little is not pushed out by who writes
//! much, and a device that comes back finds the newest keys.

use parvis_storage::{DeviceSn, StorageError, UserSn, WaitingMessages, WriteSet};

use crate::{arrivals::share, engine::E2ee, error::plain};

impl E2ee {
    /// Takes note of messages to devices that are durable now, and throws away what is too much.
    pub(crate) async fn note_messages(&self, devices: &[DeviceSn]) -> Result<(), StorageError> {
        for device in self.arrivals.count(devices) {
            self.thin_out(device).await?;
        }
        Ok(())
    }

    async fn thin_out(&self, device: DeviceSn) -> Result<(), StorageError> {
        let waiting = self.store.waiting_by_sender(device).await?;
        let limits = self.settings.boxes;
        let most = share(waiting.iter().map(|waiting| waiting.count), limits.messages);
        let most_size = share(waiting.iter().map(|waiting| waiting.size), limits.size);
        let has_too_much = |waiting: &&WaitingMessages| waiting.count > most || waiting.size > most_size;
        let senders: Vec<UserSn> =
            waiting.iter().filter(has_too_much).map(|waiting| waiting.sender).collect();
        if senders.is_empty() {
            return Ok(());
        }
        tracing::info!(
            device = device.0,
            senders = senders.len(),
            "too much waits for a device; the oldest goes"
        );
        let mut set = WriteSet::new();
        for sender in senders {
            set.thin_out_to_device(device, sender, most, most_size);
        }
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }
}
