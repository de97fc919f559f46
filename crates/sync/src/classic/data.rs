//! The user's own data: what clients keep about the account and about rooms.

use std::sync::Arc;

use parvis_events::default_push_rules;
use parvis_storage::{AccountData, RoomSn, StorageError};
use ruma::RoomId;
use serde_json::{json, value::to_raw_value};

use super::{Classic, moves::Moves};

impl Classic<'_> {
    /// Account-wide data that is new: of what was deleted, that it was. At the beginning that is all there is,
    /// with the push rules even where they were never changed.
    pub(super) async fn account_data(&self, moves: &Moves) -> Result<Vec<Arc<AccountData>>, StorageError> {
        let mut data = moves.account_data.clone();
        if self.since.is_none() && !data.iter().any(|data| data.kind == "m.push_rules") {
            let rules = json!({ "global": default_push_rules(&self.user_id) });
            let content = to_raw_value(&rules)
                .map_err(|error| StorageError::Corrupt(format!("the default push rules: {error}")))?;
            data.push(Arc::new(AccountData { room: None, kind: "m.push_rules".to_owned(), content }));
        }
        let filter = &self.request.filter.account_data;
        let is_known = self.since.is_some();
        data.retain(|data| filter.has(&data.kind, &self.user_id) && (is_known || !data.is_deleted()));
        Ok(data)
    }

    /// The user's data about a room that is new.
    pub(super) fn room_account_data(
        &self,
        room: RoomSn,
        room_id: &RoomId,
        moves: &Moves,
    ) -> Vec<Arc<AccountData>> {
        let filter = &self.request.filter.room_account_data;
        let data = moves.room_account_data.get(&room).into_iter().flatten();
        let wanted = data.filter(|data| filter.has_room(room_id) && filter.has(&data.kind, &self.user_id));
        wanted.filter(|data| self.since.is_some() || !data.is_deleted()).cloned().collect()
    }
}
