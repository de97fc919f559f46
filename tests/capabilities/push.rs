//! What phones are told, through a push gateway.

use std::collections::BTreeMap;

use parvis_testkit::{Engine, Gateway, Server, User, joined};
use serde_json::{Value, json};

use crate::on_each_engine;

const SETTINGS: &str = "push.allowed_private_ranges = [\"127.0.0.0/8\"]";

/// Alice, and Bob whose phone is told through a gateway.
struct World {
    server: Server,
    gateway: Gateway,
    alice: User,
    bob: User,
}

impl World {
    async fn new(engine: &Engine) -> Self {
        let server = Server::with(engine, SETTINGS).await;
        let gateway = Gateway::start().await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        bob.post("v3/pushers/set", gateway.pusher("phone")).await.ok();
        Self { server, gateway, alice, bob }
    }

    /// A room of the two in which nothing is unread, and of which the phone knows that.
    async fn room(&self) -> String {
        let room = self.alice.room_with(&[&self.bob]).await;
        self.gateway.until_badge("phone", 0).await;
        room
    }

    async fn read(&self, room: &str, event: &str, body: Value) {
        self.bob.post(&format!("v3/rooms/{room}/receipt/m.read/{event}"), body).await.ok();
    }

    /// What a sync counts, in all rooms together.
    async fn unread_by_sync(&self) -> u64 {
        let sync = self.bob.follow().now().await;
        let rooms = sync["rooms"]["join"].as_object().cloned().unwrap_or_default();
        rooms.values().map(|room| room["unread_notifications"]["notification_count"].as_u64().unwrap()).sum()
    }

    /// How often the phone was told of each event.
    fn times(&self) -> BTreeMap<String, usize> {
        let mut times = BTreeMap::new();
        for event in self.gateway.events("phone") {
            *times.entry(event).or_default() += 1;
        }
        times
    }
}

#[tokio::test]
async fn phone_is_told_of_a_message_and_the_number_falls_when_it_is_read() {
    on_each_engine(async |engine: Engine| {
        let world = World::new(&engine).await;
        let room = world.room().await;
        let event = world.alice.say(&room, "hello").await;
        let told = world.gateway.until_event("phone", &event).await;
        let device = &told["devices"][0];
        assert_eq!(told["room_id"], json!(room));
        assert_eq!(told["prio"], "high", "it sounds, in a conversation of two");
        assert_eq!(told["counts"], json!({ "unread": 1 }));
        assert_eq!((&device["app_id"], &device["pushkey"]), (&json!("org.example.app"), &json!("phone")));
        assert_eq!(
            device["data"],
            json!({ "format": "event_id_only", "default_payload": { "client": "c" } })
        );
        assert!(device["pushkey_ts"].as_i64().unwrap() > 1_600_000_000);
        for hidden in ["content", "sender", "type", "room_name", "sender_display_name"] {
            assert_eq!(told.get(hidden), None, "{hidden}");
        }
        world.alice.say(&room, "again").await;
        world.gateway.until_badge("phone", 2).await;
        assert_eq!(world.unread_by_sync().await, 2);
        world.read(&room, &event, json!({})).await;
        world.gateway.until_badge("phone", 1).await;
        assert_eq!(world.unread_by_sync().await, 1);
        // Who speaks has read.
        world.bob.say(&room, "here").await;
        world.gateway.until_badge("phone", 0).await;
        assert!(world.times().values().all(|times| *times == 1));
    })
    .await;
}

#[tokio::test]
async fn words_go_to_the_gateway_only_where_the_app_and_the_organisation_want_it() {
    let mut server = Server::with(&Engine::Sqlite, SETTINGS).await;
    let gateway = Gateway::start().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let mut pusher = gateway.pusher("phone");
    pusher["data"].as_object_mut().unwrap().remove("format");
    bob.post("v3/pushers/set", pusher).await.ok();
    let room =
        alice.create_room(json!({ "preset": "private_chat", "name": "Plans", "invite": [bob.id] })).await;
    let invited = gateway.until("an invite", |gateway| gateway.told("phone").pop()).await;
    assert_eq!((&invited["type"], &invited["user_is_target"]), (&json!("m.room.member"), &json!(true)));
    bob.join(&room).await;
    let event = alice.say(&room, "hello").await;
    let told = gateway.until_event("phone", &event).await;
    assert_eq!(told["sender"], json!(alice.id));
    assert_eq!(told["sender_display_name"], "alice");
    assert_eq!((&told["type"], &told["room_name"]), (&json!("m.room.message"), &json!("Plans")));
    assert_eq!(told["content"], json!({ "msgtype": "m.text", "body": "hello" }));
    assert_eq!(told["devices"][0]["tweaks"], json!({ "sound": "default" }));
    server.restart_with("push.content = \"ids\"").await;
    let event = alice.say(&room, "hello again").await;
    let told = gateway.until_event("phone", &event).await;
    assert_eq!((told.get("content"), told.get("sender")), (None, None));
}

#[tokio::test]
async fn counts_in_push_are_those_of_syncs_in_threads_too() {
    on_each_engine(async |engine: Engine| {
        let world = World::new(&engine).await;
        let room = world.room().await;
        let root = world.alice.say(&room, "root").await;
        let mut last = String::new();
        for text in ["one", "two"] {
            let relates_to = json!({ "rel_type": "m.thread", "event_id": root });
            let content = json!({ "msgtype": "m.text", "body": text, "m.relates_to": relates_to });
            last = world.alice.send(&room, "m.room.message", content).await;
        }
        world.gateway.until_badge("phone", 3).await;
        assert_eq!(world.unread_by_sync().await, 3);
        let filter = json!({ "room": { "timeline": { "unread_thread_notifications": true } } });
        let sync = world.bob.follow().with_filter(filter.clone()).now().await;
        assert_eq!(joined(&sync, &room)["unread_notifications"]["notification_count"], 1);
        assert_eq!(joined(&sync, &room)["unread_thread_notifications"][&root]["notification_count"], 2);
        world.read(&room, &last, json!({ "thread_id": root })).await;
        world.gateway.until_badge("phone", 1).await;
        assert_eq!(world.unread_by_sync().await, 1);
        world.read(&room, &root, json!({ "thread_id": "main" })).await;
        world.gateway.until_badge("phone", 0).await;
        assert_eq!(world.unread_by_sync().await, 0);
    })
    .await;
}

#[tokio::test]
async fn pusher_whose_key_is_rejected_is_removed() {
    on_each_engine(async |engine: Engine| {
        let world = World::new(&engine).await;
        let room = world.room().await;
        world.gateway.reject("phone");
        let event = world.alice.say(&room, "hello").await;
        world.gateway.until_event("phone", &event).await;
        let is_gone = async || world.bob.get("v3/pushers").await.ok()["pushers"] == json!([]);
        for _ in 0..100 {
            if is_gone().await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(is_gone().await);
        world.alice.say(&room, "is anybody there?").await;
        world.bob.follow().now().await;
        assert_eq!(world.gateway.events("phone").last(), Some(&event));
    })
    .await;
}

#[tokio::test]
async fn gateway_that_was_down_is_told_later_and_once_also_over_a_restart() {
    on_each_engine(async |engine: Engine| {
        let mut world = World::new(&engine).await;
        let room = world.room().await;
        let mut said = vec![world.alice.say(&room, "before").await];
        world.gateway.until_event("phone", &said[0]).await;
        world.gateway.set_down(Some(503));
        let requests = world.gateway.requests();
        for number in 0..3 {
            said.push(world.alice.say(&room, &format!("meanwhile {number}")).await);
        }
        world.gateway.until("an attempt", |gateway| (gateway.requests() > requests).then_some(())).await;
        world.server.restart_with("").await;
        said.push(world.alice.say(&room, "after the restart").await);
        world.gateway.set_down(None);
        said.push(world.alice.say(&room, "after all").await);
        for event in &said {
            world.gateway.until_event("phone", event).await;
        }
        let events = world.gateway.events("phone");
        assert_eq!(events[events.len() - said.len()..], said, "in order");
        assert!(world.times().values().all(|times| *times == 1), "and once");
        world.gateway.until_badge("phone", 6).await;
        // What is read while the gateway is down is not told.
        world.gateway.set_down(Some(500));
        let read = world.alice.say(&room, "read on the desktop").await;
        world.read(&room, &read, json!({})).await;
        world.gateway.set_down(None);
        world.gateway.until_badge("phone", 0).await;
        assert!(!world.gateway.events("phone").contains(&read));
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_what_does_not_concern_them() {
    on_each_engine(async |engine: Engine| {
        let world = World::new(&engine).await;
        let carol = world.server.user("carol").await;
        let room = world.room().await;
        let mute = json!({ "actions": [] });
        let quiet = world.alice.room_with(&[&world.bob]).await;
        world.bob.put(&format!("v3/pushrules/global/room/{quiet}"), mute).await.ok();
        let left = world.alice.room_with(&[&world.bob]).await;
        world.bob.leave(&left).await;
        let ignored = json!({ "ignored_users": { (carol.id.clone()): {} } });
        let path = format!("v3/user/{}/account_data/m.ignored_user_list", world.bob.id);
        world.bob.put(&path, ignored).await.ok();
        world.alice.invite(&room, &carol).await;
        carol.join(&room).await;
        let noise = [
            world.alice.say(&quiet, "psst").await,
            world.alice.say(&left, "gone").await,
            carol.say(&room, "listen!").await,
            world.bob.say(&room, "I").await,
        ];
        let encrypted = json!({ "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x" });
        let secret = world.alice.send(&room, "m.room.encrypted", encrypted).await;
        let told = world.gateway.until_event("phone", &secret).await;
        assert_eq!(told["prio"], "high", "nobody can tell how urgent it is");
        for event in noise {
            assert!(!world.gateway.events("phone").contains(&event), "{event}");
        }
    })
    .await;
}

#[tokio::test]
async fn pusher_is_switched_off_and_on_and_goes_with_its_device() {
    on_each_engine(async |engine: Engine| {
        let world = World::new(&engine).await;
        let room = world.room().await;
        let mut pusher = world.gateway.pusher("phone");
        pusher["org.matrix.msc3881.enabled"] = json!(false);
        world.bob.post("v3/pushers/set", pusher.clone()).await.ok();
        let kept = world.bob.get("v3/pushers").await.ok()["pushers"][0].clone();
        assert_eq!(kept["org.matrix.msc3881.enabled"], false);
        assert_eq!(kept["org.matrix.msc3881.device_id"], json!(world.bob.device_id));
        let unheard = world.alice.say(&room, "unheard").await;
        let tablet = world.bob.log_in_again().await;
        tablet.post("v3/pushers/set", world.gateway.pusher("tablet")).await.ok();
        pusher["org.matrix.msc3881.enabled"] = json!(true);
        world.bob.post("v3/pushers/set", pusher).await.ok();
        let heard = world.alice.say(&room, "heard").await;
        world.gateway.until_event("phone", &heard).await;
        world.gateway.until_event("tablet", &heard).await;
        assert!(!world.gateway.events("phone").contains(&unheard));
        tablet.post("v3/logout", json!({})).await.ok();
        let last = world.alice.say(&room, "last").await;
        world.gateway.until_event("phone", &last).await;
        assert!(!world.gateway.events("tablet").contains(&last));
    })
    .await;
}
