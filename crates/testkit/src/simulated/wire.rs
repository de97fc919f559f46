//! The way between simulated servers: late, lost, doubled, out of order.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, header};
use parvis_ambient::Clock;
use parvis_peers::{Body, Limits, PeerError, Transport};
use ruma::ServerName;
use tokio::sync::oneshot;

use super::core::{Core, Entry, Reply, ServerIndex, State};

/// A server's end of the wires.
pub(crate) struct WorldWire {
    pub(crate) core: Arc<Core>,
    pub(crate) server: ServerIndex,
    pub(crate) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for WorldWire {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "WorldWire({})", self.server)
    }
}

#[async_trait]
impl Transport for WorldWire {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        limits: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let (reply, answer) = oneshot::channel();
        send(&mut self.core.state(), self.server, destination.as_str(), request, reply);
        let outcome = tokio::select! {
            biased;
            outcome = answer => outcome.unwrap_or_else(|_| Err(unreachable(destination.as_str(), "the end"))),
            () = self.clock.sleep(limits.timeout) => Err(PeerError::Timeout(destination.to_string())),
        };
        Ok(outcome?.map(Body::whole))
    }
}

/// That a server cannot be reached.
pub(crate) fn unreachable(server: &str, problem: &str) -> PeerError {
    PeerError::Unreachable { server: server.to_owned(), problem: problem.to_owned() }
}

/// Sends a request on its way.
pub(crate) fn send(
    state: &mut State,
    from: ServerIndex,
    to: &str,
    mut request: http::Request<Bytes>,
    reply: Reply,
) {
    if let Ok(host) = HeaderValue::from_str(to) {
        request.headers_mut().insert(header::HOST, host);
    }
    let to_index = state.index(to).unwrap_or(usize::MAX) as u64;
    let about = ((from as u64) << 32) ^ to_index;
    let number = state.nth("message", about);
    state.counts.requests += 1;
    let who = [from as u64, to_index, number];
    let delay = delay(state, "request", &who);
    let (weather, fate) = (state.weather, state.fate);
    if fate.per_mille(weather.lost_requests, "lost request", &who) {
        state.counts.lost_requests += 1;
        lose(state, from, to, &who, reply);
        return;
    }
    if fate.per_mille(weather.duplicated, "doubled", &who) {
        state.counts.duplicated += 1;
        let later = delay + self::delay(state, "double", &who);
        let request = request.clone();
        state.after(later, Entry::Request { from, to: to.to_owned(), request, number, reply: None });
    }
    state.after(delay, Entry::Request { from, to: to.to_owned(), request, number, reply: Some(reply) });
}

/// Sends an answer back.
pub(crate) fn answer(
    state: &mut State,
    who: [u64; 3],
    (from, to): (ServerIndex, &str),
    outcome: super::core::Outcome,
    reply: Reply,
) {
    if state.fate.per_mille(state.weather.lost_answers, "lost answer", &who) {
        state.counts.lost_answers += 1;
        lose(state, from, to, &who, reply);
        return;
    }
    let delay = delay(state, "answer", &who);
    let of = usize::try_from(who[1]).unwrap_or(usize::MAX);
    state.after(delay, Entry::Answer { server: from, of, outcome, reply });
}

/// What is lost is noticed at once, or never.
pub(crate) fn lose(state: &mut State, from: ServerIndex, to: &str, who: &[u64; 3], reply: Reply) {
    if state.fate.per_mille(500, "noticed", who) {
        let delay = delay(state, "noticed after", who);
        let outcome = Err(unreachable(to, "the connection was reset"));
        // The error comes from this side of the wire, which no partition cuts.
        state.after(delay, Entry::Answer { server: from, of: from, outcome, reply });
    } else {
        state.lost.push(reply);
    }
}

fn delay(state: &State, question: &'static str, who: &[u64; 3]) -> Duration {
    let (weather, fate) = (state.weather, state.fate);
    let part = |whole: Duration, question: &str| {
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(fate.below(micros.saturating_add(1), question, who))
    };
    let mut delay = weather.shortest_delay + part(weather.usual_delay, question);
    let is_slow = fate.number(question, &[who[0], who[1], who[2], 1]) % 1000 < weather.slow;
    if is_slow {
        delay += part(weather.longest_delay, "slow");
    }
    delay
}
