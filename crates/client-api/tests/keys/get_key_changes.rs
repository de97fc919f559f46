//! `GET /keys/changes`, and the same in a sync.

use http::Method;
use serde_json::{Value, json};

use super::{Signer, next};
use crate::world::{Client, World, client, on_each_engine};

async fn join(world: &World, client: &Client, room: &str) {
    world.post_as(client, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
}

async fn leave(world: &World, client: &Client, room: &str) {
    world.post_as(client, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
}

/// A room that anybody may join.
async fn hall(world: &World, client: &Client) -> String {
    world.post_as(client, "v3/createRoom", json!({ "preset": "public_chat" })).await.text("room_id")
}

/// Whose devices have changed since, and who has left; the same by a sync and by `/keys/changes`.
async fn lists(world: &World, client: &Client, since: &str) -> (Vec<String>, Vec<String>) {
    let sync = world.sync(client, since).await;
    let path = format!("v3/keys/changes?from={since}&to={}", next(&sync));
    let changes = world.get_as(client, &path).await.ok();
    let names = |value: &Value| -> Vec<String> {
        let names = value.as_array().into_iter().flatten();
        let mut names: Vec<_> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let synced = (names(&sync["device_lists"]["changed"]), names(&sync["device_lists"]["left"]));
    assert_eq!((names(&changes["changed"]), names(&changes["left"])), synced);
    synced
}

fn ids(clients: &[&Client]) -> Vec<String> {
    clients.iter().map(|client| client.user_id.clone()).collect()
}

#[tokio::test]
async fn change_of_devices_is_told_to_who_shares_a_room_and_to_nobody_else() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let carol = world.register("carol").await;
        let room = hall(&world, &alice).await;
        join(&world, &bob, &room).await;
        let mut at = [&alice, &bob, &carol].map(|_| String::new());
        for (client, at) in [&alice, &bob, &carol].into_iter().zip(&mut at) {
            *at = next(&world.sync(client, "").await);
        }
        let check = async |what: &str, at: &mut [String; 3]| {
            assert_eq!(lists(&world, &alice, &at[0]).await, (ids(&[&bob]), vec![]), "{what}");
            assert_eq!(lists(&world, &bob, &at[1]).await, (ids(&[&bob]), vec![]), "{what}: their own");
            assert_eq!(lists(&world, &carol, &at[2]).await, (vec![], vec![]), "{what}: a stranger");
            for (client, at) in [&alice, &bob, &carol].into_iter().zip(at) {
                *at = next(&world.sync(client, at).await);
                assert_eq!(lists(&world, client, at).await, (vec![], vec![]), "{what}: told once");
            }
        };
        world.upload_device_keys(&bob, &Signer::new(1)).await;
        check("keys", &mut at).await;
        let phone = client(&world.login("bob", json!({ "device_id": "PHONE" })).await);
        check("a new device", &mut at).await;
        world.put_as(&bob, "v3/devices/PHONE", json!({ "display_name": "x" })).await.ok();
        check("another name", &mut at).await;
        world.upload_cross_keys(&bob, [1, 2, 3]).await;
        check("keys for cross-signing", &mut at).await;
        world.post_as(&phone, "v3/logout", json!({})).await.ok();
        check("a device is gone", &mut at).await;
    })
    .await;
}

#[tokio::test]
async fn who_comes_has_changed_and_who_shares_no_room_any_more_has_left() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (hall_one, hall_two) = (hall(&world, &alice).await, hall(&world, &alice).await);
        let before = next(&world.sync(&alice, "").await);
        join(&world, &bob, &hall_one).await;
        assert_eq!(lists(&world, &alice, &before).await, (ids(&[&bob]), vec![]));
        let joined = next(&world.sync(&alice, &before).await);
        join(&world, &bob, &hall_two).await;
        leave(&world, &bob, &hall_one).await;
        assert_eq!(lists(&world, &alice, &joined).await, (ids(&[&bob]), vec![]), "one room is left");
        let moved = next(&world.sync(&alice, &joined).await);
        leave(&world, &bob, &hall_two).await;
        assert_eq!(lists(&world, &alice, &moved).await, (vec![], ids(&[&bob])));
        world.upload_device_keys(&bob, &Signer::new(1)).await;
        assert_eq!(
            lists(&world, &alice, &moved).await,
            (vec![], ids(&[&bob])),
            "of strangers nothing is told"
        );
        let gone = next(&world.sync(&alice, &moved).await);
        assert_eq!(lists(&world, &alice, &gone).await, (vec![], vec![]));
        join(&world, &bob, &hall_one).await;
        assert_eq!(lists(&world, &alice, &joined).await, (ids(&[&bob]), vec![]), "away and back");
        assert_eq!(lists(&world, &alice, &before).await, (ids(&[&bob]), vec![]));
        let back = next(&world.sync(&alice, &gone).await);
        let name = json!({ "displayname": "Bob" });
        world
            .send(Method::PUT, &format!("v3/profile/{}/displayname", bob.user_id), Some(&bob.token), name)
            .await
            .ok();
        assert_eq!(lists(&world, &alice, &back).await, (vec![], vec![]), "a name is no device");
    })
    .await;
}

#[tokio::test]
async fn who_enters_a_room_looks_at_everybody_there_and_forgets_them_on_leaving() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = hall(&world, &bob).await;
        let before = next(&world.sync(&alice, "").await);
        join(&world, &alice, &room).await;
        assert_eq!(lists(&world, &alice, &before).await, (ids(&[&alice, &bob]), vec![]));
        let joined = next(&world.sync(&alice, &before).await);
        leave(&world, &alice, &room).await;
        assert_eq!(lists(&world, &alice, &joined).await, (vec![], ids(&[&bob])));
        assert_eq!(lists(&world, &alice, &before).await, (vec![], vec![]), "in between is nobody's business");
    })
    .await;
}

#[tokio::test]
async fn places_that_are_none_are_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let answer = world.get_as(&alice, "v3/keys/changes?from=x&to=s1").await;
    assert_eq!(answer.error(), (400, "M_INVALID_PARAM"));
    assert_eq!(world.get_as(&alice, "v3/keys/changes?from=s1").await.status, 400);
}

#[tokio::test]
async fn changes_after_the_later_sync_are_not_told() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let carol = world.register("carol").await;
        let room = hall(&world, &alice).await;
        join(&world, &bob, &room).await;
        join(&world, &carol, &room).await;
        let from = next(&world.sync(&alice, "").await);
        world.upload_device_keys(&bob, &Signer::new(1)).await;
        let to = next(&world.sync(&alice, &from).await);
        world.upload_device_keys(&carol, &Signer::new(2)).await;
        let changes = async |from: &str, to: &str| {
            world.get_as(&alice, &format!("v3/keys/changes?from={from}&to={to}")).await.ok()
        };
        let told = changes(&from, &to).await;
        assert_eq!((&told["changed"], &told["left"]), (&json!(ids(&[&bob])), &json!([])));
        leave(&world, &bob, &room).await;
        let now = next(&world.sync(&alice, &to).await);
        let told = changes(&to, &now).await;
        assert_eq!((&told["changed"], &told["left"]), (&json!(ids(&[&carol])), &json!(ids(&[&bob]))));
        assert_eq!(changes(&now, &from).await["changed"], json!([]), "nothing lies between");
    })
    .await;
}
