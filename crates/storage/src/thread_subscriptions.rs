//! Which threads users follow (<https://github.com/matrix-org/matrix-spec-proposals/pull/4306>).
//!
//! Who has stopped following a thread keeps a row that says so, and since when: their other devices are told, and what
//! was said before that does not make them follow it again. Does not know what makes somebody follow a thread.

use ruma::OwnedEventId;

use crate::{
    EventSn, Position, RoomSn, UserSn,
    changes::Change,
    error::StorageError,
    statement::statements,
    store::Store,
    value::{Row, Value},
    write_set::{PendingChange, WriteSet},
};

statements! {
    PUT_THREAD_SUBSCRIPTION(rows of 6, key 2) =
        "INSERT INTO thread_subscriptions (user_sn, root_sn, room_sn, subscribed, automatic, position)
         VALUES {rows}
         ON CONFLICT (user_sn, root_sn) DO UPDATE SET subscribed = excluded.subscribed,
             automatic = excluded.automatic, position = excluded.position";
    THREAD_SUBSCRIPTION = "SELECT subscribed, automatic, position FROM thread_subscriptions
        WHERE user_sn = $1 AND root_sn = $2";
    THREAD_SUBSCRIPTION_EXISTS = "SELECT 1 FROM thread_subscriptions WHERE user_sn = $1 AND root_sn = $2";
    THREAD_SUBSCRIPTION_IS_OF = "SELECT 1 FROM thread_subscriptions
        WHERE user_sn = $1 AND root_sn = $2 AND position = $3";
    THREAD_SUBSCRIPTIONS_CHANGED =
        "SELECT t.room_sn, e.event_id, t.subscribed, t.automatic, t.position
         FROM thread_subscriptions t JOIN events e ON e.event_sn = t.root_sn
         WHERE t.user_sn = $1 AND t.position > $2 AND t.position <= $3
         ORDER BY t.position DESC LIMIT $4";
}

/// The guard of [`WriteSet::demand_thread_subscription`]: somebody else has changed it.
pub const THREAD_SUBSCRIPTION_IS_UNCHANGED: &str = "thread_subscription_is_unchanged";

/// How a user stands to a thread that they follow, or have followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// The user wished to follow it.
    Manual,
    /// A client has had the user follow it.
    Automatic,
    /// The user follows it no longer.
    Ended,
}

impl Subscription {
    fn of(subscribed: bool, automatic: bool) -> Self {
        match (subscribed, automatic) {
            (false, _) => Self::Ended,
            (true, true) => Self::Automatic,
            (true, false) => Self::Manual,
        }
    }
}

/// A change of how a user stands to a thread: the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadSubscription {
    /// The room.
    pub room: RoomSn,
    /// The event that the thread begins with.
    pub root: OwnedEventId,
    /// How the user stands to it.
    pub subscription: Subscription,
    /// Since when.
    pub position: Position,
}

impl WriteSet {
    /// Demands that a user's standing to a thread is of this position; `None` for one who never followed it. See
    /// [`THREAD_SUBSCRIPTION_IS_UNCHANGED`].
    pub fn demand_thread_subscription(&mut self, user: UserSn, root: EventSn, position: Option<Position>) {
        const NAME: &str = THREAD_SUBSCRIPTION_IS_UNCHANGED;
        let mut values: Vec<Value> = vec![user.into(), root.into()];
        match position {
            None => self.demand_absent(NAME, &THREAD_SUBSCRIPTION_EXISTS, values),
            Some(position) => {
                values.push(position.into());
                self.demand_present(NAME, &THREAD_SUBSCRIPTION_IS_OF, values);
            }
        }
    }

    /// Sets how a user stands to a thread.
    pub fn put_thread_subscription(
        &mut self,
        user: UserSn,
        room: RoomSn,
        root: EventSn,
        subscription: Subscription,
    ) {
        let position = self.announce(PendingChange::Other(Change::ThreadSubscriptions { user }));
        let subscribed = subscription != Subscription::Ended;
        let automatic = subscription == Subscription::Automatic;
        self.write(
            &PUT_THREAD_SUBSCRIPTION,
            vec![user.into(), root.into(), room.into(), subscribed.into(), automatic.into(), position],
        );
    }
}

impl Store {
    /// How a user stands to the thread that begins with an event, and since when; `None` if they never followed it.
    pub async fn thread_subscription(
        &self,
        user: UserSn,
        root: EventSn,
    ) -> Result<Option<(Subscription, Position)>, StorageError> {
        let row = self.engine.fetch_one(&THREAD_SUBSCRIPTION, vec![user.into(), root.into()]).await?;
        let read = |row: Row| Ok((Subscription::of(row.bool(0)?, row.bool(1)?), Position(row.int(2)?)));
        row.map(read).transpose()
    }

    /// What has changed after one position, up to another, in how a user stands to threads: the newest first, at most
    /// `limit`. From [`Position::START`], that is all of it. Where `limit` changes are given there may be more, up to
    /// the position before that of the last one.
    pub async fn thread_subscriptions_between(
        &self,
        user: UserSn,
        after: Position,
        until: Position,
        limit: usize,
    ) -> Result<Vec<ThreadSubscription>, StorageError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = vec![user.into(), after.into(), until.into(), limit.into()];
        let rows = self.engine.fetch(&THREAD_SUBSCRIPTIONS_CHANGED, values).await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &Row) -> Result<ThreadSubscription, StorageError> {
    let root = OwnedEventId::try_from(row.text(1)?);
    Ok(ThreadSubscription {
        room: RoomSn(row.int(0)?),
        root: root.map_err(|_| StorageError::Corrupt("the root of a thread".to_owned()))?,
        subscription: Subscription::of(row.bool(2)?, row.bool(3)?),
        position: Position(row.int(4)?),
    })
}
