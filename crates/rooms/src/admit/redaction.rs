//! Redactions that come from elsewhere: they take effect where the power levels or the sender's server allow it,
//! and wait where what they redact is not here yet.
//!
//! <https://spec.matrix.org/v1.19/rooms/v11/#handling-redactions>

use std::sync::Arc;

use parvis_dag::PowerLevels;
use parvis_events::Pdu;
use parvis_storage::{EventSn, StateRoot, StorageError, StoredEvent};

use super::{Staged, Turn};
use crate::RoomError;

impl Turn<'_> {
    /// Lets an event that was just staged redact what it names, and be redacted by what has waited for it.
    pub(super) async fn settle_redactions(
        &mut self,
        staged: &Staged,
        before: StateRoot,
    ) -> Result<(), RoomError> {
        let room = self.head.room;
        if let Some(target) = staged.pdu.owned_redacts().cloned() {
            match self.find_events(&[&target]).await?.remove(&target).filter(|target| target.room == room) {
                Some(target) => self.redact_if_allowed(&target, staged.sn, &staged.pdu, before).await?,
                None => self.set.add_waiting_redaction(room, &target, staged.sn),
            }
        }
        let own = staged.pdu.event_id();
        let waiting = self.rooms.store.waiting_redactions(room, &[own]).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let target = self.event(staged.sn).await?;
        for (_, redaction) in waiting {
            let redaction = self.event(redaction).await?;
            self.redact_if_allowed(&target, redaction.sn, &redaction.pdu, redaction.state_root).await?;
        }
        self.set.end_waiting_redactions(own);
        Ok(())
    }

    /// Redacts an event if the redaction's sender has the power to, or is of the same server as its sender.
    async fn redact_if_allowed(
        &mut self,
        target: &Arc<StoredEvent>,
        by: EventSn,
        redaction: &Pdu,
        before: StateRoot,
    ) -> Result<(), RoomError> {
        if target.redacted_by.is_some() || target.pdu.is_create() {
            return Ok(());
        }
        let own_server = redaction.sender().server_name() == target.pdu.sender().server_name();
        if !own_server && !self.may_redact(redaction, before).await? {
            return Ok(());
        }
        let redacted =
            parvis_events::redact(&target.pdu).map_err(|error| StorageError::Corrupt(error.to_string()))?;
        self.redact(target.sn, &redacted, by);
        Ok(())
    }

    async fn may_redact(&self, redaction: &Pdu, before: StateRoot) -> Result<bool, RoomError> {
        let Some((_, create)) = self.state_in(before, "m.room.create", "").await? else { return Ok(false) };
        let levels = self.state_in(before, "m.room.power_levels", "").await?;
        let levels = PowerLevels::new(&create, levels.as_ref().map(|found| &found.1));
        Ok(levels.of(redaction.sender()).reaches(levels.to_redact()))
    }
}
