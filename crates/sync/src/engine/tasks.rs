//! The engine's own tasks: one follows the stream and wakes whom it concerns; one keeps the time, at which
//! typing ends and presence changes by itself. They hold the engine weakly, and end with it.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, Weak},
    time::Duration,
};

use parvis_events::Membership;
use parvis_storage::{Announced, Change, EventSn, HeadFollower, Position, RoomSn, StorageError, UserSn};
use tokio::sync::watch;

use super::{Inner, Passing};

/// How long changes of presence are gathered before others are told: when a thousand clients come back, each is
/// not told of each.
const GATHER: Duration = Duration::from_millis(500);

/// Starts the tasks. `seen` is the head that whoever waits has seen.
pub(super) fn start(inner: &Arc<Inner>, seen: Position, head: HeadFollower) {
    tokio::spawn(follow(Arc::downgrade(inner), seen, head, inner.closing.subscribe()));
    tokio::spawn(keep_time(Arc::downgrade(inner), inner.closing.subscribe()));
}

/// Follows the stream and wakes whom it concerns, until the engine closes.
async fn follow(
    inner: Weak<Inner>,
    mut seen: Position,
    mut head: HeadFollower,
    mut closing: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            biased;
            _ = closing.changed() => return,
            changed = head.changed() => if changed.is_err() { return },
        }
        let until = head.see();
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.notice(seen, until).await {
            tracing::error!(%error, "cannot tell whom changes concern, waking everybody");
            inner.waiters.wake_all();
        }
        seen = until;
    }
}

/// Lets typing end and presence change by itself, until the engine closes.
async fn keep_time(inner: Weak<Inner>, mut closing: watch::Receiver<bool>) {
    loop {
        let Some(strong) = inner.upgrade() else { return };
        if let Err(error) = strong.pass_time().await {
            tracing::error!(%error, "cannot tell whom typing and presence concern");
        }
        let (clock, nudge, next) =
            (Arc::clone(&strong.ambient.clock), Arc::clone(&strong.nudge), strong.next_due());
        drop(strong);
        let sleep = async {
            match next {
                Some(next) => clock.sleep(next.since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = closing.changed() => return,
            () = nudge.notified() => {}
            () = sleep => {}
        }
    }
}

impl Inner {
    /// Takes notice of the changes between two positions, and wakes those whom they concern.
    async fn notice(&self, since: Position, until: Position) -> Result<(), StorageError> {
        let Some(changes) = self.parts.store.changes_between(since, until) else {
            self.waiters.wake_all();
            return Ok(());
        };
        for Announced { change, .. } in changes {
            match change {
                Change::Event { room, event, member } => {
                    self.notice_event(room, event, member).await?;
                    self.wake_room(room).await?;
                    member.into_iter().for_each(|member| self.waiters.wake(member));
                }
                Change::Receipt { room, private: false, .. } => self.wake_room(room).await?,
                Change::Devices { user, .. } => {
                    self.waiters.wake(user);
                    self.wake_companions(BTreeSet::from([user])).await?;
                }
                Change::ToDevice { devices } => {
                    devices.iter().for_each(|(user, _)| self.waiters.wake(*user));
                }
                Change::Signed { signer: user, .. }
                | Change::OneTimeKeys { user, .. }
                | Change::Receipt { user, private: true, .. }
                | Change::AccountData { user, .. }
                | Change::Membership { user, .. }
                | Change::ThreadSubscriptions { user }
                | Change::Forgotten { user, .. } => self.waiters.wake(user),
                Change::OutgoingEdu { .. } | Change::Pushers { .. } => {}
            }
        }
        Ok(())
    }

    /// Who has sent is active; who has left types no more. Who has sent may go on typing: that is for the client to
    /// say.
    async fn notice_event(
        &self,
        room: RoomSn,
        event: EventSn,
        member: Option<UserSn>,
    ) -> Result<(), StorageError> {
        let typing = self.parts.typing.any(room);
        let early = self.receipts.any_early();
        if !typing && !early && !self.parts.presence.is_on() {
            return Ok(());
        }
        let event = self.parts.store.event(event).await?;
        if early {
            self.receipts.welcome(&event).await?;
        }
        if let Some((device, _)) = &event.transaction
            && self.parts.presence.act(event.sender, *device, self.now())
        {
            self.tell_presence(event.sender);
        }
        if let Some(member) = member.filter(|_| typing && event.pdu.membership() != Some(Membership::Join)) {
            self.end_typing(room, member);
        }
        Ok(())
    }

    fn end_typing(&self, room: RoomSn, user: UserSn) {
        if self.parts.typing.set(room, user, None) {
            self.teller.typing(room, user, false);
        }
    }

    /// Wakes everybody in a room.
    pub(super) async fn wake_room(&self, room: RoomSn) -> Result<(), StorageError> {
        self.waiters.wake_joined(&*self.parts.store.members_of_room(room).await?);
        Ok(())
    }

    /// Has others told, in a moment, that a user's presence has changed.
    pub(super) fn tell_presence(&self, user: UserSn) {
        let mut news = self.presence_news.lock().unwrap_or_else(PoisonError::into_inner);
        news.users.insert(user);
        if news.due.is_none() {
            news.due = Some(self.now().plus(GATHER));
            self.nudge.notify_one();
        }
    }

    /// When something changes by itself, or others are to be told.
    fn next_due(&self) -> Option<parvis_ambient::Timestamp> {
        let news = self.presence_news.lock().unwrap_or_else(PoisonError::into_inner).due;
        let times = [news, self.parts.typing.next_end(), self.parts.presence.next_due()];
        times.into_iter().flatten().min()
    }

    async fn pass_time(&self) -> Result<(), StorageError> {
        let now = self.now();
        for (room, user) in self.parts.typing.expire(now) {
            self.teller.typing(room, user, false);
            self.wake_room(room).await?;
        }
        for user in self.parts.presence.pass(now) {
            self.tell_presence(user);
        }
        let users = {
            let mut news = self.presence_news.lock().unwrap_or_else(PoisonError::into_inner);
            if news.due.is_none_or(|due| due > now) {
                return Ok(());
            }
            news.due = None;
            std::mem::take(&mut news.users)
        };
        self.tell_elsewhere(&users).await?;
        self.wake_companions(users).await
    }

    /// Has other servers told of the presence of users of this one.
    async fn tell_elsewhere(&self, users: &BTreeSet<UserSn>) -> Result<(), StorageError> {
        let presence = &self.parts.presence;
        for user in users.iter().copied().filter(|user| presence.is_told_elsewhere(*user)) {
            let Some(shown) = presence.of(user) else { continue };
            let user_id = self.parts.store.user_id(user).await?;
            let update = self.parts.presence_update(user_id, shown);
            self.teller.tell(Passing::Presence { user, update });
        }
        Ok(())
    }

    /// Wakes those who share a room with one of these users.
    async fn wake_companions(&self, users: BTreeSet<UserSn>) -> Result<(), StorageError> {
        let mut rooms = BTreeSet::new();
        for user in users {
            let all = self.parts.store.rooms_of_user(user).await?.all();
            rooms.extend(all.iter().filter(|room| room.1.membership == Membership::Join).map(|room| room.0));
        }
        for room in rooms {
            self.wake_room(room).await?;
        }
        Ok(())
    }
}
