//! Redactions that come from elsewhere: they take effect where the power levels or the sender's server allow it,
//! and wait where what they redact is not here yet.
//!
//! <https://spec.matrix.org/v1.19/rooms/v11/#handling-redactions>

use std::sync::Arc;

use parvis_dag::PowerLevels;
use parvis_events::Pdu;
use parvis_storage::{DeviceSn, EventFlags, EventSn, StateRoot, StorageError, StoredEvent};
use ruma::OwnedEventId;

use super::{Draft, Staged, Turn};
use crate::{Actor, RoomError};

/// What an event redacts.
pub(crate) enum Redacts {
    /// Nothing: it is no redaction, or what it names was redacted before.
    Nothing,
    /// Something that its sender may redact.
    Event(Arc<StoredEvent>),
    /// Something that is not here yet.
    Unknown(OwnedEventId),
    /// Something that is not for its sender to redact.
    NotAllowed,
}

impl Redacts {
    /// Clients are not shown what has no effect.
    pub(super) fn flags(&self) -> EventFlags {
        match self {
            Self::Nothing | Self::Event(_) => EventFlags::ACCEPTED,
            Self::Unknown(_) | Self::NotAllowed => EventFlags::IDLE,
        }
    }
}

impl Turn<'_> {
    /// What an event of another server redacts, where the state before it is this.
    pub(super) async fn redacts(&self, pdu: &Pdu, before: StateRoot) -> Result<Redacts, RoomError> {
        let Some(target) = pdu.owned_redacts() else { return Ok(Redacts::Nothing) };
        let here = self.find_events(&[target]).await?.remove(target);
        let Some(here) = here.filter(|here| here.room == self.head.room) else {
            return Ok(Redacts::Unknown(target.clone()));
        };
        if here.redacted_by.is_some() {
            return Ok(Redacts::Nothing);
        }
        match self.may_redact(&here.pdu, pdu, before).await? {
            true => Ok(Redacts::Event(here)),
            false => Ok(Redacts::NotAllowed),
        }
    }

    /// Builds a redaction of a local user, judges it, and stages it with what it redacts.
    ///
    /// # Errors
    /// As [`stage`](Self::stage).
    pub(crate) async fn stage_redaction(
        &mut self,
        actor: &Actor,
        draft: Draft,
        transaction: Option<(DeviceSn, String)>,
        redacts: Redacts,
    ) -> Result<Staged, RoomError> {
        let staged =
            self.stage_flagged(&actor.user_id, actor.user, draft, transaction, redacts.flags()).await?;
        self.settle_redaction(&staged, redacts)?;
        Ok(staged)
    }

    /// Lets an event that was just staged redact what it redacts, or wait for it.
    pub(super) fn settle_redaction(&mut self, staged: &Staged, redacts: Redacts) -> Result<(), RoomError> {
        match redacts {
            Redacts::Nothing | Redacts::NotAllowed => Ok(()),
            Redacts::Event(target) => self.take_content(&target, staged.sn),
            Redacts::Unknown(target) => {
                self.set.add_waiting_redaction(self.head.room, &target, staged.sn);
                Ok(())
            }
        }
    }

    /// Lets an event that was just staged be redacted by what has waited for it.
    pub(super) async fn settle_waiting_redactions(&mut self, staged: &Staged) -> Result<(), RoomError> {
        let (room, own) = (self.head.room, staged.pdu.event_id());
        let waiting = self.rooms.store.waiting_redactions(room, &[own]).await?;
        if waiting.is_empty() {
            return Ok(());
        }
        let target = self.event(staged.sn).await?;
        let mut is_redacted = false;
        for (_, redaction) in waiting {
            let redaction = self.event(redaction).await?;
            if self.may_redact(&target.pdu, &redaction.pdu, redaction.state_root).await? {
                // It has an effect now, and may be seen by who looks for it.
                self.set.set_flags(redaction.sn, redaction.flags.without(EventFlags::IDLE));
                if !is_redacted {
                    self.take_content(&target, redaction.sn)?;
                    is_redacted = true;
                }
            }
        }
        self.set.end_waiting_redactions(own);
        Ok(())
    }

    fn take_content(&mut self, target: &StoredEvent, by: EventSn) -> Result<(), RoomError> {
        let redacted =
            parvis_events::redact(&target.pdu).map_err(|error| StorageError::Corrupt(error.to_string()))?;
        self.redact(target.sn, &redacted, by);
        Ok(())
    }

    /// Whether a redaction may take a target's content: its sender has the power to, or is of the same server as
    /// the target's.
    async fn may_redact(&self, target: &Pdu, redaction: &Pdu, before: StateRoot) -> Result<bool, RoomError> {
        if target.is_create() {
            return Ok(false);
        }
        let own_server = redaction.sender().server_name() == target.sender().server_name();
        Ok(own_server || self.has_power_to_redact(redaction, before).await?)
    }

    async fn has_power_to_redact(&self, redaction: &Pdu, before: StateRoot) -> Result<bool, RoomError> {
        let Some((_, create)) = self.state_in(before, "m.room.create", "").await? else { return Ok(false) };
        let levels = self.state_in(before, "m.room.power_levels", "").await?;
        let levels = PowerLevels::new(&create, levels.as_ref().map(|found| &found.1));
        Ok(levels.of(redaction.sender()).reaches(levels.to_redact()))
    }
}
