//! Account data: what clients keep here for themselves.

use serde_json::json;

use crate::world::{Client, World, client, on_each_engine};

const GLOBAL: &str = "v3/user/@alice:parvis.test/account_data";

/// The path of a room's account data.
async fn in_room(world: &World, alice: &Client) -> String {
    format!("v3/user/@alice:parvis.test/rooms/{}/account_data", world.room(alice).await)
}

#[tokio::test]
async fn what_one_device_keeps_the_other_finds() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({})).await);
        for base in [GLOBAL, &in_room(&world, &alice).await] {
            let path = format!("{base}/org.example.kept");
            assert_eq!(world.get_as(&alice, &path).await.error(), (404, "M_NOT_FOUND"));
            for content in [json!({ "a": { "b": [1, 2.5, null] } }), json!({ "a": 1 })] {
                assert_eq!(world.put_as(&alice, &path, content.clone()).await.ok(), json!({}));
                assert_eq!(world.get_as(&other, &path).await.ok(), content);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_is_not_found_any_more() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let bob = world.register("bob").await;
    for base in [GLOBAL, &in_room(&world, &alice).await] {
        let path = format!("{base}/org.example.kept");
        let deleting = path.replacen("v3/", "unstable/org.matrix.msc3391/", 1);
        let kept = json!({ "a": 1 });
        world.put_as(&alice, &path, kept.clone()).await.ok();
        assert_eq!(world.delete_as(&bob, &deleting, json!({})).await.error(), (403, "M_FORBIDDEN"));
        assert_eq!(world.get_as(&alice, &path).await.ok(), kept);
        for _ in 0..2 {
            assert_eq!(world.delete_as(&alice, &deleting, json!({})).await.ok(), json!({}));
            assert_eq!(world.get_as(&alice, &path).await.error(), (404, "M_NOT_FOUND"));
        }
        world.put_as(&alice, &path, kept).await.ok();
        world.put_as(&alice, &path, json!({})).await.ok();
        assert_eq!(
            world.get_as(&alice, &path).await.error(),
            (404, "M_NOT_FOUND"),
            "an empty object deletes"
        );
    }
}

#[tokio::test]
async fn data_of_the_account_and_of_a_room_are_apart() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let room = in_room(&world, &alice).await;
    world.put_as(&alice, &format!("{GLOBAL}/a"), json!({ "global": true })).await.ok();
    assert_eq!(world.get_as(&alice, &format!("{room}/a")).await.error(), (404, "M_NOT_FOUND"));
}

#[tokio::test]
async fn what_has_an_endpoint_of_its_own_is_not_set_here() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for base in [GLOBAL, &in_room(&world, &alice).await] {
        for kind in ["m.fully_read", "m.push_rules"] {
            let answer = world.put_as(&alice, &format!("{base}/{kind}"), json!({})).await;
            assert_eq!(answer.error(), (405, "M_BAD_JSON"), "{base}/{kind}");
        }
    }
}

#[tokio::test]
async fn data_of_others_is_out_of_reach() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let bob = world.register("bob").await;
    for base in [GLOBAL, &in_room(&world, &alice).await] {
        let path = format!("{base}/a");
        assert_eq!(world.get_as(&bob, &path).await.error(), (403, "M_FORBIDDEN"));
        assert_eq!(world.put_as(&bob, &path, json!({})).await.error(), (403, "M_FORBIDDEN"));
    }
}

#[tokio::test]
async fn unknown_room_has_no_data() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let unknown = "v3/user/@alice:parvis.test/rooms/!unknown:parvis.test/account_data/a";
    assert_eq!(world.get_as(&alice, unknown).await.error(), (404, "M_NOT_FOUND"));
    assert_eq!(world.put_as(&alice, unknown, json!({})).await.error(), (404, "M_NOT_FOUND"));
}

#[tokio::test]
async fn new_user_has_push_rules_as_account_data() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let rules = world.get_as(&alice, &format!("{GLOBAL}/m.push_rules")).await.ok();
    assert_eq!(rules, world.get_as(&alice, "v3/pushrules/").await.ok());
}
