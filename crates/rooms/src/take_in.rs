//! Taking in one event of another server, all of whose ancestors are here.

use parvis_events::Pdu;
use parvis_storage::{CommitError, EventFlags, RoomSn};
use ruma::OwnedEventId;

use crate::{
    RoomError, Rooms,
    admit::{Attempts, Judged, StateGiven, TakenIn},
};

/// Why an event was not taken in. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    /// Events that it follows, or that authorise it, are not here.
    #[error("{} events before it and {} that authorise it are not here", prev.len(), auth.len())]
    Missing {
        /// Those that it follows.
        prev: Vec<OwnedEventId>,
        /// Those that authorise it.
        auth: Vec<OwnedEventId>,
    },
    /// It cannot be an event of this room.
    #[error("{0}")]
    Refused(&'static str),
    /// The room cannot be written, or storage failed.
    #[error(transparent)]
    Room(#[from] RoomError),
}

impl Rooms {
    /// Takes in a signed event of another server: judges it and writes it with all that it changes. What it
    /// follows and what authorises it must be here; `given` tells the state after events that it follows and
    /// that are not. An event that was taken in before is left as it is, and what became of it is told.
    ///
    /// # Errors
    /// [`TakeInError`], with nothing written.
    pub async fn take_in(&self, room: RoomSn, pdu: &Pdu, given: &StateGiven) -> Result<TakenIn, TakeInError> {
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            let taken = match turn.take_in(pdu, given, None, EventFlags::ACCEPTED).await? {
                Judged::Done(taken) => taken,
                Judged::Missing { prev, auth } => return Err(TakeInError::Missing { prev, auth }),
                Judged::Refused(reason) => return Err(TakeInError::Refused(reason)),
            };
            if attempts.finish(turn).await? {
                return Ok(taken);
            }
        }
    }

    /// Keeps verified events of a room as outliers. Those of which not all that authorises them is here, or
    /// among them, are passed over.
    ///
    /// # Errors
    /// If the room cannot be written, or storage failed.
    pub async fn keep_outliers(&self, room: RoomSn, pdus: Vec<Pdu>) -> Result<(), RoomError> {
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            turn.add_outliers(pdus.clone()).await?;
            if attempts.finish(turn).await? {
                return Ok(());
            }
        }
    }
}

impl From<CommitError> for TakeInError {
    fn from(error: CommitError) -> Self {
        Self::Room(error.into())
    }
}
