//! Names of rooms, and which rooms are listed.

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, on_each_engine};

const ALIAS: &str = "v3/directory/room/%23tea%3Aparvis.test";

#[tokio::test]
async fn alias_is_made_told_and_taken_away() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        world.put_as(&alice, ALIAS, json!({ "room_id": room })).await.ok();
        let found = world.send(Method::GET, ALIAS, None, Value::Null).await.ok();
        assert_eq!(found, json!({ "room_id": room, "servers": ["parvis.test"] }));
        let aliases = format!("v3/rooms/{room}/aliases");
        let told = world.get_as(&alice, &aliases).await.ok();
        assert_eq!(told, json!({ "aliases": ["#tea:parvis.test"] }));
        assert_eq!(world.get_as(&bob, &aliases).await.error(), (403, "M_FORBIDDEN"));
        let again = world.put_as(&alice, ALIAS, json!({ "room_id": room })).await;
        assert_eq!(again.error(), (409, "M_UNKNOWN"));

        assert_eq!(world.delete_as(&bob, ALIAS, Value::Null).await.error(), (403, "M_FORBIDDEN"));
        world.delete_as(&alice, ALIAS, Value::Null).await.ok();
        assert_eq!(world.get_as(&alice, ALIAS).await.error(), (404, "M_NOT_FOUND"));
        assert_eq!(world.get_as(&alice, &aliases).await.ok(), json!({ "aliases": [] }));
    })
    .await;
}

#[tokio::test]
async fn visibility_of_a_room_in_the_list_is_set_by_who_may() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        let path = format!("v3/directory/list/room/{room}");
        let visibility = async || world.send(Method::GET, &path, None, Value::Null).await.text("visibility");
        assert_eq!(visibility().await, "private");
        let public = json!({ "visibility": "public" });
        assert_eq!(world.put_as(&bob, &path, public.clone()).await.error(), (403, "M_FORBIDDEN"));
        world.put_as(&alice, &path, public).await.ok();
        assert_eq!(visibility().await, "public");
        let listed = world.send(Method::GET, "v3/publicRooms", None, Value::Null).await.ok();
        assert_eq!(listed["chunk"][0]["room_id"], json!(room));
        world.put_as(&alice, &path, json!({ "visibility": "private" })).await.ok();
        assert_eq!(visibility().await, "private");
        let unknown = "v3/directory/list/room/!nowhere:parvis.test";
        assert_eq!(world.get_as(&alice, unknown).await.error(), (404, "M_NOT_FOUND"));
    })
    .await;
}
