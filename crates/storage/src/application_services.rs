//! What application services have not been told yet, and the rooms that they list for other networks.
//!
//! Each service has one place in the stream. A transaction that is under way is kept as it was sent, with the place to
//! which it reaches, until it was answered: so it is the same when it is sent again.

use crate::{
    Position, RoomSn, error::StorageError, statement::statements, store::Store, value::Row,
    write_set::WriteSet,
};

statements! {
    SERVICE_STANDING =
        "SELECT position, transaction_id, reaches_to, body FROM application_services WHERE service = $1";
    PUT_SERVICE_STANDING(rows of 5, key 1) =
        "INSERT INTO application_services (service, position, transaction_id, reaches_to, body) VALUES {rows}
         ON CONFLICT (service) DO UPDATE SET position = excluded.position,
             transaction_id = excluded.transaction_id, reaches_to = excluded.reaches_to, body = excluded.body";
    LIST_NETWORK_ROOM(rows of 2, key 2) =
        "INSERT INTO network_rooms (network, room_sn) VALUES {rows} ON CONFLICT DO NOTHING";
    UNLIST_NETWORK_ROOM = "DELETE FROM network_rooms WHERE network = $1 AND room_sn = $2";
    NETWORK_ROOMS = "SELECT room_sn FROM network_rooms WHERE network = $1 ORDER BY room_sn";
    ALL_NETWORK_ROOMS = "SELECT DISTINCT room_sn FROM network_rooms ORDER BY room_sn";
}

/// How far an application service was told, and the transaction that is under way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStanding {
    /// Everything up to here was delivered.
    pub position: Position,
    /// What is under way.
    pub under_way: Option<ServiceTransaction>,
}

/// A transaction for an application service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceTransaction {
    /// Its id.
    pub id: String,
    /// Once it was delivered, everything up to here was.
    pub reaches_to: Position,
    /// The body, as it is sent.
    pub body: String,
}

impl WriteSet {
    /// Notes how far an application service was told, and what is under way to it.
    pub fn put_service_standing(&mut self, service: &str, standing: &ServiceStanding) {
        let under_way = standing.under_way.as_ref();
        let reaches_to = under_way.map_or(standing.position, |transaction| transaction.reaches_to);
        let values = vec![
            service.into(),
            standing.position.into(),
            under_way.map(|transaction| transaction.id.as_str()).into(),
            reaches_to.into(),
            under_way.map(|transaction| transaction.body.as_str()).into(),
        ];
        self.write(&PUT_SERVICE_STANDING, values);
    }

    /// Lists a room in the directory of another network, or takes it from there.
    pub fn list_in_network(&mut self, network: &str, room: RoomSn, listed: bool) {
        let statement = if listed { &LIST_NETWORK_ROOM } else { &UNLIST_NETWORK_ROOM };
        self.write(statement, vec![network.into(), room.into()]);
    }
}

impl Store {
    /// How far an application service was told; nothing for one that was never seen before.
    pub async fn service_standing(&self, service: &str) -> Result<Option<ServiceStanding>, StorageError> {
        let row = self.engine.fetch_one(&SERVICE_STANDING, vec![service.into()]).await?;
        row.map(|row| {
            let reaches_to = Position(row.int(2)?);
            let (id, body) = (row.opt_text(1)?, row.opt_text(3)?);
            let under_way = id.zip(body).map(|(id, body)| ServiceTransaction { id, reaches_to, body });
            Ok(ServiceStanding { position: Position(row.int(0)?), under_way })
        })
        .transpose()
    }

    /// The rooms that are listed in the directory of another network; without one, of any.
    pub async fn rooms_of_network(&self, network: Option<&str>) -> Result<Vec<RoomSn>, StorageError> {
        let rows = match network {
            Some(network) => self.engine.fetch(&NETWORK_ROOMS, vec![network.into()]).await?,
            None => self.engine.fetch(&ALL_NETWORK_ROOMS, Vec::new()).await?,
        };
        rows.iter().map(|row: &Row| Ok(RoomSn(row.int(0)?))).collect()
    }
}
