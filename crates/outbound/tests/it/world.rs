//! A store with rooms written straight into it, a clock that stands still, and a network that records what it
//! carries and fails as it is told.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use parvis_ambient::{Ambient, Clock as _, SeededChance, TestClock};
use parvis_events::{EventDraft, Membership, RoomVersion, ServerKey};
use parvis_outbound::Outbound;
use parvis_peers::{Body, Federation, Limits, PeerError, Transport};
use parvis_storage::{
    DatabaseSettings, EventFlags, EventSn, NewEvent, NewReceipt, Position, RoomHead, RoomSn, Slot, StateRoot,
    Store, StoreSettings, StoredEvent, UserSn, WriteSet, fresh_schema,
};
use ruma::{OwnedRoomId, OwnedUserId, ServerName, server_name};
use serde_json::{Value, json, value::RawValue};

/// A transaction that was carried.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) server: String,
    pub(crate) id: String,
    pub(crate) body: Value,
}

impl Carried {
    /// The bodies of the messages in it, and the types of other events.
    pub(crate) fn events(&self) -> Vec<String> {
        let pdus = self.body["pdus"].as_array().unwrap();
        let text = |pdu: &Value| pdu["content"]["body"].as_str().or(pdu["type"].as_str()).unwrap().to_owned();
        pdus.iter().map(text).collect()
    }

    pub(crate) fn edus(&self) -> Vec<Value> {
        self.body["edus"].as_array().unwrap().clone()
    }
}

/// A network that records.
#[derive(Debug, Default)]
pub(crate) struct Network {
    carried: Mutex<Vec<Carried>>,
    /// Those that do not answer.
    dead: Mutex<HashSet<String>>,
    /// Those whose answers are lost: what they are told arrives.
    deaf: Mutex<HashSet<String>>,
    /// Those that refuse.
    refusing: Mutex<HashMap<String, u16>>,
    attempts: AtomicU32,
    at_once: Mutex<HashMap<String, usize>>,
}

impl Network {
    pub(crate) fn kill(&self, server: &str) {
        self.dead.lock().unwrap().insert(server.to_owned());
    }

    pub(crate) fn revive(&self, server: &str) {
        self.dead.lock().unwrap().remove(server);
        self.deaf.lock().unwrap().remove(server);
        self.refusing.lock().unwrap().remove(server);
    }

    pub(crate) fn lose_answers(&self, server: &str) {
        self.deaf.lock().unwrap().insert(server.to_owned());
    }

    pub(crate) fn refuse(&self, server: &str, status: u16) {
        self.refusing.lock().unwrap().insert(server.to_owned(), status);
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::SeqCst)
    }

    /// What has reached a server.
    pub(crate) fn to(&self, server: &str) -> Vec<Carried> {
        self.carried.lock().unwrap().iter().filter(|carried| carried.server == server).cloned().collect()
    }

    /// The events that have reached a server, in order.
    pub(crate) fn events_to(&self, server: &str) -> Vec<String> {
        self.to(server).iter().flat_map(Carried::events).collect()
    }

    /// The EDUs of a type that have reached a server, in order.
    pub(crate) fn edus_to(&self, server: &str, kind: &str) -> Vec<Value> {
        let edus = self.to(server).into_iter().flat_map(|carried| carried.edus());
        edus.filter(|edu| edu["edu_type"] == kind).map(|edu| edu["content"].clone()).collect()
    }

    pub(crate) fn forget(&self) {
        self.carried.lock().unwrap().clear();
    }
}

#[async_trait]
impl Transport for Network {
    async fn exchange(
        &self,
        destination: &ServerName,
        request: http::Request<Bytes>,
        _: Limits,
    ) -> Result<http::Response<Body>, PeerError> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        let server = destination.to_string();
        let under_way = {
            let mut at_once = self.at_once.lock().unwrap();
            let count = at_once.entry(server.clone()).or_default();
            *count += 1;
            *count
        };
        assert_eq!(under_way, 1, "one transaction at once for each server");
        tokio::task::yield_now().await;
        *self.at_once.lock().unwrap().get_mut(&server).unwrap() -= 1;
        if self.dead.lock().unwrap().contains(&server) {
            return Err(PeerError::Timeout(server));
        }
        let status = self.refusing.lock().unwrap().get(&server).copied();
        if let Some(status) = status {
            let body = Body::whole(r#"{"errcode":"M_BAD_JSON","error":"no"}"#.into());
            return Ok(http::Response::builder().status(status).body(body).unwrap());
        }
        let id = request.uri().path().rsplit('/').next().unwrap().to_owned();
        let body = serde_json::from_slice(request.body()).unwrap();
        self.carried.lock().unwrap().push(Carried { server: server.clone(), id, body });
        if self.deaf.lock().unwrap().contains(&server) {
            return Err(PeerError::Timeout(server));
        }
        Ok(http::Response::new(Body::whole(r#"{"pdus":{}}"#.into())))
    }
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) network: Arc<Network>,
    pub(crate) outbound: Outbound,
    ambient: Ambient,
    settings: StoreSettings,
    _directory: tempfile::TempDir,
}

/// Somebody, here or elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: UserSn,
    pub(crate) id: OwnedUserId,
}

async fn start(store: &Store, ambient: &Ambient, network: &Arc<Network>) -> Outbound {
    let key = Arc::new(ServerKey::generate([3; 32], "1").unwrap());
    let federation = Federation::new(server_name!("parvis.test").to_owned(), key, network.clone());
    Outbound::start(store.clone(), ambient.clone(), federation).await.unwrap()
}

impl World {
    async fn open(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let settings = StoreSettings { database, cache_bytes: 8 << 20 };
        let store = Store::open(&settings).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(1_700_000_000_000));
        let ambient = Ambient { clock: clock.clone(), chance: Arc::new(SeededChance::new(1)) };
        let network = Arc::new(Network::default());
        let outbound = start(&store, &ambient, &network).await;
        Self { store, clock, network, outbound, ambient, settings, _directory: directory }
    }

    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        Self::open(DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true }, directory).await
    }

    /// One on PostgreSQL, where there is a server.
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
    pub(crate) async fn on_postgres() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var("PARVIS_TEST_POSTGRES").ok()?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("outbound_{}_{number}", std::process::id());
        let url = fresh_schema(&server, &schema).await.unwrap();
        let database = DatabaseSettings::Postgres { url, connections: 4 };
        Some(Self::open(database, tempfile::tempdir().unwrap()).await)
    }

    /// The same store after a restart; an orderly one writes last where servers stand.
    pub(crate) async fn restart(mut self, orderly: bool) -> Self {
        if orderly {
            self.outbound.close().await;
        } else {
            self.outbound.stop();
        }
        drop(self.outbound);
        self.store.close().await;
        self.store = Store::open(&self.settings).await.unwrap();
        self.outbound = start(&self.store, &self.ambient, &self.network).await;
        self
    }

    /// The clock and the chance of this world.
    pub(crate) fn ambient(&self) -> Ambient {
        self.ambient.clone()
    }

    pub(crate) async fn person(&self, id: &str) -> Person {
        let id = OwnedUserId::try_from(id).unwrap();
        Person { user: self.store.intern_user(&id).await.unwrap(), id }
    }

    /// Waits until nothing is under way any more.
    pub(crate) async fn settle(&self) {
        let mut calm = 0;
        for _ in 0..5_000 {
            let status = self.outbound.status();
            let busy = status.unread_changes > 0 || status.queues.sending > 0;
            calm = if busy { 0 } else { calm + 1 };
            if calm > 5 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("it never comes to rest: {:?}", self.outbound.status());
    }

    /// Lets time pass.
    pub(crate) async fn pass(&self, duration: Duration) {
        self.settle().await;
        self.clock.advance(duration);
        self.settle().await;
    }

    pub(crate) async fn read(&self, room: &Room, person: &Person, event: &StoredEvent, thread: &str) {
        let mut set = WriteSet::new();
        set.put_receipt(&NewReceipt {
            room: room.head.room,
            user: person.user,
            user_id: &person.id,
            receipt_type: "m.read",
            thread,
            event_id: event.pdu.event_id(),
            event_position: event.position,
            ts: self.clock.now().millis(),
        });
        self.store.commit(set).await.unwrap();
    }

    pub(crate) async fn put_down(&self, server: &str, edu: &Value) {
        let mut set = WriteSet::new();
        let server = <&ServerName>::try_from(server).unwrap();
        set.put_outgoing_edu(server, &edu.to_string(), self.clock.now().millis());
        self.store.commit(set).await.unwrap();
    }
}

/// A room whose events are written without asking whether they may be.
pub(crate) struct Room {
    store: Store,
    clock: Arc<TestClock>,
    pub(crate) head: RoomHead,
    exists: bool,
}

impl Room {
    /// A room with these people in it.
    pub(crate) async fn with(world: &World, name: &str, people: &[&Person]) -> Self {
        let mut room = Self {
            store: world.store.clone(),
            clock: world.clock.clone(),
            head: RoomHead {
                room: RoomSn(world.store.next_number().await.unwrap()),
                room_id: OwnedRoomId::try_from(format!("!{name}:parvis.test")).unwrap(),
                version: RoomVersion::V11,
                class: "private".to_owned(),
                head_version: 0,
                heads: Vec::new(),
                state_root: StateRoot::EMPTY,
                depth: 0,
                next_slot: 0,
                next_state_index: 0,
                last_position: Position::START,
            },
            exists: false,
        };
        room.add(people[0], "m.room.create", Some(""), json!({ "room_version": "11" })).await;
        for person in people {
            room.member(person, person, "join").await;
        }
        room
    }

    /// A room as it was before a restart.
    pub(crate) fn again(world: &World, head: RoomHead) -> Self {
        Self { store: world.store.clone(), clock: world.clock.clone(), head, exists: true }
    }

    pub(crate) async fn member(&mut self, sender: &Person, target: &Person, membership: &str) {
        let content = json!({ "membership": membership });
        self.add(sender, "m.room.member", Some(target.id.as_str()), content).await;
    }

    pub(crate) async fn say(&mut self, sender: &Person, body: &str) -> Arc<StoredEvent> {
        self.add(sender, "m.room.message", None, json!({ "msgtype": "m.text", "body": body })).await
    }

    async fn add(
        &mut self,
        sender: &Person,
        kind: &str,
        state_key: Option<&str>,
        content: Value,
    ) -> Arc<StoredEvent> {
        let mut set = WriteSet::new();
        let draft = EventDraft {
            room_id: Some(self.head.room_id.clone()),
            sender: sender.id.clone(),
            kind: kind.to_owned(),
            state_key: state_key.map(str::to_owned),
            content: RawValue::from_string(content.to_string()).unwrap(),
            redacts: None,
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: self.head.depth + 1,
            origin_server_ts: self.clock.now().millis(),
        };
        let key = ServerKey::generate([7; 32], "1").unwrap();
        let pdu = draft.sign(RoomVersion::V11, &key).unwrap();
        let sn = EventSn(self.store.next_number().await.unwrap());
        let before = self.head.state_root;
        let slot = match state_key {
            Some(state_key) => Some(self.slot(&mut set, kind, state_key).await),
            None => None,
        };
        if let Some(slot) = slot {
            self.head.state_root =
                self.store.change_state(&mut set, before, &[(slot, Some(sn))]).await.unwrap();
        }
        let member: Option<(UserSn, Membership)> = match (state_key, pdu.membership()) {
            (Some(user), Some(membership)) => {
                let user = OwnedUserId::try_from(user).unwrap();
                Some((self.store.intern_user(&user).await.unwrap(), membership))
            }
            _ => None,
        };
        set.add_event(NewEvent {
            sn,
            room: self.head.room,
            kind: self.store.intern_type(kind).await.unwrap(),
            sender: sender.user,
            member: member.map(|member| member.0),
            slot,
            state_index: None,
            flags: EventFlags::ACCEPTED,
            state_root: before,
            room_root: self.head.state_root,
            prev: self.head.heads.clone(),
            auth: Vec::new(),
            transaction: None,
            pdu,
        });
        if let Some((user, membership)) = member {
            set.put_member(user, self.head.room, membership, sn);
        }
        let expected = self.exists.then_some(self.head.head_version);
        self.head.head_version += 1;
        self.head.heads = vec![sn];
        self.head.depth += 1;
        self.exists = true;
        set.move_room(expected, self.head.clone());
        self.store.commit(set).await.unwrap();
        self.store.event(sn).await.unwrap()
    }

    async fn slot(&mut self, set: &mut WriteSet, kind: &str, state_key: &str) -> Slot {
        let kind = self.store.intern_type(kind).await.unwrap();
        if let Some(slot) = self.store.slot(self.head.room, kind, state_key).await.unwrap() {
            return slot;
        }
        let slot = Slot(self.head.next_slot);
        self.head.next_slot += 1;
        set.add_slot(self.head.room, kind, state_key, slot);
        slot
    }
}
