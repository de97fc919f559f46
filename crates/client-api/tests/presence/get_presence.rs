//! `GET /_matrix/client/v3/presence/{userId}/status`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn presence_is_that_of_the_last_sync() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let path = format!("v3/presence/{}/status", alice.user_id);
    assert_eq!(world.get_as(&alice, &path).await.ok()["presence"], "offline");
    world.get_as(&alice, "v3/sync").await.ok();
    let online = world.get_as(&alice, &path).await.ok();
    assert_eq!((&online["presence"], &online["currently_active"]), (&json!("online"), &json!(true)));
    assert_eq!(world.get_as(&bob, &path).await.error(), (403, "M_FORBIDDEN"), "a stranger is not told");
}
