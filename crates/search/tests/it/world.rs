//! A store on each engine at hand, and a room in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use parvis_ambient::{Ambient, SeededChance, SystemClock};
use parvis_events::{EventDraft, RoomVersion, ServerKey, redact};
use parvis_search::{Scope, Search, SearchSettings, TextKind};
use parvis_storage::{
    DatabaseSettings, EventFlags, EventSn, NewEvent, Place, Position, RoomHead, RoomSn, StateRoot, Store,
    StoreSettings, StoredEvent, UserSn, WriteSet, fresh_schema,
};
use ruma::{owned_room_id, user_id};
use serde_json::{Value, json, value::RawValue};

/// Where a store lies.
pub(crate) struct Home {
    pub(crate) settings: StoreSettings,
    _directory: tempfile::TempDir,
}

/// Runs a test for each engine at hand.
pub(crate) fn on_each_engine(test: impl Fn(&Home)) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("parvis.db");
    let database = DatabaseSettings::Sqlite { path, readers: 2, relaxed_durability: true };
    test(&Home { settings: StoreSettings { database, cache_bytes: 8 << 20 }, _directory: directory });
    if let Ok(server) = std::env::var("PARVIS_TEST_POSTGRES") {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let schema = format!("search_{}_{number}", std::process::id());
        let url = runtime().block_on(fresh_schema(&server, &schema)).unwrap();
        let database = DatabaseSettings::Postgres { url, connections: 4 };
        let _directory = tempfile::tempdir().unwrap();
        test(&Home { settings: StoreSettings { database, cache_bytes: 8 << 20 }, _directory });
    }
}

/// A runtime that can be taken away from under those who work on it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

pub(crate) fn ambient() -> Ambient {
    Ambient { clock: Arc::new(SystemClock::new()), chance: Arc::new(SeededChance::new(1)) }
}

/// Opens the store, and starts the search on it.
pub(crate) async fn start(home: &Home, settings: SearchSettings) -> (Store, Search) {
    let store = Store::open(&home.settings).await.unwrap();
    let search = Search::start(store.clone(), ambient(), settings).await.unwrap();
    (store, search)
}

/// Ends the search, then closes the store, which waits for all who use it.
pub(crate) async fn shut(store: Store, search: Search) {
    search.close().await;
    drop(search);
    store.close().await;
}

/// Waits until all that was there before is in the index.
pub(crate) async fn until_filled(search: &Search) {
    for _ in 0..10_000 {
        if search.status().filled >= 1.0 {
            return search.catch_up().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the index is not filled: {:?}", search.status());
}

/// The bodies that are found, newest first.
pub(crate) async fn found(search: &Search, room: RoomSn, words: &str) -> Vec<String> {
    let scope = Scope {
        rooms: vec![room],
        senders: Vec::new(),
        kinds: TextKind::ALL.to_vec(),
        until_ts: i64::MAX,
        limit: 10_000,
    };
    let question = search.question(words);
    let found = search.find(&question, &scope).await.unwrap();
    found.iter().map(|found| body(&found.event)).collect()
}

fn body(event: &StoredEvent) -> String {
    event.pdu.content_as::<Value>().unwrap()["body"].as_str().unwrap().to_owned()
}

/// A room whose head a test moves by hand.
pub(crate) struct TestRoom {
    pub(crate) room: RoomSn,
    head: RoomHead,
    sender: UserSn,
    key: ServerKey,
    exists: bool,
}

impl TestRoom {
    pub(crate) async fn new(store: &Store) -> Self {
        let sender = store.intern_user(user_id!("@alice:parvis.test")).await.unwrap();
        let room = RoomSn(store.next_number().await.unwrap());
        let head = RoomHead {
            room,
            room_id: owned_room_id!("!r:parvis.test"),
            version: RoomVersion::V11,
            class: "private".to_owned(),
            head_version: 0,
            heads: Vec::new(),
            state_root: StateRoot::EMPTY,
            depth: 0,
            next_slot: 0,
            next_state_index: 0,
            last_position: Position::START,
        };
        let key = ServerKey::generate([7; 32], "1").unwrap();
        Self { room, head, sender, key, exists: false }
    }

    async fn event(&mut self, store: &Store, content: Value) -> NewEvent {
        let draft = EventDraft {
            room_id: Some(self.head.room_id.clone()),
            sender: user_id!("@alice:parvis.test").to_owned(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: RawValue::from_string(content.to_string()).unwrap(),
            redacts: None,
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth: self.head.depth + 1,
            origin_server_ts: 1_000 + self.head.depth,
        };
        self.head.depth += 1;
        NewEvent {
            sn: EventSn(store.next_number().await.unwrap()),
            room: self.room,
            kind: store.intern_type("m.room.message").await.unwrap(),
            sender: self.sender,
            member: None,
            slot: None,
            state_index: None,
            flags: EventFlags::ACCEPTED,
            state_root: self.head.state_root,
            room_root: self.head.state_root,
            prev: self.head.heads.clone(),
            auth: Vec::new(),
            transaction: None,
            pdu: draft.sign(RoomVersion::V11, &self.key).unwrap(),
        }
    }

    fn move_head(&mut self, set: &mut WriteSet, newest: EventSn) {
        let expected = self.exists.then_some(self.head.head_version);
        self.head.head_version += 1;
        self.head.heads = vec![newest];
        self.exists = true;
        set.move_room(expected, self.head.clone());
    }

    /// Adds messages, all in one write; gives their numbers.
    pub(crate) async fn say(&mut self, store: &Store, texts: &[&str]) -> Vec<EventSn> {
        let mut set = WriteSet::new();
        let mut sns = Vec::new();
        for text in texts {
            let event = self.event(store, json!({ "msgtype": "m.text", "body": text })).await;
            sns.push(event.sn);
            set.add_event(event);
        }
        self.move_head(&mut set, *sns.last().unwrap());
        store.commit(set).await.unwrap();
        sns
    }

    /// Adds an edit as something that was fetched from the past, or as news.
    pub(crate) async fn edit(
        &mut self,
        store: &Store,
        target: EventSn,
        text: &str,
        place: Option<Place>,
    ) -> EventSn {
        let target = store.event(target).await.unwrap();
        let content = json!({
            "msgtype": "m.text",
            "body": "* an edit",
            "m.new_content": { "msgtype": "m.text", "body": text },
            "m.relates_to": { "rel_type": "m.replace", "event_id": target.pdu.event_id() },
        });
        let event = self.event(store, content).await;
        self.add(store, event, place).await
    }

    /// Adds a message that was fetched from the past.
    pub(crate) async fn say_in_the_past(&mut self, store: &Store, text: &str, place: Place) -> EventSn {
        let event = self.event(store, json!({ "msgtype": "m.text", "body": text })).await;
        self.add(store, event, Some(place)).await
    }

    async fn add(&mut self, store: &Store, event: NewEvent, place: Option<Place>) -> EventSn {
        let sn = event.sn;
        let mut set = WriteSet::new();
        match place {
            Some(place) => set.add_past_event(event, place),
            None => {
                set.add_event(event);
                self.move_head(&mut set, sn);
            }
        }
        store.commit(set).await.unwrap();
        sn
    }

    /// Takes a message's content; no redaction is in the timeline, as where it comes from the past.
    pub(crate) async fn redact(&self, store: &Store, target: EventSn) {
        let event = store.event(target).await.unwrap();
        let mut set = WriteSet::new();
        set.redact_event(target, redact(&event.pdu).unwrap().json(), target);
        store.commit(set).await.unwrap();
    }
}
