//! `PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}`: whose the keys are.

use serde_json::json;

use crate::world::{Client, World, on_each_engine};

/// A room of Alice's where anybody sets state of type `desk`.
async fn room(world: &World, alice: &Client, version: &str) -> String {
    let body = json!({
        "room_version": version,
        "preset": "public_chat",
        "power_level_content_override": { "events": { "desk": 0 } },
    });
    world.post_as(alice, "v3/createRoom", body).await.text("room_id")
}

async fn set(world: &World, client: &Client, room: &str, key: &str) -> (u16, String) {
    let key = key.replace('#', "%23");
    let path = format!("v3/rooms/{room}/state/desk/{key}");
    let answer = world.put_as(client, &path, json!({})).await;
    match answer.status {
        200 => (200, String::new()),
        _ => (answer.status, answer.text("errcode")),
    }
}

#[tokio::test]
async fn state_belongs_to_users_where_the_version_has_it_so() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = room(&world, &alice, "org.matrix.msc3757.11").await;
        world.post_as(&bob, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        let (of_alice, of_bob) = (alice.user_id.as_str(), bob.user_id.as_str());
        for key in [format!("{of_bob}_desk:#2"), of_bob.to_owned()] {
            assert_eq!(set(&world, &bob, &room, &key).await.0, 200, "{key}");
            assert_eq!(set(&world, &alice, &room, &key).await.0, 200, "{key}");
        }
        let forbidden = (403, "M_FORBIDDEN".to_owned());
        assert_eq!(set(&world, &bob, &room, &format!("{of_alice}_desk")).await, forbidden);
        assert_eq!(set(&world, &bob, &room, of_alice).await, forbidden);
        let bad = (400, "M_BAD_JSON".to_owned());
        assert_eq!(set(&world, &alice, &room, "@oops").await, bad);
        assert_eq!(set(&world, &alice, &room, &format!("{of_alice}@desk_2")).await, bad);
    })
    .await;
}

#[tokio::test]
async fn elsewhere_a_users_id_is_that_users_key_and_nobody_has_others() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = room(&world, &alice, "11").await;
        assert_eq!(set(&world, &alice, &room, &alice.user_id).await.0, 200);
        let forbidden = (403, "M_FORBIDDEN".to_owned());
        for key in [format!("{}_desk", alice.user_id), "@bob:parvis.test".to_owned(), "@oops".to_owned()] {
            assert_eq!(set(&world, &alice, &room, &key).await, forbidden, "{key}");
        }
    })
    .await;
}
