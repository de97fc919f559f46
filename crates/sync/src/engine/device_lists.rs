//! Whose devices have changed, for clients that ask for it apart from a sync.

use parvis_storage::{StorageError, Token};

use super::SyncEngine;
use crate::{answer::DeviceLists, classic::Classic, view::Reader};

impl SyncEngine {
    /// Whose devices have changed between two places, and with whom the reader shared no room any more at the later
    /// one. A later place that is not reached yet counts as now.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn device_lists_between(
        &self,
        reader: Reader,
        since: Token,
        until: Token,
    ) -> Result<DeviceLists, StorageError> {
        let parts = &self.0.parts;
        let until = until.position.min(parts.store.head());
        Classic::changed_devices(parts, reader, since.position, until).await
    }
}
