//! Following the devices of users of other servers.

use std::{collections::BTreeMap, time::Duration};

use parvis_e2ee::{Caller, KeyQuery, Keys};
use parvis_events::Membership;
use parvis_storage::{Position, UserSn};
use serde_json::{Value, json};

use crate::world::{World, device_keys, on_each_engine};

const BOB: &str = "@bob:there.test";
const LIST: &str = "/_matrix/federation/v1/user/devices/%40bob%3Athere.test";
const QUERY: &str = "/_matrix/federation/v1/user/keys/query";

/// Alice, who shares a room with Bob, who is elsewhere.
async fn alice_and_bob(world: &World) -> (Caller, UserSn) {
    let alice = world.caller("@alice:here.test", "PHONE").await;
    let (bob, _) = world.user(BOB).await;
    world.put_member(alice.user, Membership::Join).await;
    world.put_member(bob, Membership::Join).await;
    (alice, bob)
}

async fn query(world: &World, alice: &Caller) -> Keys {
    let users = BTreeMap::from([(BOB.try_into().unwrap(), Vec::new())]);
    let query = KeyQuery { users, timeout: Duration::from_secs(5) };
    world.e2ee.query_keys(alice, query).await.unwrap()
}

/// Bob's devices as Alice sees them, with their keys.
fn devices(keys: &Keys) -> BTreeMap<String, String> {
    let devices = keys.device_keys.get(<&ruma::UserId>::try_from(BOB).unwrap()).into_iter().flatten();
    let key = |device: &str, key: &str| {
        let key: Value = serde_json::from_str(key).unwrap();
        key["keys"][format!("ed25519:{device}")].as_str().unwrap().to_owned()
    };
    devices.map(|(device, json)| (device.to_string(), key(device.as_str(), json.get()))).collect()
}

fn list(stream_id: i64, all: &[(&str, &str)]) -> Value {
    let devices =
        all.iter().map(|(device, key)| json!({ "device_id": device, "keys": device_keys(BOB, device, key) }));
    let without = json!({ "device_id": "WITHOUT" });
    let devices: Vec<Value> = devices.chain([without]).collect();
    json!({ "user_id": BOB, "stream_id": stream_id, "devices": devices })
}

fn answer(all: &[(&str, &str)]) -> Value {
    let devices: BTreeMap<_, _> =
        all.iter().map(|(device, key)| (*device, device_keys(BOB, device, key))).collect();
    json!({ "device_keys": { (BOB): devices } })
}

fn update(stream_id: i64, prev_id: &[i64], device: &str, key: &str) -> Value {
    json!({
        "user_id": BOB,
        "device_id": device,
        "stream_id": stream_id,
        "prev_id": prev_id,
        "keys": device_keys(BOB, device, key),
    })
}

/// How many lists of devices have changed since a place.
async fn changed_since(world: &World, place: Position) -> usize {
    world.store.device_changes_between(place, world.store.head()).await.unwrap().len()
}

/// Waits until Bob's list was told whole.
async fn until_followed(world: &World, bob: UserSn, stream_id: i64) {
    world
        .soon(async || {
            // Whoever waits to ask again does so now.
            world.clock.advance(Duration::from_secs(60));
            let list = world.store.device_list(bob).await.unwrap();
            list.filter(|list| !list.stale && list.stream_id == stream_id)
        })
        .await;
}

fn expected(all: &[(&str, &str)]) -> BTreeMap<String, String> {
    all.iter().map(|(device, key)| ((*device).to_owned(), (*key).to_owned())).collect()
}

#[tokio::test]
async fn list_is_asked_for_once_and_then_changed_by_updates() {
    on_each_engine(async |world: World| {
        let (alice, bob) = alice_and_bob(&world).await;
        world.answer(QUERY, answer(&[("A", "a1")]));
        world.answer(LIST, list(5, &[("A", "a1")]));
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("A", "a1")]));
        until_followed(&world, bob, 5).await;
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("A", "a1")]));
        assert_eq!(world.asked(QUERY), 1, "what is followed is not asked for");

        let before = world.store.head();
        world.hear("m.device_list_update", update(6, &[5], "B", "b1")).await;
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("A", "a1"), ("B", "b1")]));
        assert_eq!(changed_since(&world, before).await, 1);
        let head = world.store.head();
        world.hear("m.device_list_update", update(6, &[5], "B", "b1")).await;
        assert_eq!(changed_since(&world, head).await, 0, "the same update once more is no news");
        let gone =
            json!({ "user_id": BOB, "device_id": "A", "stream_id": 9, "prev_id": [6], "deleted": true });
        world.hear("m.device_list_update", gone).await;
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("B", "b1")]));
        assert_eq!((world.asked(QUERY), world.asked(LIST)), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn first_word_of_a_user_is_news_as_it_may_be_their_first_change() {
    on_each_engine(async |world: World| {
        alice_and_bob(&world).await;
        let head = world.store.head();
        world.hear("m.device_list_update", update(3, &[], "A", "a1")).await;
        assert_eq!(changed_since(&world, head).await, 1);
    })
    .await;
}

#[tokio::test]
async fn device_that_cannot_encrypt_is_no_news_until_it_can() {
    on_each_engine(async |world: World| {
        let (alice, bob) = alice_and_bob(&world).await;
        let without = |stream_id: i64, prev_id: &[i64]| {
            let mut update = update(stream_id, prev_id, "A", "");
            update.as_object_mut().unwrap().remove("keys");
            update
        };
        let head = world.store.head();
        world.hear("m.device_list_update", without(3, &[])).await;
        assert_eq!(changed_since(&world, head).await, 0, "of a user whose list nobody wants");
        world.answer(QUERY, answer(&[]));
        world.answer(LIST, list(3, &[]));
        query(&world, &alice).await;
        until_followed(&world, bob, 3).await;
        let head = world.store.head();
        world.hear("m.device_list_update", without(4, &[3])).await;
        assert_eq!(changed_since(&world, head).await, 0, "of a user who is followed");
        world.hear("m.device_list_update", update(5, &[4], "A", "a1")).await;
        assert_eq!(changed_since(&world, head).await, 1);
        let head = world.store.head();
        world.hear("m.device_list_update", without(6, &[5])).await;
        assert_eq!(changed_since(&world, head).await, 1, "what could encrypt and no longer can is news");
        assert_eq!(world.store.device_list(bob).await.unwrap().unwrap().stream_id, 6);
    })
    .await;
}

#[tokio::test]
async fn update_that_was_missed_has_the_whole_list_asked_for_until_it_is_told() {
    on_each_engine(async |world: World| {
        let (alice, bob) = alice_and_bob(&world).await;
        world.answer(QUERY, answer(&[("A", "a1")]));
        world.answer(LIST, list(5, &[("A", "a1")]));
        query(&world, &alice).await;
        until_followed(&world, bob, 5).await;
        world.answer(LIST, json!("silence"));
        world.answer(QUERY, answer(&[("B", "b1"), ("C", "c1")]));
        world.hear("m.device_list_update", update(8, &[7], "C", "c1")).await;
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("B", "b1"), ("C", "c1")]));
        world.soon(async || (world.asked(LIST) >= 2).then_some(())).await;
        assert!(world.store.device_list(bob).await.unwrap().unwrap().stale, "what was told makes no sense");

        world.answer(LIST, list(8, &[("B", "b1"), ("C", "c1")]));
        until_followed(&world, bob, 8).await;
        let asked = world.asked(QUERY);
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("B", "b1"), ("C", "c1")]));
        assert_eq!(world.asked(QUERY), asked);
        world.hear("m.device_list_update", update(9, &[8], "A", "a2")).await;
        let all = expected(&[("A", "a2"), ("B", "b1"), ("C", "c1")]);
        assert_eq!(devices(&query(&world, &alice).await), all);
    })
    .await;
}

#[tokio::test]
async fn list_of_who_shares_no_room_any_more_is_not_believed() {
    on_each_engine(async |world: World| {
        let (alice, bob) = alice_and_bob(&world).await;
        world.answer(QUERY, answer(&[("A", "a1")]));
        world.answer(LIST, list(5, &[("A", "a1")]));
        query(&world, &alice).await;
        until_followed(&world, bob, 5).await;
        world.put_member(bob, Membership::Leave).await;
        world.answer(QUERY, answer(&[("A", "a2")]));
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("A", "a2")]));
        world.soon(async || world.store.device_list(bob).await.unwrap().is_none().then_some(())).await;
        let head = world.store.head();
        world.hear("m.device_list_update", update(6, &[5], "A", "a3")).await;
        assert_eq!(changed_since(&world, head).await, 0, "nobody here is concerned");

        world.put_member(bob, Membership::Join).await;
        assert_eq!(devices(&query(&world, &alice).await), expected(&[("A", "a2")]), "asked for anew");
    })
    .await;
}

#[tokio::test]
async fn server_speaks_of_its_own_users_only() {
    on_each_engine(async |world: World| {
        let (alice, _) = alice_and_bob(&world).await;
        let (eve, _) = world.user("@eve:elsewhere.test").await;
        world.put_member(eve, Membership::Join).await;
        let head = world.store.head();
        for user_id in ["@alice:here.test", "@eve:elsewhere.test", "@nobody:there.test"] {
            let mut update = update(1, &[], "X", "x");
            update["user_id"] = json!(user_id);
            world.hear("m.device_list_update", update).await;
            world.hear("m.signing_key_update", json!({ "user_id": user_id })).await;
        }
        assert_eq!(changed_since(&world, head).await, 0);
        let mut foreign = answer(&[("A", "a1")]);
        foreign["device_keys"]["@alice:here.test"] =
            json!({ "X": device_keys("@alice:here.test", "X", "x") });
        foreign["device_keys"][BOB]["Y"] = device_keys("@alice:here.test", "Y", "y");
        world.answer(QUERY, foreign);
        let keys = query(&world, &alice).await;
        assert_eq!(devices(&keys), expected(&[("A", "a1")]));
        assert_eq!(keys.device_keys.len(), 1);
    })
    .await;
}
