//! Events that clients have handed in to be sent later
//! (<https://github.com/matrix-org/matrix-spec-proposals/pull/4140>).

use ruma::exports::serde_json::value::RawValue;

use crate::{
    DeviceSn, RoomSn, UserSn,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::WriteSet,
};

macro_rules! columns {
    () => {
        "delay_id, user_sn, device_sn, room_sn, type, state_key, content, transaction_id, delay_ms, began_ts"
    };
}

statements! {
    ADD_DELAYED_EVENT(rows of 11, key 1) = concat!(
        "INSERT INTO delayed_events (", columns!(), ", due_ts) VALUES {rows} ON CONFLICT DO NOTHING"
    );
    DELAYED_EVENT = concat!("SELECT ", columns!(), " FROM delayed_events WHERE delay_id = $1");
    DELAYED_EVENT_OF_TRANSACTION = concat!(
        "SELECT ", columns!(), " FROM delayed_events WHERE device_sn = $1 AND transaction_id = $2"
    );
    DELAYED_EVENTS_OF_USER = concat!(
        "SELECT ", columns!(), " FROM delayed_events WHERE user_sn = $1 ORDER BY due_ts, delay_id"
    );
    NEXT_DELAYED_EVENTS = concat!(
        "SELECT ", columns!(), " FROM delayed_events ORDER BY due_ts, delay_id LIMIT $1"
    );
    RESTART_DELAYED_EVENT =
        "UPDATE delayed_events SET began_ts = $2, due_ts = $2 + delay_ms WHERE delay_id = $1";
    DELETE_DELAYED_EVENT = "DELETE FROM delayed_events WHERE delay_id = $1";
}

/// An event that is to be sent later.
#[derive(Clone, Debug)]
pub struct DelayedEvent {
    /// Its name, which whoever knows it may use to hurry it, to put it off, or to stop it.
    pub delay_id: String,
    /// Whose it is.
    pub user: UserSn,
    /// The device that handed it in.
    pub device: DeviceSn,
    /// The room.
    pub room: RoomSn,
    /// The type.
    pub kind: String,
    /// The state key, of state.
    pub state_key: Option<String>,
    /// The content.
    pub content: Box<RawValue>,
    /// The transaction id of the request, of what is no state.
    pub transaction_id: Option<String>,
    /// After how many milliseconds it is sent.
    pub delay_ms: i64,
    /// Since when, in milliseconds since the Unix epoch.
    pub began_ts: i64,
}

impl DelayedEvent {
    /// When it is to be sent, in milliseconds since the Unix epoch.
    pub fn due_ts(&self) -> i64 {
        self.began_ts.saturating_add(self.delay_ms)
    }
}

impl WriteSet {
    /// Adds an event to be sent later. One of the same device and transaction id stays as it is.
    pub fn add_delayed_event(&mut self, event: &DelayedEvent) {
        self.write(
            &ADD_DELAYED_EVENT,
            vec![
                event.delay_id.as_str().into(),
                event.user.into(),
                event.device.into(),
                event.room.into(),
                event.kind.as_str().into(),
                event.state_key.as_deref().into(),
                event.content.get().into(),
                event.transaction_id.as_deref().into(),
                event.delay_ms.into(),
                event.began_ts.into(),
                event.due_ts().into(),
            ],
        );
    }

    /// Has an event wait anew from now on.
    pub fn restart_delayed_event(&mut self, delay_id: &str, now_millis: i64) {
        self.write(&RESTART_DELAYED_EVENT, vec![delay_id.into(), now_millis.into()]);
    }

    /// Takes an event off that was sent, or is not to be sent.
    pub fn delete_delayed_event(&mut self, delay_id: &str) {
        self.write(&DELETE_DELAYED_EVENT, vec![delay_id.into()]);
    }
}

impl Store {
    /// An event that is to be sent later.
    pub async fn delayed_event(&self, delay_id: &str) -> Result<Option<DelayedEvent>, StorageError> {
        let row = self.engine.fetch_one(&DELAYED_EVENT, vec![delay_id.into()]).await?;
        row.map(|row| from_row(&row)).transpose()
    }

    /// The one that a device has handed in with a transaction id.
    pub async fn delayed_event_of_transaction(
        &self,
        device: DeviceSn,
        transaction_id: &str,
    ) -> Result<Option<DelayedEvent>, StorageError> {
        let values: Vec<Value> = vec![device.into(), transaction_id.into()];
        let row = self.engine.fetch_one(&DELAYED_EVENT_OF_TRANSACTION, values).await?;
        row.map(|row| from_row(&row)).transpose()
    }

    /// Those of a user, the next first.
    pub async fn delayed_events_of(&self, user: UserSn) -> Result<Vec<DelayedEvent>, StorageError> {
        let rows = self.engine.fetch(&DELAYED_EVENTS_OF_USER, vec![user.into()]).await?;
        rows.iter().map(from_row).collect()
    }

    /// The next ones of everybody.
    pub async fn next_delayed_events(&self, limit: usize) -> Result<Vec<DelayedEvent>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.engine.fetch(&NEXT_DELAYED_EVENTS, vec![limit.into()]).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<DelayedEvent, StorageError> {
    let content = RawValue::from_string(row.text(6)?);
    Ok(DelayedEvent {
        delay_id: row.text(0)?,
        user: UserSn(row.int(1)?),
        device: DeviceSn(row.int(2)?),
        room: RoomSn(row.int(3)?),
        kind: row.text(4)?,
        state_key: row.opt_text(5)?,
        content: content.map_err(|_| StorageError::Corrupt("a delayed event".to_owned()))?,
        transaction_id: row.opt_text(7)?,
        delay_ms: row.int(8)?,
        began_ts: row.int(9)?,
    })
}
