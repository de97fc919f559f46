//! Simplified sliding sync (<https://github.com/matrix-org/matrix-spec-proposals/pull/4186>): what is new in windows
//! on the list of a user's rooms, as a client connects again and again.
//!
//! The second view of the same stream beside [`classic`](crate::classic): what is new is found by position, and what
//! each client has been told is kept by connection. Knows nothing of the form in which requests come and answers go.

mod answer;
mod connections;
mod extensions;
mod facts;
mod index;
mod look;
mod news;
mod request;
mod room;
mod state;
mod windows;

use std::time::Duration;

use parvis_ambient::Timestamp;
use parvis_storage::{StorageError, Store};
use ruma::OwnedUserId;

pub use self::{
    answer::{AccountDataNews, E2eeNews, Hero, SlidingAnswer, SlidingRoom, ThreadNews, ToDeviceNews},
    request::{
        ExtensionsWanted, KeyWanted, ListWanted, RoomFilter, RoomWanted, Scope, SlidingRequest, StatePattern,
        StateWanted, ToDeviceWanted,
    },
};
use self::{
    connections::{Connections, SharedConnection},
    facts::Directs,
    index::RoomIndexes,
    look::Look,
};
use crate::{parts::Parts, view::Reader};

/// After how long without a request a client counts as having been away.
const AWAY: Duration = Duration::from_secs(3_600);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SlidingError {
    /// The connection is not known at this position: it has to begin anew.
    #[error("this position is not known")]
    UnknownPos,
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The connections of everybody, and what is remembered for them.
#[derive(Debug)]
pub(crate) struct Sliding {
    connections: Connections,
    indexes: RoomIndexes,
    directs: Directs,
}

/// A connection for the time of one request.
pub(crate) struct Attached {
    connection: SharedConnection,
    user_id: OwnedUserId,
    was_away: bool,
}

impl Sliding {
    pub(crate) fn new(store: Store) -> Self {
        Self { connections: Connections::new(), indexes: RoomIndexes::new(), directs: Directs::new(store) }
    }

    /// Takes up the connection that a request names.
    pub(crate) async fn attach(
        &self,
        parts: &Parts,
        reader: Reader,
        request: &SlidingRequest,
        now: Timestamp,
    ) -> Result<Attached, SlidingError> {
        let is_new = request.pos.is_none();
        let (connection, used) = self.connections.find(reader, &request.connection, is_new, now)?;
        let was_away = now.since(used) > AWAY;
        Ok(Attached { connection, user_id: parts.store.user_id(reader.user).await?, was_away })
    }

    /// What is new on a connection. Only if there is anything, or `at_any_rate`, is it given and kept.
    pub(crate) async fn answer(
        &self,
        parts: &Parts,
        reader: Reader,
        request: &SlidingRequest,
        attached: &Attached,
        at_any_rate: bool,
    ) -> Result<Option<SlidingAnswer>, SlidingError> {
        let mut connection = attached.connection.lock().await;
        let standing = connection.at(request.pos.as_deref())?;
        let user_id = attached.user_id.clone();
        let was_away = attached.was_away;
        let look = Look { parts, sliding: self, request, reader, user_id, standing, was_away };
        let (answer, step) = look.look().await?;
        if !at_any_rate && !look.is_news(&answer) {
            return Ok(None);
        }
        let weight = connection.keep(step);
        drop(connection);
        self.connections.weigh(reader, weight);
        Ok(Some(answer))
    }
}
