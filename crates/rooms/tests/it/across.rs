//! Several servers, each with rooms and a store of its own, that ask each other without HTTP between them.

#![expect(clippy::unwrap_used, reason = "a world that cannot be made fails its test")]

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use bytes::Bytes;
use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_events::{RoomVersion, ServerKey};
use parvis_peers::{
    Body, Federation, KeyBook, Limits, PeerError, ServerKeys, Transport, VerifyKey, WantedKeys,
};
use parvis_policy::{ClientKind, Standing};
use parvis_rooms::{Actor, Identity, Invitation, Others, RoomError, RoomSettings, Rooms};
use parvis_storage::{DatabaseSettings, DeviceSn, Store, StoreSettings};
use ruma::{EventId, OwnedUserId, RoomId, RoomVersionId, ServerName, UserId};
use serde_json::{Value, json, value::RawValue};

/// What is put in place of an answer: given the path and the answer's body.
type Tamper = Box<dyn Fn(&str, &mut Value) + Send + Sync>;

/// A server that is played by the test: gives an answer for a path, or nothing if it has none.
type Played = Box<dyn Fn(&str) -> Option<Value> + Send + Sync>;

/// All servers, and what goes wrong between them.
#[derive(Default)]
pub(crate) struct Wires {
    rooms: OnceLock<BTreeMap<String, Rooms>>,
    /// Servers that do not answer.
    pub(crate) down: Mutex<HashSet<String>>,
    /// What a server does to its answers.
    pub(crate) tamper: Mutex<BTreeMap<String, Tamper>>,
    /// Servers that are played.
    played: Mutex<BTreeMap<String, Played>>,
    /// Servers from before there were second versions of endpoints.
    old: Mutex<HashSet<String>>,
    /// Who asked whom for what.
    pub(crate) asked: Mutex<Vec<(String, String, String)>>,
}

impl fmt::Debug for Wires {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Wires")
    }
}

#[derive(Debug)]
struct Wire {
    from: String,
    wires: Arc<Wires>,
}

/// A server.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) store: Store,
    pub(crate) rooms: Rooms,
    make: Box<dyn Fn() -> Rooms + Send + Sync>,
    _directory: tempfile::TempDir,
}

/// Servers that reach each other.
pub(crate) struct Across {
    pub(crate) wires: Arc<Wires>,
    pub(crate) clock: Arc<TestClock>,
    servers: BTreeMap<String, Server>,
}

pub(crate) fn key_of(server: &str) -> ServerKey {
    let mut seed = [9; 32];
    for (place, byte) in seed.iter_mut().zip(server.bytes()) {
        *place = byte;
    }
    ServerKey::generate(seed, "k").unwrap()
}

/// The key with which `p.test` signs what it thinks welcome.
pub(crate) fn policy_key() -> ServerKey {
    ServerKey::generate([7; 32], "policy_server").unwrap()
}

/// Knows the keys of all servers but `unknown.test`.
#[derive(Debug)]
struct Keys;

#[async_trait]
impl ServerKeys for Keys {
    async fn keys(&self, wanted: &WantedKeys) -> KeyBook {
        let mut book = KeyBook::default();
        for (server, keys) in wanted {
            for key_id in keys.keys() {
                if let Some(key) = self.key_for_request(server, key_id).await {
                    book.insert(server, key_id, key);
                }
            }
        }
        book
    }

    async fn key_for_request(&self, server: &ServerName, key_id: &str) -> Option<VerifyKey> {
        let key = key_of(server.as_str());
        (server != "unknown.test" && key.key_id() == key_id).then(|| VerifyKey {
            public_key: key.public_key_base64(),
            valid_until_ts: i64::MAX,
            retired: false,
        })
    }
}

pub(crate) async fn across(names: &[&str]) -> Across {
    let wires = Arc::new(Wires::default());
    let clock = Arc::new(TestClock::starting_at(1_700_000_000_000));
    let mut servers = BTreeMap::new();
    for (number, name) in (1..).zip(names) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
        let store = Store::open(&StoreSettings { database, cache_bytes: 64 << 20 }).await.unwrap();
        let ambient = Ambient {
            clock: Arc::clone(&clock) as Arc<dyn parvis_ambient::Clock>,
            chance: Arc::new(SeededChance::new(number)),
        };
        let server_name = ServerName::parse(*name).unwrap();
        let identity = Identity { server_name: server_name.clone(), key: Arc::new(key_of(name)) };
        let settings = RoomSettings {
            default_version: RoomVersion::DEFAULT,
            // Some servers keep up rooms of old.
            allowed_versions: RoomVersion::known().collect(),
            policy: Standing::default(),
            may_publish: true,
            join_old_versions: name.starts_with("old"),
            calls_between_apps: true,
            services: parvis_application_services::ApplicationServices::default(),
        };
        let wire = Arc::new(Wire { from: (*name).to_owned(), wires: Arc::clone(&wires) });
        let federation = Federation::new(server_name, Arc::clone(&identity.key), wire);
        let others = Others { federation, keys: Arc::new(Keys) };
        let of_store = store.clone();
        let make = move || {
            let (ambient, identity) = (ambient.clone(), identity.clone());
            Rooms::new(of_store.clone(), ambient, identity, others.clone(), settings.clone())
        };
        let (rooms, make) = (make(), Box::new(make));
        let server = Server { name: (*name).to_owned(), store, rooms, make, _directory: directory };
        servers.insert((*name).to_owned(), server);
    }
    let rooms = servers.iter().map(|(name, server)| (name.clone(), server.rooms.clone())).collect();
    assert!(wires.rooms.set(rooms).is_ok());
    Across { wires, clock, servers }
}

impl Across {
    pub(crate) fn server(&self, name: &str) -> &Server {
        &self.servers[name]
    }

    pub(crate) fn set_down(&self, name: &str, down: bool) {
        let mut servers = self.wires.down.lock().unwrap();
        if down {
            servers.insert(name.to_owned())
        } else {
            servers.remove(name)
        };
    }

    /// Lets a server know only the first version of each endpoint.
    pub(crate) fn forget_second_versions(&self, name: &str) {
        self.wires.old.lock().unwrap().insert(name.to_owned());
    }

    pub(crate) fn tamper(&self, name: &str, tamper: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.wires.tamper.lock().unwrap().insert(name.to_owned(), Box::new(tamper));
    }

    pub(crate) fn play(&self, name: &str, played: impl Fn(&str) -> Option<Value> + Send + Sync + 'static) {
        self.wires.played.lock().unwrap().insert(name.to_owned(), Box::new(played));
    }

    pub(crate) fn asked(&self, to: &str) -> Vec<String> {
        let asked = self.wires.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.1 == to).map(|asked| asked.2.clone()).collect()
    }
}

impl Server {
    /// The rooms as they are after the server was started once more, on the same store.
    pub(crate) fn again(&self) -> Rooms {
        (self.make)()
    }

    pub(crate) async fn person(&self, name: &str) -> Actor {
        let user_id = OwnedUserId::try_from(format!("@{name}:{}", self.name)).unwrap();
        let user = self.store.intern_user(&user_id).await.unwrap();
        Actor::new(user, user_id, DeviceSn(user.0), ClientKind::FollowsPublishedDefault)
    }

    pub(crate) async fn join(&self, actor: &Actor, room_id: &RoomId, via: &[&str]) -> Result<(), RoomError> {
        let via: Vec<_> = via.iter().map(|via| ServerName::parse(*via).unwrap()).collect();
        self.rooms.join(actor, room_id, &via, None, &serde_json::Map::new()).await
    }

    pub(crate) async fn knock(&self, actor: &Actor, room_id: &RoomId, via: &[&str]) -> Result<(), RoomError> {
        let via: Vec<_> = via.iter().map(|via| ServerName::parse(*via).unwrap()).collect();
        self.rooms.knock(actor, room_id, &via, Some("please")).await
    }

    pub(crate) async fn leave(&self, actor: &Actor, room_id: &RoomId) -> Result<(), RoomError> {
        let room = self.rooms.find(room_id).await?;
        self.rooms.leave(actor, room, None).await
    }

    /// The membership that the server remembers of a user.
    pub(crate) async fn membership(&self, user_id: &UserId, room_id: &RoomId) -> Option<&'static str> {
        let user = self.store.find_user(user_id).await.unwrap()?;
        let room = self.store.room_sn(room_id).await.unwrap()?;
        let member = self.store.member(user, room).await.unwrap()?;
        Some(member.membership.as_str())
    }

    /// The room's current state: type, state key and event id.
    pub(crate) async fn state(&self, room_id: &RoomId) -> Vec<(String, String, String)> {
        let room = self.rooms.find(room_id).await.unwrap();
        let head = self.store.room_head(room).await.unwrap().unwrap();
        let events = self.store.state_events(head.state_root).await.unwrap();
        let mut state: Vec<_> = events
            .iter()
            .map(|event| {
                let key = event.pdu.state_key().unwrap().to_owned();
                (event.pdu.kind().to_owned(), key, event.pdu.event_id().to_string())
            })
            .collect();
        state.sort();
        state
    }

    pub(crate) async fn content(&self, room_id: &RoomId, kind: &str, key: &str) -> Option<Value> {
        let room = self.rooms.find(room_id).await.ok()?;
        let head = self.store.room_head(room).await.unwrap()?;
        let event = self.store.state_event(room, head.state_root, kind, key).await.unwrap()?;
        event.pdu.content_as().ok()
    }
}

#[async_trait]
impl Transport for Wire {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        let path = request.uri().path().to_owned();
        let what = format!("{} {path}", request.method());
        self.wires.asked.lock().unwrap().push((self.from.clone(), destination.to_string(), what));
        let played = self.wires.played.lock().unwrap().get(destination.as_str()).and_then(|play| play(&path));
        if let Some(body) = played {
            return Ok(http::Response::new(Body::whole(Bytes::from(body.to_string()))));
        }
        let rooms = self.wires.rooms.get().unwrap().get(destination.as_str());
        let is_down = self.wires.down.lock().unwrap().contains(destination.as_str());
        let Some(rooms) = rooms.filter(|_| !is_down) else {
            return Err(PeerError::Unreachable {
                server: destination.to_string(),
                problem: "no wire".to_owned(),
            });
        };
        let origin = ServerName::parse(self.from.as_str()).unwrap();
        let is_old = self.wires.old.lock().unwrap().contains(destination.as_str());
        let (status, mut body) = if is_old && path.contains("/v2/") {
            (404, json!({ "errcode": "M_UNRECOGNIZED", "error": "?" }))
        } else {
            match answer(rooms, &origin, &request).await {
                Ok(body) => (200, body),
                Err(error) => refusal(&error),
            }
        };
        if let Some(tamper) = self.wires.tamper.lock().unwrap().get(destination.as_str()) {
            tamper(&path, &mut body);
        }
        let response = http::Response::builder().status(status).header("content-type", "application/json");
        Ok(response.body(Body::whole(Bytes::from(body.to_string()))).unwrap())
    }
}

fn refusal(error: &RoomError) -> (u16, Value) {
    let (status, errcode) = match error {
        RoomError::UnknownRoom | RoomError::NotFound(_) => (404, "M_NOT_FOUND"),
        RoomError::Forbidden(_) => (403, "M_FORBIDDEN"),
        RoomError::Refused { errcode, .. } if errcode == "M_FORBIDDEN" => (403, "M_FORBIDDEN"),
        RoomError::InviteBlocked => (403, "M_INVITE_BLOCKED"),
        RoomError::UnableToAuthoriseJoin => (400, "M_UNABLE_TO_AUTHORISE_JOIN"),
        RoomError::UnableToGrantJoin => (400, "M_UNABLE_TO_GRANT_JOIN"),
        RoomError::IncompatibleVersion(_) => (400, "M_INCOMPATIBLE_ROOM_VERSION"),
        RoomError::InvalidParam(_) | RoomError::Format(_) => (400, "M_INVALID_PARAM"),
        _ => (500, "M_UNKNOWN"),
    };
    (status, json!({ "errcode": errcode, "error": error.to_string() }))
}

/// Whatever an event is, as a value.
fn value(pdu: &parvis_events::Pdu) -> Value {
    serde_json::from_str(pdu.json()).unwrap()
}

fn event_ids_in(query: &str, name: &str) -> Vec<ruma::OwnedEventId> {
    let parts = query.split('&').filter_map(|part| part.split_once('='));
    let named = parts.filter(|(key, _)| *key == name);
    named.map(|(_, id)| EventId::parse(decode(id)).unwrap()).collect()
}

fn decode(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn answer(
    rooms: &Rooms,
    origin: &ServerName,
    request: &http::Request<Bytes>,
) -> Result<Value, RoomError> {
    let path: Vec<String> = request.uri().path().split('/').skip(3).map(decode).collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let body = || RawValue::from_string(String::from_utf8(request.body().to_vec()).unwrap()).unwrap();
    let query = request.uri().query().unwrap_or_default();
    let versions: Vec<RoomVersionId> = query
        .split('&')
        .filter_map(|part| part.strip_prefix("ver="))
        .map(|version| RoomVersionId::try_from(version).unwrap())
        .collect();
    match path[..] {
        ["v1", "make_join", room_id, user_id] => {
            let (room_id, user_id) = (RoomId::parse(room_id).unwrap(), UserId::parse(user_id).unwrap());
            let template = rooms.make_join(origin, &room_id, &user_id, &versions).await?;
            Ok(json!({ "event": template.event, "room_version": template.version.as_str() }))
        }
        ["v1", "make_knock", room_id, user_id] => {
            let (room_id, user_id) = (RoomId::parse(room_id).unwrap(), UserId::parse(user_id).unwrap());
            let template = rooms.make_knock(origin, &room_id, &user_id, &versions).await?;
            Ok(json!({ "event": template.event, "room_version": template.version.as_str() }))
        }
        ["v1", "make_leave", room_id, user_id] => {
            let (room_id, user_id) = (RoomId::parse(room_id).unwrap(), UserId::parse(user_id).unwrap());
            let template = rooms.make_leave(origin, &room_id, &user_id).await?;
            Ok(json!({ "event": template.event, "room_version": template.version.as_str() }))
        }
        ["v2", "send_join", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            let omit = query.contains("omit_members=true");
            let answer = rooms.send_join(origin, &room_id, &event_id, &body(), omit).await?;
            Ok(json!({
                "state": answer.state.iter().map(value).collect::<Vec<_>>(),
                "auth_chain": answer.auth_chain.iter().map(value).collect::<Vec<_>>(),
                "event": value(&answer.event),
                "members_omitted": answer.members_omitted,
                "servers_in_room": answer.servers_in_room,
            }))
        }
        ["v2", "send_leave", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            rooms.send_leave(origin, &room_id, &event_id, &body()).await?;
            Ok(json!({}))
        }
        ["v1", "send_join", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            let answer = rooms.send_join(origin, &room_id, &event_id, &body(), false).await?;
            let state: Vec<_> = answer.state.iter().map(value).collect();
            let auth_chain: Vec<_> = answer.auth_chain.iter().map(value).collect();
            Ok(json!([200, { "state": state, "auth_chain": auth_chain }]))
        }
        ["v1", "send_leave", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            rooms.send_leave(origin, &room_id, &event_id, &body()).await?;
            Ok(json!([200, {}]))
        }
        ["v1", "send_knock", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            let shown = rooms.send_knock(origin, &room_id, &event_id, &body()).await?;
            Ok(json!({ "knock_room_state": shown.iter().map(value).collect::<Vec<_>>() }))
        }
        ["v2", "invite", room_id, event_id] => {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let raw = |value: &Value| RawValue::from_string(value.to_string()).unwrap();
            let invitation = Invitation {
                room_id: RoomId::parse(room_id).unwrap(),
                event_id: EventId::parse(event_id).unwrap(),
                room_version: body["room_version"].as_str().unwrap().to_owned(),
                event: raw(&body["event"]),
                state: body["invite_room_state"].as_array().unwrap().iter().map(raw).collect(),
            };
            Ok(json!({ "event": value(&rooms.receive_invite(origin, invitation).await?) }))
        }
        ["v1", "event", event_id] => {
            let event_id = EventId::parse(event_id).unwrap();
            let pdu = rooms.serve_event(origin, &event_id).await?;
            Ok(json!({ "origin": "x.test", "origin_server_ts": 0, "pdus": [value(&pdu)] }))
        }
        ["v1", "event_auth", room_id, event_id] => {
            let (room_id, event_id) = (RoomId::parse(room_id).unwrap(), EventId::parse(event_id).unwrap());
            let chain = rooms.serve_event_auth(origin, &room_id, &event_id).await?;
            Ok(json!({ "auth_chain": chain.iter().map(value).collect::<Vec<_>>() }))
        }
        ["v1", "state", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let state = rooms.serve_state(origin, &room_id, &event_ids_in(query, "event_id")[0]).await?;
            Ok(json!({
                "pdus": state.state.iter().map(value).collect::<Vec<_>>(),
                "auth_chain": state.auth_chain.iter().map(value).collect::<Vec<_>>(),
            }))
        }
        ["v1", "state_ids", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let state = rooms.serve_state_ids(origin, &room_id, &event_ids_in(query, "event_id")[0]).await?;
            Ok(json!({ "pdu_ids": state.state, "auth_chain_ids": state.auth_chain }))
        }
        ["v1", "backfill", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let limit = query.split('&').find_map(|part| part.strip_prefix("limit=")?.parse().ok()).unwrap();
            let pdus = rooms.serve_backfill(origin, &room_id, &event_ids_in(query, "v"), limit).await?;
            let pdus: Vec<Value> = pdus.iter().map(value).collect();
            Ok(json!({ "origin": "x.test", "origin_server_ts": 0, "pdus": pdus }))
        }
        ["v1", "get_missing_events", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let ids = |field: &str| -> Vec<ruma::OwnedEventId> {
                let ids = body[field].as_array().unwrap().iter();
                ids.map(|id| EventId::parse(id.as_str().unwrap()).unwrap()).collect()
            };
            let limit = usize::try_from(body["limit"].as_u64().unwrap_or(10)).unwrap();
            let (earliest, latest) = (ids("earliest_events"), ids("latest_events"));
            let events = rooms.serve_missing_events(origin, &room_id, (&earliest, &latest), limit).await?;
            Ok(json!({ "events": events.iter().map(value).collect::<Vec<_>>() }))
        }
        // A policy server: nothing is welcome in which there is spam.
        ["v1", "sign"] => {
            let event: Value = serde_json::from_slice(request.body()).unwrap();
            if event.to_string().contains("spam") {
                return Err(RoomError::Forbidden("this looks like spam".to_owned()));
            }
            let room_id = RoomId::parse(event["room_id"].as_str().unwrap()).unwrap();
            let is_hash = room_id.server_name().is_none();
            let version = if is_hash { RoomVersion::V12 } else { RoomVersion::V10 };
            let event = parvis_events::RawPdu::parse_raw(&body(), version)?.check_format()?;
            let id = event.event_id().to_owned();
            let pdu = parvis_events::Pdu::from_stored(id, room_id, version, body().get()).unwrap();
            let signed = pdu.cosign(ruma::server_name!("p.test"), &policy_key()).unwrap();
            let signature = &value(&signed)["signatures"]["p.test"]["ed25519:policy_server"];
            Ok(json!({ "p.test": { "ed25519:policy_server": signature } }))
        }
        ["v1", "exchange_third_party_invite", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let user = |field: &str| OwnedUserId::try_from(body[field].as_str().unwrap()).unwrap();
            let invite = parvis_rooms::ThirdPartyInvite {
                sender: user("sender"),
                invited: user("state_key"),
                invitation: body["content"]["third_party_invite"].clone(),
            };
            rooms.exchange_third_party_invite(&room_id, &invite).await?;
            Ok(json!({}))
        }
        ["v1", "timestamp_to_event", room_id] => {
            let room_id = RoomId::parse(room_id).unwrap();
            let part = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)).unwrap();
            let direction = match part("dir=") {
                "f" => parvis_rooms::Direction::Forward,
                _ => parvis_rooms::Direction::Backward,
            };
            let found =
                rooms.serve_event_near(origin, &room_id, part("ts=").parse().unwrap(), direction).await?;
            let (id, ts) = (found.pdu.event_id(), found.pdu.origin_server_ts());
            Ok(json!({ "event_id": id, "origin_server_ts": ts }))
        }
        _ => Err(RoomError::NotFound("this is not played in these tests")),
    }
}
