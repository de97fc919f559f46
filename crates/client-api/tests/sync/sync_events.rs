//! `GET /_matrix/client/v3/sync`

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

/// A room of this client's own.
async fn create_room(world: &World, client: &Client) -> String {
    let body = json!({ "preset": "public_chat", "name": "hall" });
    world.post_as(client, "v3/createRoom", body).await.text("room_id")
}

async fn send(world: &World, client: &Client, room: &str, transaction: &str) -> String {
    let body = json!({ "msgtype": "m.text", "body": transaction });
    let path = format!("v3/rooms/{room}/send/m.room.message/{transaction}");
    world.put_as(client, &path, body).await.text("event_id")
}

async fn sync(world: &World, client: &Client, query: &str) -> Value {
    world.get_as(client, &format!("v3/sync?{query}")).await.ok()
}

fn bodies(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

#[tokio::test]
async fn message_reaches_everybody_in_the_room() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = create_room(&world, &alice).await;
        world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
        let first = sync(&world, &bob, "").await;
        let told = &first["rooms"]["join"][&room];
        assert!(told["timeline"]["events"].as_array().unwrap().len() >= 7, "{told:#}");
        let since = first["next_batch"].as_str().unwrap();
        let event_id = send(&world, &alice, &room, "hello").await;
        let news = sync(&world, &bob, &format!("since={since}&timeout=10000")).await;
        let event = &news["rooms"]["join"][&room]["timeline"]["events"][0];
        assert_eq!((&event["event_id"], &event["content"]["body"]), (&json!(event_id), &json!("hello")));
        assert!(event["room_id"].is_null() && event["unsigned"]["transaction_id"].is_null());
        let own = sync(&world, &alice, &format!("since={since}")).await;
        let event = &own["rooms"]["join"][&room]["timeline"]["events"][0];
        assert_eq!(event["unsigned"]["transaction_id"], "hello");
    })
    .await;
}

#[tokio::test]
async fn gap_can_be_paged_without_loss_or_repetition() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = create_room(&world, &alice).await;
        let first = sync(&world, &alice, "").await;
        let since = first["next_batch"].as_str().unwrap();
        let expected: Vec<String> = (0..25).map(|number| format!("m{number}")).collect();
        for body in &expected {
            send(&world, &alice, &room, body).await;
        }
        let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:7%7D%7D%7D";
        let news = sync(&world, &alice, &format!("since={since}&filter={filter}")).await;
        let timeline = &news["rooms"]["join"][&room]["timeline"];
        assert_eq!(timeline["limited"], true);
        let mut seen: Vec<String> = bodies(&timeline["events"]).into_iter().map(str::to_owned).collect();
        assert_eq!(seen.len(), 7);
        let mut next = timeline["prev_batch"].as_str().map(str::to_owned);
        while let Some(from) = next {
            let path = format!("v3/rooms/{room}/messages?dir=b&from={from}&to={since}&limit=5");
            let page = world.get_as(&alice, &path).await.ok();
            bodies(&page["chunk"]).into_iter().for_each(|body| seen.insert(0, body.to_owned()));
            next = page["end"].as_str().map(str::to_owned);
        }
        assert_eq!(seen, expected);
    })
    .await;
}

#[tokio::test]
async fn state_after_the_timeline_is_answered_under_the_name_that_was_asked_for() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let room = create_room(&world, &alice).await;
    let fields = ["state", "state_after", "org.matrix.msc4222.state_after"];
    let queries = ["", "use_state_after=true", "org.matrix.msc4222.use_state_after=true"];
    for (query, expected) in queries.into_iter().zip(fields) {
        let answer = sync(&world, &alice, query).await;
        let room = &answer["rooms"]["join"][&room];
        for field in fields {
            assert_eq!(room[field].is_object(), field == expected, "{query}: {room:#}");
        }
    }
}

#[tokio::test]
async fn fields_are_there_by_which_clients_know_what_the_server_can() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let answer = sync(&world, &alice, "").await;
    assert_eq!(answer["device_one_time_keys_count"], json!({ "signed_curve25519": 0 }));
    assert_eq!(answer["device_unused_fallback_key_types"], json!([]));
    assert_eq!(answer["to_device"]["events"], json!([]));
    assert_eq!(answer["account_data"]["events"][0]["type"], "m.push_rules");
}

#[tokio::test]
async fn event_fields_and_form_are_those_of_the_filter() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let room = create_room(&world, &alice).await;
    send(&world, &alice, &room, "hello").await;
    let last = async |filter: Value| {
        let query: String = url_encoded(&filter.to_string());
        let answer = sync(&world, &alice, &format!("filter={query}")).await;
        answer["rooms"]["join"][&room]["timeline"]["events"].as_array().unwrap().last().unwrap().clone()
    };
    let fields = last(json!({ "event_fields": ["type", "content.body"] })).await;
    assert_eq!(fields, json!({ "type": "m.room.message", "content": { "body": "hello" } }));
    let federated = last(json!({ "event_format": "federation" })).await;
    assert!(federated["prev_events"].is_array() && federated["hashes"].is_object(), "{federated:#}");
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn what_is_no_token_or_filter_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for query in ["since=yesterday", "since=s1_2", "filter=99", "filter=nonsense", "filter=%7Bbroken"] {
        let answer = world.get_as(&alice, &format!("v3/sync?{query}")).await;
        assert_eq!(answer.error(), (400, "M_INVALID_PARAM"), "{query}");
    }
    assert_eq!(world.get("/_matrix/client/v3/sync").await.0, 401);
}

#[tokio::test]
async fn client_gets_no_more_than_the_server_is_set_to_give() {
    on_each_engine(async |mut world: World| {
        world.api.bounds.most_timeline_events = 3;
        world.api.bounds.most_messages = 4;
        let alice = world.register("alice").await;
        let room = create_room(&world, &alice).await;
        for number in 0..6 {
            send(&world, &alice, &room, &format!("m{number}")).await;
        }
        let filter = "%7B%22room%22:%7B%22timeline%22:%7B%22limit%22:50%7D%7D%7D";
        let told = sync(&world, &alice, &format!("filter={filter}")).await;
        let timeline = &told["rooms"]["join"][&room]["timeline"];
        assert_eq!(bodies(&timeline["events"]), ["m3", "m4", "m5"]);
        assert_eq!(timeline["limited"], true);
        let page = world.get_as(&alice, &format!("v3/rooms/{room}/messages?dir=b&limit=50")).await.ok();
        assert_eq!(bodies(&page["chunk"]), ["m5", "m4", "m3", "m2"]);
    })
    .await;
}

#[tokio::test]
async fn sync_waits_no_longer_than_the_server_is_set_to_wait() {
    on_each_engine(async |mut world: World| {
        world.api.bounds.longest_sync_wait = Duration::ZERO;
        let alice = world.register("alice").await;
        let since = sync(&world, &alice, "").await["next_batch"].as_str().unwrap().to_owned();
        // The clock stands still: a wait would have no end.
        let answer = sync(&world, &alice, &format!("since={since}&timeout=30000")).await;
        assert!(answer["rooms"]["join"].as_object().is_none_or(serde_json::Map::is_empty), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_said_of_rooms_of_which_there_are_none() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        assert_eq!(sync(&world, &alice, "").await["rooms"], json!({}));
        let room = create_room(&world, &alice).await;
        let names = |answer: &Value| -> Vec<String> {
            answer["rooms"].as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names(&sync(&world, &alice, "").await), ["join"]);
        let invite = json!({ "user_id": bob.user_id });
        world.post_as(&alice, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        assert_eq!(names(&sync(&world, &bob, "").await), ["invite"]);
    })
    .await;
}

#[tokio::test]
async fn sync_with_a_token_in_the_query_waits_as_any_other() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = create_room(&world, &alice).await;
        let since = sync(&world, &alice, "").await["next_batch"].as_str().unwrap().to_owned();
        let path = format!("v3/sync?since={since}&timeout=30000&access_token={}", alice.token);
        let waiting = world.send(Method::GET, &path, None, Value::Null);
        let (answer, _) = tokio::join!(waiting, send(&world, &alice, &room, "m1"));
        assert!(answer.ok()["rooms"]["join"].get(&room).is_some());
    })
    .await;
}
