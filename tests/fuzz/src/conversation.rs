//! A conversation with a homeserver in a room that it shares with the played server. That server knows the rules,
//! and keeps them or breaks them one at a time: forks, withheld ancestors, events against the state, damage to
//! single fields of events that are rightly signed, EDUs of every kind.
//!
//! One seed is one conversation in a world of its own. What became of each event is read from the homeserver's
//! store at the end, and nothing may be shown that did not enter.

mod acts;
mod verdicts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use parvis_ambient::TestClock;
use parvis_events::{RoomVersion, canonical};
use parvis_peers::{Limits, PeerError};
use parvis_testkit::{Engine, Network, Peer, User};
use ruma::server_name;
use serde_json::{Value, json};

use self::verdicts::Seen;
use crate::{
    edus::About,
    elsewhere::{Mood, Shared},
    graph::{Graph, Plan, Signed},
    mutate::Damage,
    outcomes::{Outcome, Outcomes},
};

/// The homeserver under test.
const HERE: &str = "a.test";
/// The played server.
const THERE: &str = "b.test";
/// Of the played server: one with much power, one with none, and one who was never in.
const XENIA: &str = "@xenia:b.test";
const YURI: &str = "@yuri:b.test";
const ZOE: &str = "@zoe:b.test";
/// How many acts a conversation has.
const ACTS: usize = 60;
const VERSIONS: [RoomVersion; 5] =
    [RoomVersion::V6, RoomVersion::V8, RoomVersion::V10, RoomVersion::V11, RoomVersion::V12];
const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(60), max_bytes: 8 << 20, despite_back_off: true };

/// How an event came to the homeserver, and what it was answered.
#[derive(Clone, Debug, Default)]
struct Sent {
    pdu: Value,
    /// Whether it was in a transaction, and not only held ready.
    pushed: bool,
    /// What the transaction's answer said of it.
    answer: Option<Result<(), String>>,
    /// Whether it was changed after it was signed.
    false_hash: bool,
}

/// See the module's documentation.
pub(crate) struct Conversation {
    network: Network,
    clock: Arc<TestClock>,
    peer: Peer,
    ann: User,
    graph: Graph,
    elsewhere: Shared,
    damage: Damage,
    sent: BTreeMap<String, Sent>,
    /// Redactions, and what they were sent ahead of.
    ahead: Vec<(String, String)>,
    seen: Seen,
    transactions: u64,
    outcomes: Outcomes,
}

/// Has the whole conversation of a seed.
///
/// # Errors
/// What the homeserver did that it must not.
pub(crate) async fn have(seed: u64) -> Result<Outcomes, String> {
    let mut conversation = Conversation::begin(seed).await?;
    for _ in 0..ACTS {
        conversation.listen().await;
        conversation.act().await?;
        conversation.pass(conversation.damage.below(3_000)).await;
    }
    conversation.end().await
}

impl Conversation {
    async fn begin(seed: u64) -> Result<Self, String> {
        let damage = Damage::new(seed);
        let (network, clock) = Network::with_test_clock(&Engine::Sqlite, &[HERE], "").await;
        let peer = network.peer(THERE);
        let elsewhere = Shared::default();
        let answering = elsewhere.clone();
        peer.answer(move |request| answering.answer(request));
        let ann = network.user("ann", HERE).await;
        let version = VERSIONS[damage.below(VERSIONS.len())];
        let room =
            ann.create_room(json!({ "preset": "public_chat", "room_version": version.as_str() })).await;
        let graph = Graph::new(version, &room, THERE, Arc::clone(&peer.key));
        let mut conversation = Self {
            network,
            clock,
            peer,
            ann,
            graph,
            elsewhere,
            damage,
            sent: BTreeMap::new(),
            ahead: Vec::new(),
            seen: Seen::default(),
            transactions: 0,
            outcomes: Outcomes::default(),
        };
        for user in [XENIA, YURI] {
            conversation.join(user).await?;
        }
        conversation.empower(XENIA).await;
        Ok(conversation)
    }

    /// Lets time pass on the homeserver's clock, and what waited for it happen.
    async fn pass(&self, milliseconds: usize) {
        self.clock.advance(Duration::from_millis(milliseconds as u64));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }

    /// Gives somebody the power to do most things.
    async fn empower(&mut self, user: &str) {
        let mut levels = self.ann.state(&self.graph.room_id, "m.room.power_levels", "").await.ok();
        levels["users"][user] = json!(90);
        self.ann.put_state(&self.graph.room_id, "m.room.power_levels", "", levels).await.ok();
        for _ in 0..500 {
            self.pass(100).await;
            self.listen().await;
            let held = self.graph.state_at(&self.heads());
            let levels = held.get(&("m.room.power_levels".to_owned(), String::new()));
            let node = levels.and_then(|id| self.graph.nodes.get(id));
            if node.is_some_and(|node| node.pdu["content"]["users"][user] == 90) {
                return;
            }
        }
    }

    /// Takes note of what the homeserver has sent, and of what ann sees.
    async fn listen(&mut self) {
        let told = std::mem::take(&mut self.elsewhere.lock().told);
        for pdu in told {
            if let Some(id) = self.graph.learn(&pdu) {
                self.elsewhere.lock().hold(&self.graph, &id);
            }
        }
        self.seen.look(&self.ann, &self.graph.room_id, &mut self.outcomes).await;
    }

    /// What an event follows that follows all that is known: at most as many as may be.
    fn heads(&self) -> Vec<String> {
        self.graph.heads.iter().take(20).cloned().collect()
    }

    /// Some event of the last ones.
    fn some_event(&self) -> String {
        let order = &self.graph.order;
        let recent = &order[order.len().saturating_sub(15)..];
        recent.get(self.damage.below(recent.len())).cloned().unwrap_or_default()
    }

    /// Makes an event that is as it should be, and that what comes later follows.
    fn make(&mut self, plan: &Plan) -> Signed {
        let draft = self.graph.draft(plan);
        let signed = self.graph.sign(&draft);
        if let Some(id) = self.graph.learn(&signed.pdu) {
            self.elsewhere.lock().hold(&self.graph, &id);
        }
        signed
    }

    /// Signs an event that nothing else shall follow.
    fn make_aside(&mut self, event: &Value) -> Signed {
        let signed = self.graph.sign(event);
        if let Some(id) = self.graph.learn_aside(&signed.pdu) {
            self.elsewhere.lock().hold(&self.graph, &id);
        }
        signed
    }

    /// Sends a transaction.
    async fn deliver(&mut self, events: Vec<Signed>) -> Result<(), String> {
        for event in &events {
            if let Some(id) = &event.id {
                if self.sent.get(id).is_some_and(|sent| sent.answer.is_some()) {
                    self.outcomes.count(Outcome::Repeated);
                }
                let sent = self.sent.entry(id.clone()).or_default();
                sent.pdu = event.pdu.clone();
                sent.pushed = true;
            }
        }
        let pdus: Vec<Value> =
            events.into_iter().map(|event| event.pdu).filter(|pdu| self.may_be_sent(pdu)).collect();
        let edus = self.some_edus();
        let body = json!({ "origin": THERE, "origin_server_ts": 1, "pdus": pdus, "edus": edus });
        let (status, answer) = self.transact(&body).await?;
        if status != 200 {
            self.outcomes.count(Outcome::TransactionRefused);
            return Ok(());
        }
        let empty = serde_json::Map::new();
        let answers = answer["pdus"].as_object().unwrap_or(&empty);
        for (id, answer) in answers {
            let error = answer["error"].as_str().map(str::to_owned);
            let sent = self.sent.entry(id.clone()).or_default();
            sent.answer.get_or_insert(error.map_or(Ok(()), Err));
        }
        for pdu in &pdus {
            let id = self.graph.id_of(pdu);
            let is_answered = id.is_some_and(|id| answers.contains_key(&id));
            if !is_answered {
                self.outcomes.count(Outcome::Unreadable);
            }
        }
        Ok(())
    }

    fn some_edus(&self) -> Vec<Value> {
        let event = self.some_event();
        let about = About {
            room_id: &self.graph.room_id,
            sender: if self.damage.below(3) == 0 { XENIA } else { YURI },
            hearer: &self.ann.id,
            event: &event,
            number: self.transactions + 1,
        };
        let count = match self.damage.below(8) {
            0 => return about.each(),
            1 => self.damage.below(110),
            2..5 => 1 + self.damage.below(3),
            _ => 0,
        };
        let edus = (0..count).map(|_| about.edu(&self.damage));
        edus.filter(|edu| self.may_be_sent(edu)).collect()
    }

    /// Whether something can be sent: what canonical JSON does not have cannot be signed, nor what is with it in a
    /// transaction. Now and then that is tried.
    fn may_be_sent(&self, value: &Value) -> bool {
        canonical::parse_object(value.to_string().as_bytes()).is_ok() || self.damage.below(50) == 0
    }

    async fn transact(&mut self, body: &Value) -> Result<(u16, Value), String> {
        self.transactions += 1;
        let path = format!("/_matrix/federation/v1/send/c{}", self.transactions);
        self.ask(Method::PUT, &path, Some(body)).await
    }

    /// Asks the homeserver in the played server's name. An answer that says that the homeserver itself failed is
    /// none.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = http::Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json").body(bytes);
        let request = request.map_err(|error| error.to_string())?;
        match self.peer.federation.exchange(server_name!("a.test"), request, LIMITS).await {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let body = answer.into_body().collect(server_name!("a.test"), LIMITS.max_bytes).await;
                let body = body.map_err(|error| error.to_string())?;
                Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
            }
            Err(PeerError::Refused { status, .. }) if status.as_u16() < 500 || status == 503 => {
                Ok((status.as_u16(), Value::Null))
            }
            // Content that canonical JSON does not have cannot be signed.
            Err(PeerError::Unsendable(_)) => Ok((0, Value::Null)),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }

    /// Joins by the handshake, as a server that is honest.
    async fn join(&mut self, user: &str) -> Result<(), String> {
        let Some(signed) = self.prepare("join", user, |_| {}).await? else {
            self.outcomes.count(Outcome::HandshakeRefused);
            return Ok(());
        };
        let Some((id, answer)) = self.hand_in("send_join", &signed).await? else { return Ok(()) };
        let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
        if self.graph.order.is_empty() {
            self.graph.learn_join(&list("state"), &list("auth_chain"), &answer["event"]);
        } else {
            self.graph.learn(&answer["event"]);
        }
        let mut elsewhere = self.elsewhere.lock();
        for id in self.graph.nodes.keys() {
            elsewhere.hold(&self.graph, id);
        }
        drop(elsewhere);
        let sent = Sent { pdu: signed.pdu, ..Sent::default() };
        self.sent.insert(id, sent);
        Ok(())
    }

    /// Asks for a membership event and signs it, after `change`; nothing if it is refused.
    async fn prepare(
        &self,
        what: &str,
        user: &str,
        change: impl FnOnce(&mut Value),
    ) -> Result<Option<Signed>, String> {
        let path = format!(
            "/_matrix/federation/v1/make_{what}/{}/{}?ver={}",
            self.graph.room_id,
            user,
            self.graph.version.as_str()
        );
        let (status, answer) = self.ask(Method::GET, &path, None).await?;
        if status != 200 {
            return Ok(None);
        }
        let mut event = answer["event"].clone();
        change(&mut event);
        Ok(Some(self.graph.sign(&event)))
    }

    /// Hands a membership event in; gives its id and the answer if it was taken.
    async fn hand_in(&mut self, how: &str, event: &Signed) -> Result<Option<(String, Value)>, String> {
        let id = event.id.clone().unwrap_or_else(|| "$none".to_owned());
        let path = format!("/_matrix/federation/v2/{how}/{}/{id}", self.graph.room_id);
        let path = if how == "send_knock" { path.replace("/v2/", "/v1/") } else { path };
        let (status, answer) = self.ask(Method::PUT, &path, Some(&event.pdu)).await?;
        let taken = status == 200;
        self.outcomes.count(if taken { Outcome::HandshakeTaken } else { Outcome::HandshakeRefused });
        Ok(taken.then_some((id, answer)))
    }

    fn change_mood(&self) {
        let moods = [Mood::Honest, Mood::Honest, Mood::Forgetful, Mood::Silent, Mood::Partial, Mood::Mad];
        let mood = moods[self.damage.below(moods.len())];
        self.elsewhere.lock().change_mood(mood, self.damage.below(1 << 30) as u64);
    }
}

/// What is not said twice.
type Ids = BTreeSet<String>;
