//! Whole transactions from another server, rightly signed and full of nonsense, against a homeserver. None may be
//! answered as an error of the homeserver's own, and afterwards it must still serve its users.

use std::time::Duration;

use bytes::Bytes;
use parvis_peers::{Limits, PeerError};
use parvis_testkit::{Engine, Network, Peer};
use ruma::server_name;
use serde_json::{Value, json};

use crate::mutate::Damage;

const LIMITS: Limits =
    Limits { timeout: Duration::from_secs(60), max_bytes: 8 << 20, despite_back_off: true };

/// A homeserver with a room, and a server that talks nonsense to it.
pub(crate) struct Target {
    network: Network,
    peer: Peer,
    events: Vec<Value>,
    sent: u64,
}

impl Target {
    pub(crate) async fn new() -> Self {
        let network = Network::start(&Engine::Sqlite, &["a.test"]).await;
        let peer = network.peer("nonsense.test");
        let ann = network.user("ann", "a.test").await;
        let mut events = Vec::new();
        for version in ["6", "10", "12"] {
            let room = ann.create_room(json!({ "preset": "public_chat", "room_version": version })).await;
            events.push(event(&room, "m.room.message", None, json!({ "msgtype": "m.text", "body": "x" })));
            let user = "@x:nonsense.test";
            events.push(event(&room, "m.room.member", Some(user), json!({ "membership": "join" })));
            events.push(event(&room, "m.room.power_levels", Some(""), json!({ "users": { user: 100 } })));
        }
        Self { network, peer, events, sent: 0 }
    }

    /// One round. Gives the status of the answer.
    ///
    /// # Errors
    /// If the homeserver failed.
    pub(crate) async fn round(&mut self, damage: &Damage) -> Result<u16, String> {
        self.sent += 1;
        let mut pdus: Vec<Value> = Vec::new();
        for _ in 0..damage.below(5) {
            let mut event = self.events[damage.below(self.events.len())].clone();
            if damage.below(4) > 0 {
                damage.value(&mut event);
            }
            pdus.push(if event.is_object() { self.peer.try_sign(&event).unwrap_or(event) } else { event });
        }
        let edu = json!({ "edu_type": "m.typing", "content": { "room_id": "!r", "user_id": "@x:y" } });
        let mut body = json!({
            "origin": "nonsense.test",
            "origin_server_ts": 1_700_000_000_000_i64,
            "pdus": pdus,
            "edus": [edu],
        });
        if damage.below(3) == 0 {
            damage.value(&mut body);
        }
        let path = format!("/_matrix/federation/v1/send/n{}", self.sent);
        let bytes = Bytes::from(body.to_string());
        let request =
            http::Request::put(path).header("content-type", "application/json").body(bytes).unwrap();
        match self.peer.federation.exchange(server_name!("a.test"), request, LIMITS).await {
            Ok(response) => Ok(response.status().as_u16()),
            Err(PeerError::Refused { status, .. }) if status.as_u16() < 500 || status == 503 => {
                Ok(status.as_u16())
            }
            // Content that canonical JSON does not have cannot be signed.
            Err(PeerError::Unsendable(_)) => Ok(0),
            Err(error) => Err(format!("{error}: {body}")),
        }
    }

    /// Whether the homeserver still does what it is for.
    pub(crate) async fn still_serves(&self) {
        let ben = self.network.user("ben", "a.test").await;
        let room = ben.create_room(json!({ "preset": "private_chat" })).await;
        ben.say(&room, "still here").await;
    }
}

fn event(room: &str, kind: &str, state_key: Option<&str>, content: Value) -> Value {
    let mut event = json!({
        "room_id": room,
        "sender": "@x:nonsense.test",
        "type": kind,
        "content": content,
        "depth": 10,
        "origin_server_ts": 1_700_000_000_000_i64,
        "prev_events": ["$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        "auth_events": ["$BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
        "hashes": { "sha256": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
    });
    if let Some(state_key) = state_key {
        event["state_key"] = json!(state_key);
    }
    event
}
