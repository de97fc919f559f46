//! Small worlds: a store on each engine at hand, and rooms written straight into it, event by event.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Ambient, Clock as _, SeededChance, TestClock};
use parvis_events::{EventDraft, Membership, RoomVersion, ServerKey, redact};
use parvis_storage::{
    DatabaseSettings, DeviceSn, EngineKind, EventFlags, EventSn, NewEvent, Position, RoomHead, RoomSn, Slot,
    StateRoot, Store, StoreSettings, StoredEvent, TransactionKey, UserSn, WriteSet, fresh_schema,
};
use parvis_sync::{
    Filter, JoinedRoom, Reader, ShownEvent, SyncAnswer, SyncEngine, SyncRequest, SyncSettings, Token, View,
};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, api::client::filter::FilterDefinition, presence::PresenceState,
};
use serde_json::{Value, json, value::RawValue};

/// A store, a clock that stands still, and what must live as long as they.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) settings: StoreSettings,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) ambient: Ambient,
    pub(crate) view: View,
    pub(crate) engine: SyncEngine,
    _directory: tempfile::TempDir,
}

/// A local user on a device.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) user: UserSn,
    pub(crate) id: OwnedUserId,
    pub(crate) device: DeviceSn,
}

impl Person {
    pub(crate) fn reader(&self) -> Reader {
        Reader { user: self.user, device: self.device }
    }

    /// The same person on another device.
    pub(crate) fn on_device(&self, device: i64) -> Self {
        Self { device: DeviceSn(device), ..self.clone() }
    }
}

impl World {
    async fn open(database: DatabaseSettings, directory: tempfile::TempDir) -> Self {
        let settings = StoreSettings { database, cache_bytes: 8 << 20 };
        let store = Store::open(&settings).await.unwrap();
        let clock = Arc::new(TestClock::starting_at(1_000_000));
        let ambient = Ambient { clock: clock.clone(), chance: Arc::new(SeededChance::new(1)) };
        let view = View::new(store.clone(), ambient.clone());
        let engine = SyncEngine::start(store.clone(), view.clone(), ambient.clone(), SyncSettings::default());
        Self { store, settings, clock, ambient, view, engine, _directory: directory }
    }

    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("parvis.db");
        Self::open(DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true }, directory).await
    }

    async fn postgres(server: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("sync_{}_{number}", std::process::id());
        let url = fresh_schema(server, &schema).await.unwrap();
        Self::open(DatabaseSettings::Postgres { url, connections: 4 }, tempfile::tempdir().unwrap()).await
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        self.store.engine_kind() == EngineKind::Sqlite
    }

    /// A person on their first device.
    pub(crate) async fn person(&self, name: &str) -> Person {
        let id = OwnedUserId::try_from(format!("@{name}:parvis.test")).unwrap();
        let user = self.store.intern_user(&id).await.unwrap();
        Person { user, id, device: DeviceSn(user.0 * 100) }
    }

    pub(crate) async fn put_account_data(
        &self,
        person: &Person,
        room: Option<RoomSn>,
        kind: &str,
        content: Value,
    ) {
        let mut set = WriteSet::new();
        set.put_account_data(person.user, room, kind, &raw(&content));
        self.store.commit(set).await.unwrap();
    }

    /// The events as a person sees them.
    pub(crate) async fn shown(&self, person: &Person, events: &[&Arc<StoredEvent>]) -> Vec<ShownEvent> {
        let events: Vec<_> = self.current(events).await;
        self.view.show(person.reader(), &events).await.unwrap()
    }

    /// The events as they are stored now.
    async fn current(&self, events: &[&Arc<StoredEvent>]) -> Vec<Arc<StoredEvent>> {
        let sns: Vec<EventSn> = events.iter().map(|event| event.sn).collect();
        self.store.events(&sns).await.unwrap()
    }

    /// One event as the JSON that a person reads; `None` if they may not.
    pub(crate) async fn json(&self, person: &Person, event: &Arc<StoredEvent>) -> Option<Value> {
        self.shown(person, &[event]).await.first().map(to_json)
    }
}

/// A sync as a test asks for it: with no waiting.
pub(crate) fn request(since: Option<Token>, filter: Value) -> SyncRequest {
    let definition: FilterDefinition = serde_json::from_value(filter).unwrap();
    SyncRequest {
        since,
        timeout: Duration::ZERO,
        full_state: false,
        filter: Arc::new(Filter::from(&definition)),
        most_timeline_events: 100,
        state_after: false,
        set_presence: PresenceState::Offline,
    }
}

impl World {
    /// A sync without waiting.
    pub(crate) async fn sync(&self, person: &Person, since: Option<Token>, filter: Value) -> SyncAnswer {
        self.engine.sync(person.reader(), &request(since, filter)).await.unwrap()
    }
}

/// A joined room of an answer.
pub(crate) fn joined<'a>(answer: &'a SyncAnswer, room: &Room) -> &'a JoinedRoom {
    answer.joined.iter().find(|joined| joined.room_id == room.head.room_id).unwrap()
}

/// The bodies of events, or their types where they have none.
pub(crate) fn bodies(events: &[ShownEvent]) -> String {
    let body = |shown: &ShownEvent| {
        let pdu = &shown.event.pdu;
        let content: Value = serde_json::from_str(pdu.content_json()).unwrap();
        let short = pdu.kind().trim_start_matches("m.room.");
        content["body"].as_str().or(content["name"].as_str()).unwrap_or(short).to_owned()
    };
    events.iter().map(body).collect::<Vec<_>>().join(" ")
}

/// The JSON of an event, as `/messages` would give it.
pub(crate) fn to_json(shown: &ShownEvent) -> Value {
    let mut out = Vec::new();
    shown.write(&mut out, true);
    serde_json::from_slice(&out).unwrap()
}

/// Runs a test on each engine at hand.
pub(crate) async fn on_each_engine<F>(test: impl Fn(World) -> F)
where
    F: Future<Output = ()>,
{
    test(World::sqlite().await).await;
    if let Ok(server) = std::env::var("PARVIS_TEST_POSTGRES") {
        test(World::postgres(&server).await).await;
    }
}

fn raw(content: &Value) -> Box<RawValue> {
    RawValue::from_string(content.to_string()).unwrap()
}

/// A room whose events are written without asking whether they are allowed.
pub(crate) struct Room {
    store: Store,
    clock: Arc<TestClock>,
    pub(crate) head: RoomHead,
    exists: bool,
    transactions: u32,
}

/// What an event is made of.
pub(crate) struct Making<'a> {
    pub(crate) sender: &'a Person,
    pub(crate) kind: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) content: Value,
    pub(crate) redacts: Option<OwnedEventId>,
    pub(crate) flags: EventFlags,
}

impl Room {
    /// A room with its creator in it and shared history.
    pub(crate) async fn create(world: &World, name: &str, creator: &Person) -> Self {
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
            transactions: 0,
        };
        room.state(creator, "m.room.create", "", json!({ "room_version": "11" })).await;
        room.member(creator, creator, "join").await;
        room.state(
            creator,
            "m.room.power_levels",
            "",
            json!({ "users": { (creator.id.as_str()): 100 }, "events_default": 0 }),
        )
        .await;
        room.state(creator, "m.room.join_rules", "", json!({ "join_rule": "public" })).await;
        room
    }

    pub(crate) async fn visibility(&mut self, sender: &Person, visibility: &str) -> Arc<StoredEvent> {
        let content = json!({ "history_visibility": visibility });
        self.state(sender, "m.room.history_visibility", "", content).await
    }

    pub(crate) async fn member(
        &mut self,
        sender: &Person,
        target: &Person,
        membership: &str,
    ) -> Arc<StoredEvent> {
        self.state(sender, "m.room.member", target.id.as_str(), json!({ "membership": membership })).await
    }

    pub(crate) async fn state(
        &mut self,
        sender: &Person,
        kind: &str,
        state_key: &str,
        content: Value,
    ) -> Arc<StoredEvent> {
        let state_key = Some(state_key);
        self.make(Making { sender, kind, state_key, content, redacts: None, flags: EventFlags::ACCEPTED })
            .await
    }

    pub(crate) async fn message(&mut self, sender: &Person, body: &str) -> Arc<StoredEvent> {
        self.send(sender, "m.room.message", json!({ "msgtype": "m.text", "body": body })).await
    }

    pub(crate) async fn send(&mut self, sender: &Person, kind: &str, content: Value) -> Arc<StoredEvent> {
        let flags = EventFlags::ACCEPTED;
        self.make(Making { sender, kind, state_key: None, content, redacts: None, flags }).await
    }

    /// A message after which the room holds an older state event again, as when forks meet.
    pub(crate) async fn message_with_reset(
        &mut self,
        sender: &Person,
        body: &str,
        older: &Arc<StoredEvent>,
    ) -> Arc<StoredEvent> {
        let mut set = WriteSet::new();
        let making = Making {
            sender,
            kind: "m.room.message",
            state_key: None,
            content: json!({ "msgtype": "m.text", "body": body }),
            redacts: None,
            flags: EventFlags::ACCEPTED,
        };
        let changes = [(older.slot.unwrap(), Some(older.sn))];
        let before = self.head.state_root;
        let after = self.store.change_state(&mut set, before, &changes).await.unwrap();
        let sn = self.add_between(&mut set, making, before, Some(after)).await;
        self.store.commit(set).await.unwrap();
        self.store.event(sn).await.unwrap()
    }

    /// A message that relates to another event.
    pub(crate) async fn relate(
        &mut self,
        sender: &Person,
        target: &Arc<StoredEvent>,
        kind: &str,
        body: &str,
    ) -> Arc<StoredEvent> {
        let relation = json!({ "rel_type": kind, "event_id": target.pdu.event_id() });
        let mut content = json!({ "msgtype": "m.text", "body": body, "m.relates_to": relation });
        if kind == "m.replace" {
            content["m.new_content"] = json!({ "msgtype": "m.text", "body": body });
        }
        self.send(sender, "m.room.message", content).await
    }

    /// Takes the content of an event.
    pub(crate) async fn redact(&mut self, sender: &Person, target: &Arc<StoredEvent>) -> Arc<StoredEvent> {
        self.make(Making {
            sender,
            kind: "m.room.redaction",
            state_key: None,
            content: json!({ "redacts": target.pdu.event_id() }),
            redacts: Some(target.pdu.event_id().to_owned()),
            flags: EventFlags::ACCEPTED,
        })
        .await
    }

    pub(crate) async fn make(&mut self, making: Making<'_>) -> Arc<StoredEvent> {
        let mut set = WriteSet::new();
        let sn = self.add(&mut set, making).await;
        self.store.commit(set).await.unwrap();
        self.store.event(sn).await.unwrap()
    }

    async fn add(&mut self, set: &mut WriteSet, making: Making<'_>) -> EventSn {
        self.add_between(set, making, self.head.state_root, None).await
    }

    /// Adds an event to the state before it. The state of the room after it is given, or follows from it.
    async fn add_between(
        &mut self,
        set: &mut WriteSet,
        making: Making<'_>,
        before: StateRoot,
        after: Option<StateRoot>,
    ) -> EventSn {
        let accepted = making.flags == EventFlags::ACCEPTED;
        let draft = EventDraft {
            room_id: Some(self.head.room_id.clone()),
            sender: making.sender.id.clone(),
            kind: making.kind.to_owned(),
            state_key: making.state_key.map(str::to_owned),
            content: raw(&making.content),
            redacts: making.redacts.clone(),
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: self.head.depth + 1,
            origin_server_ts: self.clock.now().millis(),
        };
        let key = ServerKey::generate([7; 32], "1").unwrap();
        let pdu = draft.sign(RoomVersion::V11, &key).unwrap();
        let sn = EventSn(self.store.next_number().await.unwrap());
        let slot = self.slot(set, &making).await;
        let room_before = self.head.state_root;
        self.head.state_root = after.unwrap_or(before);
        if let Some(slot) = slot.filter(|_| accepted) {
            self.head.state_root = self.store.change_state(set, before, &[(slot, Some(sn))]).await.unwrap();
        }
        let member = pdu.membership();
        let target = match making.state_key.filter(|_| member.is_some()) {
            Some(user) => Some(self.store.intern_user(&OwnedUserId::try_from(user).unwrap()).await.unwrap()),
            None => None,
        };
        let transaction = self.transaction(set, &making, sn);
        let mut event = NewEvent {
            sn,
            room: self.head.room,
            kind: self.store.intern_type(making.kind).await.unwrap(),
            sender: making.sender.user,
            member: target,
            slot,
            state_index: None,
            flags: making.flags,
            state_root: before,
            room_root: self.head.state_root,
            prev: self.head.heads.clone(),
            auth: Vec::new(),
            transaction,
            pdu,
        };
        event.stand_at(room_before, self.head.state_root);
        set.add_event(event);
        if let Some((user, membership)) = target.zip(member).filter(|_| accepted) {
            set.put_member(user, self.head.room, membership, sn);
        }
        if let Some(target) = &making.redacts {
            let target = self.store.event_by_id(target).await.unwrap().unwrap();
            set.redact_event(target.sn, redact(&target.pdu).unwrap().json(), sn);
        }
        let expected = self.exists.then_some(self.head.head_version);
        self.head.head_version += 1;
        self.head.heads = vec![sn];
        self.head.depth += 1;
        self.exists = true;
        set.move_room(expected, self.head.clone());
        sn
    }

    async fn slot(&mut self, set: &mut WriteSet, making: &Making<'_>) -> Option<Slot> {
        let state_key = making.state_key?;
        let kind = self.store.intern_type(making.kind).await.unwrap();
        if let Some(slot) = self.store.slot(self.head.room, kind, state_key).await.unwrap() {
            return Some(slot);
        }
        let slot = Slot(self.head.next_slot);
        self.head.next_slot += 1;
        set.add_slot(self.head.room, kind, state_key, slot);
        Some(slot)
    }

    /// Messages are sent with a transaction id each, as clients do.
    fn transaction(
        &mut self,
        set: &mut WriteSet,
        making: &Making<'_>,
        sn: EventSn,
    ) -> Option<(DeviceSn, String)> {
        if making.state_key.is_some() {
            return None;
        }
        self.transactions += 1;
        let transaction_id = format!("t{}", self.transactions);
        let device = making.sender.device;
        let scope = format!("send {}", self.head.room_id);
        set.use_transaction(
            TransactionKey { device, scope, transaction_id: transaction_id.clone() },
            sn,
            self.clock.now().millis(),
        );
        Some((device, transaction_id))
    }
}

/// The membership that a name stands for.
pub(crate) fn membership(name: &str) -> Membership {
    name.parse().unwrap()
}
