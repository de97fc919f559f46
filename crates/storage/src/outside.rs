//! What users know of rooms that they are not in: the stripped state that came with an invitation, or with the
//! answer to a knock, from another server.

use ruma::OwnedServerName;

use crate::{RoomSn, UserSn, error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    PUT_OUTSIDE_VIEW(rows of 4, key 2) =
        "INSERT INTO outside_views (user_sn, room_sn, state, servers) VALUES {rows}
         ON CONFLICT (user_sn, room_sn) DO UPDATE SET state = excluded.state, servers = excluded.servers";
    REMOVE_OUTSIDE_VIEW = "DELETE FROM outside_views WHERE user_sn = $1 AND room_sn = $2";
    OUTSIDE_VIEW = "SELECT state, servers FROM outside_views WHERE user_sn = $1 AND room_sn = $2";
}

/// What somebody outside knows of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutsideView {
    /// State events in the stripped form that clients see, each a JSON object.
    pub state: Vec<String>,
    /// Servers that are likely in the room, the likeliest first.
    pub servers: Vec<OwnedServerName>,
}

impl WriteSet {
    /// Keeps what a user knows of a room from outside.
    pub fn put_outside_view(&mut self, user: UserSn, room: RoomSn, view: &OutsideView) {
        let state = format!("[{}]", view.state.join(","));
        let servers: Vec<&str> = view.servers.iter().map(|server| server.as_str()).collect();
        let servers = servers.join(" ");
        self.write(&PUT_OUTSIDE_VIEW, vec![user.into(), room.into(), state.into(), servers.into()]);
    }

    /// Forgets what a user knew of a room from outside.
    pub fn remove_outside_view(&mut self, user: UserSn, room: RoomSn) {
        self.write(&REMOVE_OUTSIDE_VIEW, vec![user.into(), room.into()]);
    }
}

impl Store {
    /// What a user knows of a room from outside, if another server has told it.
    pub async fn outside_view(
        &self,
        user: UserSn,
        room: RoomSn,
    ) -> Result<Option<OutsideView>, StorageError> {
        let values = vec![user.into(), room.into()];
        let Some(row) = self.engine.fetch_one(&OUTSIDE_VIEW, values).await? else { return Ok(None) };
        let corrupt = |_| StorageError::Corrupt("a room's state as seen from outside".to_owned());
        let state: Vec<Box<serde_json::value::RawValue>> =
            serde_json::from_str(&row.text(0)?).map_err(corrupt)?;
        let state = state.into_iter().map(|event| String::from(Box::<str>::from(event))).collect();
        let servers = row.text(1)?;
        let servers = servers.split_whitespace().filter_map(|server| OwnedServerName::try_from(server).ok());
        Ok(Some(OutsideView { state, servers: servers.collect() }))
    }
}
