//! The wires between the homeservers of one process: who is reached under which name, which wires are cut, and
//! what was asked. Signatures and keys are real; sockets, TLS and discovery take no part.

use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, header};
use http_body_util::{BodyExt, Full};
use parvis_peers::{Body, Limits, PeerError, Transport};
use ruma::ServerName;
use tower::{Service, ServiceExt};

use crate::client::{Answering, NoAnswer};

/// What answers the requests to a server.
pub(crate) type Door = Arc<dyn Fn(http::Request<Bytes>) -> Answering + Send + Sync>;

/// The door that leads to a router.
pub(crate) fn door_to<S, B>(router: S) -> Door
where
    S: Service<http::Request<Full<Bytes>>, Response = http::Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display,
{
    Arc::new(move |request| {
        let router = router.clone();
        let answering: Answering = Box::pin(async move {
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let Ok(response) = router.oneshot(request.map(Full::new)).await;
            parvis_record::request(method.as_str(), &path, response.status().as_u16());
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| NoAnswer(error.to_string()))?;
            Ok(http::Response::from_parts(head, body.to_bytes()))
        });
        answering
    })
}

/// A request that one server sent another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Who asked.
    pub from: String,
    /// Who was asked.
    pub to: String,
    /// The method and the path, with the query.
    pub what: String,
}

/// All wires of a network.
#[derive(Default)]
pub(crate) struct Wires(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    doors: HashMap<String, Door>,
    /// Pairs of servers, the smaller name first, that do not reach each other.
    cut: HashSet<(String, String)>,
    asked: Vec<Asked>,
}

impl fmt::Debug for Wires {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wires")
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    (first.to_owned(), second.to_owned())
}

impl Wires {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a server reachable.
    pub(crate) fn open(&self, name: &str, door: Door) {
        self.inner().doors.insert(name.to_owned(), door);
    }

    /// Makes a server unreachable.
    pub(crate) fn close(&self, name: &str) {
        self.inner().doors.remove(name);
    }

    /// The door of a server.
    pub(crate) fn door(&self, name: &str) -> Option<Door> {
        self.inner().doors.get(name).cloned()
    }

    /// Cuts or mends the wire between two servers.
    pub(crate) fn set_cut(&self, one: &str, other: &str, cut: bool) {
        let pair = pair(one, other);
        let cuts = &mut self.inner().cut;
        if cut {
            cuts.insert(pair);
        } else {
            cuts.remove(&pair);
        }
    }

    /// Every request so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner().asked.clone()
    }

    fn way(&self, from: &str, to: &str) -> Result<Door, PeerError> {
        let unreachable =
            |problem: &str| PeerError::Unreachable { server: to.to_owned(), problem: problem.into() };
        let inner = self.inner();
        if inner.cut.contains(&pair(from, to)) {
            return Err(unreachable("the wire is cut"));
        }
        inner.doors.get(to).cloned().ok_or_else(|| unreachable("nobody is there"))
    }
}

/// A server's end of the wires.
pub(crate) struct Wire {
    pub(crate) from: String,
    pub(crate) wires: Arc<Wires>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Wire({})", self.from)
    }
}

#[async_trait]
impl Transport for Wire {
    async fn exchange(
        &self,
        destination: &ServerName,
        mut request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let to = destination.as_str();
        let what = format!("{} {}", request.method(), request.uri());
        self.wires.inner().asked.push(Asked { from: self.from.clone(), to: to.to_owned(), what });
        let door = self.wires.way(&self.from, to)?;
        if let Ok(host) = HeaderValue::from_str(to) {
            request.headers_mut().insert(header::HOST, host);
        }
        // As on a network, who is asked goes on when who asks does not wait any longer.
        let answering: Pin<Box<dyn Future<Output = _> + Send>> = door(request);
        let answer = tokio::time::timeout(limits.timeout, tokio::spawn(answering)).await;
        let answer = answer.map_err(|_| PeerError::Timeout(to.to_owned()))?;
        let lost = |problem: String| PeerError::Unreachable { server: to.to_owned(), problem };
        let answer = answer.map_err(|error| lost(error.to_string()))?;
        // An answer does not come through either.
        self.wires.way(&self.from, to)?;
        Ok(answer.map_err(|error| lost(error.0))?.map(Body::whole))
    }
}
