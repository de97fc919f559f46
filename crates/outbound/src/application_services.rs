//! Application services: what each of them has not been told, and what is asked of them.
//!
//! Each service that listens has a place of its own in the stream of changes, and a task that reads on from there. What
//! concerns the service is put into a transaction; the transaction is written down as it will be sent, then sent until
//! the service has taken it, then the place moves on. So a service is told everything once or more, in order, and what
//! it is told again comes under the same id with the same content, through restarts of either side.
//! <https://spec.matrix.org/v1.19/application-service-api/#pushing-events>
//!
//! From below: `interest` (what concerns a service), `passing` (what is soon stale), `transaction` (what is sent), and
//! here the tasks. `queries` asks services for what only they know.

mod interest;
mod passing;
mod queries;
mod transaction;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use parvis_ambient::Ambient;
use parvis_application_services::ApplicationService;
use parvis_peers::{Limits, PeerError, ServiceAddress, ServiceCaller};
use parvis_storage::{
    HeadFollower, Position, RoomSn, ServiceStanding, ServiceTransaction, StorageError, Store, UserSn,
    WriteSet,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub use self::queries::{PingError, ServiceQueries, ThirdParty};
use self::{passing::Passing, queries::Nudges, transaction::Composer};
use crate::error::refused;

/// How much of the stream is read at once.
const AT_ONCE: i64 = 1_000;
/// After how many changes that do not concern a service its place is written down.
const RECORD_AFTER: i64 = 1_000;
/// How long it is waited after the first failure; twice as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// After how long a task tries again when the database has failed.
const STORAGE_PAUSE: Duration = Duration::from_secs(1);
/// How long a service may take for a transaction, and how much it may answer.
const TRANSACTION: Limits =
    Limits { timeout: Duration::from_secs(60), max_bytes: 64 << 10, despite_back_off: true };

/// Tells application services. Cheap to clone; all clones are the same engine.
///
/// It has tasks of its own, which end when [`close`](Self::close) is called or the last clone is gone.
#[derive(Clone)]
pub struct ServiceTransactions {
    inner: Arc<Inner>,
    /// Ends the tasks, which hold the rest, with the last clone.
    _guard: Arc<DropGuard>,
}

struct Inner {
    store: Store,
    ambient: Ambient,
    caller: ServiceCaller,
    passing: Mutex<Passing>,
    /// What wakes a service's task, by the service's name.
    nudges: Nudges,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl fmt::Debug for ServiceTransactions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ServiceTransactions").field(&self.inner.nudges.keys()).finish()
    }
}

impl ServiceTransactions {
    /// Starts where it was stopped. A service that was never seen before is told what happens from now on.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start(
        store: Store,
        ambient: Ambient,
        queries: &ServiceQueries,
    ) -> Result<Self, StorageError> {
        let listening = || queries.services().iter().filter(|service| service.registration().url.is_some());
        let wants_passing = |service: &&Arc<ApplicationService>| service.registration().ephemeral.any();
        let passing = Passing::new(listening().filter(wants_passing).map(|service| service.id().to_owned()));
        let closing = CancellationToken::new();
        let inner = Arc::new(Inner {
            store,
            ambient,
            caller: queries.caller().clone(),
            passing: Mutex::new(passing),
            nudges: queries.nudges(),
            closing: closing.clone(),
            tasks: TaskTracker::new(),
        });
        for service in listening() {
            let standing = inner.standing(service).await?;
            let head = inner.store.follow();
            let task = Task {
                inner: Arc::clone(&inner),
                recorded: standing.position,
                composer: Composer::new(inner.store.clone(), Arc::clone(service)),
                service: Arc::clone(service),
                standing,
                failures: 0,
            };
            inner.tasks.spawn(task.run(head));
        }
        Ok(Self { inner, _guard: Arc::new(closing.drop_guard()) })
    }

    /// Begins to end the tasks. What was not told is told after the next start.
    pub fn stop(&self) {
        self.inner.closing.cancel();
    }

    /// Ends the tasks, and waits for their end.
    pub async fn close(&self) {
        self.stop();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Takes note that a user types in a room, or does not any more.
    pub fn tell_typing(&self, room: RoomSn, user: UserSn, typing: bool) {
        let waiting = self.inner.passing().add_typing(room, user, typing);
        self.inner.nudge(&waiting);
    }

    /// Takes note of a user's presence: the content of an `m.presence` event.
    pub fn tell_presence(&self, user: UserSn, content: serde_json::Value) {
        let waiting = self.inner.passing().add_presence(user, content);
        self.inner.nudge(&waiting);
    }
}

impl Inner {
    fn passing(&self) -> MutexGuard<'_, Passing> {
        self.passing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nudge(&self, services: &[String]) {
        for nudge in services.iter().filter_map(|service| self.nudges.get(service)) {
            nudge.news.notify_one();
        }
    }

    /// Where a service stands; for a new one, at the end of the stream.
    async fn standing(&self, service: &ApplicationService) -> Result<ServiceStanding, StorageError> {
        if let Some(standing) = self.store.service_standing(service.id()).await? {
            return Ok(standing);
        }
        let standing = ServiceStanding { position: self.store.head(), under_way: None };
        self.record(service, &standing).await?;
        Ok(standing)
    }

    async fn record(
        &self,
        service: &ApplicationService,
        standing: &ServiceStanding,
    ) -> Result<(), StorageError> {
        let mut set = WriteSet::new();
        set.put_service_standing(service.id(), standing);
        self.store.commit(set).await.map(drop).map_err(refused)
    }
}

/// One service, and how it stands.
struct Task {
    inner: Arc<Inner>,
    service: Arc<ApplicationService>,
    composer: Composer,
    standing: ServiceStanding,
    /// The place that is written down.
    recorded: Position,
    /// How often the transaction that is under way has failed in a row.
    failures: u32,
}

/// What is to be done after a step.
enum Next {
    /// The next step.
    GoOn,
    /// Nothing, before something is new.
    Rest,
    /// The same once more, after a while.
    Again(Duration),
}

impl Task {
    async fn run(mut self, mut head: HeadFollower) {
        let closing = self.inner.closing.clone();
        let clock = Arc::clone(&self.inner.ambient.clock);
        let nudges = Arc::clone(&self.inner.nudges);
        let Some(nudge) = nudges.get(self.service.id()) else { return };
        loop {
            head.see();
            let next = match closing.run_until_cancelled(self.step()).await {
                None => break,
                Some(Ok(next)) => next,
                Some(Err(error)) => {
                    let service = self.service.id();
                    tracing::error!(%error, service, "cannot find out what an application service is to be told");
                    Next::Again(STORAGE_PAUSE)
                }
            };
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                () = std::future::ready(()), if matches!(next, Next::GoOn) => {}
                () = nudge.retry.notified(), if matches!(next, Next::Again(_)) => {}
                () = nudge.news.notified(), if matches!(next, Next::Rest) => {}
                changed = head.changed(), if matches!(next, Next::Rest) => if changed.is_err() { return },
                () = async { if let Next::Again(pause) = next { clock.sleep(pause).await } },
                    if matches!(next, Next::Again(_)) => {}
            }
        }
        if self.standing.position != self.recorded
            && let Err(error) = self.inner.record(&self.service, &self.standing).await
        {
            let service = self.service.id();
            tracing::warn!(%error, service, "cannot write how far an application service was told");
        }
    }

    /// Sends what is under way, or finds what is to be sent next.
    async fn step(&mut self) -> Result<Next, StorageError> {
        match self.standing.under_way.clone() {
            Some(transaction) => self.send(&transaction).await,
            None => self.compose().await,
        }
    }

    async fn send(&mut self, transaction: &ServiceTransaction) -> Result<Next, StorageError> {
        let registration = self.service.registration();
        let Some(url) = registration.url.as_deref() else { return Ok(Next::Rest) };
        let address = ServiceAddress { url, token: registration.hs_token.reveal() };
        let path = format!("/_matrix/app/v1/transactions/{}", transaction.id);
        let body = Bytes::from(transaction.body.clone());
        match self.inner.caller.call(address, Method::PUT, &path, body, TRANSACTION).await {
            Ok(_) => {
                if self.failures > 0 {
                    tracing::info!(service = self.service.id(), "an application service answers again");
                }
                self.failures = 0;
                self.standing = ServiceStanding { position: transaction.reaches_to, under_way: None };
                Ok(Next::GoOn)
            }
            Err(error) => Ok(Next::Again(self.fail(&error))),
        }
    }

    /// Takes note of an attempt that failed; gives how long to wait.
    fn fail(&mut self, error: &PeerError) -> Duration {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let (service, failures) = (self.service.id(), self.failures);
        if failures.is_power_of_two() {
            tracing::warn!(%error, service, failures, "an application service does not take a transaction");
        }
        pause
    }

    /// Reads on until there is something to send, and writes it down.
    async fn compose(&mut self) -> Result<Next, StorageError> {
        loop {
            let (from, head) = (self.standing.position, self.inner.store.head());
            let until = head.min(Position(from.0 + AT_ONCE));
            let passing = self.inner.passing().take(self.service.id());
            let composed = self.composer.compose(from, until, passing, self.inner.ambient.now()).await?;
            let reaches_to = composed.reaches_to;
            if let Some(body) = composed.body {
                let id = self.inner.ambient.chance.text(16);
                self.standing.under_way = Some(ServiceTransaction { id, reaches_to, body });
                if let Err(error) = self.inner.record(&self.service, &self.standing).await {
                    // What is not written down is not sent.
                    self.standing.under_way = None;
                    return Err(error);
                }
                self.recorded = from;
                return Ok(Next::GoOn);
            }
            self.standing.position = reaches_to;
            if reaches_to >= head {
                break;
            }
        }
        if self.standing.position.0 - self.recorded.0 >= RECORD_AFTER {
            self.inner.record(&self.service, &self.standing).await?;
            self.recorded = self.standing.position;
        }
        Ok(Next::Rest)
    }
}
