//! Rooms with people in them, and many messages.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use parvis_ambient::{Ambient, Timestamp};
use parvis_events::{EventDraft, RoomVersion, ServerKey};
use parvis_peers::NoNetwork;
use parvis_server::{
    Homeserver,
    config::{Sources, load},
};
use parvis_storage::{
    DatabaseSettings, EventFlags, EventSn, NewEvent, RoomHead, RoomSn, Store, StoreSettings, TypeSn, UserSn,
    WriteSet,
};
use parvis_testkit::{User, client_within};
use ruma::{OwnedUserId, RoomId};
use serde_json::{json, value::RawValue};
use tokio::task::JoinSet;

/// How many messages are written at once.
const AT_ONCE: usize = 1_000;

/// Makes rooms and fills them. Tells how long that took.
pub(crate) fn fill(directory: &Path, rooms: usize, members: usize, messages: usize) -> Duration {
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (owner, rooms) = make_rooms(directory, rooms, members).await;
        Filler::open(directory, &owner).await.fill(&rooms, messages).await;
    });
    start.elapsed()
}

async fn make_rooms(directory: &Path, rooms: usize, members: usize) -> (String, Vec<String>) {
    let sources = Sources { file: Some(directory.join("parvis.toml")), environment: Vec::new() };
    let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
    let config = loaded.config.organisations.into_iter().next().unwrap();
    let homeserver = Homeserver::start(config, Ambient::system(), Arc::new(NoNetwork)).await.unwrap();
    let client = client_within(&homeserver);
    let owner = User::register(client.clone(), "owner").await;
    let mut others = Vec::new();
    for number in 1..members {
        others.push(User::register(client.clone(), &format!("member-{number}")).await);
    }
    let mut ids = Vec::new();
    for number in 0..rooms {
        let room = json!({ "preset": "public_chat", "name": format!("Room number {number}") });
        ids.push(owner.create_room(room).await);
    }
    for room in &ids {
        let mut joins = JoinSet::new();
        for other in &others {
            let (other, room) = (other.clone(), room.clone());
            joins.spawn(async move { other.join(&room).await });
        }
        joins.join_all().await;
    }
    drop(client);
    homeserver.close().await;
    (owner.id.clone(), ids)
}

/// Writes messages into rooms that exist, with no homeserver around them.
struct Filler {
    store: Store,
    sender_id: OwnedUserId,
    sender: UserSn,
    kind: TypeSn,
    key: Arc<ServerKey>,
}

impl Filler {
    async fn open(directory: &Path, sender: &str) -> Self {
        let path = directory.join("parvis.db");
        let database = DatabaseSettings::Sqlite { path, readers: 1, relaxed_durability: true };
        let store = Store::open(&StoreSettings { database, cache_bytes: 64 << 20 }).await.unwrap();
        let sender_id = OwnedUserId::try_from(sender).unwrap();
        let (key_id, secret) = store.server_key().await.unwrap().unwrap();
        let key = ServerKey::from_bytes(&secret, key_id.strip_prefix("ed25519:").unwrap()).unwrap();
        Self {
            sender: store.find_user(&sender_id).await.unwrap().unwrap(),
            kind: store.intern_type("m.room.message").await.unwrap(),
            key: Arc::new(key),
            sender_id,
            store,
        }
    }

    /// Room after room gets a thousand messages, again and again. Those who follow the stream take them for looked at,
    /// as after an orderly end; so does the search, since filling its index would take longer than all else.
    async fn fill(self, rooms: &[String], messages: usize) {
        let mut now = Ambient::system().now();
        let mut written = 0;
        for room in rooms.iter().cycle() {
            if written == messages {
                break;
            }
            let some = AT_ONCE.min(messages - written);
            let room = self.store.room_sn(&RoomId::parse(room).unwrap()).await.unwrap().unwrap();
            self.write(room, some, now).await;
            now = now.plus(Duration::from_millis(u64::try_from(some).unwrap()));
            written += some;
        }
        let head = self.store.head();
        let mut set = WriteSet::new();
        set.move_search_position(head);
        set.move_search_fill(EventSn(i64::MAX));
        set.move_outbound_position(head);
        set.move_push_position(head);
        set.put_cursor("device_lists", head);
        self.store.commit(set).await.unwrap();
        self.store.close().await;
    }

    async fn write(&self, room: RoomSn, messages: usize, from: Timestamp) {
        let mut head = self.store.room_head(room).await.unwrap().unwrap().as_ref().clone();
        let expected = head.head_version;
        let first = head.depth + 1;
        let drafts = (first..).zip(from.millis()..).take(messages);
        let drafts: Vec<_> = drafts.map(|(depth, ts)| self.draft(&head, depth, ts)).collect();
        let key = Arc::clone(&self.key);
        let sign =
            move || drafts.into_iter().map(|draft| draft.sign(RoomVersion::V12, &key).unwrap()).collect();
        let pdus: Vec<parvis_events::Pdu> = tokio::task::spawn_blocking(sign).await.unwrap();
        let mut set = WriteSet::new();
        for pdu in pdus {
            let sn = EventSn(self.store.next_number().await.unwrap());
            let prev = std::mem::replace(&mut head.heads, vec![sn]);
            head.depth = pdu.depth();
            set.add_event(NewEvent {
                sn,
                room,
                kind: self.kind,
                sender: self.sender,
                member: None,
                slot: None,
                state_index: None,
                flags: EventFlags::ACCEPTED,
                state_root: head.state_root,
                room_root: head.state_root,
                prev,
                auth: Vec::new(),
                transaction: None,
                pdu,
            });
        }
        head.head_version += 1;
        set.move_room(Some(expected), head);
        self.store.commit(set).await.unwrap();
    }

    fn draft(&self, head: &RoomHead, depth: i64, ts: i64) -> EventDraft {
        let body =
            format!("Message number {depth}: about as long as what people write to one another at work.");
        EventDraft {
            room_id: Some(head.room_id.clone()),
            sender: self.sender_id.clone(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: RawValue::from_string(json!({ "msgtype": "m.text", "body": body }).to_string()).unwrap(),
            redacts: None,
            prev_events: Vec::new(),
            auth_events: Vec::new(),
            depth,
            origin_server_ts: ts,
        }
    }
}
