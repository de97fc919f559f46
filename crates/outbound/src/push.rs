//! What users' phones have not been told.
//!
//! [`Push`] follows the store's stream of changes with a cursor of its own. Of each event it asks, for those of the
//! room's local members who have pushers, whether their rules let it notify them, and tells the push gateways that
//! their apps have named. Nothing is written for each notification: one position says up to where every pusher was
//! told everything, and the few that lag behind have a number in their row, from which what they missed is looked up.
//! A gateway that does not answer costs a few numbers for each of its pushers, and delays nobody else.
//!
//! Knows nothing of rules and of what is read: it asks through [`Attention`].
//!
//! Who wants a mail instead is told later, and of everything at once that is still unread then.
//!
//! From below: `queue` and `pushers` (pure), `attention` (the door), `notification`, `missed` and `letter` (words),
//! `sender`, `mail`, and here the engine.

mod attention;
mod letter;
mod mail;
mod missed;
mod notification;
mod pushers;
mod queue;
mod sender;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_events::{DUMMY_EVENT, Membership};
use parvis_peers::Transport;
use parvis_policy::push::PushRules;
use parvis_storage::{
    Change, EventFlags, EventSn, GoneDevices, HeadFollower, Position, RoomSn, StorageError, Store, UserSn,
    WriteSet,
};
use ruma::UserId;
use tokio::sync::Notify;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::pushers::{Moment, Pushers};
pub use self::{attention::Attention, mail::MailPush, pushers::PusherCounts};
use crate::error::refused;

/// How much of the stream is read at once.
const AT_ONCE: i64 = 1_000;
/// If more than this of the stream was not told when the engine starts, it is looked up for each pusher instead of
/// being read from end to end.
const LONGEST_GAP: i64 = 20_000;
/// For how long what a user reads is gathered before the number on the icon is told.
const GATHER: Duration = Duration::from_millis(500);
/// How often it is written where the pushers stand.
const RECORD_EVERY: Duration = Duration::from_secs(1);
/// After how long the engine tries again when the database has failed.
const PAUSE: Duration = Duration::from_secs(1);
/// For how long notifications that are under way are waited for when the engine ends. What is not answered by then
/// may be told twice.
const GRACE: Duration = Duration::from_secs(3);
/// Within which time pushers that lag behind are looked at after a start.
const SPREAD_MS: u64 = 2_000;

/// How pushing works.
#[derive(Clone, Debug, Default)]
pub struct PushSettings {
    /// To which gateways, and how much.
    pub rules: PushRules,
    /// How mails are sent, if any are.
    pub mail: Option<MailPush>,
}

/// Tells phones. Cheap to clone; all clones are the same engine.
///
/// It has tasks of its own, which end when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone)]
pub struct Push {
    inner: Arc<Inner>,
    /// Ends the tasks, which hold the rest, with the last clone.
    _guard: Arc<DropGuard>,
}

struct Inner {
    store: Store,
    ambient: Ambient,
    network: Arc<dyn Transport>,
    attention: Arc<dyn Attention>,
    settings: PushSettings,
    pushers: Mutex<Pushers>,
    /// Has the stream's follower look again.
    nudge: Notify,
    told: AtomicU64,
    failures: AtomicU64,
    recorded: Mutex<Recorded>,
    closing: CancellationToken,
    /// Ends what is under way.
    ending: CancellationToken,
    tasks: TaskTracker,
}

/// What was written last, and when.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    common: Position,
    at: Timestamp,
}

/// How the engine is doing, for operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PushStatus {
    /// The pushers.
    pub pushers: PusherCounts,
    /// How many notifications of events were taken since the start.
    pub told: u64,
    /// How many attempts have failed since the start.
    pub failures: u64,
    /// How many changes of the store have not been looked at.
    pub unread_changes: u64,
}

impl fmt::Debug for Push {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Push")
    }
}

impl Push {
    /// Starts the engine where it was stopped.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start(
        store: Store,
        ambient: Ambient,
        network: Arc<dyn Transport>,
        attention: Arc<dyn Attention>,
        settings: PushSettings,
    ) -> Result<Self, StorageError> {
        let head = store.follow();
        let common = store.push_position().await?;
        let mail_delay = settings.mail.as_ref().map_or(Duration::ZERO, |mail| mail.delay);
        let inner = Inner {
            pushers: Mutex::new(Pushers::new(common, mail_delay)),
            nudge: Notify::new(),
            told: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            recorded: Mutex::new(Recorded { common, at: ambient.now() }),
            closing: CancellationToken::new(),
            ending: CancellationToken::new(),
            tasks: TaskTracker::new(),
            store,
            ambient,
            network,
            attention,
            settings,
        };
        inner.restore(common).await?;
        let inner = Arc::new(inner);
        inner.tasks.spawn(follow(Arc::clone(&inner), head));
        let guard = Arc::new(inner.closing.clone().drop_guard());
        Ok(Self { inner, _guard: guard })
    }

    /// Begins to end the tasks. What was not told is told after the next start.
    pub fn stop(&self) {
        self.inner.closing.cancel();
    }

    /// Ends the tasks, waits for what is under way, and writes where the pushers stand.
    pub async fn close(&self) {
        self.stop();
        self.inner.tasks.close();
        if tokio::time::timeout(GRACE, self.inner.tasks.wait()).await.is_err() {
            self.inner.ending.cancel();
            self.inner.tasks.wait().await;
        }
        if let Err(error) = self.inner.record(Moment::End).await {
            tracing::warn!(%error, "cannot write how far phones were told; some of it is told again");
        }
    }

    /// How the engine is doing.
    pub fn status(&self) -> PushStatus {
        let inner = &self.inner;
        let pushers = inner.pushers();
        let unread = inner.store.head().0.saturating_sub(pushers.followed().0);
        PushStatus {
            pushers: pushers.counts(),
            told: inner.told.load(Ordering::Relaxed),
            failures: inner.failures.load(Ordering::Relaxed),
            unread_changes: u64::try_from(unread).unwrap_or(0),
        }
    }
}

/// Follows the stream and starts what is due, until the engine closes.
async fn follow(inner: Arc<Inner>, mut head: HeadFollower) {
    let clock = Arc::clone(&inner.ambient.clock);
    loop {
        head.see();
        let pause = match inner.closing.run_until_cancelled(inner.look()).await {
            None => return,
            Some(Ok(())) => None,
            Some(Err(error)) => {
                tracing::error!(%error, "cannot find out what phones are to be told; trying again");
                Some(inner.ambient.now().plus(PAUSE))
            }
        };
        let next = pause.or_else(|| inner.next_due());
        let sleep = async {
            match next {
                Some(next) => clock.sleep(next.since(clock.now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = inner.closing.cancelled() => return,
            () = inner.nudge.notified(), if pause.is_none() => {}
            changed = head.changed(), if pause.is_none() => if changed.is_err() { return },
            () = sleep => {}
        }
    }
}

impl Inner {
    fn pushers(&self) -> MutexGuard<'_, Pushers> {
        self.pushers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_record(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_told(&self) {
        self.told.fetch_add(1, Ordering::Relaxed);
    }

    fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Brings back what the store says of pushers.
    async fn restore(&self, common: Position) -> Result<(), StorageError> {
        let now = self.ambient.now();
        let head = self.store.head();
        let is_far_behind = head.0 - common.0 > LONGEST_GAP;
        if is_far_behind {
            let mut set = WriteSet::new();
            set.let_all_pushers_lag(common);
            set.move_push_position(head);
            self.store.commit(set).await.map_err(refused)?;
            self.last_record().common = head;
        }
        let known = self.store.all_pushers().await?;
        let mut pushers = self.pushers();
        for (key, told) in known {
            match told {
                Some(told) => {
                    let spread = Duration::from_millis(self.ambient.chance.number() % SPREAD_MS);
                    pushers.add_lagging(key, told, now.plus(spread));
                }
                None => drop(pushers.add(key)),
            }
        }
        if is_far_behind {
            pushers.follow(head);
        }
        Ok(())
    }

    /// Takes notice of what is new, starts to tell those who are due, and writes where the pushers stand.
    async fn look(self: &Arc<Self>) -> Result<(), StorageError> {
        loop {
            let followed = self.pushers().followed();
            let until = self.store.head().min(Position(followed.0 + AT_ONCE));
            if until <= followed {
                break;
            }
            self.notice(followed, until).await?;
            self.pushers().follow(until);
            self.start_due();
        }
        self.start_due();
        if self.record_due().is_some_and(|due| due <= self.ambient.now()) {
            self.record(Moment::Working(self.ambient.now())).await?;
        }
        Ok(())
    }

    fn start_due(self: &Arc<Self>) {
        let due = self.pushers().take_due(self.ambient.now());
        for number in due {
            let task = sender::run(Arc::clone(self), number);
            let ending = self.ending.clone();
            self.tasks.spawn(async move { ending.run_until_cancelled(task).await });
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        let due = self.pushers().next_due();
        due.into_iter().chain(self.record_due()).min()
    }

    /// When it is to be written next where the pushers stand, if the store may know otherwise.
    fn record_due(&self) -> Option<Timestamp> {
        let last = self.last_record().at;
        self.pushers().is_touched().then(|| last.plus(RECORD_EVERY))
    }

    /// Writes where the pushers stand.
    async fn record(&self, moment: Moment) -> Result<(), StorageError> {
        let record = self.pushers().record(moment);
        let mut set = WriteSet::new();
        if record.common > self.last_record().common {
            set.move_push_position(record.common);
        }
        for (_, key, told) in &record.changed {
            set.set_pusher_position(key, *told);
        }
        if !set.is_empty() {
            self.store.commit(set).await.map_err(refused)?;
        }
        self.pushers().recorded(&record);
        let mut last = self.last_record();
        *last = Recorded { common: record.common.max(last.common), at: self.ambient.now() };
        Ok(())
    }

    /// Takes notice of the changes between two positions.
    async fn notice(&self, after: Position, until: Position) -> Result<(), StorageError> {
        let Some(changes) = self.store.changes_between(after, until) else {
            return self.notice_from_tables(after, until).await;
        };
        for change in changes {
            match change.change {
                Change::Event { event, .. } => self.notice_event(change.position, event).await?,
                Change::Membership { user, room } => {
                    self.notice_membership(change.position, user, room).await?;
                }
                Change::Receipt { user, .. } => self.notice_reading(user),
                Change::Pushers { user } => self.notice_pushers(user).await?,
                Change::Devices { user, gone } if gone != GoneDevices::None => {
                    self.notice_pushers(user).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The same where memory does not reach back so far: the engine has just started. It knows all pushers.
    async fn notice_from_tables(&self, after: Position, until: Position) -> Result<(), StorageError> {
        if self.pushers().users_count() == 0 {
            return Ok(());
        }
        let limit = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
        let invites = self.store.invites_between(after, until, limit).await?;
        let events = self.store.events_between(after, until, limit).await?;
        // In order, as a queue wants them; invitations in a timeline are among the events.
        let mut invites = invites.into_iter().peekable();
        for (position, _, event) in events {
            while let Some((earlier, user, room)) = invites.next_if(|invite| invite.0 <= position) {
                if earlier < position {
                    self.notice_membership(earlier, user, room).await?;
                }
            }
            self.notice_event(position, event).await?;
        }
        for (position, user, room) in invites {
            self.notice_membership(position, user, room).await?;
        }
        for user in self.store.readers_between(after, until).await? {
            self.notice_reading(user);
        }
        Ok(())
    }

    async fn notice_event(&self, position: Position, event: EventSn) -> Result<(), StorageError> {
        if self.pushers().users_count() == 0 {
            return Ok(());
        }
        let event = self.store.event(event).await?;
        if event.flags.contains(EventFlags::IDLE) || event.pdu.kind() == DUMMY_EVENT {
            return Ok(());
        }
        let mut concerned = self.members_with_pushers(event.room).await?;
        // Who sends has read what was there; who comes or goes, or is put out, has other rooms to read.
        self.notice_reading(event.sender);
        if let Some(member) = event.pdu.membership().and(event.pdu.state_key())
            && let Ok(member) = <&UserId>::try_from(member)
            && let Some(member) = self.store.find_user(member).await?
        {
            let is_invite = event.pdu.membership() == Some(Membership::Invite);
            if is_invite && self.pushers().has(member) {
                concerned.insert(member);
            }
            self.notice_reading(member);
        }
        for user in concerned {
            if user != event.sender && self.attention.notifies(user, &event).await? {
                let now = self.ambient.now();
                self.pushers().add_event(user, position, event.sn, now);
            }
        }
        Ok(())
    }

    /// The members of a room who have pushers.
    async fn members_with_pushers(&self, room: RoomSn) -> Result<BTreeSet<UserSn>, StorageError> {
        let members = self.store.members_of_room(room).await?;
        let pushers = self.pushers();
        let mut found = BTreeSet::new();
        if pushers.users_count() < members.counts().0 {
            found.extend(pushers.users().filter(|user| members.is_joined(*user)));
        } else {
            members.for_each_joined(|user| {
                if pushers.has(user) {
                    found.insert(user);
                }
            });
        }
        Ok(found)
    }

    /// A membership that changed without an event in a timeline: an invitation to a room elsewhere, or forks met.
    async fn notice_membership(
        &self,
        position: Position,
        user: UserSn,
        room: RoomSn,
    ) -> Result<(), StorageError> {
        if !self.pushers().has(user) {
            return Ok(());
        }
        let member = self.store.member(user, room).await?;
        if let Some(member) = member.filter(|member| member.membership == Membership::Invite) {
            let event = self.store.event(member.event).await?;
            if self.attention.notifies(user, &event).await? {
                self.pushers().add_event(user, position, event.sn, self.ambient.now());
            }
        }
        self.notice_reading(user);
        Ok(())
    }

    fn notice_reading(&self, user: UserSn) {
        let mut pushers = self.pushers();
        if pushers.has(user) {
            pushers.add_badge(user, self.ambient.now().plus(GATHER));
        }
    }

    async fn notice_pushers(&self, user: UserSn) -> Result<(), StorageError> {
        let pushers = self.store.pushers(user).await?;
        let keys = pushers.into_iter().filter(|pusher| pusher.enabled).map(|pusher| pusher.key).collect();
        self.pushers().replace(user, keys);
        Ok(())
    }
}
