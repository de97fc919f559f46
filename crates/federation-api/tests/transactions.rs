//! What other servers tell this one.

use std::{sync::Arc, time::Duration};

use http::Method;
use parvis_rooms::Actor;
use parvis_sync::{Filter, Reader, SyncAnswer, SyncRequest};
use ruma::{OwnedRoomId, api::client::filter::FilterDefinition, presence::PresenceState};
use serde_json::{Value, json};

use crate::world::{Answer, Asked, HERE, THERE, World, on_each_engine};

/// A room of Alice here and Bob there.
struct Scene {
    world: World,
    alice: Actor,
    bob: Actor,
    room_id: OwnedRoomId,
}

async fn scene(world: World) -> Scene {
    let (alice, bob) = (world.person("@alice:parvis.test").await, world.person("@bob:remote.test").await);
    let room_id = world.room(&alice, &[]).await;
    world.join(&bob, &room_id).await;
    Scene { world, alice, bob, room_id }
}

impl World {
    async fn transaction(&self, id: &str, body: Value) -> Answer {
        let path = format!("/_matrix/federation/v1/send/{id}");
        let asked = Asked { method: Method::PUT, body, origin: THERE, destination: HERE, path: &path };
        self.send(asked.request()).await
    }

    /// A transaction of EDUs, which must be taken.
    async fn tell(&self, id: &str, edus: &[(&str, Value)]) {
        let edu = |(kind, content): &(&str, Value)| json!({ "content": content, "edu_type": kind });
        let edus: Vec<Value> = edus.iter().map(edu).collect();
        self.transaction(id, transaction(&edus)).await.ok();
    }

    async fn sync(&self, actor: &Actor) -> SyncAnswer {
        let definition: FilterDefinition = serde_json::from_value(json!({})).unwrap();
        let request = SyncRequest {
            since: None,
            timeout: Duration::ZERO,
            full_state: false,
            filter: Arc::new(Filter::from(&definition)),
            most_timeline_events: 10,
            state_after: false,
            set_presence: PresenceState::Offline,
        };
        let reader = Reader { user: actor.user, device: actor.device.unwrap() };
        self.api.sync.sync(reader, &request).await.unwrap()
    }

    async fn who_types(&self, actor: &Actor) -> Vec<String> {
        let rooms = self.sync(actor).await.joined;
        let users = rooms.into_iter().flat_map(|room| room.typing.unwrap_or_default());
        users.map(|user| user.to_string()).collect()
    }
}

fn transaction(edus: &[Value]) -> Value {
    json!({ "edus": edus, "origin": THERE, "origin_server_ts": 1, "pdus": [] })
}

#[tokio::test]
async fn transaction_is_worked_on_once() {
    on_each_engine(async |world: World| {
        let Scene { world, alice, room_id, .. } = scene(world).await;
        let typing =
            |typing: bool| json!({ "room_id": room_id, "typing": typing, "user_id": "@bob:remote.test" });
        world.tell("one", &[("m.typing", typing(true))]).await;
        assert_eq!(world.who_types(&alice).await, ["@bob:remote.test"]);
        world.tell("two", &[("m.typing", typing(false))]).await;
        assert_eq!(world.who_types(&alice).await, [""; 0]);
        world.tell("one", &[("m.typing", typing(true))]).await;
        assert_eq!(world.who_types(&alice).await, [""; 0], "it was told before");
        world.clock.advance(Duration::from_secs(25 * 3_600));
        world.tell("three", &[]).await;
        world.tell("one", &[("m.typing", typing(true))]).await;
        assert_eq!(world.who_types(&alice).await, ["@bob:remote.test"], "answers are kept for a day");
    })
    .await;
}

#[tokio::test]
async fn transaction_that_is_too_large_is_refused() {
    let world = World::new().await;
    let edu = json!({ "content": {}, "edu_type": "m.unknown" });
    assert_eq!(
        world.transaction("a", transaction(&vec![edu.clone(); 100])).await.ok(),
        json!({ "pdus": {} })
    );
    let answer = world.transaction("b", transaction(&vec![edu; 101])).await;
    assert_eq!(answer.error(), (400, "M_BAD_JSON"));
    let pdus = vec![json!({}); 51];
    let body = json!({ "edus": [], "origin": THERE, "origin_server_ts": 1, "pdus": pdus });
    assert_eq!(world.transaction("c", body).await.error(), (400, "M_BAD_JSON"));
}

#[tokio::test]
async fn server_speaks_of_its_own_users_only() {
    let Scene { world, alice, bob, room_id } = scene(World::new().await).await;
    let event = world.say(&bob, &room_id, "hello").await;
    let typing = |user: &str| json!({ "room_id": room_id, "typing": true, "user_id": user });
    let receipt = |user: &str| {
        let receipt = json!({ "data": { "ts": 7 }, "event_ids": [event] });
        json!({ (room_id.as_str()): { "m.read": { (user): receipt } } })
    };
    let presence = |user: &str| {
        let update = json!({ "last_active_ago": 5, "presence": "online", "user_id": user });
        json!({ "push": [update] })
    };
    let strangers = ["@alice:parvis.test", "@eve:third.test", "@outsider:remote.test", "nonsense"];
    for (number, user) in strangers.into_iter().enumerate() {
        let edus = [("m.typing", typing(user)), ("m.receipt", receipt(user)), ("m.presence", presence(user))];
        world.tell(&format!("stranger{number}"), &edus).await;
    }
    let answer = world.sync(&alice).await;
    assert_eq!(answer.joined[0].typing.as_deref().unwrap_or_default(), [""; 0]);
    assert_eq!(answer.joined[0].receipts.len(), 0);
    assert_eq!(answer.presence.len(), 0);
    let user = "@bob:remote.test";
    let edus = [("m.typing", typing(user)), ("m.receipt", receipt(user)), ("m.presence", presence(user))];
    world.tell("own", &edus).await;
    let answer = world.sync(&alice).await;
    assert_eq!(answer.joined[0].typing.as_deref().unwrap_or_default(), [user]);
    assert_eq!((answer.joined[0].receipts[0].user_id.as_str(), answer.joined[0].receipts[0].ts), (user, 7));
    assert_eq!(
        (answer.presence[0].user_id.as_str(), &answer.presence[0].state),
        (user, &PresenceState::Online)
    );
}

#[tokio::test]
async fn server_that_a_room_shuts_out_does_not_speak_in_it() {
    let Scene { world, alice, bob, room_id } = scene(World::new().await).await;
    let event = world.say(&bob, &room_id, "hello").await;
    let open = world.room(&alice, &[]).await;
    world.join(&bob, &open).await;
    let acl = json!({ "allow": ["*"], "deny": ["remote.*"] });
    world.set(&alice, &room_id, "m.room.server_acl", acl).await;
    let typing =
        |room_id: &OwnedRoomId| json!({ "room_id": room_id, "typing": true, "user_id": "@bob:remote.test" });
    let receipt = json!({ "data": { "ts": 7 }, "event_ids": [event] });
    let receipt = json!({ (room_id.as_str()): { "m.read": { "@bob:remote.test": receipt } } });
    let edus = [("m.typing", typing(&room_id)), ("m.receipt", receipt), ("m.typing", typing(&open))];
    world.tell("one", &edus).await;
    for room in world.sync(&alice).await.joined {
        let is_typing = !room.typing.unwrap_or_default().is_empty();
        assert_eq!(is_typing, room.room_id == open);
        assert_eq!(room.receipts.len(), 0);
    }
}

#[tokio::test]
async fn receipt_of_an_event_that_is_not_here_is_not_shown() {
    let Scene { world, alice, bob, room_id } = scene(World::new().await).await;
    let receipt = |event: &str| {
        let receipt = json!({ "data": { "thread_id": "main", "ts": 7 }, "event_ids": [event] });
        json!({ (room_id.as_str()): { "m.read": { "@bob:remote.test": receipt } } })
    };
    world.tell("unknown", &[("m.receipt", receipt("$unknown"))]).await;
    assert_eq!(world.sync(&alice).await.joined[0].receipts.len(), 0);
    let event = world.say(&bob, &room_id, "hello").await;
    world.tell("known", &[("m.receipt", receipt(event.as_str()))]).await;
    let receipts = &world.sync(&alice).await.joined[0].receipts;
    assert_eq!((receipts.len(), receipts[0].thread.as_str()), (1, "main"));
}

#[tokio::test]
async fn nonsense_does_not_keep_the_rest_from_being_taken() {
    let Scene { world, alice, room_id, .. } = scene(World::new().await).await;
    let typing = json!({ "room_id": room_id, "typing": true, "user_id": "@bob:remote.test" });
    let edus = [
        ("m.typing", json!({ "room_id": 5 })),
        ("m.typing", json!([])),
        ("m.receipt", json!({ "x": 5 })),
        (
            "m.receipt",
            json!({ (room_id.as_str()): { "m.read": { "@bob:remote.test": { "event_ids": [] } } } }),
        ),
        ("m.presence", json!({ "push": [{}] })),
        ("org.example.unknown", json!(null)),
        ("m.typing", typing),
    ];
    world.tell("one", &edus).await;
    assert_eq!(world.who_types(&alice).await, ["@bob:remote.test"]);
}
