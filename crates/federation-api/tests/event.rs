//! What a server may read of rooms.

use http::Method;
use parvis_rooms::Actor;
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Value, json};

use crate::world::{Asked, THERE, World, encode, on_each_engine};

const FORBIDDEN: (u16, &str) = (403, "M_FORBIDDEN");
const NOT_FOUND: (u16, &str) = (404, "M_NOT_FOUND");

/// A room of `@alice:parvis.test` that `@bob:remote.test` joins after the first message.
struct Scene {
    world: World,
    alice: Actor,
    bob: Actor,
    room_id: OwnedRoomId,
    before: OwnedEventId,
    after: OwnedEventId,
}

async fn scene(world: World, visibility: &str) -> Scene {
    let (alice, bob) = (world.person("@alice:parvis.test").await, world.person("@bob:remote.test").await);
    let visibility = json!({ "history_visibility": visibility });
    let room_id = world.room(&alice, &[("m.room.history_visibility", "", visibility)]).await;
    let before = world.say(&alice, &room_id, "before").await;
    world.join(&bob, &room_id).await;
    let after = world.say(&alice, &room_id, "after").await;
    Scene { world, alice, bob, room_id, before, after }
}

fn event(id: &OwnedEventId) -> String {
    format!("/_matrix/federation/v1/event/{}", encode(id))
}

/// The text that an event says, if it says any.
fn said(pdu: &Value) -> Option<&str> {
    pdu["content"]["body"].as_str()
}

/// Every endpoint about a room, with an event of it.
fn paths(room_id: &OwnedRoomId, event_id: &OwnedEventId) -> Vec<String> {
    let (room, at) = (encode(room_id), encode(event_id));
    vec![
        event(event_id),
        format!("/_matrix/federation/v1/backfill/{room}?v={at}&limit=10"),
        format!("/_matrix/federation/v1/state/{room}?event_id={at}"),
        format!("/_matrix/federation/v1/state_ids/{room}?event_id={at}"),
        format!("/_matrix/federation/v1/event_auth/{room}/{at}"),
        format!("/_matrix/federation/v1/timestamp_to_event/{room}?ts=0&dir=f"),
    ]
}

#[tokio::test]
async fn server_in_the_room_is_answered() {
    on_each_engine(async |world: World| {
        let Scene { world, room_id, after, .. } = scene(world, "shared").await;
        for path in paths(&room_id, &after) {
            assert_eq!(world.get(&path).await.status, 200, "{path}");
        }
        let path = format!("/_matrix/federation/v1/get_missing_events/{}", encode(&room_id));
        let body = json!({ "earliest_events": [], "latest_events": [after] });
        assert_eq!(world.post(&path, body).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn server_outside_the_room_is_told_nothing() {
    let Scene { world, alice, bob, room_id, after, .. } = scene(World::new().await, "world_readable").await;
    for path in paths(&room_id, &after) {
        let asked = Asked { origin: "other.test", ..Asked::get(&path) };
        assert_eq!(world.send(asked.request()).await.error(), FORBIDDEN, "{path}");
    }
    let room = world.api.rooms.find(&room_id).await.unwrap();
    world.api.rooms.leave(&bob, room, None).await.unwrap();
    let later = world.say(&alice, &room_id, "later").await;
    for (number, path) in paths(&room_id, &later).into_iter().enumerate().take(5) {
        let answer = world.get(&path).await;
        match number {
            // Which may hold what came before, and nothing of what came later.
            1 => assert!(!answer.ok()["pdus"].to_string().contains("later"), "{path}"),
            _ => assert!(matches!(answer.status, 403 | 404), "{path}"),
        }
    }
    assert_eq!(
        world.get(&event(&after)).await.status,
        200,
        "who left may read what they were in the room for"
    );
    // Nor whether there is a room, or an event in another.
    let other = world.room(&alice, &[]).await;
    world.join(&bob, &other).await;
    let nowhere = OwnedRoomId::try_from("!nowhere:remote.test").unwrap();
    for path in paths(&nowhere, &later) {
        assert_eq!(world.get(&path).await.error(), FORBIDDEN, "{path}");
    }
}

#[tokio::test]
async fn event_of_another_room_is_not_found_in_this_one() {
    let Scene { world, alice, bob, after, .. } = scene(World::new().await, "shared").await;
    let other = world.room(&alice, &[]).await;
    world.join(&bob, &other).await;
    for path in &paths(&other, &after)[2..5] {
        assert_eq!(world.get(path).await.error(), NOT_FOUND, "{path}");
    }
    let path = &paths(&other, &after)[1];
    assert_eq!(world.get(path).await.ok()["pdus"], json!([]));
    let nothing = OwnedEventId::try_from("$nothing").unwrap();
    assert_eq!(world.get(&event(&nothing)).await.error(), NOT_FOUND);
}

#[tokio::test]
async fn server_shut_out_by_the_room_is_refused_everywhere() {
    let Scene { world, alice, room_id, after, .. } = scene(World::new().await, "shared").await;
    let acl = json!({ "allow": ["*"], "deny": ["REMOTE.*"] });
    world.set(&alice, &room_id, "m.room.server_acl", acl).await;
    for path in paths(&room_id, &after) {
        assert_eq!(world.get(&path).await.error(), FORBIDDEN, "{path}");
    }
    let path = format!("/_matrix/federation/v1/get_missing_events/{}", encode(&room_id));
    let body = json!({ "earliest_events": [], "latest_events": [after] });
    assert_eq!(world.post(&path, body).await.error(), FORBIDDEN);
    world.set(&alice, &room_id, "m.room.server_acl", json!({ "allow": ["*"] })).await;
    for path in paths(&room_id, &after) {
        assert_eq!(world.get(&path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn what_a_server_could_not_see_goes_out_redacted() {
    for (visibility, seen) in [
        ("world_readable", true),
        ("shared", true),
        ("invited", false),
        ("joined", false),
        ("nonsense", true),
    ] {
        let Scene { world, room_id, before, after, .. } = scene(World::new().await, visibility).await;
        let early = world.get(&event(&before)).await.ok();
        assert_eq!(said(&early["pdus"][0]), seen.then_some("before"), "{visibility}");
        assert_eq!(said(&world.get(&event(&after)).await.ok()["pdus"][0]), Some("after"), "{visibility}");

        let path =
            format!("/_matrix/federation/v1/backfill/{}?v={}&limit=100", encode(&room_id), encode(&after));
        let history = world.get(&path).await.ok();
        let pdus = history["pdus"].as_array().unwrap();
        let texts: Vec<_> = pdus.iter().filter_map(said).collect();
        assert_eq!(texts, if seen { vec!["after", "before"] } else { vec!["after"] }, "{visibility}");
        assert_eq!(pdus.last().unwrap()["type"], "m.room.create", "the graph is whole");
        assert_eq!(history["origin"], "parvis.test");
        assert!(history["origin_server_ts"].is_u64());
    }
}

#[tokio::test]
async fn server_sees_what_its_invited_users_could() {
    let world = World::new().await;
    let (alice, bob) = (world.person("@alice:parvis.test").await, world.person("@bob:remote.test").await);
    let early = world.person("@early:remote.test").await;
    let visibility = json!({ "history_visibility": "joined" });
    let room_id = world.room(&alice, &[("m.room.history_visibility", "", visibility)]).await;
    world.join(&early, &room_id).await;
    let with_early = world.say(&alice, &room_id, "with early").await;
    let room = world.api.rooms.find(&room_id).await.unwrap();
    world.api.rooms.leave(&early, room, None).await.unwrap();
    let between = world.say(&alice, &room_id, "between").await;
    world.join(&bob, &room_id).await;
    assert_eq!(said(&world.get(&event(&with_early)).await.ok()["pdus"][0]), Some("with early"));
    assert_eq!(said(&world.get(&event(&between)).await.ok()["pdus"][0]), None);
}

#[tokio::test]
async fn redacted_form_keeps_id_and_signature() {
    let Scene { world, room_id, before, .. } = scene(World::new().await, "joined").await;
    let shown = world.get(&event(&before)).await.ok()["pdus"][0].clone();
    let version = parvis_events::RoomVersion::V12;
    let pdu = parvis_events::RawPdu::parse(shown.to_string().as_bytes(), version).unwrap();
    let pdu = pdu.check_format().unwrap();
    assert_eq!((pdu.event_id(), pdu.room_id()), (&*before, &*room_id));
    let mut keys = parvis_events::PublicKeys::new();
    let key = crate::world::key_of("parvis.test");
    keys.insert(ruma::server_name!("parvis.test"), key.key_id(), &key.public_key_base64());
    assert!(pdu.verify(&keys).is_ok());
}

#[tokio::test]
async fn state_is_that_before_the_event_with_all_that_allows_it() {
    on_each_engine(async |world: World| {
        let Scene { world, alice, room_id, after, .. } = scene(world, "shared").await;
        world.set(&alice, &room_id, "m.room.topic", json!({ "topic": "later" })).await;
        let (room, at) = (encode(&room_id), encode(&after));
        let state = world.get(&format!("/_matrix/federation/v1/state/{room}?event_id={at}")).await.ok();
        let ids = world.get(&format!("/_matrix/federation/v1/state_ids/{room}?event_id={at}")).await.ok();
        let kinds: Vec<_> =
            state["pdus"].as_array().unwrap().iter().map(|pdu| pdu["type"].as_str().unwrap()).collect();
        assert!(
            kinds.contains(&"m.room.create") && kinds.contains(&"m.room.history_visibility"),
            "{kinds:?}"
        );
        assert_eq!(kinds.iter().filter(|kind| **kind == "m.room.member").count(), 2);
        assert!(!kinds.contains(&"m.room.topic"));
        assert_eq!(ids["pdu_ids"].as_array().unwrap().len(), kinds.len());
        let chain = state["auth_chain"].as_array().unwrap();
        assert_eq!(ids["auth_chain_ids"].as_array().unwrap().len(), chain.len());
        assert!(chain.iter().any(|pdu| pdu["type"] == "m.room.power_levels"));
        // What allows an event that somebody sent: the one who joined, and the power levels.
        let auth = world.get(&format!("/_matrix/federation/v1/event_auth/{room}/{at}")).await.ok();
        let auth = auth["auth_chain"].as_array().unwrap();
        assert!(auth.len() < chain.len() && auth.iter().all(|pdu| pdu["state_key"].is_string()));
    })
    .await;
}

#[tokio::test]
async fn old_state_from_before_the_server_came_goes_out_redacted() {
    let world = World::new().await;
    let (alice, bob) = (world.person("@alice:parvis.test").await, world.person("@bob:remote.test").await);
    let visibility = json!({ "history_visibility": "joined" });
    let room_id = world.room(&alice, &[("m.room.history_visibility", "", visibility)]).await;
    world.set(&alice, &room_id, "m.room.topic", json!({ "topic": "secret" })).await;
    world.set(&alice, &room_id, "m.room.name", json!({ "name": "still so" })).await;
    let before = world.say(&alice, &room_id, "before").await;
    world.set(&alice, &room_id, "m.room.topic", json!({ "topic": "known to all" })).await;
    world.join(&bob, &room_id).await;
    let path = format!("/_matrix/federation/v1/state/{}?event_id={}", encode(&room_id), encode(&before));
    let state = world.get(&path).await.ok();
    let content = |kind: &str| {
        let pdus = state["pdus"].as_array().unwrap();
        pdus.iter().find(|pdu| pdu["type"] == kind).unwrap()["content"].clone()
    };
    assert_eq!(content("m.room.topic"), json!({}));
    assert_eq!(content("m.room.name"), json!({ "name": "still so" }));
}

#[tokio::test]
async fn gap_is_filled_from_the_near_end_and_not_beyond_the_far_one() {
    let Scene { world, alice, room_id, after, .. } = scene(World::new().await, "shared").await;
    let mut sent = vec![after];
    for number in 0..30 {
        sent.push(world.say(&alice, &room_id, &format!("message {number}")).await);
    }
    let path = format!("/_matrix/federation/v1/get_missing_events/{}", encode(&room_id));
    let ask = |earliest: &OwnedEventId, latest: &OwnedEventId, limit: Value| json!({ "earliest_events": [earliest], "latest_events": [latest], "limit": limit, "min_depth": 0 });
    let texts = |body: Value| -> Vec<String> {
        let events = body["events"].as_array().unwrap().clone();
        events.iter().map(|pdu| said(pdu).unwrap_or("-").to_owned()).collect()
    };
    let three = world.post(&path, ask(&sent[26], &sent[30], json!(10))).await.ok();
    assert_eq!(texts(three), ["message 26", "message 27", "message 28"]);
    let two = world.post(&path, ask(&sent[0], &sent[30], json!(2))).await.ok();
    assert_eq!(texts(two), ["message 27", "message 28"]);
    let most = world.post(&path, ask(&sent[0], &sent[30], json!(9_007_199_254_740_991_i64))).await.ok();
    assert_eq!(texts(most).len(), 20);
    let none = world.post(&path, ask(&sent[0], &sent[30], json!(0))).await.ok();
    assert!(texts(none).is_empty());
}

#[tokio::test]
async fn backfill_gives_as_many_as_asked_for_and_never_too_many() {
    let Scene { world, alice, room_id, .. } = scene(World::new().await, "shared").await;
    let mut newest = None;
    for number in 0..110 {
        newest = Some(world.say(&alice, &room_id, &format!("message {number}")).await);
    }
    let (room, from) = (encode(&room_id), encode(newest.unwrap()));
    for (limit, count) in [("1", 1), ("3", 3), ("100", 100), ("9007199254740991", 100), ("0", 0)] {
        let path = format!("/_matrix/federation/v1/backfill/{room}?v={from}&v=$x&limit={limit}");
        let body = world.get(&path).await.ok();
        assert_eq!(body["pdus"].as_array().unwrap().len(), count, "{limit}");
    }
}

#[tokio::test]
async fn event_is_found_by_time() {
    let Scene { world, alice, room_id, after, .. } = scene(World::new().await, "shared").await;
    world.clock.advance(std::time::Duration::from_secs(10));
    let late = world.say(&alice, &room_id, "late").await;
    let ask = |ts: i64, dir: &str| {
        format!("/_matrix/federation/v1/timestamp_to_event/{}?ts={ts}&dir={dir}", encode(&room_id))
    };
    let start = crate::world::START;
    let found = world.get(&ask(start + 5_000, "f")).await.ok();
    assert_eq!(
        (found["event_id"].as_str(), &found["origin_server_ts"]),
        (Some(late.as_str()), &json!(start + 10_000))
    );
    assert_eq!(world.get(&ask(start + 5_000, "b")).await.ok()["event_id"], after.as_str());
    assert_eq!(world.get(&ask(start + 20_000, "f")).await.error(), NOT_FOUND);
    assert_eq!(world.get(&ask(start, "sideways")).await.error(), (400, "M_INVALID_PARAM"));
    assert_eq!(THERE, "remote.test");
}

const RELATIONSHIPS: &str = "/_matrix/federation/unstable/event_relationships";

#[tokio::test]
async fn tree_of_replies_is_served_with_what_authorises_it() {
    on_each_engine(async |world: World| {
        let Scene { world, alice, room_id, before, .. } = scene(world, "shared").await;
        let reply = world.reply(&alice, &room_id, &before).await;
        let question = json!({ "event_id": reply, "include_parent": true });
        let answer = world.post(RELATIONSHIPS, question.clone()).await.ok();
        let said: Vec<_> = answer["events"].as_array().unwrap().iter().map(said).collect();
        assert_eq!(said, [Some("reply"), Some("before")]);
        assert_eq!(answer["events"][1]["unsigned"]["children"], json!({ "m.reference": 1 }));
        assert_eq!(answer["limited"], false);
        let kinds = |chain: &Value| -> Vec<String> {
            chain.as_array().unwrap().iter().map(|pdu| pdu["type"].as_str().unwrap().to_owned()).collect()
        };
        let chain = kinds(&answer["auth_chain"]);
        assert!(
            chain.contains(&"m.room.member".to_owned()) && chain.contains(&"m.room.power_levels".to_owned())
        );
        let asked = Asked { origin: "other.test", method: Method::POST, ..Asked::get(RELATIONSHIPS) };
        let asked = Asked { body: question, ..asked };
        assert_eq!(world.send(asked.request()).await.error(), FORBIDDEN);
        let unknown = world.post(RELATIONSHIPS, json!({ "event_id": "$none" })).await;
        assert_eq!(unknown.error(), NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn tree_of_replies_leaves_out_what_the_server_may_not_see() {
    let Scene { world, alice, room_id, before, .. } = scene(World::new().await, "joined").await;
    let reply = world.reply(&alice, &room_id, &before).await;
    let question = json!({ "event_id": reply, "include_parent": true });
    let answer = world.post(RELATIONSHIPS, question).await.ok();
    assert_eq!(answer["events"].as_array().unwrap().iter().map(said).collect::<Vec<_>>(), [Some("reply")]);
    assert_eq!(world.post(RELATIONSHIPS, json!({ "event_id": before })).await.error(), NOT_FOUND);
}
