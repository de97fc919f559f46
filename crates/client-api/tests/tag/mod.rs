//! Tags that users put on rooms.

use serde_json::json;

use crate::world::{Client, World, on_each_engine};

/// The path of what Alice keeps about a new room of hers.
async fn kept(world: &World, alice: &Client) -> String {
    format!("v3/user/@alice:parvis.test/rooms/{}", world.room(alice).await)
}

#[tokio::test]
async fn tags_are_put_on_and_taken_off() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let kept = kept(&world, &alice).await;
        let path = format!("{kept}/tags");
        assert_eq!(world.get_as(&alice, &path).await.ok(), json!({ "tags": {} }));
        let order = json!({ "order": 0.25 });
        assert_eq!(world.put_as(&alice, &format!("{path}/m.favourite"), order.clone()).await.ok(), json!({}));
        assert_eq!(world.put_as(&alice, &format!("{path}/u.Work"), json!({})).await.status, 200);
        let tags = json!({ "m.favourite": order, "u.Work": {} });
        assert_eq!(world.get_as(&alice, &path).await.ok(), json!({ "tags": tags }));
        let data = world.get_as(&alice, &format!("{kept}/account_data/m.tag")).await;
        assert_eq!(data.ok(), json!({ "tags": tags }), "so that they come down sync");

        assert_eq!(world.delete_as(&alice, &format!("{path}/u.Work"), json!({})).await.ok(), json!({}));
        assert_eq!(
            world.get_as(&alice, &path).await.ok()["tags"],
            json!({ "m.favourite": { "order": 0.25 } })
        );
    })
    .await;
}

#[tokio::test]
async fn tags_put_on_at_the_same_time_are_all_there() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let kept = kept(&world, &alice).await;
        let path = format!("{kept}/tags");
        let paths: Vec<String> = (0..8).map(|number| format!("{path}/u.{number}")).collect();
        let puts = paths.iter().map(|path| world.put_as(&alice, path, json!({})));
        for answer in futures_util::future::join_all(puts).await {
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
        assert_eq!(world.get_as(&alice, &path).await.ok()["tags"].as_object().unwrap().len(), 8);
    })
    .await;
}

#[tokio::test]
async fn tags_of_others_are_out_of_reach() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let tags = format!("{}/tags", kept(&world, &alice).await);
    assert_eq!(world.get_as(&bob, &tags).await.error(), (403, "M_FORBIDDEN"));
    let path = format!("{tags}/u.x");
    assert_eq!(world.put_as(&bob, &path, json!({})).await.error(), (403, "M_FORBIDDEN"));
    assert_eq!(world.delete_as(&bob, &path, json!({})).await.error(), (403, "M_FORBIDDEN"));
}
