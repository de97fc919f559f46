//! Profiles: what users say about themselves to everybody.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, on_each_engine};

const PATH: &str = "v3/profile/@alice:parvis.test";

async fn seen(world: &World, path: &str) -> Answer {
    world.send(Method::GET, path, None, Value::Null).await
}

#[tokio::test]
async fn user_sets_a_name_and_a_picture() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        assert_eq!(seen(&world, PATH).await.ok(), json!({ "displayname": "alice" }));
        let path = format!("{PATH}/displayname");
        assert_eq!(world.put_as(&alice, &path, json!({ "displayname": "Alice" })).await.ok(), json!({}));
        let url = "mxc://parvis.test/abc";
        let avatar = format!("{PATH}/avatar_url");
        assert_eq!(world.put_as(&alice, &avatar, json!({ "avatar_url": url })).await.status, 200);
        assert_eq!(seen(&world, PATH).await.ok(), json!({ "displayname": "Alice", "avatar_url": url }));
        assert_eq!(seen(&world, &path).await.ok(), json!({ "displayname": "Alice" }));
        assert_eq!(seen(&world, &avatar).await.ok(), json!({ "avatar_url": url }));
    })
    .await;
}

#[tokio::test]
async fn name_that_is_empty_or_null_is_taken_out() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let path = format!("{PATH}/displayname");
    for empty in [json!({ "displayname": "" }), json!({ "displayname": null })] {
        world.put_as(&alice, &path, json!({ "displayname": "Alice" })).await.ok();
        assert_eq!(world.put_as(&alice, &path, empty).await.status, 200);
        assert_eq!(seen(&world, &path).await.error(), (404, "M_NOT_FOUND"));
    }
    assert_eq!(seen(&world, PATH).await.ok(), json!({}));
}

#[tokio::test]
async fn other_fields_are_kept_and_deleted() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let path = format!("{PATH}/m.tz");
        assert_eq!(world.put_as(&alice, &path, json!({ "m.tz": "Europe/Berlin" })).await.status, 200);
        assert_eq!(seen(&world, &path).await.ok(), json!({ "m.tz": "Europe/Berlin" }));
        assert_eq!(world.delete_as(&alice, &path, Value::Null).await.ok(), json!({}));
        assert_eq!(seen(&world, &path).await.error(), (404, "M_NOT_FOUND"));
    })
    .await;
}

#[tokio::test]
async fn profile_has_its_limits() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let long_name = "a".repeat(256);
    let answer = world.put_as(&alice, &format!("{PATH}/{long_name}"), json!({ long_name: 1 })).await;
    assert_eq!(answer.error(), (400, "M_KEY_TOO_LARGE"));
    let large = json!({ "org.example.large": "x".repeat(66_000) });
    let answer = world.put_as(&alice, &format!("{PATH}/org.example.large"), large).await;
    assert_eq!(answer.error(), (400, "M_PROFILE_TOO_LARGE"));
    let answer = world.put_as(&alice, &format!("{PATH}/displayname"), json!({ "displayname": 5 })).await;
    assert_eq!(answer.error(), (400, "M_INVALID_PARAM"));
    let answer = world.put_as(&alice, &format!("{PATH}/displayname"), json!({ "name": "x" })).await;
    assert_eq!(answer.error(), (400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn nobody_changes_the_profile_of_another() {
    let world = World::new().await;
    world.register("alice").await;
    let bob = world.register("bob").await;
    let path = format!("{PATH}/displayname");
    let answer = world.put_as(&bob, &path, json!({ "displayname": "Mallory" })).await;
    assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
    assert_eq!(world.delete_as(&bob, &path, Value::Null).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn unknown_user_has_no_profile() {
    let world = World::new().await;
    assert_eq!(seen(&world, PATH).await.error(), (404, "M_NOT_FOUND"));
    assert_eq!(seen(&world, &format!("{PATH}/displayname")).await.error(), (404, "M_NOT_FOUND"));
}

#[tokio::test]
async fn changed_name_reaches_the_rooms_of_the_user() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let room = world.room(&alice).await;
        let path = format!("{PATH}/displayname");
        let member = format!("v3/rooms/{room}/state/m.room.member/@alice:parvis.test");
        world.put_as(&alice, &path, json!({ "displayname": "Alice" })).await.ok();
        assert_eq!(world.get_as(&alice, &member).await.ok()["displayname"], "Alice");
        world.delete_as(&alice, &path, Value::Null).await.ok();
        assert_eq!(world.get_as(&alice, &member).await.ok()["displayname"], Value::Null);
    })
    .await;
}
