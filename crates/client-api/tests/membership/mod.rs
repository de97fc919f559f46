//! Who is in rooms.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn rooms_that_two_share_are_told_page_by_page() {
    let world = World::new().await;
    world.freeze();
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let path = "v1/mutual_rooms?user_id=@bob:parvis.test";
    assert_eq!(world.get_as(&alice, path).await.ok(), json!({ "joined": [], "count": 0 }));
    world.room(&alice).await;
    let shared = world.room(&alice).await;
    world
        .post_as(&alice, &format!("v3/rooms/{shared}/invite"), json!({ "user_id": "@bob:parvis.test" }))
        .await
        .ok();
    assert_eq!(world.get_as(&alice, path).await.ok()["count"], 0, "who is invited is not in the room");
    world.post_as(&bob, &format!("v3/join/{shared}"), json!({})).await.ok();
    assert_eq!(world.get_as(&alice, path).await.ok(), json!({ "joined": [shared], "count": 1 }));
    let unstable = "unstable/uk.half-shot.msc2666/user/mutual_rooms?user_id=@alice:parvis.test";
    assert_eq!(world.get_as(&bob, unstable).await.ok()["joined"], json!([shared]));
    let next = format!("{path}&from={shared}");
    assert_eq!(world.get_as(&alice, &next).await.ok(), json!({ "joined": [], "count": 1 }));
    for wrong in [format!("{path}&from=x"), path.replace("bob", "alice")] {
        assert_eq!(world.get_as(&alice, &wrong).await.error(), (400, "M_INVALID_PARAM"), "{wrong}");
    }
    let stranger = path.replace("bob", "nobody");
    assert_eq!(world.get_as(&alice, &stranger).await.ok()["count"], 0);
}
