//! How many connections are kept at the same time: each costs memory and a file descriptor, also while it waits, and
//! whoever connects decides how long that is.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_server::accept::Accept;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

/// File descriptors for everything that is not a connection from outside: databases, files, other servers.
const KEPT_BACK: u64 = 512;

/// Raises the limit on open files as far as the system lets this process, and says how many of `wanted` connections
/// fit under it.
pub(crate) fn fit_into_open_files(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let open_files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(open_files) = open_files else { return wanted };
    let room =
        usize::try_from(open_files.saturating_sub(KEPT_BACK).max(open_files / 2)).unwrap_or(usize::MAX);
    if room < wanted {
        tracing::info!(
            open_files,
            connections = room,
            wanted,
            "the system allows fewer connections than are wanted"
        );
    }
    wanted.min(room)
}

/// The places that there are for connections, at all listeners together.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Semaphore>);

impl Places {
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))))
    }

    /// Lets in who is accepted while there is a place.
    pub(crate) fn before<A>(&self, acceptor: A) -> Bounded<A> {
        Bounded { acceptor, places: self.clone() }
    }
}

/// An acceptor that turns away whom there is no place for.
#[derive(Clone, Debug)]
pub(crate) struct Bounded<A> {
    acceptor: A,
    places: Places,
}

impl<A, I, S> Accept<I, S> for Bounded<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
    A::Service: Send + 'static,
    A::Stream: Send + 'static,
{
    type Stream = A::Stream;
    type Service = Placed<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let Ok(place) = Arc::clone(&self.places.0).try_acquire_owned() else {
            tracing::debug!("a connection is refused: all places are taken");
            return Box::pin(async { Err(io::Error::other("too many connections")) });
        };
        let accepted = self.acceptor.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            Ok((stream, Placed { service, _place: Arc::new(place) }))
        })
    }
}

/// The service of one connection, which keeps its place until the connection has ended.
#[derive(Clone, Debug)]
pub(crate) struct Placed<S> {
    service: S,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S: Service<R>, R> Service<R> for Placed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.service.call(request)
    }
}
