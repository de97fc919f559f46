//! `logout` and `logout_all`

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, client, on_each_engine};

#[tokio::test]
async fn logout_ends_this_session_alone() {
    on_each_engine(async |world: World| {
        let first = world.register("alice").await;
        let second = client(&world.login("alice", json!({})).await);
        assert_eq!(world.get_as(&first, "v3/account/whoami").await.status, 200);
        assert_eq!(world.post_as(&first, "v3/logout", json!({})).await.ok(), json!({}));
        assert_eq!(world.get_as(&first, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(world.get_as(&second, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn logout_all_ends_every_session_of_the_user() {
    on_each_engine(async |world: World| {
        let first = world.register("alice").await;
        let second = client(&world.login("alice", json!({})).await);
        let bob = world.register("bob").await;
        assert_eq!(world.post_as(&first, "v3/logout/all", Value::Null).await.status, 200);
        for session in [&first, &second] {
            assert_eq!(world.get_as(session, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        }
        assert_eq!(world.get_as(&bob, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn request_without_a_token_is_told_so() {
    let world = World::new().await;
    let answer = world.send(Method::POST, "v3/logout", None, Value::Null).await;
    assert_eq!(answer.error(), (401, "M_MISSING_TOKEN"));
}

#[tokio::test]
async fn logout_ends_a_sync_that_waits() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let since = world.get_as(&alice, "v3/sync").await.text("next_batch");
    let path = format!("v3/sync?timeout=30000&since={since}");
    let waiting = world.get_as(&alice, &path);
    let logout = world.post_as(&alice, "v3/logout", Value::Null);
    // The clock of a world stands still, so nothing but the logout can end the wait.
    let (waited, logout) = tokio::join!(waiting, logout);
    assert_eq!(logout.status, 200);
    assert_eq!(waited.error(), (401, "M_UNKNOWN_TOKEN"));
}
