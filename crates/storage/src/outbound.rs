//! What other servers have not been told yet, and what they were answered.
//!
//! One number says up to where every server was told everything. The few servers that lag behind have a row of
//! their own. What is no event and must not be lost is put down for each server, and deleted when it has arrived.

use ruma::{OwnedServerName, ServerName};

use crate::{
    Position,
    changes::Change,
    error::StorageError,
    servers::server_from,
    statement::statements,
    store::Store,
    value::Row,
    write_set::{PendingChange, WriteSet},
};

statements! {
    OUTBOUND_POSITION = "SELECT value FROM counters WHERE name = 'outbound'";
    MOVE_OUTBOUND_POSITION = "UPDATE counters SET value = $1 WHERE name = 'outbound'";
    LAGGING_SERVERS = "SELECT server, position FROM lagging_servers";
    PUT_LAGGING_SERVER(rows of 2, key 1) =
        "INSERT INTO lagging_servers (server, position) VALUES {rows}
         ON CONFLICT (server) DO UPDATE SET position = excluded.position";
    DELETE_LAGGING_SERVER = "DELETE FROM lagging_servers WHERE server = $1";
    ADD_OUTGOING_EDU(rows of 4, key 2) =
        "INSERT INTO outgoing_edus (server, position, edu, created_ts) VALUES {rows}";
    OUTGOING_EDUS =
        "SELECT position, edu FROM outgoing_edus WHERE server = $1 ORDER BY position LIMIT $2";
    SERVERS_WITH_EDUS = "SELECT DISTINCT server FROM outgoing_edus";
    DELETE_OUTGOING_EDUS = "DELETE FROM outgoing_edus WHERE server = $1 AND position <= $2";
    DELETE_OLD_OUTGOING_EDUS = "DELETE FROM outgoing_edus WHERE created_ts < $1";
    ADD_ANSWER(rows of 4, key 2) =
        "INSERT INTO answered_transactions (origin, transaction_id, answer, answered_ts) VALUES {rows}
         ON CONFLICT DO NOTHING";
    ANSWER = "SELECT answer FROM answered_transactions WHERE origin = $1 AND transaction_id = $2";
    DELETE_OLD_ANSWERS = "DELETE FROM answered_transactions WHERE answered_ts < $1";
}

/// Something for another server that is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingEdu {
    /// Where it is in the stream.
    pub position: Position,
    /// The EDU as it is sent: an object with `edu_type` and `content`.
    pub edu: String,
}

impl WriteSet {
    /// Puts an EDU down for another server, to be sent until it has arrived: an object with `edu_type` and
    /// `content`. Those for one server arrive in the order of their positions, perhaps more than once.
    pub fn put_outgoing_edu(&mut self, server: &ServerName, edu: &str, now: i64) {
        let position = self.announce(PendingChange::Other(Change::OutgoingEdu { server: server.to_owned() }));
        self.write(&ADD_OUTGOING_EDU, vec![server.as_str().into(), position, edu.into(), now.into()]);
    }

    /// Deletes what was put down for a server up to a position, for it has arrived.
    pub fn delete_outgoing_edus(&mut self, server: &ServerName, until: Position) {
        self.write(&DELETE_OUTGOING_EDUS, vec![server.as_str().into(), until.into()]);
    }

    /// Deletes what was put down before a time (milliseconds since the epoch) and never arrived.
    pub fn delete_old_outgoing_edus(&mut self, before: i64) {
        self.write(&DELETE_OLD_OUTGOING_EDUS, vec![before.into()]);
    }

    /// Notes up to where every server that does not lag behind was told everything.
    pub fn move_outbound_position(&mut self, position: Position) {
        self.write(&MOVE_OUTBOUND_POSITION, vec![position.into()]);
    }

    /// Notes that a server lags behind: up to where it was told everything.
    pub fn put_lagging_server(&mut self, server: &ServerName, position: Position) {
        self.write(&PUT_LAGGING_SERVER, vec![server.as_str().into(), position.into()]);
    }

    /// Notes that a server does not lag behind any more.
    pub fn delete_lagging_server(&mut self, server: &ServerName) {
        self.write(&DELETE_LAGGING_SERVER, vec![server.as_str().into()]);
    }

    /// Keeps the answer to another server's transaction.
    pub fn put_answer(&mut self, origin: &ServerName, transaction_id: &str, answer: &str, now: i64) {
        let values = vec![origin.as_str().into(), transaction_id.into(), answer.into(), now.into()];
        self.write(&ADD_ANSWER, values);
    }

    /// Forgets the answers that were given before a time, in milliseconds since the epoch.
    pub fn delete_old_answers(&mut self, before: i64) {
        self.write(&DELETE_OLD_ANSWERS, vec![before.into()]);
    }
}

impl Store {
    /// Up to where every server that does not lag behind was told everything.
    pub async fn outbound_position(&self) -> Result<Position, StorageError> {
        let row = self.engine.fetch_one(&OUTBOUND_POSITION, Vec::new()).await?;
        let missing = || StorageError::Corrupt("the outbound position is missing".to_owned());
        Ok(Position(row.ok_or_else(missing)?.int(0)?))
    }

    /// The servers that lag behind, and up to where each was told everything.
    pub async fn lagging_servers(&self) -> Result<Vec<(OwnedServerName, Position)>, StorageError> {
        let rows = self.engine.fetch(&LAGGING_SERVERS, Vec::new()).await?;
        rows.iter().map(|row| Ok((server_from(row, 0)?, Position(row.int(1)?)))).collect()
    }

    /// What was put down for a server, oldest first, at most `limit`.
    pub async fn outgoing_edus(
        &self,
        server: &ServerName,
        limit: usize,
    ) -> Result<Vec<OutgoingEdu>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine.fetch(&OUTGOING_EDUS, vec![server.as_str().into(), limit.into()]).await?;
        let edu = |row: &Row| Ok(OutgoingEdu { position: Position(row.int(0)?), edu: row.text(1)? });
        rows.iter().map(edu).collect()
    }

    /// The servers for which something was put down.
    pub async fn servers_with_outgoing_edus(&self) -> Result<Vec<OwnedServerName>, StorageError> {
        let rows = self.engine.fetch(&SERVERS_WITH_EDUS, Vec::new()).await?;
        rows.iter().map(|row| server_from(row, 0)).collect()
    }

    /// The answer that another server's transaction was given before.
    pub async fn answer(
        &self,
        origin: &ServerName,
        transaction_id: &str,
    ) -> Result<Option<String>, StorageError> {
        let row = self.engine.fetch_one(&ANSWER, vec![origin.as_str().into(), transaction_id.into()]).await?;
        row.map(|row| row.text(0)).transpose()
    }
}
