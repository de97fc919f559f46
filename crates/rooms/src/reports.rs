//! What users report to the administrators: events, rooms and users
//! (<https://spec.matrix.org/v1.19/client-server-api/#reporting-content>).
//!
//! Any room and any user can be reported, known here or not: so an answer does not tell what there is.

use std::sync::Arc;

use parvis_events::Membership;
use parvis_storage::{
    CommitError, NewReport, REPORT_IS_THERE, Report, ReportedThing, ReportsWanted, StoredEvent, WriteSet,
};
use ruma::{RoomId, UserId};

use crate::{Actor, RoomError, Rooms};

/// The longest reason, in bytes.
const LONGEST_REASON: usize = 4_096;
/// The longest note of an administrator, in bytes.
const LONGEST_NOTE: usize = 16_384;

impl Rooms {
    /// Reports an event that the user may see.
    ///
    /// # Errors
    /// [`RoomError::NotFound`] for who is not joined to the room: they are not told whether the event is there.
    pub async fn report_event(
        &self,
        actor: &Actor,
        event: &Arc<StoredEvent>,
        reason: &str,
    ) -> Result<(), RoomError> {
        let member = self.store.member(actor.user, event.room).await?;
        if member.is_none_or(|member| member.membership != Membership::Join) {
            return Err(RoomError::NotFound("there is no such event, or you are not in its room"));
        }
        let thing = ReportedThing::Event {
            room_id: event.pdu.room_id().to_string(),
            event_id: event.pdu.event_id().to_string(),
            sender: event.pdu.sender().to_string(),
            event: format!("{}}}", event.pdu.client_form().as_str()),
        };
        self.keep_report(actor, &thing, reason).await
    }

    /// Reports a room.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] if the reason is too long.
    pub async fn report_room(&self, actor: &Actor, room_id: &RoomId, reason: &str) -> Result<(), RoomError> {
        self.keep_report(actor, &ReportedThing::Room(room_id.to_string()), reason).await
    }

    /// Reports a user.
    ///
    /// # Errors
    /// [`RoomError::InvalidParam`] if the reason is too long.
    pub async fn report_user(&self, actor: &Actor, user_id: &UserId, reason: &str) -> Result<(), RoomError> {
        self.keep_report(actor, &ReportedThing::User(user_id.to_string()), reason).await
    }

    async fn keep_report(&self, actor: &Actor, thing: &ReportedThing, reason: &str) -> Result<(), RoomError> {
        if reason.len() > LONGEST_REASON {
            return Err(RoomError::InvalidParam(format!("a reason has {LONGEST_REASON} bytes at most")));
        }
        let mut set = WriteSet::new();
        set.add_report(&NewReport {
            report: self.store.next_number().await?,
            reporter: actor.user,
            thing,
            // A database cannot keep every letter.
            reason: &reason.replace('\0', ""),
            created_ts: self.ambient.now().millis(),
        });
        self.store.commit(set).await?;
        Ok(())
    }

    /// At most `limit` reports before a number (`None` for the newest), the newest first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn reports(
        &self,
        wanted: ReportsWanted,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Report>, RoomError> {
        Ok(self.store.reports(wanted, before.unwrap_or(i64::MAX), limit).await?)
    }

    /// A report.
    ///
    /// # Errors
    /// [`RoomError::NotFound`].
    pub async fn report(&self, report: i64) -> Result<Report, RoomError> {
        self.store.report(report).await?.ok_or(RoomError::NotFound("there is no such report"))
    }

    /// Closes a report or opens it again, with a note; gives it as it is then.
    ///
    /// # Errors
    /// [`RoomError::NotFound`], and [`RoomError::InvalidParam`] for a note that is too long.
    pub async fn close_report(
        &self,
        administrator: &UserId,
        report: i64,
        closed: bool,
        note: Option<&str>,
    ) -> Result<Report, RoomError> {
        if note.is_some_and(|note| note.len() > LONGEST_NOTE) {
            return Err(RoomError::InvalidParam(format!("a note has {LONGEST_NOTE} bytes at most")));
        }
        let closed = closed.then(|| (self.ambient.now().millis(), administrator.as_str()));
        let mut set = WriteSet::new();
        set.close_report(report, closed, note);
        match self.store.commit(set).await {
            Ok(_) => self.report(report).await,
            Err(CommitError::Guard(REPORT_IS_THERE)) => Err(RoomError::NotFound("there is no such report")),
            Err(error) => Err(error.into()),
        }
    }
}
